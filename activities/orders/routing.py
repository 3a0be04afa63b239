"""The routing decision: nearest location that can ship everything, else the fewest parcels, else nothing. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from activities.orders.fewest import fewest
from activities.orders.moves import residual
from activities.orders.network import Availability, Network
from contracts.orders import OrderState
from contracts.routing import AllocatedItem, Allocation, Candidate, Decision, Policy

Outcome = Literal["single", "split", "none"]


@dataclass(frozen=True, slots=True)
class Demand:
    """What must be shipped for one order: units per line, to a WGS84 point."""

    order: str
    channel: str
    lat: float
    lon: float
    lines: Sequence[tuple[int, str, int]]
    """(line number, SKU, units)"""
    excluded: Sequence[str]
    attempt: int


def demand_of(order: OrderState) -> Demand:
    """What an order still wants from the router."""
    skus = {line.line: line.sku for line in order.lines}
    return Demand(
        order=order.id,
        channel=order.channel,
        lat=order.lat,
        lon=order.lon,
        lines=[(line, skus[line], units) for line, units in residual(order).items()],
        excluded=order.excluded,
        attempt=order.attempt + 1,
    )


@dataclass(frozen=True, slots=True)
class StockSeen:
    """The stock a decision was made on: all ledger rows up to `version` and the first `rows` of the next one."""

    version: int
    rows: int


def route(
    demands: Sequence[Demand],
    stock: Availability,
    network: Network,
    policy: Policy,
    now: datetime,
    seen: StockSeen = StockSeen(0, 0),
) -> list[Decision]:
    """Decide for each order in turn. What one order is given is taken from `stock` before the next one is decided."""
    decisions = []
    rows = seen.rows
    for demand in demands:
        decision = decide(demand, stock, network, policy, now, StockSeen(seen.version, rows))
        rows += len(decision.allocations)
        for allocation in decision.allocations:
            stock.change_all((allocation.location, item.sku, -item.quantity) for item in allocation.items)
        decisions.append(decision)
    return decisions


def decide(
    demand: Demand, stock: Availability, network: Network, policy: Policy, now: datetime, seen: StockSeen
) -> Decision:
    """Decide for one order, with the reasons."""
    units = _units_per_sku(demand)
    able, ruled_out = _eligible(demand, network)
    free = np.array([stock.of(sku) for sku in units])
    wanted = np.array(list(units.values()), dtype=np.int64)
    covered = np.minimum(free, wanted[:, None]).clip(min=0)
    some = able & covered.any(axis=0)
    whole = able & (covered == wanted[:, None]).all(axis=0)
    distance = network.distances_km(demand.lat, demand.lon)
    chosen, exact = _choose(whole, some, covered, wanted, distance, policy.max_parcels)
    outcome: Outcome = "none" if not chosen else "single" if len(chosen) == 1 else "split"
    have_all, have_some = int(whole.sum()), int(some.sum())
    ruled_out["no_stock"] = int(able.sum()) - have_some
    ruled_out["partial_stock"] = have_some - have_all - (len(chosen) if outcome == "split" else 0)
    return Decision(
        at=now,
        attempt=demand.attempt,
        outcome=outcome,
        allocations=_allocate(demand, chosen, units, free, distance, network),
        candidates=_candidates(whole, some, chosen, distance, network, policy.candidates_kept),
        ruled_out={reason: count for reason, count in ruled_out.items() if count},
        excluded=list(demand.excluded),
        policy=f"{policy.id}@{policy.version}",
        stock_version=seen.version,
        stock_rows=seen.rows,
        network_version=network.version,
        exact=exact,
        reason=_reason(outcome, len(chosen), have_all, have_some, policy.max_parcels, exact),
    )


def _units_per_sku(demand: Demand) -> dict[str, int]:
    """Lines that ask for the same SKU are added up before stock is looked at."""
    units: dict[str, int] = {}
    for _, sku, quantity in demand.lines:
        units[sku] = units.get(sku, 0) + quantity
    return units


def _eligible(demand: Demand, network: Network) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Locations that may be asked at all, and how many may not, each counted under its first reason."""
    ruled_out = {"inactive": int((~network.active).sum())}
    serves = network.serves(demand.channel)
    ruled_out["channel"] = int((network.active & ~serves).sum())
    able = network.active & serves
    places = list({network.index[location] for location in demand.excluded if location in network.index})
    ruled_out["excluded"] = int(able[places].sum()) if places else 0
    if places:
        able = able.copy()
        able[places] = False
    return able, ruled_out


def _choose(
    whole: NDArray[np.bool_],
    some: NDArray[np.bool_],
    covered: NDArray[np.int64],
    wanted: NDArray[np.int64],
    distance: NDArray[np.float64],
    max_parcels: int,
) -> tuple[list[int], bool]:
    """Places of the chosen locations, nearest first, and whether the choice is proven to be the best."""
    if whole.any():
        places = np.flatnonzero(whole)
        return [int(places[np.argmin(distance[places])])], True
    return fewest(np.flatnonzero(some), covered, wanted, distance, max_parcels)


def _allocate(
    demand: Demand,
    chosen: list[int],
    units: dict[str, int],
    free: NDArray[np.int64],
    distance: NDArray[np.float64],
    network: Network,
) -> list[Allocation]:
    """Hand the lines out to the chosen locations, nearest first."""
    row = {sku: i for i, sku in enumerate(units)}
    left = {line: quantity for line, _, quantity in demand.lines}
    allocations = []
    for place in chosen:
        room = {sku: int(free[row[sku], place]) for sku in units}
        items = []
        for line, sku, _ in demand.lines:
            quantity = min(left[line], max(room[sku], 0))
            if quantity:
                items.append(AllocatedItem(line=line, sku=sku, quantity=quantity))
                left[line] -= quantity
                room[sku] -= quantity
        if items:
            location = network.locations[place].id
            allocations.append(Allocation(location=location, distance_km=_known(distance[place]), items=items))
    return allocations


def _candidates(
    whole: NDArray[np.bool_],
    some: NDArray[np.bool_],
    chosen: list[int],
    distance: NDArray[np.float64],
    network: Network,
    kept: int,
) -> list[Candidate]:
    """The nearest locations that could ship all; where there are none, the nearest that could ship some."""
    places = np.flatnonzero(whole if whole.any() else some)
    if len(places) > kept:
        places = places[np.argpartition(distance[places], kept - 1)[:kept]]
    shown = sorted({*(int(p) for p in places), *chosen}, key=lambda p: (distance[p], p))
    return [
        Candidate(
            location=network.locations[place].id,
            distance_km=_known(distance[place]),
            ships_all=bool(whole[place]),
            chosen=place in chosen,
        )
        for place in shown
    ]


def _known(distance: float) -> float | None:
    return None if np.isinf(distance) else round(float(distance), 3)


def _reason(outcome: Outcome, parcels: int, have_all: int, have_some: int, max_parcels: int, exact: bool) -> str:
    if outcome == "single":
        return f"nearest of {have_all} locations that can ship all lines"
    if outcome == "split" and exact:
        return f"no location can ship all lines; {parcels} parcels are the fewest, at the least total distance"
    if outcome == "split":
        return f"no location can ship all lines; {parcels} parcels, the best found before the search was cut short"
    if not have_some:
        return "no location has any of it available"
    if exact:
        return f"what is available cannot make the order in {max_parcels} parcels"
    return f"no way was found to make the order in {max_parcels} parcels before the search was cut short"
