"""What a picture shows, gathered from an order, one of its decisions, and the places of locations. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.explanations import VerdictKind, Why
from contracts.orders import OrderState, TimelineEntry
from contracts.partners import Location
from contracts.routing import Decision
from workers.picture.projection import LatLon


@dataclass(frozen=True, slots=True)
class Spot:
    """A location on the map. `step`: the how-manieth it was to be asked and to lose the order again."""

    id: str
    name: str
    point: LatLon
    verdict: VerdictKind
    reason: str | None
    distance_km: float | None
    total: float | None
    step: int | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """`unplaced`: ids of locations whose point is unknown; `names`: of all locations that are named."""

    why: Why
    customer: LatLon
    division: str
    channel: str
    placed_at: datetime
    spots: Sequence[Spot]
    unplaced: Sequence[str]
    names: Mapping[str, str]
    timeline: Sequence[TimelineEntry]
    decisions: Sequence[Decision]


def concerned(order: OrderState, why: Why) -> list[str]:
    """Ids of all locations that the picture names."""
    ids = [one.location for one in why.candidates]
    ids += [part.location for part in (why.winner.parts if why.winner else [])]
    ids += [one.location for reason in why.ruled_out for one in reason.nearest]
    ids += why.runner_up.locations if why.runner_up else []
    return list(dict.fromkeys([*ids, *why.excluded, *(parcel.location for parcel in order.parcels)]))


def scene_of(
    order: OrderState,
    why: Why,
    decisions: Sequence[Decision],
    timeline: Sequence[TimelineEntry],
    locations: Mapping[str, Location],
) -> Scene:
    """`locations`: those of `concerned` that are known."""
    verdicts = _verdicts(why)
    lost = [
        parcel.location for parcel in order.parcels if parcel.attempt < why.attempt and parcel.location in why.excluded
    ]
    steps = {place: number for number, place in enumerate(dict.fromkeys(lost), 1)}
    spots, unplaced = [], []
    shown = {place: found for place, found in verdicts.items() if place in steps or _on_map(place, verdicts)}
    for place, (verdict, reason, distance, total) in shown.items():
        location = locations.get(place)
        if location is None or location.lat is None or location.lon is None:
            unplaced.append(place)
            continue
        point = (location.lat, location.lon)
        spots.append(Spot(place, location.name, point, verdict, reason, distance, total, steps.get(place)))
    return Scene(
        why=why,
        customer=(order.lat, order.lon),
        division=order.division,
        channel=order.channel,
        placed_at=order.placed_at,
        spots=spots,
        unplaced=unplaced,
        names={place: location.name for place, location in locations.items()},
        timeline=timeline,
        decisions=decisions[: why.decision],
    )


def _on_map(place: str, verdicts: Mapping[str, "_Verdict"]) -> bool:
    """Those that were weighed, and of those that were not the nearest for each reason, if they are not far beyond:
    the map stays readable, and all are in the tables."""
    verdict, reason, distance, _ = verdicts[place]
    if verdict in ("chosen", "could_ship_all"):
        return True
    weighed = [km for kind, _, km, _ in verdicts.values() if kind in ("chosen", "could_ship_all") and km is not None]
    if weighed and distance is not None and distance > max(_BEYOND * max(weighed), _NEARBY_KM):
        return False
    alike = [one for one, found in verdicts.items() if found[:2] == (verdict, reason)]
    return place in alike[:_ALIKE]


_BEYOND, _NEARBY_KM, _ALIKE = 1.25, 30.0, 3
_Verdict = tuple[VerdictKind, str | None, float | None, float | None]


def _verdicts(why: Why) -> dict[str, _Verdict]:
    """The most important verdict on each location comes first."""
    found: dict[str, _Verdict] = {}
    for part in why.winner.parts if why.winner else []:
        found[part.location] = ("chosen", None, part.distance_km, None)
    for one in why.candidates:
        if one.location not in found:
            found[one.location] = (one.verdict, None, one.distance_km, one.total)
    for reason in why.ruled_out:
        for out in reason.nearest:
            verdict: VerdictKind = "could_ship_some" if out.reason == "partial_stock" else "ruled_out"
            reason_of = None if verdict == "could_ship_some" else out.reason
            found.setdefault(out.location, (verdict, reason_of, out.distance_km, None))
    for place in why.excluded:
        found.setdefault(place, ("ruled_out", "excluded", None, None))
    return found
