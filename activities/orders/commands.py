"""What operators, callers and the stock desk may ask of an order besides cancelling it: retry, reroute, release."""

from datetime import datetime, timedelta

from activities.orders.labels import reopen_labels
from activities.orders.money import reopen_intents
from activities.orders.moves import Moves, ease, exclude, in_state, overdue, withdraw
from contracts.orders import UNSHIPPED, InboxEvent, ParcelState
from contracts.parcels import NOT_ACCEPTED


def retry(moves: Moves, event: InboxEvent, at: datetime) -> None:
    """Clear what holds the order up and try again, with every store allowed once more."""
    order = moves.order
    order.attention = None
    order.held = False
    order.retry_at = None
    order.excluded = []
    order.refusals = 0
    for parcel in overdue(order):
        parcel.due = at + timedelta(seconds=parcel.ship_within_s)
    reopen_intents(order)
    reopen_labels(order)
    moves.note("order.retried", at, reason=event.data.get("reason"), by=event.by)


def reroute(moves: Moves, event: InboxEvent, at: datetime) -> None:
    """Take the unshipped parcels (or the one named) away from their stores and find others."""
    order = moves.order
    parcels = [p for p in in_state(order, UNSHIPPED) if event.parcel in (None, p.id)]
    for parcel in parcels:
        exclude(order, parcel.location)
        withdraw(moves, parcel, "rerouted", at, ParcelState.WITHDRAWN, event.by)
    ease(order)
    order.held = False
    order.retry_at = None
    order.refusals = 0
    moves.note("order.rerouted", at, reason=event.data.get("reason"), by=event.by)


def release(moves: Moves, event: InboxEvent, at: datetime) -> None:
    """Give the reserved goods back and hold the order until it is retried or cancelled."""
    order = moves.order
    for parcel in in_state(order, UNSHIPPED):
        withdraw(moves, parcel, "released", at, ParcelState.WITHDRAWN, event.by)
    order.held = True
    order.retry_at = order.backordered_at = None
    ease(order)
    moves.note("order.released", at, reason=event.data.get("reason"), by=event.by)


def take_short(moves: Moves, event: InboxEvent, at: datetime) -> None:
    """A count found fewer goods than were promised: plan a parcel anew that its store has not accepted yet."""
    for parcel in in_state(moves.order, NOT_ACCEPTED):
        if parcel.id == event.parcel:
            exclude(moves.order, parcel.location)
            withdraw(moves, parcel, "stock_short", at, ParcelState.WITHDRAWN, event.by)
