"""Cancelling an order: what no store has agreed to is taken back at once, for the rest its stores are asked.

A parcel has two axes: how far it has come (`state`), and what was asked of its store and answered (`request`). The
order's outcome follows from its parcels: `pending` while a store is asked, then `cancelled`, `partly` or `refused`.
"""

from datetime import datetime, timedelta
from typing import Literal

from activities.orders.money import reopen_intents
from activities.orders.moves import Moves, in_state, residual, withdraw
from activities.orders.standing import TAKEN_AWAY
from contracts.orders import LIVE, SPOKEN_FOR, UNSHIPPED, Cancellation, OrderState, Parcel, ParcelState
from contracts.parcels import NOT_ACCEPTED
from contracts.routing import Policy

Outcome = Literal["pending", "cancelled", "partly", "refused"]


def cancel(moves: Moves, reason: str, by: str, at: datetime, policy: Policy, *, force: bool = False) -> None:
    """Cancel what has not been shipped. What has been shipped is kept and paid for.

    Stores that have accepted are asked; with `force` they are told instead.
    """
    order = moves.order
    unshipped = in_state(order, UNSHIPPED)
    if order.cancelled and not (force and unshipped):
        return
    left = in_state(order, LIVE - UNSHIPPED)
    if left and not unshipped and not residual(order):
        _refused(moves, reason, by, at, "already_shipped")
        return
    for parcel in unshipped:
        if force or parcel.state in NOT_ACCEPTED:
            _take_back(moves, parcel, at, by)
        elif parcel.request == "none":
            _ask(moves, parcel, reason, at, policy)
    outcome = _outcome(order)
    if outcome == "refused":
        _refused(moves, reason, by, at, "refused_before")
        return
    order.cancellation = Cancellation(reason=reason, by=by, at=at, outcome=outcome)
    order.reason = reason
    order.attention = None
    order.held = False
    order.retry_at = None
    reopen_intents(order)
    moves.note("order.cancelled" if outcome == "cancelled" else f"order.cancelled_{outcome}", at, reason=reason, by=by)


def _refused(moves: Moves, reason: str, by: str, at: datetime, why: str) -> None:
    moves.order.cancellation = Cancellation(reason=reason, by=by, at=at, outcome="refused")
    moves.refused.append(why)
    moves.note("cancellation.refused", at, reason=why, by=by)


def _ask(moves: Moves, parcel: Parcel, reason: str, at: datetime, policy: Policy) -> None:
    parcel.request = "cancel_requested"
    parcel.request_due = at + timedelta(seconds=policy.cancel_answer_s)
    moves.note("parcel.cancellation_requested", at, parcel=parcel.id, location=parcel.location, reason=reason)
    moves.tell_store("cancellation_requested", parcel, reason=reason, answer_by=parcel.request_due)


def _take_back(moves: Moves, parcel: Parcel, at: datetime, by: str) -> None:
    if parcel.request == "cancel_requested":
        parcel.request, parcel.request_due = "cancel_accepted", None
    withdraw(moves, parcel, "order_cancelled", at, ParcelState.WITHDRAWN, by)


def agree(moves: Moves, parcel: Parcel, at: datetime, by: str) -> None:
    """The store gives the parcel up, or has let the time to answer pass without having packed it."""
    _take_back(moves, parcel, at, by)


def insist(moves: Moves, parcel: Parcel, at: datetime, by: str) -> None:
    """The parcel goes on and is paid: its store says so, or has packed it and let the time to answer pass."""
    parcel.request, parcel.request_due = "cancel_refused", None
    if parcel.due is None:
        parcel.due = at + timedelta(seconds=parcel.ship_within_s)
    moves.note("parcel.cancellation_refused", at, parcel=parcel.id, location=parcel.location, by=by)


def silence(moves: Moves, parcel: Parcel, at: datetime) -> None:
    """The store has not answered in time: what is packed goes on, what is only accepted is taken back."""
    if parcel.state is ParcelState.PACKED:
        insist(moves, parcel, at, "timer")
    else:
        agree(moves, parcel, at, "timer")


def resolve(moves: Moves, at: datetime) -> None:
    """Bring the cancellation up to date with the parcels, and tell the retailer what came of asking."""
    order = moves.order
    asked = order.cancellation
    if asked is None:
        return
    given_up = any(p.request == "cancel_refused" and p.state in TAKEN_AWAY for p in order.parcels)
    outcome = _outcome(order) if asked.outcome == "pending" or given_up else asked.outcome
    if outcome == asked.outcome:
        return
    order.cancellation = asked.model_copy(update={"outcome": outcome})
    order.reason = None if outcome == "refused" else asked.reason
    moves.note(f"cancellation.{outcome}", at, reason=asked.reason)
    if outcome in ("partly", "refused"):
        moves.tell_retailer("cancellation_answered", outcome=outcome, reason=asked.reason)


def _outcome(order: OrderState) -> Outcome:
    """From the parcels alone: whether a store is still asked, and how much of the order goes on."""
    going = in_state(order, SPOKEN_FOR)
    if any(parcel.request == "cancel_requested" for parcel in going):
        return "pending"
    if not going:
        return "cancelled"
    units = sum(item.quantity for parcel in going for item in parcel.items)
    return "partly" if units < sum(line.quantity for line in order.lines) else "refused"
