"""What should be done with an order's money, worked out from what was shipped; never from what happened before."""

from datetime import datetime, timedelta

from activities.orders.moves import Moves, residual
from contracts.ids import payment_key
from contracts.orders import UNSHIPPED, Attention, OrderState, ParcelState, PaymentIntent
from contracts.payments import PaymentOperation, PaymentOutcome
from contracts.routing import Policy

_DONE = {"authorise": "authorised", "capture": "captured", "void": "voided", "refund": "refunded"}


def kept_value(order: OrderState) -> int:
    """Minor units of the goods that were shipped: each line's share of the total, by units, rounded down."""
    shipped: dict[int, int] = {}
    for parcel in order.parcels:
        if parcel.state in (ParcelState.SHIPPED, ParcelState.DELIVERED):
            for item in parcel.items:
                shipped[item.line] = shipped.get(item.line, 0) + item.quantity
    return sum(line.amount * shipped.get(line.line, 0) // line.quantity for line in order.lines)


def settled(order: OrderState) -> bool:
    """Whether the money matches what was kept and nothing is left to do at the provider, or unknown there."""
    pay = order.payment
    return (
        not any(intent.state in ("todo", "failed") for intent in pay.intents)
        and pay.authorised == 0
        and pay.captured - pay.refunded == kept_value(order)
    )


def needs_authorisation(order: OrderState) -> bool:
    pay = order.payment
    return pay.method == "card" and pay.reference is None and order.total > 0


def balance(order: OrderState) -> None:
    """Add the next payment intent that is due, if any. One at a time, so that each sees the last one's outcome."""
    pay = order.payment
    if any(intent.state in ("todo", "failed", "declined") for intent in pay.intents):
        return
    kept = kept_value(order)
    final = not residual(order) and not any(p.state in UNSHIPPED for p in order.parcels)
    if needs_authorisation(order):
        if not order.cancellation:
            _intend(order, "authorise", order.total)
    elif pay.authorised and kept > pay.captured:
        _intend(order, "capture", min(pay.authorised, kept - pay.captured))
    elif final and pay.authorised:
        _intend(order, "void", pay.authorised)
    elif final and pay.captured - pay.refunded > kept:
        _intend(order, "refund", pay.captured - pay.refunded - kept)


def _intend(order: OrderState, operation: PaymentOperation, amount: int) -> None:
    number = len(order.payment.intents) + 1
    intent = PaymentIntent(key=payment_key(order.id, operation, number), operation=operation, amount=amount)
    order.payment.intents.append(intent)


def take_outcome(moves: Moves, outcome: PaymentOutcome, at: datetime, policy: Policy) -> None:
    """Book what the provider answered. An answer to an intent that is no longer open changes nothing."""
    order = moves.order
    intent = next((i for i in order.payment.intents if i.key == outcome.key and i.state == "todo"), None)
    if intent is None:
        return
    if outcome.status == "done" and intent.operation == "authorise" and not outcome.reference:
        # Nothing could be captured or voided on it: as good as no answer.
        nameless = outcome.model_copy(update={"status": "failed", "code": "no-reference"})
        _try_again(moves, intent, nameless, at, policy)
    elif outcome.status == "done":
        _book(order, intent, outcome.reference)
        moves.note(f"payment.{_DONE[intent.operation]}", at, by="payment")
    elif outcome.status == "failed":
        _try_again(moves, intent, outcome, at, policy)
    else:
        intent.state = "declined"
        reason = outcome.code or "declined"
        moves.note("payment.declined", at, reason=reason, by="payment")
        if intent.operation != "authorise":
            detail = f"{intent.operation} of {intent.amount} was declined: {outcome.detail or reason}"
            order.attention = Attention(code="payment_declined", detail=detail, at=at)


def _book(order: OrderState, intent: PaymentIntent, reference: str | None) -> None:
    intent.state = "done"
    pay = order.payment
    if intent.operation == "authorise":
        pay.authorised = intent.amount
        pay.reference = reference
    elif intent.operation == "capture":
        pay.authorised -= intent.amount
        pay.captured += intent.amount
    elif intent.operation == "void":
        pay.authorised = 0
    else:
        pay.refunded += intent.amount


def _try_again(moves: Moves, intent: PaymentIntent, outcome: PaymentOutcome, at: datetime, policy: Policy) -> None:
    failures = intent.tries % policy.payment_tries
    intent.tries += 1
    if failures + 1 < policy.payment_tries:
        intent.not_before = at + timedelta(seconds=policy.payment_retry_s * 2**failures)
        return
    intent.state = "failed"
    detail = f"{intent.operation} of {intent.amount} failed {intent.tries} times: {outcome.detail or outcome.code}"
    moves.order.attention = Attention(code="payment_failed", detail=detail, at=at)
    moves.note("payment.failed", at, reason=outcome.code, by="payment")


def reopen(order: OrderState) -> None:
    """Let failed intents be tried again under the same key, and declined ones under a new one.

    `tries` is not reset: answers are told apart by key and try. A declined authorisation has cancelled the order.
    """
    for intent in order.payment.intents:
        if intent.state == "failed":
            intent.state, intent.not_before = "todo", None
        elif intent.state == "declined" and intent.operation != "authorise":
            intent.state = "dropped"
