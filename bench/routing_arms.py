"""Plays a world through the production router, wave by wave, under one policy; and counts what came of it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from activities.orders.demand import Demand, size_of
from activities.orders.exchanging import Exchange, Offer
from activities.orders.network import Availability
from activities.orders.prices import Prices
from activities.orders.routing import parts_of, route, uneasy
from activities.stock.expecting import Sold, expectation
from bench.routing_world import DAYS, NEARBY_KM, START, World
from contracts.routing import Policy

WAVE = timedelta(minutes=30)
"""Orders are gathered so long, and routed together."""
UNACCEPTED = timedelta(hours=2)
"""So long after its offer an order may still be moved."""
PRICED = timedelta(hours=2)
EARLIER_DAYS = 3 * DAYS
"""`World.earlier` are the orders of so many days."""
ARMS: Mapping[str, tuple[str, bool]] = {
    "nearest": ("nearest", False),
    "fewest": ("fewest", False),
    "ours": ("cost", False),
    "ours+re": ("cost", True),
}
"""Rule of the policy, and whether offers are re-evaluated."""


@dataclass(slots=True)
class Played:
    """What came of a world. Costs in minor units; an order that was never routed is lost with all its units."""

    freight: int = 0
    handling: int = 0
    lateness: int = 0
    lost_margin: int = 0
    parcels: int = 0
    shipped: int = 0
    lost: int = 0
    km: float = 0.0
    late: int = 0
    moved: int = 0
    cpu_s: float = 0.0
    price_cpu_s: float = 0.0
    load: dict[str, int] = field(default_factory=dict)

    @property
    def shipping(self) -> int:
        return self.freight + self.handling + self.lateness

    @property
    def total(self) -> int:
        return self.shipping + self.lost_margin


def policies(rule: str) -> dict[str, Policy]:
    """By channel: the default policy, and the same within a radius for those who want it from nearby."""
    default = Policy(rule=rule, channels=["online"])
    return {"online": default, "nearby": default.model_copy(update={"channels": ["nearby"], "radius_km": NEARBY_KM})}


def prices_for(world: World, held: Mapping[str, Policy]) -> Prices:
    sold: dict[tuple[str, str, str], Sold] = {}
    for demand in world.earlier:
        area = demand.division[:4] if demand.division.isdigit() else demand.division
        for line, sku, units in demand.lines:
            key = (demand.channel, area, sku)
            known = sold.get(key)
            sold[key] = Sold(
                channel=demand.channel,
                division=area,
                sku=sku,
                units=units + (known.units if known else 0),
                value=units * demand.values[line] + (known.value if known else 0),
                orders=1 / len(demand.lines) + (known.orders if known else 0.0),
                lat=demand.lat,
                lon=demand.lon,
            )
    return Prices(expectation(list(sold.values()), EARLIER_DAYS, world.network, list(held.values()), START))


class Play:
    """One world under one arm."""

    def __init__(self, world: World, arm: str) -> None:
        rule, self._reevaluate = ARMS[arm]
        self._world = world
        self._policies = policies(rule)
        self._prices = prices_for(world, self._policies) if rule == "cost" else None
        self._stock: Availability = world.availability()
        self._open: list[tuple[datetime, datetime, Offer]] = []
        """(placed, offered, offer)"""
        self._waiting: list[tuple[datetime, datetime, Demand]] = []
        """(placed, tried, demand)"""
        self.result = Played()

    def run(self) -> Played:
        orders = list(self._world.orders)
        priced, now = START - PRICED, START
        end = START + timedelta(days=DAYS) + UNACCEPTED
        while now < end:
            now += WAVE
            if self._prices is not None and now - priced >= PRICED:
                began = time.process_time()
                left = max((START + timedelta(days=DAYS) - now) / timedelta(days=1), 0.0)
                self._prices.update(self._stock, left)
                self.result.price_cpu_s += time.process_time() - began
                priced = now
            fresh = []
            while orders and orders[0][0] <= now:
                fresh.append(orders.pop(0))
            self._wave(fresh, now)
        for placed, offered, offer in self._open:
            self._ship(placed, offered, offer)
        for _, _, demand in self._waiting:
            self._lose(demand)
        return self.result

    def _wave(self, fresh: Sequence[tuple[datetime, Demand]], now: datetime) -> None:
        retry = timedelta(seconds=Policy().backorder_retry_s)
        limit = timedelta(seconds=Policy().backorder_limit_s)
        due = [one for one in self._waiting if now - one[1] >= retry]
        self._waiting = [one for one in self._waiting if now - one[1] < retry]
        pool = []
        for placed, _, demand in due:
            if now - placed > limit:
                self._lose(demand)
            else:
                pool.append((placed, demand))
        pool += fresh
        began = time.process_time()
        demands = [demand for _, demand in pool]
        held = [self._policies[demand.channel] for demand in demands]
        decisions = route(demands, self._stock, self._world.network, held, self._prices, now)
        for (placed, demand), decision in zip(pool, decisions, strict=True):
            if decision.outcome == "none":
                self._waiting.append((placed, now, demand))
            else:
                parts = parts_of(decision, self._world.network)
                offer = Offer(demand, self._policies[demand.channel], parts, uneasy(decision))
                self._open.append((placed, now, offer))
        accepted = [one for one in self._open if now - one[1] >= UNACCEPTED]
        self._open = [one for one in self._open if now - one[1] < UNACCEPTED]
        if self._reevaluate:
            offers = [offer for _, _, offer in self._open]
            self.result.moved += len(Exchange(offers, self._stock, self._world.network, self._prices, now).improve())
        self.result.cpu_s += time.process_time() - began
        for placed, offered, offer in accepted:
            self._ship(placed, offered, offer)

    def _ship(self, placed: datetime, offered: datetime, offer: Offer) -> None:
        """Count what the parcels cost, offered when they were, against the promise of when the order was placed."""
        world, result = self._world, self.result
        policy, demand = offer.policy, offer.demand
        tariffs = world.network.tariffs
        offsets = tariffs.offsets(offered, demand.deadline or placed)
        km = world.network.distances_km(demand.lat, demand.lon)
        for place, units in offer.parts:
            weight, _ = size_of(units, world.network.articles)
            found = tariffs.freight(demand.division, weight, 0, offsets, policy.lateness_per_day)
            freight = tariffs.split(demand.division, weight, 0)(place, int(found.service[place]))
            late = int(found.cost[place]) - freight
            result.freight += freight
            result.lateness += late
            result.late += late > 0
            result.handling += policy.handling
            result.parcels += 1
            result.shipped += sum(units.values())
            result.km += float(km[place])
            location = world.network.locations[place].id
            result.load[location] = result.load.get(location, 0) + 1

    def _lose(self, demand: Demand) -> None:
        self.result.lost += sum(units for _, _, units in demand.lines)
        self.result.lost_margin += int(demand.margin(Policy()))
