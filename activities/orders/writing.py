"""Writes what a step decided: orders, stock, ledger, outbox and inbox in one transaction, all or nothing."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from activities.orders.moves import Moves, Posting
from activities.orders.network import Availability
from activities.stock.arrivals import left_waiting
from activities.stock.booking import Stale, book, still_at
from contracts.fulfilment import Advance
from contracts.ids import outgoing_event_id
from contracts.orders import OrderState
from contracts.routing import Decision
from contracts.stock import Change, Movement
from infra.counting import count_refusals
from infra.mongo import Mongo, Session, UpdateOne
from infra.outbox import Outgoing, outgoing, rows_of

_FIXED = {
    *("id", "channel", "currency", "lines", "total", "discount", "shipping_fee"),
    *("customer", "sold_by", "placed_at", "version"),
}
_MUTABLE = frozenset(OrderState.model_fields) - _FIXED


@dataclass(slots=True)
class Written:
    """What a step has written: the orders it moved, those whose stage changed, and units made available, by SKU."""

    moved: set[str] = field(default_factory=set)

    changed: list[OrderState] = field(default_factory=list)
    freed: dict[str, int] = field(default_factory=dict)
    left_waiting: list[OrderState] = field(default_factory=list)
    """Orders that were told of stock and could not use it."""


def movements(postings: Iterable[Posting], stock: Availability | None, at: datetime) -> list[Movement]:
    """Ledger rows for postings, in their order.

    `stock` is brought along row by row, because emptying a shelf depends on what is there; it is None for
    reservations, which the router has taken from the stock already.
    """
    made = []
    for posting in postings:
        changes = posting.changes
        if stock is not None:
            if posting.empty:
                changes = [Change(sku=c.sku, on_hand=-max(stock.at(posting.location, c.sku), 0)) for c in changes]
            for change in changes:
                stock.change(posting.location, change.sku, change.on_hand - change.reserved)
            if posting.slot is not None:
                stock.count(posting.location, posting.slot, -1)
        made.append(
            Movement.trusted(
                id=posting.cause,
                kind=posting.kind,
                location=posting.location,
                changes=changes,
                order=posting.order,
                reason=posting.reason,
                slot=posting.slot,
                at=at,
            )
        )
    return made


async def write(
    mongo: Mongo,
    step: Advance,
    moved: Sequence[Moves],
    booked: Sequence[Movement],
    decisions: dict[str, Decision],
    planned_on: int,
) -> Written:
    """Write a step. Raises Stale, with nothing written, when an order or the stock has changed since it was read."""
    if not moved:
        return Written()
    orders = [_order_update(moves, decisions.get(moves.order.id), step.now) for moves in moved]
    events = rows_of([event for moves in moved for event in _told(moves, step.now)], step.now)
    drained = [event for moves in moved for event in moves.drained]
    entries = [entry.as_row() for moves in moved for entry in moves.entries]
    places = [
        _place_given_back(moves.order) for moves in moved if moves.order.hold_ended and not moves.before.hold_ended
    ]

    opened = [one.as_row() for moves in moved for one in moves.returns]
    refunds = [
        UpdateOne({"_id": returned}, {"$set": {"amount": amount}, "$inc": {"version": 1}})
        for moves in moved
        for returned, amount in moves.refunds.items()
    ]

    async def work(session: Session) -> None:
        if booked:
            await book(mongo, session, booked, planned_on)
        elif decisions:
            await still_at(mongo, session, planned_on)
        await _unchanged(mongo, session, moved)
        await mongo.orders.bulk_write(orders, ordered=False, session=session)
        if events:
            await mongo.outbox.insert_many(events, ordered=False, session=session)
        if entries:
            await mongo.entries.insert_many(entries, ordered=False, session=session)
        if places:
            await mongo.holds.bulk_write(places, ordered=False, session=session)
        if opened:
            await mongo.returns.insert_many(opened, ordered=False, session=session)
        if refunds:
            await mongo.returns.bulk_write(refunds, ordered=False, session=session)
        if drained:
            await mongo.inbox.update_many({"_id": {"$in": drained}}, {"$set": {"drained": step.now}}, session=session)

    await mongo.transaction(work)
    await count_refusals(mongo, "order", [code for moves in moved for code in moves.refused])
    changed = [moves.order for moves in moved if moves.order.stage != moves.before.stage]
    waiting = [moves.order for moves in moved if left_waiting(moves.order, moves.drained)]
    return Written({moves.order.id for moves in moved}, changed, _freed(booked), waiting)


async def _unchanged(mongo: Mongo, session: Session, moved: Sequence[Moves]) -> None:
    """Raises Stale when an order is not as it was read. What changes it from here on conflicts with this transaction.

    So the updates can go by the orders' ids alone, which the database finds without planning.
    """
    found = mongo.orders.find({"_id": {"$in": [moves.order.id for moves in moved]}}, {"version": 1}, session=session)
    versions = {row["_id"]: row["version"] for row in await found.to_list(None)}
    if any(versions.get(moves.order.id) != moves.order.version for moves in moved):
        raise Stale


def _order_update(moves: Moves, decision: Decision | None, at: datetime) -> UpdateOne:
    """Only the fields that changed: most steps touch a few of them."""
    order, before = moves.order, moves.before
    changed = {name for name in _MUTABLE if getattr(order, name) != getattr(before, name)}
    changes: dict[str, Any] = {
        "$set": {**order.model_dump(include=changed), "updated_at": at, "version": order.version + 1}
    }
    pushed: dict[str, Any] = {}
    if moves.timeline:
        pushed["timeline"] = {"$each": [entry.model_dump(exclude_none=True) for entry in moves.timeline]}
    if decision is not None:
        pushed["decisions"] = decision.model_dump(exclude_defaults=True)
    if pushed:
        changes["$push"] = pushed
    return UpdateOne({"_id": order.id}, changes)


def _place_given_back(order: OrderState) -> UpdateOne:
    """Of the orders that may await payment, the customer has one less."""
    return UpdateOne({"_id": order.customer}, {"$pull": {"places": {"order": order.id}}})


def _told(moves: Moves, at: datetime) -> list[Outgoing]:
    order = moves.order
    return [
        outgoing(
            tell.partner, outgoing_event_id(order.id, order.version, number), tell.type, tell.subject, at, tell.data
        )
        for number, tell in enumerate(moves.tells)
    ]


def _freed(booked: Iterable[Movement]) -> dict[str, int]:
    freed: dict[str, int] = defaultdict(int)
    for movement in booked:
        for change in movement.changes:
            units = change.on_hand - change.reserved
            if movement.kind in ("released", "returned") and units > 0:
                freed[change.sku] += units
    return dict(freed)
