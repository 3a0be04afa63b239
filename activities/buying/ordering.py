"""Purchase orders out of approved proposals, and by hand: each once, however often it is asked."""

from collections.abc import Iterable
from datetime import datetime

from activities.buying.steps import insert_order
from activities.buying.versions import terms_in_force
from contracts.buying import PurchaseAsked, PurchaseLine, PurchaseOrder
from contracts.buying_terms import BuyingTerms
from contracts.refusals import Refusal
from contracts.supply import OrderAsked, OrderLine
from contracts.workdays import day_of
from infra.mongo import Mongo, Session

BY_HAND = "by-hand"
"""The run of orders that no run has proposed."""


async def order_proposals(mongo: Mongo, asked: OrderAsked) -> str:
    """The order of one decision. Proposals that another order holds already are left out; when none is left, nothing is
    made. Returns the order that was asked for, or else the one that holds the first of its proposals."""

    async def once(session: Session) -> str:
        if await mongo.purchase_orders.find_one({"_id": asked.id}, {"_id": 1}, session=session):
            return asked.id
        wanted = [line.proposal for line in asked.lines]
        held = mongo.purchase_orders.find({"proposals": {"$in": wanted}}, {"proposals": 1}, session=session)
        holders = {proposal: row["_id"] async for row in held for proposal in row["proposals"]}
        lines = [line for line in asked.lines if line.proposal not in holders]
        if not lines:
            return str(holders[wanted[0]])
        _, terms = await terms_in_force(mongo, session)
        order = _made(asked, lines, terms)
        rows = await insert_order(mongo, session, order, asked.at)
        await mongo.outbox.insert_many(rows, session=session)
        return order.id

    return await mongo.transaction(once)


def _made(asked: OrderAsked, lines: Iterable[OrderLine], terms: BuyingTerms) -> PurchaseOrder:
    """Two proposals about one SKU become one line, which is due at the earlier day."""
    by_sku: dict[str, PurchaseLine] = {}
    proposals = []
    for line in lines:
        proposals.append(line.proposal)
        known = by_sku.get(line.sku)
        if known is not None:
            known.ordered, known.due = known.ordered + line.quantity, min(known.due, line.due)
            continue
        by_sku[line.sku] = PurchaseLine(
            line=len(by_sku) + 1, sku=line.sku, ordered=line.quantity, unit_price=line.price, due=line.due
        )
    return PurchaseOrder(
        id=asked.id,
        run=asked.run,
        supplier=asked.supplier,
        location=asked.location,
        currency=asked.currency,
        lines=list(by_sku.values()),
        proposals=proposals,
        terms=terms.model_copy(update={"levels": asked.limits}) if asked.limits else terms,
        state="approval",
        asked_by=asked.by,
        created_at=asked.at,
    )


async def order_by_hand(mongo: Mongo, asked: PurchaseAsked, order: str, by: str, now: datetime) -> PurchaseOrder:
    """Raises Refusal when the supplier takes no orders, or the location or a SKU is not known, or another order has the
    id."""

    async def once(session: Session) -> PurchaseOrder:
        row = await mongo.purchase_orders.find_one({"_id": order}, session=session)
        if row is not None:
            known = PurchaseOrder.from_row(row)
            _refuse_other(known, asked)
            return known
        await _refuse_unknown(mongo, session, asked)
        _refuse_past(asked, now)
        _, terms = await terms_in_force(mongo, session)
        made = PurchaseOrder(
            id=order,
            run=BY_HAND,
            supplier=asked.supplier,
            location=asked.location,
            currency=asked.currency,
            lines=[
                PurchaseLine(line=number, sku=one.sku, ordered=one.quantity, unit_price=one.unit_price, due=one.due)
                for number, one in enumerate(asked.lines, 1)
            ],
            reasons=[asked.reason] if asked.reason else [],
            reasons_zh=[asked.reason] if asked.reason else [],
            terms=terms,
            state="approval",
            asked_by=by,
            created_at=now,
        )
        rows = await insert_order(mongo, session, made, now)
        await mongo.outbox.insert_many(rows, session=session)
        return made

    return await mongo.transaction(once)


def _refuse_other(known: PurchaseOrder, asked: PurchaseAsked) -> None:
    was = [(one.sku, one.ordered) for one in known.lines]
    if (known.supplier, known.location, was) != (
        asked.supplier,
        asked.location,
        [(one.sku, one.quantity) for one in asked.lines],
    ):
        raise Refusal(
            "id_taken",
            f"There is another purchase order {known.id}.",
            remedy="Use an id of its own, or leave it out.",
            field="id",
            status=409,
        )


async def _refuse_unknown(mongo: Mongo, session: Session, asked: PurchaseAsked) -> None:
    supplier = await mongo.partners.find_one({"_id": asked.supplier}, {"kind": 1, "state": 1}, session=session)
    if supplier is None or supplier["kind"] != "supplier":
        detail = f"There is no supplier {asked.supplier}."
        raise Refusal("unknown_supplier", detail, remedy="Send the id of a partner that supplies.", field="supplier")
    if supplier["state"] != "active":
        raise Refusal(
            "supplier_not_active",
            f"{asked.supplier} is {supplier['state']}.",
            remedy="Resume it first, or order of another supplier.",
            field="supplier",
            status=409,
        )
    if not await mongo.locations.find_one({"_id": asked.location}, {"_id": 1}, session=session):
        remedy = "Correct the id, or register the location with PUT /v1/locations first."
        raise Refusal("unknown_location", f"There is no location {asked.location}.", remedy=remedy, field="location")
    skus = [line.sku for line in asked.lines]
    known = {row["_id"] async for row in mongo.skus.find({"_id": {"$in": skus}}, {"_id": 1}, session=session)}
    for place, sku in enumerate(skus):
        if sku not in known:
            remedy = "Correct it, or describe the article with PUT /v1/skus first."
            raise Refusal("unknown_sku", f"There is no SKU {sku}.", remedy=remedy, field=f"lines.{place}.sku")


def _refuse_past(asked: PurchaseAsked, now: datetime) -> None:
    today = day_of(now)
    for place, line in enumerate(asked.lines):
        if line.due < today:
            detail = f"{line.due} has passed."
            raise Refusal("bad_day", detail, remedy="Send a day that is still to come.", field=f"lines.{place}.due")
