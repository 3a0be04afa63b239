"""When a parcel will be delivered, from how far it has come and how long ago. Pure.

`remaining` is the time that is left from reaching a state to delivery. It is learned from deliveries of the same
service, the median of each state; until there are enough of them it is taken from the service's days.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from activities.carriers.tracking import Reached, reached
from contracts.carriers import Scan, TrackingState

LEARNED_FROM = 20
"""Deliveries in which a state was seen, before their median is believed."""
_WAY = (
    TrackingState.LABELLED,
    TrackingState.COLLECTED,
    TrackingState.IN_TRANSIT,
    TrackingState.OUT_FOR_DELIVERY,
    TrackingState.DELIVERED,
)
_HOUR = 3_600
Remaining = Mapping[TrackingState, int]
"""Seconds to delivery from each state of the way; never growing along it."""


def remaining_of(days: int, deliveries: Iterable[Sequence[Scan]] = ()) -> dict[TrackingState, int]:
    """Seconds that are left in each state, for a service that takes so many days.

    Assumed of a service that nobody has watched yet: the days from collection; six hours to be collected, half the
    days (twelve hours each) after the first hub, five hours on the last van, and never less than eight from collection.
    """
    transit = max(24 * days, 8)
    found = {
        TrackingState.LABELLED: (transit + 6) * _HOUR,
        TrackingState.COLLECTED: transit * _HOUR,
        TrackingState.IN_TRANSIT: (12 * days + 5) * _HOUR,
        TrackingState.OUT_FOR_DELIVERY: 5 * _HOUR,
        TrackingState.DELIVERED: 0,
    }
    seen: dict[TrackingState, list[float]] = {}
    for scans in deliveries:
        for state, seconds in _lasted(scans).items():
            seen.setdefault(state, []).append(seconds)
    learned = {state: round(median(lasted)) for state, lasted in seen.items() if len(lasted) >= LEARNED_FROM}
    found |= learned
    for earlier, later in pairwise(_WAY):
        if later not in learned:
            found[later] = min(found[later], found[earlier])
    for earlier, later in reversed(list(pairwise(_WAY))):
        found[earlier] = max(found[earlier], found[later])
    return found


def _lasted(scans: Sequence[Scan]) -> dict[TrackingState, float]:
    """Seconds from each state's first scan to delivery, of a parcel that was delivered."""
    end = reached(scans)
    if end is None or end.state is not TrackingState.DELIVERED:
        return {}
    first: dict[TrackingState, datetime] = {}
    for scan in scans:
        first[scan.state] = min(scan.at, first.get(scan.state, scan.at))
    return {state: max((end.at - at).total_seconds(), 0.0) for state, at in first.items() if state in _WAY[:-1]}


def predicted_delivery(at: Reached, remaining: Remaining, now: datetime) -> datetime | None:
    """When it should be delivered; None for a parcel that is not on its way to the customer.

    What is usually left from its state; but not before what is left from the next state, were that reached now.
    """
    if at.state not in _WAY or not remaining:
        return None
    if at.state is TrackingState.DELIVERED:
        return at.at
    usual = at.at + timedelta(seconds=remaining[at.state])
    return max(usual, now + timedelta(seconds=_after_next(at.state, remaining)))


def passes(at: Reached, remaining: Remaining, limit: datetime) -> datetime | None:
    """The moment at which, without a further scan, the prediction passes `limit`; the state's own moment when it does
    so from the start. None for a parcel that is not on its way."""
    if at.state not in _WAY[:-1] or not remaining:
        return None
    if at.at + timedelta(seconds=remaining[at.state]) > limit:
        return at.at
    return max(limit - timedelta(seconds=_after_next(at.state, remaining)), at.at)


def _after_next(state: TrackingState, remaining: Remaining) -> int:
    return remaining[_WAY[_WAY.index(state) + 1]]
