"""What it costs to ship goods of one order from each location: freight, handling, lateness and scarcity. Pure."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from activities.orders.demand import Demand
from activities.orders.network import Network, kilometres
from activities.orders.prices import Prices
from activities.orders.tariffs import Freight
from contracts.routing import Policy, Terms

_FAR_KM = 1e5
"""Stands for an unknown distance where distance is paid: such a place is the last choice."""

Parted = tuple[Terms, int | None]
"""What one parcel from one place costs, and which of the carriers' services is the best; None without one."""


class Costing:
    """Costs of one order at one moment. All amounts in minor units; arrays are indexed by place."""

    def __init__(
        self,
        demand: Demand,
        network: Network,
        policy: Policy,
        prices: Prices | None,
        now: datetime,
        chords: NDArray[np.float64],
    ) -> None:
        self._demand = demand
        self._tariffs = network.tariffs
        self._policy = policy
        self._prices = prices if policy.scarcity else None
        self._now = now
        self._chords = chords
        deadline = policy.deadline(now, demand.deadline)
        self._offsets = self._tariffs.offsets(now, deadline) if self._tariffs.known else ()

    def least(self) -> float:
        """No parcel costs less."""
        freight = self._tariffs.least(self._demand.division) if self._tariffs.known else float(self._by_road.min())
        return self._policy.handling + freight

    def parcel(self, weight_g: int, volume_cm3: int) -> NDArray[np.float64]:
        """Freight, lateness and handling of a parcel; infinite where no carrier takes it."""
        freight = self._freight(weight_g, volume_cm3).cost if self._tariffs.known else self._by_road
        cost: NDArray[np.float64] = freight + self._policy.handling
        return cost

    @cached_property
    def _by_road(self) -> NDArray[np.float64]:
        """Freight by distance, for as long as no carrier is known."""
        freight: NDArray[np.float64] = np.minimum(kilometres(self._chords), _FAR_KM) * self._policy.km_price
        return np.floor(freight)

    def _freight(self, weight_g: int, volume_cm3: int) -> Freight:
        division, per_day = self._demand.division, self._policy.lateness_per_day
        return self._tariffs.freight(division, weight_g, volume_cm3, self._offsets, per_day)

    def scarcity(self, units: Mapping[str, int]) -> NDArray[np.float64] | None:
        """Worth of the goods to orders that are expected; None where nothing is expected of any of them."""
        total: NDArray[np.float64] | None = None
        for sku, count in units.items() if self._prices else ():
            row = self._prices.of(sku) if self._prices else None
            if row is not None:
                worth = row * (count * self._policy.scarcity)
                total = worth if total is None else total + worth
        return total

    def terms(self, units: Mapping[str, int], weight_g: int, volume_cm3: int) -> Callable[[int], Parted]:
        """The terms of one parcel, for any place that it may come from."""
        scarce = self.scarcity(units)
        handling = self._policy.handling

        def plain(place: int) -> Parted:
            freight = int(cost[place]) - handling
            return Terms.trusted(freight=freight, handling=handling, lateness=0, scarcity=_at(scarce, place)), None

        def carried(place: int) -> Parted:
            service = int(found.service[place])
            if service < 0:
                return Terms(handling=handling, scarcity=_at(scarce, place)), None
            freight = freight_of(place, service)
            lateness = int(found.cost[place]) - freight
            terms = Terms.trusted(freight=freight, handling=handling, lateness=lateness, scarcity=_at(scarce, place))
            return terms, service

        if not self._tariffs.known:
            cost = self.parcel(weight_g, volume_cm3)
            return plain
        found = self._freight(weight_g, volume_cm3)
        freight_of = self._tariffs.split(self._demand.division, weight_g, volume_cm3)
        return carried

    def promised(self, place: int, service: int) -> datetime:
        """When a service should deliver from a place."""
        return self._tariffs.promised(place, service, self._demand.division, self._now)


def _at(prices: NDArray[np.float64] | None, place: int) -> float:
    return 0.0 if prices is None else round(float(prices[place]), 1)
