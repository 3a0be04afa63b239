"""What should be done with an order's money, worked out from what was shipped; never from what happened before."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Literal

from activities.orders.moves import Moves, residual
from contracts.ids import payment_key
from contracts.orders import (
    GONE,
    SPOKEN_FOR,
    UNSHIPPED,
    Attention,
    Charge,
    Goodwill,
    InboxEvent,
    OrderState,
    ParcelState,
    Payment,
    PaymentIntent,
)
from contracts.payments import AUTHORISATION_EXPIRED, PaymentOperation, PaymentOutcome
from contracts.routing import Policy

_DONE = {"authorise": "authorised", "capture": "captured", "void": "voided", "refund": "refunded"}


def kept_value(order: OrderState) -> int:
    """Minor units of the goods that left and did not come back: each line's share of the total, by units, rounded
    down; less what the customer was given for what went wrong."""
    return _less_goodwill(order, _value(order, _units(order, GONE)))


def goodwill(order: OrderState) -> int:
    """Minor units of what was given of that which is kept: never more than its value."""
    return _value(order, _units(order, GONE)) - kept_value(order)


def wanted_value(order: OrderState) -> int:
    """What the order will have cost when everything has come that is still wanted; more than that is given back."""
    if order.cancelled:
        return _less_goodwill(order, _value(order, _units(order, SPOKEN_FOR)))
    returned = {line.line: 0 for line in order.lines}
    for parcel in order.parcels:
        for item in parcel.items:
            returned[item.line] += item.returned
    return _less_goodwill(order, _value(order, {one.line: one.quantity - returned[one.line] for one in order.lines}))


def take_goodwill(moves: Moves, event: InboxEvent, at: datetime) -> None:
    """Once for a key. Refused when the customer pays less than that, whatever was captured by now."""
    order = moves.order
    key, amount = str(event.data["key"]), int(event.data["amount"])
    if any(one.key == key for one in order.goodwill):
        return
    state: Literal["given", "refused"] = "given" if amount <= wanted_value(order) else "refused"
    reason = str(event.data["reason"])
    order.goodwill = [*order.goodwill, Goodwill(key=key, amount=amount, reason=reason, by=event.by, at=at, state=state)]
    moves.note(f"goodwill.{state}", at, reason=reason, by=event.by)


def note_goodwill(order: OrderState) -> None:
    """Paid, as soon as nothing that was given back is owed any more."""
    if order.goodwill and owes_nothing(order):
        paid: list[Goodwill] = [one.model_copy(update={"state": "paid"}) for one in order.goodwill]
        order.goodwill = [old if old.state == "refused" else new for old, new in zip(order.goodwill, paid, strict=True)]


def _less_goodwill(order: OrderState, value: int) -> int:
    return max(value - sum(one.amount for one in order.goodwill if one.state != "refused"), 0)


def owes_nothing(order: OrderState) -> bool:
    """Whether all that is to be given back was given back."""
    pay = order.payment
    open_refunds = any(i.operation == "refund" and i.state in ("todo", "failed", "declined") for i in pay.intents)
    return not open_refunds and pay.captured - pay.refunded <= wanted_value(order)


def _units(order: OrderState, states: Collection[ParcelState]) -> dict[int, int]:
    units: dict[int, int] = {}
    for parcel in order.parcels:
        if parcel.state in states:
            for item in parcel.items:
                units[item.line] = units.get(item.line, 0) + item.quantity - item.returned
    return units


def _value(order: OrderState, units: Mapping[int, int]) -> int:
    return sum(line.amount * units.get(line.line, 0) // line.quantity for line in order.lines)


def settled(order: OrderState) -> bool:
    """Whether the money matches what was kept and nothing is left to do at the provider, or unknown there."""
    pay = order.payment
    return (
        not any(intent.state in ("todo", "failed") for intent in pay.intents)
        and pay.authorised == 0
        and pay.captured - pay.refunded == kept_value(order)
    )


def needs_authorisation(order: OrderState) -> bool:
    """Nothing was authorised yet, or what was has lapsed."""
    pay = order.payment
    return pay.method == "card" and pay.reference is None and order.total > 0


def declined_for_good(order: OrderState) -> bool:
    """The customer's bank has said no before anything was shipped: the order cannot be."""
    return any(i.operation == "authorise" and i.state == "declined" for i in order.payment.intents) and not kept_value(
        order
    )


def balance(order: OrderState) -> None:
    """Add the next payment intent that is due, if any. One at a time, so that each sees the last one's outcome."""
    pay = order.payment
    if any(intent.state in ("todo", "failed", "declined") for intent in pay.intents):
        return
    kept, paid = kept_value(order), pay.captured - pay.refunded
    final = not residual(order) and not any(p.state in UNSHIPPED for p in order.parcels)
    wanted = wanted_value(order)
    if needs_authorisation(order) and wanted > paid:
        _intend(order, "authorise", wanted - paid)
    elif pay.authorised and kept > paid:
        _intend(order, "capture", min(pay.authorised, kept - paid))
    elif final and pay.authorised:
        _intend(order, "void", pay.authorised)
    elif paid > wanted:
        _refund(order, paid - wanted)


def _refund(order: OrderState, amount: int) -> None:
    """From the charge that has something left; what is more than that comes in turn."""
    for charge in order.payment.charges:
        left = charge.captured - charge.refunded
        if left > 0:
            _intend(order, "refund", min(amount, left), charge.reference)
            return
    _intend(order, "refund", amount)


def _intend(order: OrderState, operation: PaymentOperation, amount: int, reference: str | None = None) -> None:
    number = len(order.payment.intents) + 1
    key = payment_key(order.id, operation, number)
    intent = PaymentIntent(key=key, operation=operation, amount=amount, reference=reference)
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
    elif outcome.code == AUTHORISATION_EXPIRED and intent.operation in ("capture", "void"):
        intent.state = "dropped"
        order.payment.authorised, order.payment.reference = 0, None
        moves.note("payment.expired", at, by="payment")
    else:
        _declined(moves, intent, outcome, at)


def _declined(moves: Moves, intent: PaymentIntent, outcome: PaymentOutcome, at: datetime) -> None:
    """Goods that have left and are not paid are a debt: a person must look, and the order is not closed."""
    order = moves.order
    intent.state = "declined"
    reason = outcome.code or "declined"
    moves.note("payment.declined", at, reason=reason, by="payment")
    if not declined_for_good(order):
        owed = kept_value(order) - order.payment.captured + order.payment.refunded
        debt = f"; {owed} is owed for goods that were shipped" if owed > 0 and intent.operation == "authorise" else ""
        detail = f"{intent.operation} of {intent.amount} was declined: {outcome.detail or reason}{debt}"
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
        _charge(pay, pay.reference).captured += intent.amount
    elif intent.operation == "void":
        pay.authorised = 0
    else:
        pay.refunded += intent.amount
        if pay.method == "card":
            _charge(pay, intent.reference or pay.reference).refunded += intent.amount


def _charge(pay: Payment, reference: str | None) -> Charge:
    found = next((charge for charge in pay.charges if charge.reference == reference), None)
    if found is None:
        found = Charge(reference=reference)
        pay.charges.append(found)
    return found


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


def reopen_intents(order: OrderState) -> None:
    """Let failed intents be tried again under the same key, and declined ones under a new one.

    `tries` is not reset: answers are told apart by key and try. A declined authorisation has cancelled the order,
    unless goods had left by then.
    """
    for_good = declined_for_good(order)
    for intent in order.payment.intents:
        if intent.state == "failed":
            intent.state, intent.not_before = "todo", None
        elif intent.state == "declined" and not (intent.operation == "authorise" and for_good):
            intent.state = "dropped"
