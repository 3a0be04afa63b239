"""Which labels an order needs, worked out from how its parcels stand; and what carriers answered. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from activities.orders.moves import Moves
from activities.orders.standing import attend
from contracts.carriers import LabelAnswer, LabelIntent, LabelOutcome
from contracts.ids import label_key
from contracts.orders import InboxEvent, OrderState, Parcel, ParcelState
from contracts.parcels import AT_STORE, GONE
from contracts.routing import Policy

_HAS_LEFT = GONE | {ParcelState.LOST}


def plan_labels(order: OrderState) -> None:
    """A label for every accepted parcel with a service; none for those that need it no more.

    A booking that may be under way is voided like one that is done: its key is then worth nothing at the carrier.
    """
    for parcel in order.parcels:
        label = parcel.label
        if label is None or label.state == "dropped":
            if parcel.state in AT_STORE and parcel.service is not None and parcel.tracking is None:
                parcel.label = _next(parcel, parcel.service)
        elif label.operation == "book" and label.state in ("todo", "done", "failed") and not _wanted(parcel, label):
            parcel.label = _void(label)


def void_label(parcel: Parcel) -> None:
    """What the label says is not so any more: it is voided, and another booked while the parcel is at its store."""
    label = parcel.label
    if label is None or label.operation == "void":
        return
    if parcel.tracking == label.tracking:
        parcel.tracking = None
    parcel.label = _changed(label, state="dropped") if label.state == "declined" else _void(label)


def _void(label: LabelIntent) -> LabelIntent:
    return _changed(label, operation="void", state="todo", tries=0, not_before=None)


def _next(parcel: Parcel, service: str, declined: Sequence[str] = ()) -> LabelIntent:
    """A label under a key that was never used for this parcel."""
    number = parcel.label.number + 1 if parcel.label else 1
    return LabelIntent(key=label_key(parcel.id, number), number=number, service=service, declined=list(declined))


def _wanted(parcel: Parcel, label: LabelIntent) -> bool:
    """A store that ships before it has the label, or with a number of its own, does without."""
    if parcel.state in AT_STORE:
        return parcel.tracking in (None, label.tracking)
    return parcel.state in _HAS_LEFT and label.state == "done" and parcel.tracking == label.tracking


def next_label_at(order: OrderState, now: datetime) -> datetime | None:
    """When carriers are to be asked next; None when there is nothing to ask them."""
    labels = [p.label for p in order.parcels if p.label is not None and p.label.state == "todo"]
    return min((label.not_before or now for label in labels), default=None)


def labels_settled(order: OrderState) -> bool:
    """Whether nothing is left to do at carriers, or unknown there."""
    return not any(p.label is not None and p.label.state in ("todo", "failed") for p in order.parcels)


def take_label(moves: Moves, event: InboxEvent, at: datetime, policy: Policy) -> None:
    """Take in what a carrier answered. An answer to an intent that is no longer open changes nothing."""
    answer = LabelAnswer.model_validate(event.data)
    outcome = answer.outcome
    for parcel in moves.order.parcels:
        label = parcel.label
        if label is None or label.state != "todo":
            continue
        if (label.key, label.operation) != (outcome.key, outcome.operation):
            continue
        if outcome.status == "failed":
            _try_again(moves, parcel, label, outcome, at, policy)
        elif label.operation == "void":
            _voided(moves, parcel, label, outcome, at)
        elif outcome.status == "done":
            _booked(moves, parcel, label, answer, at)
        else:
            _declined(moves, parcel, label, answer, at)


def _booked(moves: Moves, parcel: Parcel, label: LabelIntent, answer: LabelAnswer, at: datetime) -> None:
    outcome = answer.outcome
    parcel.label = _changed(
        label, state="done", tracking=outcome.tracking, booked_at=at, remaining_s=answer.remaining_s
    )
    parcel.tracking, parcel.service = outcome.tracking, label.service
    parcel.freight = parcel.freight if outcome.price is None else outcome.price
    moves.note("parcel.labelled", at, parcel=parcel.id, location=parcel.location, by=label.service)
    moves.tell_store("labelled", parcel, service=label.service, tracking=outcome.tracking, label_url=outcome.label_url)


def _declined(moves: Moves, parcel: Parcel, label: LabelIntent, answer: LabelAnswer, at: datetime) -> None:
    """The next cheapest service that has not been asked; without one a person must find a way."""
    reason = answer.outcome.code or "declined"
    asked = [*label.declined, label.service]
    moves.note("label.declined", at, parcel=parcel.id, location=parcel.location, reason=reason, by=label.service)
    following = next((other.service for other in answer.alternatives if other.service not in asked), None)
    if following is None:
        parcel.label = _changed(label, state="declined", declined=asked)
        detail = f"no carrier takes {parcel.id} from {parcel.location}: {answer.outcome.detail or reason}"
        attend(moves.order, "no_carrier", detail, at)
        return
    parcel.label = _next(parcel, following, asked)


def _voided(moves: Moves, parcel: Parcel, label: LabelIntent, outcome: LabelOutcome, at: datetime) -> None:
    if outcome.status == "done":
        parcel.label = _changed(label, state="dropped")
        moves.note("label.voided", at, parcel=parcel.id, location=parcel.location, by=label.service)
        return
    parcel.label = _changed(label, state="declined")
    # It goes under that number, whatever was wanted of it: scans are to be known as its own.
    parcel.tracking = parcel.tracking or label.tracking
    reason = outcome.code or "declined"
    moves.note("label.not_voided", at, parcel=parcel.id, location=parcel.location, reason=reason, by=label.service)
    detail = f"the label of {parcel.id} could not be voided: {outcome.detail or reason}"
    attend(moves.order, "label_not_voided", detail, at)


def _try_again(
    moves: Moves, parcel: Parcel, label: LabelIntent, outcome: LabelOutcome, at: datetime, policy: Policy
) -> None:
    failures = label.tries % policy.label_tries
    tries = label.tries + 1
    if failures + 1 < policy.label_tries:
        pause = timedelta(seconds=policy.label_retry_s * 2**failures)
        parcel.label = _changed(label, tries=tries, not_before=at + pause)
        return
    parcel.label = _changed(label, tries=tries, state="failed")
    moves.note("label.failed", at, parcel=parcel.id, location=parcel.location, reason=outcome.code, by=label.service)
    detail = f"{label.service} did not answer {tries} times for {parcel.id}: {outcome.detail or outcome.code}"
    attend(moves.order, "label_failed", detail, at)


def reopen_labels(order: OrderState) -> None:
    """Let failed labels be tried again under the same key, and parcels that no carrier took be offered anew.

    `tries` is not reset: answers are told apart by key and try.
    """
    for parcel in order.parcels:
        label = parcel.label
        if label is None:
            continue
        if label.state == "failed":
            parcel.label = _changed(label, state="todo", not_before=None)
        elif label.state == "declined" and label.operation == "book" and parcel.state in AT_STORE:
            parcel.label = _next(parcel, parcel.service or label.service)


def _changed(label: LabelIntent, **changes: Any) -> LabelIntent:
    return label.model_copy(update=changes)
