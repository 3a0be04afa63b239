"""Transfers before buying against buying alone, where stock lies in the wrong places.

Both arms live through the same demand day by day, with the production's own functions: once a review each looks at all
positions and orders up to the same levels; one moves what others have too much of first. Demand that is not on the
shelf is lost. Compared is what can be decided on: keep, lost sales and freight; goods are worth the same in both. What
is spent on purchases is told besides, with the share that was served: who serves more also buys more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from statistics import NormalDist
from typing import Any

import numpy as np

from activities.supply.flow import plan_transfers
from activities.supply.planned import Planned
from activities.supply.quantity import quantity
from activities.supply.transfers import sides, ways
from contracts.partners import Location
from contracts.replenishing import Region
from contracts.supply import QUANTILES, Forecast, LeadTime, Position, Sourcing, SupplyPolicy
from contracts.supply import Target as Levels

TARGET = 0.05
SHARES = (0.0, 0.3, 0.6)
SEEDS = (1, 2, 3)
LOCATIONS, SKUS, DAYS = 16, 24, 56
LEAD_DAYS, REVIEW_DAYS = 10, 7
_AT = (30.0, 120.0)
_YEAR_DAYS = 365.0


@dataclass(slots=True)
class World:
    """n series: location by location, SKU by SKU. `demand` (n, DAYS) units; prices minor units."""

    keys: list[tuple[str, str]]
    places: dict[str, Location]
    mean: np.ndarray
    demand: np.ndarray
    stock: np.ndarray
    price: np.ndarray
    levels: list[Levels]
    forecasts: list[Forecast]
    region: Region = field(default_factory=lambda: Region(id="bench", history_days=90))
    policy: SupplyPolicy = field(default_factory=lambda: SupplyPolicy(review_days=REVIEW_DAYS))


@dataclass(slots=True)
class Costs:
    """Minor units over all days; `served`, `asked`, `moved`: units."""

    bought: float = 0.0
    holding: float = 0.0
    shortage: float = 0.0
    freight: float = 0.0
    served: float = 0.0
    asked: float = 0.0
    moved: int = 0

    @property
    def spent(self) -> float:
        return self.bought + self.freight

    @property
    def relevant(self) -> float:
        return self.holding + self.shortage + self.freight


def world(seed: int, *, unbalanced: float) -> World:
    """`unbalanced`: share of series whose stock lies elsewhere: half of these have three times what they should, the
    other half a tenth."""
    rng = np.random.default_rng(seed)
    places = {f"l{n:02}": _place(f"l{n:02}", rng) for n in range(LOCATIONS)}
    keys = [(place, f"s{k:02}") for place in places for k in range(SKUS)]
    n = len(keys)
    mean = rng.gamma(1.2, 1.5, n) + 0.2
    demand = rng.negative_binomial(2 * mean[:, None], 2 / 3, (n, DAYS)).astype(float)
    price = np.repeat(rng.integers(1_000, 8_000, SKUS)[None, :], LOCATIONS, axis=0).ravel().astype(float)
    forecasts = [_forecast(key, float(m)) for key, m in zip(keys, mean, strict=True)]
    levels = [
        Levels(reorder_point=np.ceil(f.at(0.95)) - 1, order_up_to=np.ceil(f.at(0.95)), level=0.95) for f in forecasts
    ]
    up_to = np.array([level.order_up_to for level in levels])
    share = np.ones(n)
    moved = rng.random(n) < unbalanced
    share[moved] = np.where(rng.random(int(moved.sum())) < 0.5, 3.0, 0.1)
    return World(keys, places, mean, demand, np.round(up_to * share), price, levels, forecasts)


def _place(name: str, rng: np.random.Generator) -> Location:
    return Location(
        id=name,
        kind="store",
        name=name,
        division="330106",
        lat=_AT[0] + float(rng.uniform(-0.6, 0.6)),
        lon=_AT[1] + float(rng.uniform(-0.6, 0.6)),
        active=True,
        channels=["online"],
        accept_within_s=1800,
        ship_within_s=86_400,
    )


def _forecast(key: tuple[str, str], mean: float) -> Forecast:
    """What is true of the sum over lead time and review: variance of a negative binomial, one and a half means."""
    days = LEAD_DAYS + REVIEW_DAYS
    normal = NormalDist(mean * days, (1.5 * mean * days) ** 0.5)
    return Forecast(
        id="",
        run="bench",
        location=key[0],
        sku=key[1],
        demand_class="smooth",
        model="true",
        protection_days=days,
        mean=mean * days,
        deviation=normal.stdev,
        quantiles=[max(0.0, normal.inv_cdf(level)) for level in QUANTILES],
        daily_mean=mean,
        as_of=date(2026, 1, 5),
    )


def live(of: World, *, transfers: bool) -> Costs:
    """All days of one arm."""
    n = len(of.keys)
    place = {key: number for number, key in enumerate(of.keys)}
    shelf = of.stock.copy()
    bought, moving = np.zeros((n, DAYS + LEAD_DAYS + 1)), np.zeros((n, DAYS + LEAD_DAYS + 1))
    costs = Costs(asked=float(of.demand.sum()))
    for day in range(DAYS):
        shelf += bought[:, day] + moving[:, day]
        if day % REVIEW_DAYS == 0:
            rows = _rows(of, shelf, bought[:, day + 1 :].sum(axis=1), moving[:, day + 1 :].sum(axis=1))
            brought = np.zeros(n)
            if transfers:
                brought = _move(of, rows, place, shelf, moving, day, costs)
            for number, row in enumerate(rows):
                assert row.sourcing is not None
                units = quantity(row.position, row.target, of.policy, row.sourcing, int(brought[number])).units
                bought[number, day + LEAD_DAYS] += units
                costs.bought += float(units * of.price[number])
        served = np.minimum(shelf, of.demand[:, day])
        costs.served += float(served.sum())
        costs.shortage += float((of.demand[:, day] - served) @ of.price) * of.policy.shortage
        shelf -= served
        under_way = moving[:, day + 1 :].sum(axis=1)
        costs.holding += float((shelf + under_way) @ of.price) * of.policy.holding / _YEAR_DAYS
    return costs


def _move(
    of: World,
    rows: Sequence[Planned],
    place: Mapping[tuple[str, str], int],
    shelf: np.ndarray,
    moving: np.ndarray,
    day: int,
    costs: Costs,
) -> np.ndarray:
    """As a run does it; returns what is brought to each series."""
    found = sides(rows, {(of.policy.id, of.policy.version): of.policy}, of.region)
    roads, _ = ways(of.region, of.places, found.gives, found.takes)
    plan = plan_transfers(found.gives, found.takes, roads, found.goods, of.region.transfers.least_units)
    days = {(way.source, way.destination): int(way.days) for way in roads}
    brought = np.zeros(len(rows))
    for move in plan.moves:
        giver, taker = place[move.source, move.sku], place[move.destination, move.sku]
        shelf[giver] -= move.units
        moving[taker, day + max(1, days[move.source, move.destination])] += move.units
        brought[taker] += move.units
        costs.moved += move.units
    costs.freight += plan.freight
    return brought


def _rows(of: World, shelf: np.ndarray, bought: np.ndarray, moving: np.ndarray) -> list[Planned]:
    rows = []
    for number, (location, sku) in enumerate(of.keys):
        price = int(of.price[number])
        source = Sourcing(id=sku, supplier="supplier", sku=sku, price=price, lead_days=LEAD_DAYS)
        there = Position(on_hand=int(shelf[number]), purchases=int(bought[number]), transfers_in=int(moving[number]))
        rows.append(
            Planned.model_construct(
                id=f"{location}:{sku}",
                run="bench",
                chunk=0,
                location=location,
                sku=sku,
                division="330106",
                forecast=of.forecasts[number],
                target=of.levels[number],
                position=there,
                policy=of.policy.id,
                policy_version=of.policy.version,
                sourcing=source,
                lead=LeadTime(id="", supplier="supplier", location=location, mean=LEAD_DAYS, deviation=0),
                lead_days=LEAD_DAYS,
                price=price,
                kg=0.5,
                giveable=int(shelf[number]),
            )
        )
    return rows


def compared(misplaced: float, seeds: Sequence[int] = SEEDS) -> dict[str, Any]:
    """Both arms over several seeds, and by how much transfers are cheaper."""
    alone, with_transfers = Costs(), Costs()
    for seed in seeds:
        for total, transfers in ((alone, False), (with_transfers, True)):
            one = live(world(seed, unbalanced=misplaced), transfers=transfers)
            for name in _NAMES:
                setattr(total, name, getattr(total, name) + getattr(one, name))
    spent = 1 - with_transfers.spent / alone.spent
    relevant = 1 - with_transfers.relevant / alone.relevant
    return {
        "misplaced": misplaced,
        "purchases": _told(alone),
        "transfers": _told(with_transfers),
        "spent_less": round(spent, 4),
        "cheaper": round(relevant, 4),
    }


_NAMES = ("bought", "holding", "shortage", "freight", "served", "asked", "moved")


def _told(costs: Costs) -> dict[str, float]:
    return {name: round(float(getattr(costs, name))) for name in _NAMES} | {
        "fill": round(costs.served / costs.asked, 4)
    }


def figures(seeds: Sequence[int] = SEEDS) -> dict[str, Any]:
    """`cheaper`: where sixty in a hundred series have their stock elsewhere; `by_share` for others."""
    by_share = [compared(share, seeds) for share in SHARES]
    return {"cheaper": by_share[-1]["cheaper"], "target": TARGET, "by_share": by_share}


if __name__ == "__main__":
    import json

    print(json.dumps(figures(), indent=1))
