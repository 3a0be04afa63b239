"""What a run moves before it buys: surplus and shortage of its series, what moving is worth, and the ways. Pure.

A unit beyond its location's order-up-to costs its keep until it would be sold there; moved to where it is short, the
network carries one unit less for that time, and buys one less. Short is who would order now; what it is short of is
worth, besides, the sale that is lost without it before a supplier could deliver.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from math import ceil, sqrt
from statistics import NormalDist
from zoneinfo import ZoneInfo

from activities.supply.flow import Goods, Node, Tier, Way
from activities.supply.planned import Planned
from activities.supply.rounds import DETOUR
from contracts.geo import haversine_km
from contracts.partners import Location
from contracts.replenishing import Region
from contracts.supply import REGIONAL, SupplyPolicy

_YEAR_DAYS = 365.0
_COVERS = (14.0, 45.0, 120.0)
"""Days of cover beyond order-up-to at which tiers of a surplus end; the last tier is what lies deeper."""
_PARTS = 3
"""Tiers of a shortage."""

Policies = Mapping[tuple[str, int], SupplyPolicy]


@dataclass(slots=True)
class Sides:
    """What there is to give and what is short, with what a load of each SKU is."""

    gives: list[Node] = field(default_factory=list)
    takes: list[Node] = field(default_factory=list)
    goods: dict[str, Goods] = field(default_factory=dict)


def sides(rows: Iterable[Planned], policies: Policies, region: Region) -> Sides:
    """Of all series of a run whose policy lets goods be moved."""
    found = Sides()
    for row in rows:
        policy = policies[row.policy, row.policy_version]
        if not policy.transfers or row.price <= 0:
            continue
        multiple = policy.transfer_multiple
        give = _gives(row, policy, multiple, row.location in region.hubs)
        take = () if give else _takes(row, policy, multiple)
        if give:
            found.gives.append(Node(row.location, row.sku, give))
        elif take:
            found.takes.append(Node(row.location, row.sku, take))
        if give or take:
            found.goods[row.sku] = Goods(multiple=multiple, kg=row.kg)
    return found


def surplus(row: Planned) -> int:
    """Units beyond its own order-up-to that it could hand over now."""
    beyond = row.position.total - ceil(row.target.order_up_to)
    return max(0, min(beyond, row.giveable - row.position.transfers_out))


def _gives(row: Planned, policy: SupplyPolicy, multiple: int, hub: bool) -> tuple[Tier, ...]:
    """The deepest first, which costs most to keep. What a hub has is there to be given, and its keep is no reason."""
    loads = 0 if row.location.startswith(REGIONAL) else surplus(row) // multiple
    if not loads:
        return ()
    if hub:
        return (Tier(loads, 0.0),)
    keep = row.price * policy.holding / _YEAR_DAYS * multiple
    daily = max(row.forecast.daily_mean, 1e-6)
    tiers: list[Tier] = []
    begin = 0
    for low, high in zip((0.0, *_COVERS), (*_COVERS, float("inf")), strict=True):
        end = loads if high == float("inf") else min(loads, int(high * daily / multiple))
        if end > begin:
            days = low if high == float("inf") else (low + high) / 2
            tiers.append(Tier(end - begin, keep * days))
        begin = max(begin, end)
    return tuple(reversed(tiers))


def _takes(row: Planned, policy: SupplyPolicy, multiple: int) -> tuple[Tier, ...]:
    """What it would order now, in parts: each worth the sales that it saves before a supplier could deliver."""
    if row.position.total > row.target.reorder_point:
        return ()
    loads = int((row.target.order_up_to - row.position.total) // multiple)
    if loads <= 0:
        return ()
    part = max(1, ceil(loads / _PARTS))
    tiers = []
    for begin in range(0, loads, part):
        count = min(part, loads - begin)
        middle = row.position.total + (begin + count / 2) * multiple
        tiers.append(Tier(count, row.price * policy.shortage * multiple * _needed(row, middle)))
    return tuple(tiers)


def _needed(row: Planned, there: float) -> float:
    """The chance that more than is there is asked for before a supplier delivers; always, where there is none.

    Demand until then by its mean and deviation, normal: only the order of what is urgent hangs on it.
    """
    days = float(row.forecast.protection_days if row.sourcing is None else max(row.lead_days, 1))
    mean = row.forecast.daily_mean * days
    deviation = row.forecast.deviation * sqrt(days / max(row.forecast.protection_days, 1))
    if deviation <= 0:
        return 1.0 if mean > there else 0.0
    return 1.0 - NormalDist(mean, deviation).cdf(there)


def ways(
    region: Region, places: Mapping[str, Location], gives: Sequence[Node], takes: Sequence[Node]
) -> tuple[list[Way], dict[str, str]]:
    """From each location that gives to those near it that lack; and where goods for the whole region really go.

    A lane of the region's own counts before its terms, and goes farther than these allow.
    """
    lanes = {(lane.source, lane.destination): lane for lane in region.lanes}
    sources = sorted({node.location for node in gives})
    really = {name: _really(name, region) for name in sorted({node.location for node in takes})}
    found: list[Way] = []
    for name, destination in really.items():
        if destination not in places:
            continue
        near = sorted(_near(region, places, sources, destination, set(lanes)), key=lambda one: (one[1], one[0]))
        for source, km in near[: region.transfers.sources]:
            lane = lanes.get((source, destination))
            if lane is not None and not lane.open:
                continue
            terms = region.transfers
            fixed = terms.fixed + km * terms.per_km if lane is None or lane.fixed is None else lane.fixed
            per_unit = terms.per_unit if lane is None or lane.per_unit is None else lane.per_unit
            days = ceil(km / terms.km_per_day) if lane is None or lane.days is None else lane.days
            found.append(Way(source, name, float(fixed), float(per_unit), float(terms.per_kg), float(days), km))
    return found, really


def _really(name: str, region: Region) -> str:
    return region.hubs[0] if name.startswith(REGIONAL) and region.hubs else name


def _near(
    region: Region,
    places: Mapping[str, Location],
    sources: Sequence[str],
    destination: str,
    lanes: set[tuple[str, str]],
) -> Iterator[tuple[str, float]]:
    to = places[destination]
    for source in sources:
        if source == destination or source not in places:
            continue
        km = kilometres(places[source], to)
        named = (source, destination) in lanes
        if named or (km is not None and km <= region.transfers.farthest_km):
            yield source, km or 0.0


def kilometres(a: Location, b: Location) -> float | None:
    """By road, about; None where one has no point."""
    if a.lat is None or a.lon is None or b.lat is None or b.lon is None:
        return None
    return haversine_km(a.lat, a.lon, b.lat, b.lon) * DETOUR


def leaves_at(region: Region, now: datetime) -> datetime:
    """When goods that are approved now leave: today's cut-off, or tomorrow's when that is over."""
    zone = ZoneInfo(region.time_zone)
    here = now.astimezone(zone)
    cut = datetime.combine(here.date(), time.fromisoformat(region.transfers.cut_off), zone)
    return cut if here <= cut else cut + timedelta(days=1)
