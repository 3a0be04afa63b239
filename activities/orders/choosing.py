"""Chooses the locations of one order by the rule of its policy. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from activities.orders.cheapest import cheapest
from activities.orders.costing import Costing
from activities.orders.demand import Demand, Group, added_up, groups_of, size_of
from activities.orders.eligible import Eligibility, eligible
from activities.orders.fewest import fewest
from activities.orders.network import Availability, Network, kilometres
from activities.orders.prices import Prices
from contracts.routing import Policy
from contracts.skus import Article

_FARTHEST = 4.0
"""The squared chord between opposite points of the unit sphere."""
_TIE = 1e-6
"""Of locations that cost the same the nearest counts as cheaper by less than any price can differ."""
Parts = list[tuple[int, dict[str, int]]]
"""(place, units by SKU) of each parcel, the nearest first."""


@dataclass(slots=True)
class View:
    """What one order sees of the network. Arrays by place: `chords` grow with distance; `free` and `covered` have a row
    for each wanted SKU, units that may be taken and, of those, what the order wants."""

    demand: Demand
    policy: Policy
    groups: list[Group]
    units: dict[str, int]
    chords: NDArray[np.float64]
    eligibility: Eligibility
    costing: Costing
    articles: Mapping[str, Article]
    free: NDArray[np.int64]
    covered: NDArray[np.int64]
    some: NDArray[np.bool_]
    whole: NDArray[np.bool_]


@dataclass(slots=True)
class Plan:
    """Where the goods of an order come from; without parts: nowhere. `total`: minor units, scarcity included.

    `gap`: at most so much above the best there is; None where the choice is proven, or where cost is not the rule.
    """

    parts: Parts
    total: float
    exact: bool = True
    gap: float | None = None
    runner_up: list[int] = field(default_factory=list)
    runner_up_total: float | None = None


NOTHING = Plan([], float("inf"))


def look(
    demand: Demand, stock: Availability, network: Network, policy: Policy, prices: Prices | None, now: datetime
) -> View:
    """Everything that the choice depends on."""
    groups = groups_of(demand, network.articles)
    units = added_up(entry for group in groups for entry in group.units.items())
    chords = network.chords(demand.lat, demand.lon)
    costing = Costing(demand, network, policy, prices, now, chords)
    found = eligible(demand, stock, network, policy, now, chords)
    free = np.array([stock.of(sku) for sku in units])
    kept_back = network.kept_back(demand.channel)
    if kept_back is not None:
        free = free - kept_back
    wanted = np.array(list(units.values()), dtype=np.int64)[:, None]
    covered = np.maximum(np.minimum(free, wanted), 0)
    some = found.able & covered.any(axis=0)
    whole = some & (covered == wanted).all(axis=0)
    return View(demand, policy, groups, units, chords, found, costing, network.articles, free, covered, some, whole)


def choose(view: View) -> Plan:
    """The locations of one order."""
    if not view.some.any():
        return NOTHING
    if view.policy.rule == "nearest":
        return priced(view, _from_the_nearest(view))
    if view.policy.rule == "fewest":
        return _fewest(view, kilometres(view.chords))
    return _cheapest(view)


def _from_the_nearest(view: View) -> Parts:
    """From the nearest location whatever it has of the order, what is left from the next, and so on."""
    left = dict(view.units)
    rows = {sku: number for number, sku in enumerate(view.units)}
    places = np.flatnonzero(view.some)
    parts: Parts = []
    for place in places[np.lexsort((places, view.chords[places]))]:
        taken = {sku: min(count, int(view.covered[rows[sku], place])) for sku, count in left.items()}
        taken = {sku: count for sku, count in taken.items() if count}
        if taken:
            parts.append((int(place), taken))
            left = {sku: count - taken.get(sku, 0) for sku, count in left.items()}
            left = {sku: count for sku, count in left.items() if count}
        if not left:
            return parts
        if len(parts) == view.policy.max_parcels:
            break
    return []


def _fewest(view: View, distance: NDArray[np.float64]) -> Plan:
    """The location at the least `distance` that has all, else the fewest parcels at the least total of it."""
    if view.whole.any():
        places = np.flatnonzero(view.whole)
        return priced(view, [(int(places[np.argmin(distance[places])]), dict(view.units))])
    wanted = np.array(list(view.units.values()), dtype=np.int64)
    chosen, exact = fewest(np.flatnonzero(view.some), view.covered, wanted, distance, view.policy.max_parcels)
    return replace(priced(view, _handed_out(view, chosen)), exact=exact)


def _handed_out(view: View, chosen: list[int]) -> Parts:
    left = dict(view.units)
    parts: Parts = []
    for place in sorted(chosen, key=lambda p: (view.chords[p], p)):
        taken: dict[str, int] = {}
        for number, sku in enumerate(view.units):
            count = min(left[sku], int(view.covered[number, place]))
            if count:
                taken[sku] = count
                left[sku] -= count
        if taken:
            parts.append((place, taken))
    return parts


def _cheapest(view: View) -> Plan:
    """Exact for up to `exact_lines` groups that some location has whole; else the fewest parcels, with the gap."""
    groups, policy = view.groups, view.policy
    undivided = view.whole.any() or all(_has(view, group.units).any() for group in groups)
    if len(groups) > policy.exact_lines or not undivided:
        return _cut_short(view)
    everything = (1 << len(groups)) - 1
    nearer = np.minimum(view.chords, _FARTHEST) * _TIE

    def cost(block: int) -> NDArray[np.float64]:
        goods = _block(groups, block)
        if block != everything and goods.value < policy.split_min_value:
            return np.full(len(view.chords), np.inf)
        having = view.whole if block == everything else _has(view, goods.units)
        return np.where(having, _price(view, goods) + nearer, np.inf)

    split_least = 2 * view.costing.least() + _least_scarcity(view) if len(groups) > 1 else np.inf
    found = cheapest(len(groups), cost, policy.max_parcels, split_least)
    if found is None:
        return NOTHING
    parts = [(place, _block(groups, block).units) for place, block in found.blocks]
    return Plan(
        parts=sorted(parts, key=lambda part: (view.chords[part[0]], part[0])),
        total=found.total,
        runner_up=[place for place, _ in found.runner_up],
        runner_up_total=found.runner_up_total if found.runner_up else None,
    )


def _cut_short(view: View) -> Plan:
    """Lines are divided, or too many: the fewest parcels, by freight. The gap is to what any way costs at least."""
    plan = _fewest(view, view.costing.parcel(0, 0))
    if not plan.parts:
        return plan
    divided = len(plan.parts) > 1
    too_small = divided and min(_value(view, units) for _, units in plan.parts) < view.policy.split_min_value
    if too_small or not _kept_together(view, plan.parts):
        return replace(NOTHING, exact=False)
    gap = max(plan.total - view.costing.least() * (len(plan.parts) if plan.exact else 1), 0.0)
    return replace(plan, exact=False, gap=gap)


def priced(view: View, parts: Parts) -> Plan:
    """A plan with what it costs; nothing where a carrier does not take one of its parcels."""
    total = sum(float(_price(view, _goods(view, units))[place]) for place, units in parts)
    return Plan(parts, total) if parts and total < np.inf else NOTHING


def _price(view: View, goods: Group) -> NDArray[np.float64]:
    price = view.costing.parcel(goods.weight_g, goods.volume_cm3)
    scarcity = view.costing.scarcity(goods.units)
    return price if scarcity is None else price + scarcity


def _has(view: View, units: dict[str, int]) -> NDArray[np.bool_]:
    """Which able locations have all of some units."""
    mask = view.some
    for number, sku in enumerate(view.units):
        if sku in units:
            mask = mask & (view.free[number] >= units[sku])
    return mask


def _block(groups: list[Group], block: int) -> Group:
    members = [group for number, group in enumerate(groups) if block >> number & 1]
    if len(members) == 1:
        return members[0]
    units = added_up(entry for group in members for entry in group.units.items())
    return Group(
        units, sum(g.weight_g for g in members), sum(g.volume_cm3 for g in members), sum(g.value for g in members)
    )


def _goods(view: View, units: dict[str, int]) -> Group:
    """Weight, volume and value of some units of the order."""
    whole = _block(view.groups, (1 << len(view.groups)) - 1)
    if units == whole.units:
        return whole
    return Group(units, *size_of(units, view.articles), _value(view, units))


def _value(view: View, units: dict[str, int]) -> int:
    """Price of some units of the order, line by line in their order."""
    left, value = dict(units), 0
    for line, sku, count in view.demand.lines:
        taken = min(left.get(sku, 0), count)
        value += taken * view.demand.values.get(line, 0)
        left[sku] = left.get(sku, 0) - taken
    return value


def _least_scarcity(view: View) -> float:
    """What the goods are worth to others at least, each SKU from where it is worth least."""
    rows = [view.costing.scarcity({sku: count}) for sku, count in view.units.items()]
    return sum(float(row[view.some].min()) for row in rows if row is not None)


def _kept_together(view: View, parts: Parts) -> bool:
    """Whether lines that belong together come from one location."""
    tied = [group.units for group in view.groups if len(group.units) > 1]
    return all(any(units.items() <= part.items() for _, part in parts) for units in tied)
