"""What carriers' scans mean on one scale, and how far they bring a parcel. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from contracts.carriers import Scan, TrackingReport, TrackingState

SCANS_KEPT = 100
"""Of one parcel; from then on only scans that bring it further are taken."""
_ORDER = (
    TrackingState.LABELLED,
    TrackingState.COLLECTED,
    TrackingState.IN_TRANSIT,
    TrackingState.OUT_FOR_DELIVERY,
    TrackingState.AWAITING_PICKUP,
    TrackingState.REFUSED,
    TrackingState.LOST,
    TrackingState.DELIVERED,
    TrackingState.RETURNING,
    TrackingState.RETURNED,
)
RANK: Mapping[TrackingState, int] = {state: rank for rank, state in enumerate(_ORDER)}
"""How far along a state is. What was refused or thought lost may still be delivered; what was delivered, or was not,
may be turned round to its sender; nothing else follows on a later state."""


class Reached(NamedTuple):
    """The farthest state of a parcel, and the earliest scan of it."""

    state: TrackingState
    at: datetime


def normalise(carrier: str, codes: Mapping[str, TrackingState], report: TrackingReport) -> Scan | None:
    """The report on our scale; None for a code that the carrier's table does not have."""
    state = codes.get(report.code)
    if state is None:
        return None
    return Scan(id=report.id, carrier=carrier, state=state, at=report.at, place=report.place)


def merge(kept: Iterable[Scan], new: Iterable[Scan]) -> list[Scan]:
    """Scans in the order in which they were made; each once, as it was first told."""
    found: dict[tuple[str, str], Scan] = {}
    for scan in kept:
        found.setdefault((scan.carrier, scan.id), scan)
    for scan in new:
        # A carrier that repeats itself under ever new ids must not make an order grow without end.
        farther = len(found) < SCANS_KEPT or all(RANK[scan.state] > RANK[one.state] for one in found.values())
        if farther:
            found.setdefault((scan.carrier, scan.id), scan)
    return sorted(found.values(), key=lambda scan: (scan.at, RANK[scan.state], scan.carrier, scan.id))


def reached(scans: Iterable[Scan]) -> Reached | None:
    """The farthest state, in whatever order the scans came and however often; None without any.

    More scans never bring it back: a state gives way only to one that ranks above it.
    """
    farthest = min(scans, key=lambda scan: (-RANK[scan.state], scan.at), default=None)
    return None if farthest is None else Reached(farthest.state, farthest.at)
