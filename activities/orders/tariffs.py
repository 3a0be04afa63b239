"""Freight from every location to one customer, all services at once: the arithmetic of carriers/rates.py in arrays."""

from collections.abc import Callable, Sequence
from datetime import datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from activities.carriers.rates import DELIVERED_BY, chargeable_g, promise, zone_of
from contracts.carriers import Carrier, Service
from contracts.hours import Hours, periods_from
from contracts.partners import Location

_KEPT = 4_096
_DAY = timedelta(days=1)
UNSERVED = np.inf


class Schedule(NamedTuple):
    """When places hand over: those with the same schedule are ready at the same moment."""

    hours: Hours | None
    time_zone: str
    cut_off: str | None


def ready_at(schedule: Schedule, now: datetime) -> datetime:
    """When an order that is offered now can be handed over: in opening hours, before the place's own cut-off."""
    zone = ZoneInfo(schedule.time_zone)
    cut_off = time.fromisoformat(schedule.cut_off) if schedule.cut_off else None
    local = now.astimezone(zone)
    if schedule.hours is None:
        if cut_off is None or local.time() <= cut_off:
            return now
        return datetime.combine(local.date() + _DAY, time.min, zone).astimezone(now.tzinfo)
    for start, end in periods_from(schedule.hours, schedule.time_zone, now):
        moment = max(start, local)
        if (cut_off is None or moment.time() <= cut_off or moment.date() > local.date()) and moment < end:
            return moment.astimezone(now.tzinfo)
    return now + 60 * _DAY


class Freight(NamedTuple):
    """By place, in minor units: what the service that is best there asks, and what its lateness costs.

    `cost` is infinite where no service goes; `service` is an index into `Tariffs.services`, -1 where none goes.
    """

    cost: NDArray[np.float64]
    service: NDArray[np.intp]


class Tariffs:
    """What carriers ask from each of some locations, in their order. Without carriers `known` is False.

    Places of one division and one schedule have the same costs: arrays are worked out for those kinds of places, and
    spread over the places at the end.
    """

    def __init__(self, carriers: Sequence[Carrier], locations: Sequence[Location]) -> None:
        self.services: list[Service] = [s for carrier in carriers if carrier.active for s in carrier.services]
        self.known = bool(self.services)
        schedules = [Schedule(place.hours, place.time_zone, place.cut_off) for place in locations]
        self.schedules: list[Schedule] = []
        for schedule in schedules:
            if schedule not in self.schedules:
                self.schedules.append(schedule)
        self.schedule_of = np.array([self.schedules.index(schedule) for schedule in schedules], dtype=np.intp)
        of_place = [(place.division, int(which)) for place, which in zip(locations, self.schedule_of, strict=True)]
        self._kinds = sorted(set(of_place))
        number_of = {kind: number for number, kind in enumerate(self._kinds)}
        self._kind_of = np.array([number_of[kind] for kind in of_place], dtype=np.intp)
        self._schedule_of_kind = np.array([which for _, which in self._kinds], dtype=np.intp)
        self._zones = [sorted(service.rates) for service in self.services]
        self._zone_count = max((len(zones) for zones in self._zones), default=0)
        self._days = np.zeros((len(self.services), self._zone_count + 1), dtype=np.int64)
        for number, service in enumerate(self.services):
            self._days[number, : len(self._zones[number])] = [service.rates[z].days for z in self._zones[number]]
        # Kept by the object, so that a new network starts afresh.
        self._lanes = lru_cache(maxsize=_KEPT)(self._lane)
        self._prices = lru_cache(maxsize=_KEPT)(self._price_table)
        self._freights = lru_cache(maxsize=_KEPT)(self._freight)
        self._moments = lru_cache(maxsize=16)(self._moment)
        self._promises = lru_cache(maxsize=_KEPT)(self._promise)

    def served(self, division: str) -> NDArray[np.bool_]:
        """Places from which some service goes to a division, whatever it costs."""
        goes: NDArray[np.bool_] = np.any(self._lanes(division).zones < self._zone_count, axis=0)
        return goes[self._kind_of]

    def least(self, division: str) -> float:
        """No parcel to a division costs less, wherever it comes from and whatever it weighs."""
        return self._lanes(division).least

    def offsets(self, now: datetime, deadline: datetime) -> tuple[int, ...]:
        """By service and schedule, flat: days beyond the deadline at which a service of no days would deliver."""
        waits, evenings = self._moments(now.replace(second=0, microsecond=0))
        late = [-int((deadline - evening) // _DAY) for evening in evenings]
        return tuple(wait + days for row in waits for wait, days in zip(row, late, strict=True))

    def freight(
        self, division: str, weight_g: int, volume_cm3: int, offsets: tuple[int, ...], lateness_per_day: int
    ) -> Freight:
        """Costs of one parcel to a division; the same as `rates.compare` place by place, and the cheapest of it."""
        return self._freights(division, weight_g, volume_cm3, offsets, lateness_per_day)

    def split(self, division: str, weight_g: int, volume_cm3: int) -> Callable[[int, int], int]:
        """Freight alone, in minor units, of one parcel by place and service; for pairs that are served."""
        lane, prices, kinds = self._lanes(division), self._prices(weight_g, volume_cm3), self._kind_of

        def freight(place: int, service: int) -> int:
            return int(prices[service, lane.zones[service, kinds[place]]]) + int(lane.surcharges[service])

        return freight

    def promised(self, place: int, service: int, division: str, now: datetime) -> datetime:
        """When a parcel that is offered now should be delivered."""
        lane = self._lanes(division)
        days = int(self._days[service, lane.zones[service, self._kind_of[place]]] + lane.extra_days[service])
        return self._promises(service, int(self.schedule_of[place]), days, now.replace(second=0, microsecond=0))

    def _promise(self, service: int, schedule: int, days: int, now: datetime) -> datetime:
        where = self.schedules[schedule]
        return promise(self.services[service], days, ready_at(where, now), where.time_zone)

    def _moment(self, now: datetime) -> tuple[list[list[int]], list[datetime]]:
        """Days that parcels wait for collection, by service and schedule; the evening of the day they are ready."""
        ready = [ready_at(s, now).astimezone(ZoneInfo(s.time_zone)) for s in self.schedules]
        evenings = [datetime.combine(moment.date(), DELIVERED_BY, moment.tzinfo) for moment in ready]
        waits = [[int(m.time() > time.fromisoformat(service.cut_off)) for m in ready] for service in self.services]
        return waits, evenings

    def _lane(self, division: str) -> "_Lane":
        none = self._zone_count
        zones = np.empty((len(self.services), len(self._kinds)), dtype=np.intp)
        surcharges, extra_days, least = [], [], UNSERVED
        origins = sorted({origin for origin, _ in self._kinds})
        for number, service in enumerate(self.services):
            index = {zone: i for i, zone in enumerate(self._zones[number])}
            here = [rule for rule in service.zones if division.startswith(rule.destination)]
            fitting = service.model_copy(update={"zones": here})
            zone_from = {origin: zone_of(fitting, origin, division) for origin in origins}
            zones[number] = [none if (z := zone_from[origin]) is None else index[z] for origin, _ in self._kinds]
            remote = [one for one in service.surcharges if division.startswith(one.destination)]
            farthest = max(remote, key=lambda one: len(one.destination), default=None)
            surcharges.append(farthest.price if farthest else 0)
            extra_days.append(farthest.days if farthest else 0)
            firsts = [service.rates[zone].first_price for zone in zone_from.values() if zone is not None]
            least = min(least, min(firsts, default=UNSERVED) + surcharges[-1])
        return _Lane(zones, np.array(surcharges), np.array(extra_days), least)

    def _price_table(self, weight_g: int, volume_cm3: int) -> NDArray[np.float64]:
        """By service and zone: the price without surcharge; infinite in the last column, and where it is too heavy."""
        table = np.full((len(self.services), self._zone_count + 1), UNSERVED)
        for number, service in enumerate(self.services):
            chargeable = chargeable_g(service, weight_g, volume_cm3)
            if chargeable > service.max_weight_g:
                continue
            for zone, name in enumerate(self._zones[number]):
                rate = service.rates[name]
                steps = -(-max(chargeable - rate.first_g, 0) // rate.step_g)
                table[number, zone] = rate.first_price + steps * rate.step_price
        return table

    def _freight(
        self, division: str, weight_g: int, volume_cm3: int, offsets: tuple[int, ...], lateness_per_day: int
    ) -> Freight:
        lane = self._lanes(division)
        services = np.arange(len(self.services))[:, None]
        late = np.array(offsets).reshape(len(self.services), len(self.schedules))
        prices = self._prices(weight_g, volume_cm3) + lane.surcharges[:, None]
        days = self._days + lane.extra_days[:, None]
        beyond = days[services, lane.zones] + late[:, self._schedule_of_kind]
        cost = prices[services, lane.zones] + np.maximum(beyond, 0) * lateness_per_day
        best = cost.argmin(axis=0)
        least = cost[best, np.arange(len(best))]
        best[least == UNSERVED] = -1
        return Freight(least[self._kind_of], best[self._kind_of])


class _Lane(NamedTuple):
    """All ways to one division: zones by service and kind of place (the last one is none); surcharges by service."""

    zones: NDArray[np.intp]
    surcharges: NDArray[np.int64]
    extra_days: NDArray[np.int64]
    least: float
