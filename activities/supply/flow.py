"""Which goods go where before anything is bought: a min-cost flow from surplus to shortage with fixed costs of ways.

Given loads, the fixed cost of a way is shared over what goes on it, which leaves one transport problem for each SKU;
these are solved exactly (HiGHS), the loads taken from the solution, and so on: dynamic slope scaling (Kim and Pardalos,
A solution approach to the fixed charge network flow problem, Operations Research Letters 24, 1999). The best of the
solutions by its true cost is kept. Flows of a transport problem are whole, because its bounds are. Pure.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

ROUNDS = 6
_ARCS_AT_ONCE = 4_000
"""Arcs of one linear programme: SKUs do not touch each other, so that many small ones take linear time."""
_LEAST_GAIN = 1e-6


@dataclass(frozen=True, slots=True)
class Tier:
    """So many loads (of `multiple` units), each worth so much where it is taken from, or where it goes to."""

    loads: int
    worth: float


@dataclass(frozen=True, slots=True)
class Node:
    """What a location can give, or lacks, of a SKU; the dearest tier first."""

    location: str
    sku: str
    tiers: tuple[Tier, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """From one location to another. `fixed` for a trip, `per_unit` and `per_kg` for what goes; minor units."""

    source: str
    destination: str
    fixed: float
    per_unit: float
    per_kg: float
    days: float
    km: float


@dataclass(frozen=True, slots=True)
class Goods:
    """Of a SKU: units of one load, and what a unit weighs."""

    multiple: int = 1
    kg: float = 0.5


@dataclass(frozen=True, slots=True)
class Move:
    """`saved`: what it is worth less its freight, with its share of the way's fixed cost, in minor units."""

    source: str
    destination: str
    sku: str
    units: int
    freight: float
    saved: float


@dataclass(slots=True)
class Plan:
    """`freight` and `worth` in minor units; `closed`: ways with too little to go on them."""

    moves: list[Move] = field(default_factory=list)
    freight: float = 0.0
    worth: float = 0.0
    closed: int = 0
    solved: int = 0

    @property
    def saved(self) -> float:
        return self.worth - self.freight


@dataclass(slots=True)
class _Arcs:
    """Arrays over arcs, one for each way and SKU that has something at one end and lacks it at the other; and over
    tiers of both ends. Nodes are numbered, givers before takers."""

    way: NDArray[np.int64]
    give: NDArray[np.int64]
    take: NDArray[np.int64]
    sku: NDArray[np.int64]
    units: NDArray[np.float64]
    """Of one load."""
    cost: NDArray[np.float64]
    """Of one load, without fixed costs."""
    tier_node: NDArray[np.int64]
    tier_loads: NDArray[np.float64]
    tier_worth: NDArray[np.float64]


def plan_transfers(
    gives: Sequence[Node], takes: Sequence[Node], ways: Sequence[Way], goods: Mapping[str, Goods], least_units: int = 1
) -> Plan:
    """What to move so that worth less freight is greatest. Each way that is used carries `least_units` or more.

    Nodes of the same location and SKU on both sides would be a contradiction, and raise ValueError.
    """
    both = {(n.location, n.sku) for n in gives} & {(n.location, n.sku) for n in takes}
    if both:
        raise ValueError(f"{sorted(both)[0]} gives and takes at once")
    arcs = _arcs(gives, takes, ways, goods)
    fixed = np.array([way.fixed for way in ways], dtype=float)
    if not len(arcs.way):
        return Plan()
    most = np.zeros(len(ways))
    node_loads = np.bincount(arcs.tier_node, arcs.tier_loads, len(gives) + len(takes))
    np.add.at(most, arcs.way, np.minimum(node_loads[arcs.give], node_loads[arcs.take]) * arcs.units)
    closed = np.zeros(len(ways), dtype=bool)
    best, solved = _scaled(arcs, fixed, most, closed)
    while True:
        load = _loads(arcs, best, len(ways))
        worse = (load > 0) & ~closed & ((load < least_units) | (_gains(arcs, best, fixed, load) < 0))
        if not worse.any():
            break
        # One at a time would be better by a little, and take as many solutions as there are ways.
        closed |= worse
        best, more = _scaled(arcs, fixed, np.maximum(load, least_units), closed)
        solved += more
    plan = _told(arcs, best, gives, ways, fixed)
    plan.closed, plan.solved = int(closed.sum()), solved
    return plan


def _arcs(gives: Sequence[Node], takes: Sequence[Node], ways: Sequence[Way], goods: Mapping[str, Goods]) -> _Arcs:
    by_place: dict[str, dict[str, int]] = {}
    for number, node in enumerate(gives):
        by_place.setdefault(node.location, {})[node.sku] = number
    lacking: dict[str, dict[str, int]] = {}
    for number, node in enumerate(takes):
        lacking.setdefault(node.location, {})[node.sku] = len(gives) + number
    skus = {sku: number for number, sku in enumerate(sorted({node.sku for node in takes}))}
    usual = Goods()
    rows: list[tuple[int, int, int, int, float, float]] = []
    for number, way in enumerate(ways):
        has, wants = by_place.get(way.source, {}), lacking.get(way.destination, {})
        for sku in wants.keys() & has.keys():
            of = goods.get(sku, usual)
            unit = way.per_unit + way.per_kg * of.kg
            rows.append((number, has[sku], wants[sku], skus[sku], of.multiple, unit * of.multiple))
    rows.sort(key=lambda row: (row[3], row[0]))
    columns = list(zip(*rows, strict=True)) or [()] * 6
    tiers = [(number, tier.loads, tier.worth) for number, node in enumerate([*gives, *takes]) for tier in node.tiers]
    nodes, loads, worth = zip(*tiers, strict=True) if tiers else ((), (), ())
    way_, give, take, sku_ = (np.array(column, dtype=np.int64) for column in columns[:4])
    units, cost = (np.array(column, dtype=float) for column in columns[4:])
    return _Arcs(
        *(way_, give, take, sku_, units, cost),
        *(np.array(nodes, dtype=np.int64), np.array(loads, dtype=float), np.array(worth, dtype=float)),
    )


def _scaled(
    arcs: _Arcs, fixed: NDArray[np.float64], most: NDArray[np.float64], closed: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], int]:
    """Slope scaling from given loads: the best flows by their true gain, and how often was solved."""
    best, best_gain, solved = np.zeros(len(arcs.way)), 0.0, 0
    slope = np.where(most > 0, fixed / np.maximum(most, 1e-9), 0.0)
    before: NDArray[np.float64] | None = None
    for _ in range(ROUNDS):
        flows = _solve(arcs, arcs.cost + slope[arcs.way] * arcs.units, ~closed[arcs.way])
        solved += 1
        load = _loads(arcs, flows, len(fixed))
        gain = _worth(arcs, flows) - float(flows @ arcs.cost) - float(fixed[load > 0].sum())
        if gain > best_gain + _LEAST_GAIN:
            best, best_gain = flows, gain
        if before is not None and np.array_equal(before, flows):
            break
        before = flows
        slope = np.where(load > 0, fixed / np.maximum(load, 1e-9), slope)
    return best, solved


def _solve(arcs: _Arcs, cost: NDArray[np.float64], able: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Loads on every arc, exactly the best for linear costs; in programmes of some SKUs each."""
    flows = np.zeros(len(cost))
    for part in _parts(arcs.sku):
        chosen = part[able[part]]
        if len(chosen):
            flows[chosen] = _programme(arcs, chosen, cost[chosen])
    return flows


def _parts(skus: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Places of arcs, whole SKUs together."""
    starts = np.flatnonzero(np.r_[True, skus[1:] != skus[:-1]])
    begin = 0
    for start in [*starts[1:], len(skus)]:
        if start - begin >= _ARCS_AT_ONCE or start == len(skus):
            yield np.arange(begin, start)
            begin = int(start)


def _programme(arcs: _Arcs, chosen: NDArray[np.int64], cost: NDArray[np.float64]) -> NDArray[np.float64]:
    """Variables: loads on arcs, then loads of tiers. For each node, what goes on its arcs is what its tiers give."""
    # Takes half a second, which the gateway and a worker that has nothing to transfer need not wait for.
    from scipy.optimize import linprog
    from scipy.sparse import csr_matrix

    ends = np.concatenate([arcs.give[chosen], arcs.take[chosen]])
    nodes, row_of_end = np.unique(ends, return_inverse=True)
    places = np.clip(np.searchsorted(nodes, arcs.tier_node), 0, len(nodes) - 1)
    tiers = np.flatnonzero(nodes[places] == arcs.tier_node)
    n = len(chosen)
    rows = np.concatenate([row_of_end, places[tiers]])
    columns = np.concatenate([np.tile(np.arange(n), 2), n + np.arange(len(tiers))])
    signs = np.concatenate([np.ones(2 * n), -np.ones(len(tiers))])
    matrix = csr_matrix((signs, (rows, columns)), shape=(len(nodes), n + len(tiers)))
    upper = np.concatenate([np.full(n, np.inf), arcs.tier_loads[tiers]])
    found = linprog(
        np.concatenate([cost, -arcs.tier_worth[tiers]]),
        A_eq=matrix,
        b_eq=np.zeros(len(nodes)),
        bounds=np.stack([np.zeros(n + len(tiers)), upper], axis=1),
        method="highs-ds",
    )
    if found.status != 0:
        raise RuntimeError(f"the transfers could not be worked out: {found.message}")
    return np.asarray(np.rint(found.x[:n]), dtype=float)


def _loads(arcs: _Arcs, flows: NDArray[np.float64], ways: int) -> NDArray[np.float64]:
    """Units on each way."""
    return np.asarray(np.bincount(arcs.way, flows * arcs.units, ways), dtype=float)


def _per_node(arcs: _Arcs, flows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Worth of what goes through each node: its dearest tiers are used first."""
    size = int(max(arcs.tier_node.max(initial=0), arcs.take.max(initial=0), arcs.give.max(initial=0))) + 1
    left = np.bincount(arcs.give, flows, size) + np.bincount(arcs.take, flows, size)
    worth = np.zeros(size)
    for node, loads, each in zip(arcs.tier_node, arcs.tier_loads, arcs.tier_worth, strict=True):
        used = min(left[node], loads)
        left[node] -= used
        worth[node] += used * each
    return worth


def _worth(arcs: _Arcs, flows: NDArray[np.float64]) -> float:
    return float(_per_node(arcs, flows).sum())


def _shares(arcs: _Arcs, flows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Worth of each arc's flow: of both nodes, by its share of what goes through them."""
    worth = _per_node(arcs, flows)
    through = np.bincount(arcs.give, flows, len(worth)) + np.bincount(arcs.take, flows, len(worth))
    each = np.where(through > 0, worth / np.maximum(through, 1e-9), 0.0)
    return np.asarray(flows * (each[arcs.give] + each[arcs.take]), dtype=float)


def _gains(
    arcs: _Arcs, flows: NDArray[np.float64], fixed: NDArray[np.float64], load: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What each way brings, by its share of the worth; its fixed cost taken off where it is used."""
    gains = np.bincount(arcs.way, _shares(arcs, flows) - flows * arcs.cost, len(fixed))
    return np.asarray(gains - np.where(load > 0, fixed, 0.0))


def _told(
    arcs: _Arcs,
    flows: NDArray[np.float64],
    gives: Sequence[Node],
    ways: Sequence[Way],
    fixed: NDArray[np.float64],
) -> Plan:
    load = _loads(arcs, flows, len(ways))
    worth = _shares(arcs, flows)
    plan = Plan(freight=float(flows @ arcs.cost + fixed[load > 0].sum()), worth=float(worth.sum()))
    for place in np.flatnonzero(flows):
        way, number = ways[arcs.way[place]], arcs.way[place]
        units = int(flows[place] * arcs.units[place])
        freight = float(flows[place] * arcs.cost[place] + fixed[number] * units / load[number])
        sku = gives[arcs.give[place]].sku
        plan.moves.append(
            Move(way.source, way.destination, sku, units, round(freight, 2), round(float(worth[place]) - freight, 2))
        )
    return plan
