"""The state machine of an order: `advance` takes events and time in, `dispatch` a decision, `conclude` ends a step.

Pure: no clock, no I/O, no chance. The same order, events and moment give the same moves.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from operator import itemgetter

from activities.orders.address import change_address
from activities.orders.cancelling import cancel, resolve, silence
from activities.orders.commands import release, reroute, retry, take_short
from activities.orders.labels import labels_settled, next_label_at, plan_labels, take_label
from activities.orders.money import (
    balance,
    declined_for_good,
    needs_authorisation,
    note_goodwill,
    settled,
    take_goodwill,
    take_outcome,
)
from activities.orders.moves import Moves, begin, in_state, residual
from activities.orders.offering import announce, end_hold, hold, offer, sell_out, take_payment
from activities.orders.replies import expire, take_reply
from activities.orders.returning import take_door_refusal, take_loss, take_return
from activities.orders.standing import GOES_ON, left_over
from activities.orders.tracking import look_after, take_tracking, watched_until
from contracts.base import milliseconds
from contracts.ids import parcel_id
from contracts.orders import (
    LIVE,
    TERMINAL,
    UNSHIPPED,
    Attention,
    InboxEvent,
    Item,
    OrderState,
    Parcel,
    ParcelState,
    Stage,
)
from contracts.payments import PaymentOutcome
from contracts.routing import Decision, Policy
from contracts.stock import Change

_STAGE_OF_PARCEL = {
    ParcelState.OFFERED: Stage.DISPATCHED,
    ParcelState.ACCEPTED: Stage.ACCEPTED,
    ParcelState.PACKED: Stage.PACKED,
    ParcelState.SHIPPED: Stage.SHIPPED,
    ParcelState.RETURNING: Stage.SHIPPED,
    ParcelState.DELIVERED: Stage.DELIVERED,
    ParcelState.RETURNED: Stage.DELIVERED,
}
_BY_PROGRESS = list(_STAGE_OF_PARCEL)
_MILESTONES = (Stage.SHIPPED, Stage.DELIVERED, Stage.CLOSED)
_FIRST_RETRY = timedelta(minutes=1)
_LACKED_STOCK = frozenset({"out_of_stock", "not_found", "stock_short"})


def advance(order: OrderState, events: Sequence[InboxEvent], now: datetime, policy: Policy) -> Moves:
    """Take in what happened to an order up to `now`, in the order in which it happened.

    A deadline that ended before an answer was received has ended, even if both are seen in the same step.
    `moves.route` says that goods are wanted which no store has been asked for.
    """
    moves = begin(order)
    for event in sorted(events, key=lambda e: (e.received_at, e.id)):
        _deadlines(moves, min(event.received_at, now), policy)
        _take(moves, event, min(event.received_at, now), policy)
        resolve(moves, min(event.received_at, now))
        moves.drained.append(event.id)
    _deadlines(moves, now, policy)
    order = moves.order
    wanted = residual(order)
    stopped = order.attention is not None and order.attention.code not in GOES_ON
    unpaid = needs_authorisation(order) or (order.awaits_payment and order.hold_ended)
    moves.route = bool(wanted) and not (order.held or stopped or unpaid)
    if moves.route and order.retry_at is not None:
        moves.route = order.retry_at <= now
    if moves.route and order.refusals >= policy.max_refusals:
        reason = f"{order.refusals} stores refused or did not answer"
        _backorder(moves, now, reason, timedelta(seconds=policy.backorder_retry_s))
        moves.route = False
    return moves


def _take(moves: Moves, event: InboxEvent, at: datetime, policy: Policy) -> None:
    order = moves.order
    if event.kind == "reply.lost":
        take_loss(moves, event, at)
    elif event.kind == "reply.refused_at_door":
        take_door_refusal(moves, event, at, policy)
    elif event.kind == "return.received":
        take_return(moves, event, at)
    elif event.kind.startswith("reply."):
        take_reply(moves, event, at)
    elif event.kind == "payment.outcome":
        take_outcome(moves, PaymentOutcome.model_validate(event.data), at, policy)
        if declined_for_good(order):
            cancel(moves, "payment_declined", "payment", at, policy)
    elif event.kind == "payment.received":
        take_payment(moves, event, at)
    elif event.kind == "label.outcome":
        take_label(moves, event, at, policy)
    elif event.kind == "tracking":
        take_tracking(moves, event, at, policy)
    elif event.kind == "command.cancel":
        reason = str(event.data.get("reason") or "requested")
        cancel(moves, reason, event.by, at, policy, force=bool(event.data.get("force")))
    elif event.kind == "command.goodwill":
        take_goodwill(moves, event, at)
    elif event.kind == "command.address":
        change_address(moves, event, at)
    elif order.cancelled and event.kind != "command.retry":
        return
    elif event.kind == "command.retry":
        retry(moves, event, at)
    elif event.kind == "command.reroute":
        reroute(moves, event, at)
    elif event.kind == "command.release":
        release(moves, event, at)
    elif event.kind == "stock.arrived":
        _try_with_arrived(order)
    elif event.kind == "stock.short":
        take_short(moves, event, at)


def _try_with_arrived(order: OrderState) -> None:
    """A back-ordered order gets a new chance, also with stores that only lacked the goods, or some of them.

    Not with those that had another reason: goods that they gave back by refusing arrive too, and would go round and
    round. They are asked again at the retry time.
    """
    if order.retry_at is not None:
        lacked = {p.location: p.state in LIVE or p.reason in _LACKED_STOCK for p in order.parcels}
        order.excluded = [location for location in order.excluded if not lacked.get(location)]
        order.retry_at, order.refusals = None, 0


def _deadlines(moves: Moves, at: datetime, policy: Policy) -> None:
    order = moves.order
    if order.awaits_payment and not order.cancelled:
        _payment_deadlines(moves, at, policy)
    answers = [(p.request_due, p, silence) for p in order.parcels if p.request_due is not None]
    handing = [(p.due, p, _time_is_up) for p in order.parcels if p.due is not None]
    for due, parcel, ended in sorted([*handing, *answers], key=itemgetter(0)):
        if due <= at and due in (parcel.due, parcel.request_due):
            ended(moves, parcel, due)
    resolve(moves, at)
    look_after(moves, at, policy)
    if order.retry_at is not None and order.backordered_at is not None:
        limit = order.backordered_at + timedelta(seconds=policy.backorder_limit_s)
        if limit <= at:
            cancel(moves, "no_stock_within_limit", "timer", limit, policy)
        elif order.retry_at <= at:
            _try_with_arrived(order)
            if at - order.backordered_at >= timedelta(seconds=policy.backorder_retry_s):
                order.excluded = []


def _payment_deadlines(moves: Moves, at: datetime, policy: Policy) -> None:
    order = moves.order
    if order.hold_until is not None and order.hold_until <= at and not order.hold_ended:
        end_hold(moves, order.hold_until)
    limit = order.placed_at + timedelta(seconds=policy.payment_limit_s)
    if limit <= at:
        cancel(moves, "not_paid_in_time", "timer", limit, policy)


def _time_is_up(moves: Moves, parcel: Parcel, due: datetime) -> None:
    """The store has not answered, or not handed over, in time.

    In the latter case the parcel stays with its store. Another attention that stands already is the graver one."""
    if parcel.state is ParcelState.OFFERED:
        expire(moves, parcel, due)
        return
    order = moves.order
    parcel.due = None
    detail = f"{parcel.location} accepted {parcel.id} but has not handed it over in time"
    order.attention = order.attention or Attention(code="ship_overdue", detail=detail, at=due)
    moves.note("parcel.overdue", due, parcel=parcel.id, location=parcel.location, by="timer")


def dispatch(
    moves: Moves, decision: Decision, now: datetime, policy: Policy, times: dict[str, tuple[int, int]]
) -> None:
    """Reserve and offer what the router decided. `times`: seconds to answer and to hand over, by location."""
    order = moves.order
    order.attempt = decision.attempt
    if decision.outcome == "none" and order.payment.method == "later" and order.dispatched_at is None:
        sell_out(moves, now, policy)
        return
    if decision.outcome == "none":
        _backorder(moves, now, decision.reason, _retry_pause(order, now, policy))
        return
    order.retry_at = order.reason = None
    for allocation in decision.allocations:
        accept_s, ship_s = times[allocation.location]
        parcel = Parcel.trusted(
            id=parcel_id(order.id, len(order.parcels) + 1),
            location=allocation.location,
            items=[Item.trusted(line=i.line, sku=i.sku, quantity=i.quantity) for i in allocation.items],
            state=ParcelState.OFFERED,
            distance_km=allocation.distance_km,
            attempt=order.attempt,
            accept_within_s=accept_s,
            ship_within_s=ship_s,
            slot=allocation.slot,
            service=allocation.service,
            freight=allocation.terms.freight if allocation.terms else 0,
            promised_at=allocation.promised_at and milliseconds(allocation.promised_at),
        )
        order.parcels.append(parcel)
        goods = [Change.trusted(sku=i.sku, reserved=i.quantity) for i in parcel.items]
        moves.post(parcel, "reserved", goods, slot=parcel.slot)
        if order.awaits_payment:
            hold(moves, parcel, now, policy.hold_s)
        else:
            offer(moves, parcel, now, decision.reason)
    if not order.awaits_payment:
        announce(moves, [parcel for parcel in order.parcels if parcel.attempt == order.attempt], now)


def _backorder(moves: Moves, now: datetime, reason: str, pause: timedelta) -> None:
    order = moves.order
    if order.backordered_at is None:
        order.backordered_at = now
    order.retry_at = now + pause
    order.reason = reason
    moves.note("order.backordered", now, reason=reason)


def _retry_pause(order: OrderState, now: datetime, policy: Policy) -> timedelta:
    """As long again as the order has waited, from a minute up to the policy's retry time. Arriving stock wakes it."""
    waited = now - (order.backordered_at or now)
    return min(max(waited, _FIRST_RETRY), timedelta(seconds=policy.backorder_retry_s))


def conclude(moves: Moves, now: datetime, policy: Policy) -> Moves:
    """Balance the money, name the stage, set the next deadline and tell the retailer what changed."""
    order = moves.order
    if order.payment.method == "later" and (order.cancelled or not order.awaits_payment):
        order.hold_ended = True
    balance(order)
    note_goodwill(order)
    plan_labels(order)
    order.label_at = next_label_at(order, now)
    order.stage = _stage(order)
    todo = [intent for intent in order.payment.intents if intent.state == "todo"]
    order.pay_at = min((intent.not_before or now for intent in todo), default=None)
    if order.stage in TERMINAL:
        order.closed_at = order.closed_at or now
    order.due = None if order.stage in TERMINAL else _due(order, policy)
    if order.attention is None and order.stage not in TERMINAL:
        order.attention = _not_forgotten(moves, now)
    if order.stage != moves.before.stage:
        moves.note(f"stage.{order.stage}", now)
        if order.stage in TERMINAL and moves.before.closed_at is not None:
            moves.tell_retailer("refunded", refunded=order.payment.refunded, reason=order.reason)
        for stage in () if order.closed_at and moves.before.closed_at else _told(moves.before.stage, order):
            moves.tell_retailer(stage, stage=stage, reason=order.reason)
    if order.attention and order.attention != moves.before.attention:
        moves.tell_retailer("attention", stage=order.stage, reason=order.attention.detail)
    return moves


def _not_forgotten(moves: Moves, now: datetime) -> Attention | None:
    """No command and no other trouble makes an order stand still unseen. What was told before is not told again."""
    before, found = moves.before.attention, left_over(moves.order)
    if found is None or (before is not None and before.code == found[0]):
        return before if found else None
    return Attention(code=found[0], detail=found[1], at=now)


def _told(before: Stage, order: OrderState) -> tuple[Stage, ...]:
    """Stages that the retailer hears of. A step may pass several milestones at once: each is told.

    Nothing is called delivered of which no parcel was.
    """
    after = order.stage
    if after in _MILESTONES:
        passed = _MILESTONES.index(before) + 1 if before in _MILESTONES else 0
        passed = _MILESTONES.index(Stage.CLOSED) if before is Stage.REFUNDING else passed
        delivered = bool(in_state(order, (ParcelState.DELIVERED,)))
        told = _MILESTONES[passed : _MILESTONES.index(after) + 1]
        return tuple(stage for stage in told if delivered or stage is not Stage.DELIVERED)
    return (after,) if after in (Stage.BACKORDERED, Stage.CANCELLED) else ()


def _stage(order: OrderState) -> Stage:
    if order.cancellation and order.cancellation.outcome == "cancelled":
        return Stage.CANCELLED if settled(order) and labels_settled(order) else Stage.CANCELLING
    if order.awaits_payment:
        return Stage.HELD if order.held else Stage.PAYING
    if residual(order):
        if needs_authorisation(order):
            return Stage.PAYING
        if order.held:
            return Stage.HELD
        return Stage.BACKORDERED if order.retry_at is not None else Stage.PLACED
    least = min((p.state for p in in_state(order, LIVE)), key=_BY_PROGRESS.index, default=None)
    over = least in (None, ParcelState.DELIVERED, ParcelState.RETURNED)
    if over and settled(order) and labels_settled(order):
        return Stage.CLOSED
    return Stage.REFUNDING if least is None or order.closed_at else _STAGE_OF_PARCEL[least]


def _due(order: OrderState, policy: Policy) -> datetime | None:
    moments = [due for p in in_state(order, UNSHIPPED) for due in (p.due, p.request_due) if due is not None]
    moments += watched_until(order, policy)
    if order.awaits_payment and not order.cancelled:
        moments.append(order.placed_at + timedelta(seconds=policy.payment_limit_s))
        if order.hold_until is not None and not order.hold_ended:
            moments.append(order.hold_until)
    if order.retry_at is not None and order.backordered_at is not None:
        moments.append(order.retry_at)
        moments.append(order.backordered_at + timedelta(seconds=policy.backorder_limit_s))
    return min(moments, default=None)
