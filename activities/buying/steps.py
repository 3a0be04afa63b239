"""How a purchase order changes: a step reads it, changes it and writes it with its events, its goods, what is learned
of them and the orders at other suppliers, or not at all."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from activities.buying.answers import hear
from activities.buying.deadlines import waits_for
from activities.buying.deciding import carry_out_command, is_due, time_has_come
from activities.buying.lead_times import learn, observations_of
from activities.buying.matching import settle
from activities.buying.moves import Moves, begin
from activities.buying.shelving import shelve
from activities.buying.sources import next_orders
from activities.buying.telling import Told, told_elsewhere
from activities.buying.versions import approvers_in_force
from activities.stock.booking import Stale
from contracts.buying import PurchaseOrder
from contracts.buying_replies import PurchaseReply
from contracts.events import ReplyRefused
from contracts.money import display
from contracts.purchasing import CarryOut, Standing, Step, doing, refuse
from contracts.refusals import Refusal
from infra.mongo import Mongo, Session
from infra.outbox import outgoing, rows_of

Work = Callable[[PurchaseOrder, Session], Awaitable[Moves | None]]
"""None: there was nothing to do, and nothing is written."""
_TRIES = 50
_PAUSE_S = 0.005
_HEARD_AT_ONCE = 100
"""What is said beyond that is heard with the next step."""
_UNREAD: dict[str, Any] = {"drained": None}


async def find_purchase(mongo: Mongo, order: str, session: Session | None = None) -> PurchaseOrder | None:
    row = await mongo.purchase_orders.find_one({"_id": order}, session=session)
    return PurchaseOrder.from_row(row) if row else None


async def stand(mongo: Mongo, order: str) -> Standing:
    """Raises LookupError."""
    known = await find_purchase(mongo, order)
    if known is None:
        raise LookupError(f"there is no purchase order {order}")
    return await _standing(mongo, known)


async def _standing(mongo: Mongo, order: PurchaseOrder) -> Standing:
    unheard = await mongo.purchase_inbox.find_one({"order": order.id, **_UNREAD}, {"_id": 1})
    return Standing(
        order=order.id,
        supplier=order.supplier,
        location=order.location,
        state=order.state,
        value=display(order.value, order.currency),
        open_units=sum(line.open for line in order.lines),
        waits=waits_for(order),
        next_at=order.next_at,
        unheard=unheard is not None,
        successors=order.successors,
        step=order.step,
    )


async def carry_out(mongo: Mongo, step: CarryOut) -> tuple[Standing, PurchaseOrder]:
    """What somebody wants done. Raises Refusal when the order stands otherwise than its workflow thought."""
    command = step.command

    async def work(order: PurchaseOrder, session: Session) -> Moves:
        refuse(order.id, order.state, doing(command))
        moves = Moves(order, step.now, command.by)
        _, approvers = await approvers_in_force(mongo, session)
        carry_out_command(moves, command, approvers)
        settle(moves)
        return moves

    order = await change(mongo, step, work)
    return await _standing(mongo, order), order


async def listen(mongo: Mongo, step: Step) -> Standing:
    """What the supplier has said since, in the order in which it came; what cannot be taken is told to it."""

    async def work(order: PurchaseOrder, session: Session) -> Moves | None:
        heard, moves = await _heard(mongo, session, order, step.now)
        return moves if heard else None

    return await _standing(mongo, await change(mongo, step, work))


async def tick(mongo: Mongo, step: Step) -> Standing:
    """A moment has come. What the supplier said before it counts first."""

    async def work(order: PurchaseOrder, session: Session) -> Moves | None:
        heard, moves = await _heard(mongo, session, order, step.now)
        if not heard and not is_due(order, step.now):
            return None
        if heard == _HEARD_AT_ONCE:
            # There may be more that was said before; the moment waits for it.
            return moves
        after = Moves(moves.order, step.now, "timer", told=moves.told, elsewhere=moves.elsewhere)
        time_has_come(after)
        settle(after)
        return after

    return await _standing(mongo, await change(mongo, step, work))


async def _heard(mongo: Mongo, session: Session, order: PurchaseOrder, now: datetime) -> tuple[int, Moves]:
    """How much was said, and what it came to."""
    found = mongo.purchase_inbox.find({"order": order.id, **_UNREAD}, session=session)
    rows = await found.sort([("received_at", 1), ("_id", 1)]).limit(_HEARD_AT_ONCE).to_list(None)
    total = Moves(order, now, order.supplier)
    for row in rows:
        await asyncio.sleep(0)
        # On a copy: what is refused must have changed nothing.
        moves = Moves(total.order.model_copy(deep=True), now, order.supplier)
        reply = PurchaseReply.model_validate(row["reply"])
        try:
            hear(moves, reply)
            settle(moves)
        except Refusal as refusal:
            total.told.append(_refused(order, reply, refusal))
            continue
        total.order = moves.order
        total.told += moves.told
        total.elsewhere |= moves.elsewhere
    if rows:
        ids = [row["_id"] for row in rows]
        await mongo.purchase_inbox.update_many({"_id": {"$in": ids}}, {"$set": {"drained": now}}, session=session)
    return len(rows), total


def _refused(order: PurchaseOrder, reply: PurchaseReply, refusal: Refusal) -> Told:
    data = ReplyRefused(
        parcel="",
        reply=reply.id,
        code=refusal.code,
        field=refusal.field or "order",
        detail=refusal.detail,
        remedy=refusal.remedy,
    )
    return order.supplier, "reply.refused.v1", data


async def change(mongo: Mongo, step: Step, work: Work) -> PurchaseOrder:
    """Carry a step out once. Raises LookupError for an order that does not exist, and what `work` raises."""

    async def once(session: Session) -> PurchaseOrder:
        order = await find_purchase(mongo, step.order, session)
        if order is None:
            raise LookupError(f"there is no purchase order {step.order}")
        if order.step >= step.number:
            return order
        moves = await work(order, session)
        if moves is None:
            return order
        await _write(mongo, session, step, moves)
        return moves.order

    for attempt in range(_TRIES):
        try:
            return await mongo.transaction(once)
        except Stale:
            await asyncio.sleep(min(_PAUSE_S * 2**attempt, 0.2))
    raise Stale(f"the stock kept changing under {step.order}; the next try starts afresh")


async def _write(mongo: Mongo, session: Session, step: Step, moves: Moves) -> None:
    order = moves.order
    following, nowhere = await next_orders(mongo, session, moves)
    if following or nowhere:
        order.successors = [*order.successors, *(one.id for one in following)]
        moves.note("elsewhere", f"to {', '.join(one.supplier for one in following) or 'nobody'}")
        if nowhere:
            moves.note("nobody_delivers", ", ".join(nowhere)[:300])
    if moves.reference is not None:
        await shelve(mongo, session, order.id, moves.reference, order.location, moves.goods, moves.now)
        await learn(mongo, session, observations_of(moves))
    order.step = step.number
    order.next_at = order.turn.next_at if order.turn is not None else None
    await mongo.purchase_orders.replace_one({"_id": order.id}, order.as_row(), session=session)
    told = [*moves.told, *(told_elsewhere(order, nowhere) if moves.elsewhere else [])]
    rows = rows_of(_outgoing(order.id, step.number, told, step.now), step.now)
    for one in following:
        rows += await insert_order(mongo, session, one, step.now)
    if rows:
        await mongo.outbox.insert_many(rows, session=session)


async def insert_order(mongo: Mongo, session: Session, order: PurchaseOrder, now: datetime) -> list[dict[str, Any]]:
    """A new order, with its first turn; its workflow is started by whoever looks for orders without one. Returns the
    rows of its events."""
    moves = begin(order, now)
    order.next_at = order.turn.next_at if order.turn is not None else None
    await mongo.purchase_orders.insert_one(order.as_row(), session=session)
    return rows_of(_outgoing(order.id, 0, moves.told, now), now)


def _outgoing(order: str, number: int, told: Sequence[Told], at: datetime) -> list[dict[str, Any]]:
    return [
        outgoing(whom, f"{order}:{number}:{place}", kind, order, at, data.model_dump(mode="json", exclude_none=True))
        for place, (whom, kind, data) in enumerate(told)
    ]
