"""Routes of purchase orders: order, approve, answer counter-offers, receive, take invoices in, cancel."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, TypeAdapter

from activities.buying.deadlines import waits_for
from activities.buying.ordering import order_by_hand
from activities.buying.steps import find_purchase
from contracts.buying import ENDED, PurchaseAsked, PurchaseOrder, PurchaseState
from contracts.purchasing import (
    AnswerCounter,
    ApprovePurchase,
    CancelRest,
    Command,
    DecideInvoice,
    Doing,
    Receive,
    RejectPurchase,
    TakeInvoice,
    refuse,
)
from contracts.refusals import Refusal
from infra.keys import Scope
from workers.gateway import purchase_examples as examples
from workers.gateway.answers import Answer, answer
from workers.gateway.body import parse
from workers.gateway.carried import Work, carried_out
from workers.gateway.cursors import cursor_of, from_milliseconds, position_of, to_milliseconds
from workers.gateway.openapi import answers_with, operation
from workers.gateway.security import Caller, needs
from workers.gateway.services import Gateway, gateway_of

router = APIRouter(tags=["purchases"])
Reads = Annotated[Caller, Depends(needs(Scope.PURCHASES_READ))]
Writes = Annotated[Caller, Depends(needs(Scope.PURCHASES_WRITE))]
Approves = Annotated[Caller, Depends(needs(Scope.PURCHASES_APPROVE))]
PurchaseInPath = Annotated[str, Path(alias="id", max_length=120, examples=["po-east-2026-03-02-1"])]

_ASKED: TypeAdapter[PurchaseAsked] = TypeAdapter(PurchaseAsked)
_ADAPTERS: dict[Doing, TypeAdapter[Any]] = {
    "approve": TypeAdapter(ApprovePurchase),
    "reject": TypeAdapter(RejectPurchase),
    "answer": TypeAdapter(AnswerCounter),
    "receive": TypeAdapter(Receive),
    "invoice": TypeAdapter(TakeInvoice),
    "decide": TypeAdapter(DecideInvoice),
    "cancel": TypeAdapter(CancelRest),
}


class PurchaseLinks(BaseModel):
    """`workflow`: in the Temporal UI."""

    self: str
    workflow: str | None


class PurchaseView(PurchaseOrder):
    """`value` in minor units, of what is ordered and not cancelled; `waits_for`: what comes next, in words."""

    open_units: int
    total: int
    waits_for: str
    links: PurchaseLinks


class PurchasePage(BaseModel):
    """`next` is the cursor of the following page; null on the last one."""

    orders: list[PurchaseView]
    next: str | None


@router.post(
    "/v1/purchase-orders",
    **operation(
        "Order of a supplier by hand",
        {202: answers_with(PurchaseView, "It waits for approval, or is sent.", Location="Where it can be seen.")},
        scope=Scope.PURCHASES_WRITE,
        body=PurchaseAsked,
        examples={"one line": examples.ASKED},
    ),
)
async def order(request: Request, caller: Writes) -> Response:
    """Beyond what needs nobody it waits for the role that may approve its value. Orders out of proposals come of
    themselves when the proposals are approved."""

    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        asked = parse(_ASKED, body)
        name = asked.id or f"po-{request_id}"
        made = await order_by_hand(gateway.mongo, asked, name, caller.name, gateway.mongo.clock.now())
        return answer(_view(gateway, made), 202, {"Location": f"/v1/purchase-orders/{made.id}"})

    return await carried_out(request, caller, work)


@router.get(
    "/v1/purchase-orders",
    **operation(
        "List purchase orders, the newest first",
        {200: answers_with(PurchasePage, "A page of orders.")},
        scope=Scope.PURCHASES_READ,
    ),
)
async def list_orders(
    request: Request,
    caller: Reads,
    supplier: Annotated[str | None, Query(max_length=64)] = None,
    location: Annotated[str | None, Query(max_length=64)] = None,
    run: Annotated[str | None, Query(max_length=100)] = None,
    state: PurchaseState | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=400, description="`next` of the page before.")] = None,
) -> Response:
    """How each stands and what it waits for."""
    wanted = {"supplier": supplier, "location": location, "run": run, "state": state}
    return answer(await page_of(gateway_of(request), wanted, limit, cursor)).response()


async def page_of(gateway: Gateway, wanted: dict[str, Any], limit: int, cursor: str | None) -> dict[str, Any]:
    """Conditions that are None are not asked for. Raises Refusal for a cursor that is none."""
    conditions: list[dict[str, Any]] = [{name: value for name, value in wanted.items() if value is not None}]
    if cursor is not None:
        moment, last = position_of(cursor, (int, str))
        at = from_milliseconds(moment)
        conditions.append({"$or": [{"created_at": {"$lt": at}}, {"created_at": at, "_id": {"$gt": last}}]})
    found = gateway.mongo.purchase_orders.find({"$and": conditions}).sort([("created_at", -1), ("_id", 1)])
    rows = [PurchaseOrder.from_row(row) async for row in found.limit(limit + 1)]
    page = rows[:limit]
    following = cursor_of(to_milliseconds(page[-1].created_at), page[-1].id) if len(rows) > limit else None
    return {"orders": [_view(gateway, one) for one in page], "next": following}


@router.get(
    "/v1/purchase-orders/{id}",
    **operation(
        "See a purchase order",
        {200: answers_with(PurchaseView, "How it stands.")},
        scope=Scope.PURCHASES_READ,
        problems=[404],
    ),
)
async def see_order(request: Request, caller: Reads, order: PurchaseInPath) -> Response:
    """Its lines, why this supplier, what has come, invoices and what does not match, and all that happened."""
    gateway = gateway_of(request)
    return answer(_view(gateway, await _known(gateway, order))).response()


def _command(summary: str, body: type[BaseModel], scope: Scope, example: Any) -> dict[str, Any]:
    answers = {200: answers_with(PurchaseView, "How it stands now.")}
    return operation(summary, answers, scope=scope, body=body, examples={"example": example}, problems=[404])


@router.post(
    "/v1/purchase-orders/{id}/approval",
    **_command("ApprovePurchase a purchase order", ApprovePurchase, Scope.PURCHASES_APPROVE, examples.APPROVAL),
)
async def approve(request: Request, caller: Approves, order: PurchaseInPath) -> Response:
    """It is then sent to the supplier. Of large orders, who has asked for one may not approve it."""
    return await carried_out(request, caller, _work(caller, order, "approve"))


@router.post(
    "/v1/purchase-orders/{id}/rejection",
    **_command("RejectPurchase a purchase order", RejectPurchase, Scope.PURCHASES_APPROVE, examples.REJECTION),
)
async def reject(request: Request, caller: Approves, order: PurchaseInPath) -> Response:
    """The supplier never hears of it, and its units are not on order any more."""
    return await carried_out(request, caller, _work(caller, order, "reject"))


@router.post(
    "/v1/purchase-orders/{id}/counter-answer",
    **_command("Answer a counter-offer", AnswerCounter, Scope.PURCHASES_APPROVE, examples.COUNTER_ANSWER),
)
async def answer_counter(request: Request, caller: Approves, order: PurchaseInPath) -> Response:
    """Accepted, the order is as the supplier offers it. Else the supplier is asked once more for what was ordered, or
    with `elsewhere` the next supplier is."""
    return await carried_out(request, caller, _work(caller, order, "answer"))


@router.post(
    "/v1/purchase-orders/{id}/receipts",
    **_command("Receive goods", Receive, Scope.PURCHASES_WRITE, examples.RECEIPT),
)
async def receive(request: Request, caller: Writes, order: PurchaseInPath) -> Response:
    """Once for each delivery note. Good units of what is open are in the stock at once; damaged units stay owed, excess
    and wrong goods are written down and not taken in."""
    return await carried_out(request, caller, _work(caller, order, "receive"))


@router.post(
    "/v1/purchase-orders/{id}/invoices",
    **_command("Take an invoice in", TakeInvoice, Scope.PURCHASES_WRITE, examples.INVOICE),
)
async def take_invoice(request: Request, caller: Writes, order: PurchaseInPath) -> Response:
    """It is compared with what was ordered and with what has come. When all that came is invoiced and matches, the
    order is closed."""
    return await carried_out(request, caller, _work(caller, order, "invoice"))


@router.post(
    "/v1/purchase-orders/{id}/invoice-decisions",
    **_command("Decide about an invoice", DecideInvoice, Scope.PURCHASES_APPROVE, examples.INVOICE_DECISION),
)
async def decide_invoice(request: Request, caller: Approves, order: PurchaseInPath) -> Response:
    """One that does not match: pay it all the same, or send it back."""
    return await carried_out(request, caller, _work(caller, order, "decide"))


@router.post(
    "/v1/purchase-orders/{id}/cancellation",
    **_command("Cancel what is open", CancelRest, Scope.PURCHASES_WRITE, examples.CANCELLATION),
)
async def cancel(request: Request, caller: Writes, order: PurchaseInPath) -> Response:
    """Of all lines, or of those that are named. The supplier is told, and nothing is ordered elsewhere."""
    return await carried_out(request, caller, _work(caller, order, "cancel"))


def _work(caller: Caller, order: str, what: Doing) -> Work:
    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        command = Command.model_validate({"by": caller.name, what: parse(_ADAPTERS[what], body)})
        known = await _known(gateway, order)
        if not await gateway.durable.update(order, "command", command, request_id):
            if _is_done(known, command):
                return answer(_view(gateway, known))
            refuse(order, known.state, what)
            # It is started again with the next look; nothing of it is lost.
            await gateway.mongo.purchase_orders.update_one({"_id": order}, {"$set": {"started": False}})
            raise Refusal(
                "purchase_not_carried",
                f"Nothing carries {order} at the moment.",
                remedy="Send the same request again after the seconds that Retry-After names.",
                status=503,
                retry_after=2,
            )
        return answer(_view(gateway, await _known(gateway, order)))

    return work


def _is_done(order: PurchaseOrder, command: Command) -> bool:
    """Whether a delivery that is reported again was the one that ended the order."""
    asked = command.receive
    return (
        order.state in ENDED
        and asked is not None
        and any(one.reference == asked.reference and one.said == asked.items for one in order.receipts)
    )


async def _known(gateway: Gateway, order: str) -> PurchaseOrder:
    known = await find_purchase(gateway.mongo, order)
    if known is None:
        remedy = "Check the id; GET /v1/purchase-orders lists them."
        raise Refusal("unknown_order", f"There is no purchase order {order}.", remedy=remedy, field="id", status=404)
    return known


def _view(gateway: Gateway, order: PurchaseOrder) -> dict[str, Any]:
    return {
        **order.model_dump(mode="json"),
        "open_units": sum(line.open for line in order.lines),
        "total": order.value,
        "waits_for": waits_for(order),
        "links": {"self": f"/v1/purchase-orders/{order.id}", "workflow": gateway.workflows.link(order.id)},
    }
