"""What goods that come back, or never arrive, do to their order: its parcels, its stock and what the customer owes.

The money follows from the units that are marked as returned (`money.balance`); this only marks them, once.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from activities.orders.money import kept_value
from activities.orders.moves import Moves, ease
from contracts.orders import InboxEvent, Parcel, ParcelState
from contracts.returns import NEVER_HAD, Return, ReturnEntry, ReturnLine, ReturnState
from contracts.routing import Policy
from contracts.stock import Change


def take_loss(moves: Moves, event: InboxEvent, at: datetime) -> None:
    """A parcel is lost, also one that was called delivered: it is paid back in full, or sent once more."""
    order = moves.order
    parcel = _parcel(moves, event)
    if parcel is not None and parcel.state is ParcelState.LOST:
        return
    if parcel is None or parcel.state not in (ParcelState.SHIPPED, ParcelState.DELIVERED):
        _refuse(moves, event, at)
        return
    replace = event.data.get("wish") == "replacement" and not order.cancelled
    kept = kept_value(order)
    opened = _open(parcel, event, at, ReturnState.RECEIVED, "lost")
    opened.wish = "replacement" if replace else "refund"
    for line in opened.lines:
        line.missing = line.quantity
    parcel.state, parcel.reason, parcel.due = ParcelState.LOST, "lost", None
    if replace:
        opened.amount, order.closed_at = 0, None
    else:
        _mark(parcel, {item.line: item.quantity for item in parcel.items})
        opened.amount = kept - kept_value(order)
    moves.returns.append(opened)
    moves.note("parcel.lost", at, parcel=parcel.id, location=parcel.location, reason=opened.wish, by=event.by)
    ease(order)


def take_door_refusal(moves: Moves, event: InboxEvent, at: datetime, policy: Policy) -> None:
    """The customer would not take the parcel: it is on its way back."""
    parcel = _parcel(moves, event)
    if parcel is not None and parcel.state in (ParcelState.RETURNING, ParcelState.RETURNED):
        return
    if parcel is None or parcel.state is not ParcelState.SHIPPED:
        _refuse(moves, event, at)
        return
    opened = _open(parcel, event, at, ReturnState.IN_TRANSIT, "refused_at_door")
    opened.due = at + timedelta(seconds=policy.return_arrival_s)
    parcel.state, parcel.reason = ParcelState.RETURNING, "refused_at_door"
    moves.returns.append(opened)
    moves.note("parcel.refused_at_door", at, parcel=parcel.id, location=parcel.location, by=event.by)


def take_return(moves: Moves, event: InboxEvent, at: datetime) -> None:
    """Goods have come back, or are given up: sellable ones go on the shelf, and what is paid back is marked.

    Of a parcel that was lost all is paid back, or sent again, already: should it turn up, only the shelf gains.
    """
    order = moves.order
    parcel = _parcel(moves, event)
    if parcel is None or event.data["return"] in moves.refunds:
        return
    kept = kept_value(order)
    location = str(event.data["location"])
    skus = {item.line: item.sku for item in parcel.items}
    found = [Change(sku=skus[row["line"]], on_hand=row["sellable"]) for row in event.data["lines"] if row["sellable"]]
    if found:
        moves.post(parcel, "returned", found, location=location, reason=event.data["return"])
    if parcel.state is not ParcelState.LOST:
        _mark(parcel, {row["line"]: row["refund"] for row in event.data["lines"]})
    if parcel.state is ParcelState.RETURNING:
        parcel.state = ParcelState.RETURNED
    moves.refunds[event.data["return"]] = kept - kept_value(order)
    moves.note("return.received", at, parcel=parcel.id, location=location, reason=event.data["return"], by=event.by)


def paid_back(returned: Return) -> dict[int, int]:
    """Units of a received return that the customer does not pay, by line."""
    missing = returned.reason in NEVER_HAD
    return {line.line: line.sellable + line.damaged + (line.missing if missing else 0) for line in returned.lines}


def _mark(parcel: Parcel, units: Mapping[int, int]) -> None:
    """Never more than there are."""
    parcel.items = [
        item.model_copy(update={"returned": min(item.quantity, item.returned + units.get(item.line, 0))})
        for item in parcel.items
    ]


def _parcel(moves: Moves, event: InboxEvent) -> Parcel | None:
    return next((parcel for parcel in moves.order.parcels if parcel.id == event.parcel), None)


def _open(parcel: Parcel, event: InboxEvent, at: datetime, state: ReturnState, why: str) -> Return:
    return Return(
        id=f"{parcel.id}.{why}",
        order=event.order,
        parcel=parcel.id,
        location=parcel.location,
        lines=[
            ReturnLine(line=item.line, sku=item.sku, quantity=item.quantity - item.returned)
            for item in parcel.items
            if item.quantity > item.returned
        ],
        reason="lost" if why == "lost" else "refused_at_door",
        state=state,
        by=event.by,
        opened_at=at,
        timeline=[ReturnEntry(at=at, what=f"return.{state}", reason=why, by=event.by)],
    )


def _refuse(moves: Moves, event: InboxEvent, at: datetime) -> None:
    moves.refused.append("not_under_way")
    moves.note("reply.refused", at, parcel=event.parcel, reason="not_under_way", by=event.by)
