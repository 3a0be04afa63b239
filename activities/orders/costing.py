"""What it costs to ship goods of one order from each location: freight, handling, lateness and scarcity. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from activities.carriers.rates import promise
from activities.orders.demand import Demand
from activities.orders.network import Network, kilometres
from activities.orders.prices import Prices
from activities.orders.tariffs import Freight, ready_at
from contracts.routing import Policy, Terms

_FAR_KM = 1e5
"""Stands for an unknown distance where distance is paid: such a place is the last choice."""


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
        deadline = demand.deadline or now + timedelta(seconds=policy.promise_s)
        self._offsets = self._tariffs.offsets(now, deadline) if self._tariffs.known else ()

    def least(self) -> float:
        """No parcel costs less."""
        return self._policy.handling + (self._tariffs.least(self._demand.division) if self._tariffs.known else 0.0)

    def parcel(self, weight_g: int, volume_cm3: int) -> NDArray[np.float64]:
        """Freight, lateness and handling of a parcel; infinite where no carrier takes it."""
        if not self._tariffs.known:
            freight = np.floor(np.minimum(kilometres(self._chords), _FAR_KM) * self._policy.km_price)
        else:
            freight = self._freight(weight_g, volume_cm3).cost
        cost: NDArray[np.float64] = freight + self._policy.handling
        return cost

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

    def terms(self, place: int, units: Mapping[str, int], weight_g: int, volume_cm3: int) -> tuple[Terms, int | None]:
        """The terms of one parcel, and which of the carriers' services is the best; None without one."""
        scarce = self.scarcity(units)
        scarcity = round(float(scarce[place]), 1) if scarce is not None else 0.0
        handling = self._policy.handling
        if not self._tariffs.known:
            freight, lateness, service = int(self.parcel(weight_g, volume_cm3)[place]) - handling, 0, None
        else:
            found = self._freight(weight_g, volume_cm3)
            service = int(found.service[place])
            if service < 0:
                return Terms(handling=handling, scarcity=scarcity), None
            freight, _ = self._tariffs.split(place, service, self._demand.division, weight_g, volume_cm3)
            lateness = int(found.cost[place]) - freight
        return Terms.trusted(freight=freight, handling=handling, lateness=lateness, scarcity=scarcity), service

    def promised(self, place: int, service: int, weight_g: int, volume_cm3: int) -> datetime:
        """When a service should deliver from a place."""
        tariffs = self._tariffs
        _, days = tariffs.split(place, service, self._demand.division, weight_g, volume_cm3)
        schedule = tariffs.schedules[int(tariffs.schedule_of[place])]
        return promise(tariffs.services[service], days, ready_at(schedule, self._now), schedule.time_zone)
