"""Routes by which a supplier sees its orders, its reports and its score, and objects to lines of it. It answers with
POST /v1/partner/replies, as over the bus."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, TypeAdapter

from activities.buying.disputes import object_to
from activities.buying.steps import find_purchase
from contracts.buying import (
    Counter,
    Invoice,
    Notice,
    PurchaseLine,
    PurchaseOrder,
    PurchaseState,
    PurchaseTurn,
    Receipt,
)
from contracts.buying_replies import Reported
from contracts.refusals import Refusal
from contracts.scoring import DisputeState, ObjectToLine
from infra.keys import Scope
from workers.gateway import purchase_examples as examples
from workers.gateway.answers import Answer, answer
from workers.gateway.body import parse
from workers.gateway.carried import carried_out
from workers.gateway.cursors import cursor_of, from_milliseconds, position_of, to_milliseconds
from workers.gateway.openapi import answers_with, operation
from workers.gateway.partner.access import Partners
from workers.gateway.security import Caller
from workers.gateway.services import Gateway, gateway_of
from workers.gateway.suppliers import ScoreView, score_view

router = APIRouter(tags=["partner"])
_OBJECT: TypeAdapter[ObjectToLine] = TypeAdapter(ObjectToLine)
_SHOWN = frozenset(
    {
        *("id", "location", "currency", "lines", "state", "why", "sent_at", "answered_at"),
        *("counter", "notices", "receipts", "invoices"),
    }
)


class SuppliersOrder(BaseModel):
    """A purchase order as its supplier sees it."""

    id: str
    location: str
    currency: str
    lines: list[PurchaseLine]
    state: PurchaseState
    why: str | None
    sent_at: str
    answered_at: str | None
    answer_by: str | None
    counter: Counter | None
    notices: list[Notice]
    receipts: list[Receipt]
    invoices: list[Invoice]


class SuppliersOrders(BaseModel):
    """`next` is the cursor of the following page; null on the last one."""

    orders: list[SuppliersOrder]
    next: str | None


class SuppliersObjection(BaseModel):
    """Without whose turn it is inside."""

    id: str
    supplier: str
    order: str
    line: int
    reason: str
    by: str
    at: datetime
    state: DisputeState
    answer: str | None
    answered_at: datetime | None
    answer_by: datetime | None


class Reports(BaseModel):
    reports: list[Reported]


def _supplier(caller: Caller) -> str:
    """Raises Refusal."""
    if caller.partner is None:
        raise Refusal(
            "no_partner",
            f"The key of {caller.name} belongs to no partner.",
            remedy="Use a supplier's key; the retailer sees the same under /v1/purchase-orders and /v1/suppliers.",
            status=403,
        )
    return caller.partner


@router.get(
    "/v1/partner/purchase-orders",
    **operation(
        "See orders that you are to deliver",
        {200: answers_with(SuppliersOrders, "The newest first.")},
        scope=Scope.PARTNER,
    ),
)
async def list_own(
    request: Request,
    caller: Partners,
    state: PurchaseState | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=400, description="`next` of the page before.")] = None,
) -> Response:
    """Those that you were told of. Answer with POST /v1/partner/replies."""
    wanted: dict[str, Any] = {"supplier": _supplier(caller), "sent_at": {"$ne": None}}
    if state is not None:
        wanted["state"] = state
    conditions = [wanted]
    if cursor is not None:
        moment, last = position_of(cursor, (int, str))
        at = from_milliseconds(moment)
        conditions.append({"$or": [{"created_at": {"$lt": at}}, {"created_at": at, "_id": {"$gt": last}}]})
    orders = gateway_of(request).mongo.purchase_orders
    found = orders.find({"$and": conditions}).sort([("created_at", -1), ("_id", 1)]).limit(limit + 1)
    rows = [PurchaseOrder.from_row(row) async for row in found]
    page = rows[:limit]
    following = cursor_of(to_milliseconds(page[-1].created_at), page[-1].id) if len(rows) > limit else None
    return answer({"orders": [_shown(one) for one in page], "next": following}).response()


@router.get(
    "/v1/partner/purchase-orders/{id}",
    **operation(
        "See one of your orders",
        {200: answers_with(SuppliersOrder, "How it stands.")},
        scope=Scope.PARTNER,
        problems=[404],
    ),
)
async def see_own(
    request: Request, caller: Partners, order: Annotated[str, Path(alias="id", max_length=120)]
) -> Response:
    """With what came of it, and your invoices."""
    supplier = _supplier(caller)
    known = await find_purchase(gateway_of(request).mongo, order)
    if known is None or known.supplier != supplier or known.sent_at is None:
        remedy = "Send the id that you were told with purchase.ordered."
        raise Refusal("unknown_order", f"There is no purchase order {order}.", remedy=remedy, field="id", status=404)
    return answer(_shown(known)).response()


def _shown(order: PurchaseOrder) -> dict[str, Any]:
    """Without what is the retailer's own: approvals, other suppliers, terms and its people."""
    turn: PurchaseTurn | None = order.turn
    answer_by = turn.due if turn is not None and turn.kind == "answer" else None
    shown = order.model_dump(mode="json", include=set(_SHOWN))
    for one in (*shown["receipts"], *shown["invoices"]):
        one["by"] = order.supplier if one["by"] == order.supplier else "retailer"
    for one in shown["invoices"]:
        one["decided_by"] = "retailer" if one["decided_by"] else None
    return {**shown, "answer_by": answer_by.isoformat() if answer_by else None}


@router.get(
    "/v1/partner/supply",
    **operation("See what you have reported", {200: answers_with(Reports, "By SKU.")}, scope=Scope.PARTNER),
)
async def see_reports(request: Request, caller: Partners) -> Response:
    """Report with `supply.reported.v1`. At most 10,000 are shown."""
    found = gateway_of(request).mongo.supplier_reports.find({"supplier": _supplier(caller)}).sort("sku", 1)
    rows = [Reported.from_row(row).model_dump(mode="json") async for row in found.limit(10_000)]
    return answer({"reports": rows}).response()


@router.get(
    "/v1/partner/score",
    **operation("See your score", {200: answers_with(ScoreView, "The score, and its lines.")}, scope=Scope.PARTNER),
)
async def see_own_score(request: Request, caller: Partners) -> Response:
    """Exactly the lines that made it, and those that were left out. Object to a line that should not count."""
    return answer(await score_view(gateway_of(request).mongo, _supplier(caller), lines=True)).response()


@router.post(
    "/v1/partner/score/disputes",
    **operation(
        "Object to a line of your score",
        {200: answers_with(SuppliersObjection, "It waits for an answer, until `answer_by` of those who have it now.")},
        scope=Scope.PARTNER,
        body=ObjectToLine,
        examples={"one line": examples.OBJECTION},
        problems=[404],
    ),
)
async def object_to_line(request: Request, caller: Partners) -> Response:
    """Once for each line. You are told what became of it with `supplier.dispute.v1`; when nobody answers in time it is
    given to the next role, and accepted after the last one."""

    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        supplier = _supplier(caller)
        asked = parse(_OBJECT, body)
        made = await object_to(gateway.mongo, supplier, asked, caller.name, gateway.mongo.clock.now())
        shown = made.model_dump(mode="json", include=set(SuppliersObjection.model_fields))
        due = made.turn.due.isoformat() if made.turn is not None else None
        return answer({**shown, "answer_by": due})

    return await carried_out(request, caller, work)
