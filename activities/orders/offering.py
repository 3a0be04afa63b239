"""From a reservation to an offer: at once when the money is there, else when the awaited payment is reported."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from activities.orders.cancelling import cancel
from activities.orders.moves import Moves, in_state, withdraw
from contracts.orders import InboxEvent, Parcel, ParcelState
from contracts.routing import Policy


def hold(moves: Moves, parcel: Parcel, at: datetime, seconds: int) -> None:
    """Keep a reserved parcel for a payment; nobody is told. The hold counts from the order's first one."""
    order = moves.order
    parcel.state, parcel.due = ParcelState.HELD, None
    order.hold_until = order.hold_until or at + timedelta(seconds=seconds)
    moves.note("parcel.held", at, parcel=parcel.id, location=parcel.location)


def offer(moves: Moves, parcel: Parcel, at: datetime, reason: str | None = None) -> None:
    """Ask the parcel's location to ship it. Its time to answer begins."""
    parcel.state = ParcelState.OFFERED
    parcel.due = at + timedelta(seconds=parcel.accept_within_s)
    moves.note("parcel.offered", at, parcel=parcel.id, location=parcel.location, reason=reason)
    moves.tell_store(
        "offered",
        parcel,
        items=[item.offered() for item in parcel.items],
        ship_to=moves.order.ship_to,
        answer_by=parcel.due,
        service=parcel.service,
    )


def announce(moves: Moves, parcels: Sequence[Parcel], at: datetime) -> None:
    """Tell the retailer which locations were asked."""
    order = moves.order
    order.dispatched_at = order.dispatched_at or at
    sent = [{"parcel": parcel.id, "location": parcel.location} for parcel in parcels]
    moves.tell_retailer("dispatched", attempt=order.attempt, parcels=sent)


def take_payment(moves: Moves, event: InboxEvent, at: datetime) -> None:
    """Book a payment that was awaited, and offer what is held for it.

    What is not held any more is wanted again (`residual`). A cancelled order's payment goes back by `balance`.
    """
    order, pay = moves.order, moves.order.payment
    reference, amount = str(event.data["reference"]), int(event.data["amount"])
    if reference == pay.receipt:
        return
    if not order.awaits_payment or amount != order.total:
        reason = "paid_before" if pay.receipt else "wrong_amount" if order.awaits_payment else "not_awaited"
        reason = f"{reference}: {reason}"
        moves.refused.append("payment_refused")
        moves.note("payment.refused", at, reason=reason, by=event.by)
        moves.tell_retailer("payment_refused", stage=order.stage, reason=reason)
        return
    pay.receipt, pay.captured = reference, amount
    moves.note("payment.received", at, reason=reference, by=event.by)
    held = in_state(order, (ParcelState.HELD,))
    for parcel in held:
        offer(moves, parcel, at)
    if held:
        announce(moves, held, at)


def sell_out(moves: Moves, at: datetime, policy: Policy) -> None:
    """Not all the goods are to be had for an order that no store has been asked for yet.

    While some are held nothing is given back here, because routing has closed its books: the hold ends at once instead.
    """
    order = moves.order
    if in_state(order, (ParcelState.HELD,)):
        order.hold_until = at
    else:
        cancel(moves, "sold_out_before_payment", "routing", at, policy)


def end_hold(moves: Moves, at: datetime) -> None:
    """Nobody has paid in time: the goods are everybody's again, and the order goes on waiting for its payment."""
    order = moves.order
    order.hold_ended = True
    for parcel in in_state(order, (ParcelState.HELD,)):
        withdraw(moves, parcel, "hold_ended", at, ParcelState.WITHDRAWN, "timer")
    moves.note("hold.ended", at, by="timer")
    moves.tell_retailer("hold_ended", stage=order.stage, reason="not_paid_in_time")
