"""What scans do to an order's parcels, and what is done when they fail to come. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Literal, NamedTuple

from activities.carriers.predicting import passes, predicted_delivery
from activities.carriers.tracking import RANK, Reached, merge, reached
from activities.orders.moves import Moves
from activities.orders.replies import forward
from activities.orders.returning import take_door_refusal, take_loss
from activities.orders.standing import GIVEN_UP, TAKEN_AWAY, attend
from contracts.carriers import Scan, TrackingState
from contracts.orders import InboxEvent, OrderState, Parcel, ParcelState
from contracts.parcels import AT_STORE
from contracts.routing import Policy
from contracts.subjects import RETAILER

_ON_THE_WAY = AT_STORE | {ParcelState.SHIPPED}
_NOT_COMING = frozenset(
    {
        TrackingState.AWAITING_PICKUP,
        TrackingState.REFUSED,
        TrackingState.LOST,
        TrackingState.RETURNING,
        TrackingState.RETURNED,
    }
)
"""Reported so, a parcel is not late any more: it is there, or something worse is known of it."""
_TURNED_ROUND = frozenset({TrackingState.REFUSED, TrackingState.RETURNING, TrackingState.RETURNED})


class _Upcoming(NamedTuple):
    at: datetime
    kind: Literal["late_predicted", "late", "overdue"]
    parcel: Parcel
    promised_at: datetime


def take_tracking(moves: Moves, event: InboxEvent, at: datetime, policy: Policy) -> None:
    """Keep a scan with its parcel and let the parcel move as far as the carrier has brought it.

    What was collected has been shipped, though its store forgot to say so; what is lost, or turned round before the
    customer had it, goes the way of such parcels. A scan that was told before, and one that says less than is known,
    moves nothing.
    """
    parcel = next((p for p in moves.order.parcels if p.id == event.parcel), None)
    if parcel is None:
        return
    parcel.scans = merge(parcel.scans, [Scan.model_validate(event.data)])
    now = reached(parcel.scans)
    if now is None or now.state is parcel.tracking_state:
        return
    parcel.tracking_state, parcel.tracked_at = now
    moves.note(f"tracking.{now.state}", at, parcel=parcel.id, location=parcel.location, by=event.by)
    if now.state is TrackingState.LABELLED:
        return
    if parcel.state in TAKEN_AWAY:
        detail = f"{event.by} carries {parcel.id}, which is {parcel.state}: it is {now.state}"
        attend(moves.order, "parcel_on_its_way", detail, at)
    elif parcel.state in GIVEN_UP:
        if now.state is TrackingState.DELIVERED:
            detail = f"{event.by} has delivered {parcel.id} after all, which is {parcel.state}"
            attend(moves.order, "delivered_after_all", detail, at)
    elif RANK[now.state] >= RANK[TrackingState.DELIVERED] and _was_delivered(parcel):
        forward(moves, parcel, ParcelState.DELIVERED, event, at)
    else:
        forward(moves, parcel, ParcelState.SHIPPED, event, at)
        if now.state is TrackingState.LOST:
            take_loss(moves, event, at)
        elif now.state in _TURNED_ROUND:
            take_door_refusal(moves, event, at, policy)


def _was_delivered(parcel: Parcel) -> bool:
    return any(scan.state is TrackingState.DELIVERED for scan in parcel.scans)


def promise_of(order: OrderState, parcel: Parcel, policy: Policy) -> datetime:
    """When the customer was promised the parcel."""
    return parcel.promised_at or policy.deadline(order.placed_at, order.deliver_by)


def watched_until(order: OrderState, policy: Policy) -> list[datetime]:
    """The moments at which something must be said of parcels that are on their way, if no scan comes before."""
    return [upcoming.at for upcoming in _upcoming(order, policy)]


def look_after(moves: Moves, at: datetime, policy: Policy) -> None:
    """Say what has become true by `at`: that a parcel will be late, that it is, that nobody knows where it is."""
    due = [upcoming for upcoming in _upcoming(moves.order, policy) if upcoming.at <= at]
    for upcoming in sorted(due, key=attrgetter("at")):
        if upcoming.kind == "late_predicted":
            # Found only after the promise has passed, this would be no prediction.
            if upcoming.promised_at > at:
                _predict_late(moves, upcoming, at)
        elif upcoming.kind == "late":
            upcoming.parcel.late_at = upcoming.at
            _tell(moves, "late", upcoming)
        else:
            _overdue(moves, upcoming)


def _upcoming(order: OrderState, policy: Policy) -> Iterator[_Upcoming]:
    for parcel in order.parcels:
        if parcel.state not in _ON_THE_WAY:
            continue
        promised = promise_of(order, parcel, policy)
        if parcel.late_at is None and parcel.tracking_state not in _NOT_COMING:
            yield _Upcoming(promised, "late", parcel, promised)
            moment = _will_be_late(parcel, promised + timedelta(seconds=policy.late_margin_s))
            if parcel.late_predicted_at is None and moment is not None and moment < promised:
                yield _Upcoming(moment, "late_predicted", parcel, promised)
        if parcel.state is ParcelState.SHIPPED and parcel.overdue_at is None:
            yield _Upcoming(promised + timedelta(seconds=policy.overdue_s), "overdue", parcel, promised)


def _stands_at(parcel: Parcel) -> Reached | None:
    """As its carrier has reported; a label that nobody has scanned yet stands where it was booked."""
    if parcel.tracking_state is not None and parcel.tracked_at is not None:
        return Reached(parcel.tracking_state, parcel.tracked_at)
    if parcel.label is None or parcel.label.booked_at is None:
        return None
    return Reached(TrackingState.LABELLED, parcel.label.booked_at)


def _will_be_late(parcel: Parcel, limit: datetime) -> datetime | None:
    """When the prediction passes the limit, unless there is another scan; None where nothing can be predicted."""
    at = _stands_at(parcel)
    return None if at is None or parcel.label is None else passes(at, parcel.label.remaining_s, limit)


def _predict_late(moves: Moves, upcoming: _Upcoming, at: datetime) -> None:
    parcel = upcoming.parcel
    stands = _stands_at(parcel)
    if stands is None or parcel.label is None:
        return
    parcel.late_predicted_at = at
    predicted = predicted_delivery(stands, parcel.label.remaining_s, at)
    _tell(moves, "late_predicted", upcoming, predicted_at=predicted)


def _tell(moves: Moves, what: str, upcoming: _Upcoming, **more: datetime | None) -> None:
    parcel = upcoming.parcel
    moves.note(f"parcel.{what}", upcoming.at, parcel=parcel.id, location=parcel.location, by="timer")
    moves.tell(
        RETAILER,
        f"parcel.{what}.v1",
        parcel.id,
        parcel=parcel.id,
        order=moves.order.id,
        location=parcel.location,
        service=parcel.service,
        tracking=parcel.tracking,
        tracking_state=parcel.tracking_state,
        promised_at=upcoming.promised_at,
        **more,
    )


def _overdue(moves: Moves, upcoming: _Upcoming) -> None:
    parcel = upcoming.parcel
    parcel.overdue_at = upcoming.at
    moves.note("parcel.delivery_overdue", upcoming.at, parcel=parcel.id, location=parcel.location, by="timer")
    last = parcel.tracking_state or "not reported by any carrier"
    detail = f"{parcel.id} was promised for {upcoming.promised_at:%Y-%m-%d} and is not delivered; it is {last}"
    attend(moves.order, "delivery_overdue", detail, upcoming.at)
