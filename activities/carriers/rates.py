"""What a carrier asks for a parcel, when it would deliver it, and which service suits best. Pure."""

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from operator import attrgetter
from typing import NamedTuple
from zoneinfo import ZoneInfo

from contracts.carriers import Carrier, Service, ZoneRule

DELIVERED_BY = time(21)
"""Local time by which a parcel is taken to be delivered on its day."""
_DAY_S = 86_400


class Quote(NamedTuple):
    """Price in minor units, calendar days from collection to delivery, and how both were found."""

    price: int
    days: int
    zone: str
    chargeable_g: int


class Choice(NamedTuple):
    """One service for one parcel. `lateness` is the cost, in minor units, of the days beyond the deadline."""

    service: str
    price: int
    days: int
    promised_at: datetime
    lateness: int = 0

    @property
    def total(self) -> int:
        return self.price + self.lateness


def zone_of(service: Service, origin: str, destination: str) -> str | None:
    """The zone of the most specific rule that fits the pair; None where the service does not go.

    A rule is as specific as its two prefixes are long together, then as the destination's is; `same` counts like
    prefixes of that length on both sides. Of rules that are equally specific the first one counts.
    """
    fitting = [rule for rule in service.zones if _fits(rule, origin, destination)]
    return max(fitting, key=_specificity).zone if fitting else None


def _fits(rule: ZoneRule, origin: str, destination: str) -> bool:
    return (
        origin.startswith(rule.origin)
        and destination.startswith(rule.destination)
        and origin[: rule.same] == destination[: rule.same]
    )


def _specificity(rule: ZoneRule) -> tuple[int, int]:
    origin, destination = max(len(rule.origin), rule.same), max(len(rule.destination), rule.same)
    return origin + destination, destination


def chargeable_g(service: Service, weight_g: int, volume_cm3: int) -> int:
    """The weight that is paid: what the scales say, or what the space would weigh; whole grams, rounded up."""
    if service.volumetric_divisor is None:
        return weight_g
    return max(weight_g, -(-volume_cm3 * 1000 // service.volumetric_divisor))


def quote(service: Service, origin: str, destination: str, weight_g: int, volume_cm3: int = 0) -> Quote | None:
    """Price and days of a parcel; None where the service does not go, and for a chargeable weight above its limit.

    The first weight has one price, every step begun beyond it another; the surcharge with the longest prefix of the
    destination adds to both price and days.
    """
    zone = zone_of(service, origin, destination)
    chargeable = chargeable_g(service, weight_g, volume_cm3)
    if zone is None or chargeable > service.max_weight_g:
        return None
    rate = service.rates[zone]
    steps = -(-max(chargeable - rate.first_g, 0) // rate.step_g)
    price, days = rate.first_price + steps * rate.step_price, rate.days
    remote = [one for one in service.surcharges if destination.startswith(one.destination)]
    if remote:
        farthest = max(remote, key=lambda one: len(one.destination))
        price, days = price + farthest.price, days + farthest.days
    return Quote(price, days, zone, chargeable)


def promise(service: Service, days: int, ready_at: datetime, time_zone: str) -> datetime:
    """When a parcel that is ready at `ready_at` should be with the customer, in the zone of `ready_at`.

    Ready by the service's cut-off, local time, it is collected the same day, else the next; it is delivered by 21:00
    local time `days` later. `time_zone` is an IANA name.
    """
    here = ZoneInfo(time_zone)
    local = ready_at.astimezone(here)
    waits = local.time() > time.fromisoformat(service.cut_off)
    day = local.date() + timedelta(days=days + waits)
    return datetime.combine(day, DELIVERED_BY, here).astimezone(ready_at.tzinfo)


def lateness_cost(promised_at: datetime, deadline: datetime, per_day: int) -> int:
    """Minor units for every day begun beyond the deadline."""
    late_s = (promised_at - deadline).total_seconds()
    return int(-(-late_s // _DAY_S)) * per_day if late_s > 0 else 0


def compare(
    carriers: Iterable[Carrier],
    origin: str,
    destination: str,
    weight_g: int,
    volume_cm3: int,
    *,
    ready_at: datetime,
    time_zone: str,
    deadline: datetime | None = None,
    lateness_per_day: int = 0,
) -> list[Choice]:
    """Every active carrier's services that take the parcel, the cheapest first: price and the cost of being late.

    Equal ones: the earlier promise first, then by name of the service.
    """
    found = []
    for carrier in carriers:
        for service in carrier.services if carrier.active else ():
            quoted = quote(service, origin, destination, weight_g, volume_cm3)
            if quoted is None:
                continue
            promised = promise(service, quoted.days, ready_at, time_zone)
            late = lateness_cost(promised, deadline, lateness_per_day) if deadline else 0
            found.append(Choice(service.id, quoted.price, quoted.days, promised, late))
    return sorted(found, key=attrgetter("total", "promised_at", "service"))
