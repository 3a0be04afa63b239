"""Carriers for the demo and for tests. They, their names, prices and codes are invented; the divisions are real.

In China an express by air, an economy by road that asks more for remote areas, and a courier within one city; in Brazil
one that goes everywhere. Prices in fen and centavos. The first digit of a Chinese division code is its great region.
"""

from collections.abc import Callable
from functools import cache

from contracts.carriers import CarrierUpsert, Rate, Service, Surcharge, TrackingState, ZoneRule

_MAINLAND = "123456"
_BEYOND = ("71", "81", "82")
"""Taiwan, Hong Kong, Macau."""
_NEIGHBOURS = {"12", "13", "16", "34", "35", "45", "56"}
"""Pairs of great regions that border on each other."""
_REMOTE = {"54": (1_800, 3), "65": (1_500, 2), "63": (800, 1), "15": (500, 1)}
"""Tibet, Xinjiang, Qinghai, Inner Mongolia: fen and days more by road."""

WORDS = {
    "ORDERED": TrackingState.LABELLED,
    "PICKED_UP": TrackingState.COLLECTED,
    "ARRIVED_HUB": TrackingState.IN_TRANSIT,
    "LEFT_HUB": TrackingState.IN_TRANSIT,
    "WITH_COURIER": TrackingState.OUT_FOR_DELIVERY,
    "AT_POINT": TrackingState.AWAITING_PICKUP,
    "SIGNED": TrackingState.DELIVERED,
    "SIGN_REFUSED": TrackingState.REFUSED,
    "GOING_BACK": TrackingState.RETURNING,
    "BACK_WITH_SENDER": TrackingState.RETURNED,
    "MISSING": TrackingState.LOST,
}
"""Codes in words, of those that carry by air and within a city."""
NUMBERS = {
    "10": TrackingState.LABELLED,
    "20": TrackingState.COLLECTED,
    "30": TrackingState.IN_TRANSIT,
    "31": TrackingState.IN_TRANSIT,
    "40": TrackingState.OUT_FOR_DELIVERY,
    "45": TrackingState.AWAITING_PICKUP,
    "50": TrackingState.DELIVERED,
    "61": TrackingState.REFUSED,
    "70": TrackingState.RETURNING,
    "75": TrackingState.RETURNED,
    "99": TrackingState.LOST,
}
"""Codes in numbers, of those that carry by road."""


@cache
def carriers() -> tuple[CarrierUpsert, ...]:
    """All of them, as they are loaded."""
    return _express(), _economy(), _courier(), _brazilian()


def _rate(first_price: int, step_price: int, days: int, step_g: int = 1_000) -> Rate:
    return Rate(first_g=1_000, first_price=first_price, step_g=step_g, step_price=step_price, days=days)


def _express() -> CarrierUpsert:
    rates = {
        "city": _rate(1_200, 200, 1),
        "province": _rate(1_300, 200, 1),
        "mainland": _rate(2_200, 900, 2, step_g=500),
        "beyond": _rate(3_500, 1_500, 3, step_g=500),
    }
    service = Service(
        id="yunque/express",
        name="云雀速运·航空特快 Yunque Air Express",
        zones=[*_mainland_zones(), *_beyond_zones()],
        rates=rates,
        surcharges=[Surcharge(destination="54", price=800, days=1), Surcharge(destination="65", price=600, days=1)],
        cut_off="19:00",
    )
    return CarrierUpsert(id="yunque", name="云雀速运 Yunque Express", services=[service], codes=WORDS)


def _economy() -> CarrierUpsert:
    rates = {
        "city": _rate(500, 80, 1),
        "province": _rate(600, 100, 2),
        "region": _rate(700, 150, 3),
        "neighbour": _rate(800, 250, 4),
        "mainland": _rate(1_000, 400, 5),
        "beyond": _rate(3_000, 1_200, 7),
    }
    remote = [Surcharge(destination=province, price=price, days=days) for province, (price, days) in _REMOTE.items()]
    remote += [Surcharge(destination=place, price=600, days=2) for place in _BEYOND]
    service = Service(
        id="qinglu/economy",
        name="青鹿物流·陆运经济 Qinglu Road Economy",
        zones=[*_mainland_zones(_by_distance), *_beyond_zones()],
        rates=rates,
        surcharges=remote,
        volumetric_divisor=8_000,
        cut_off="17:00",
        max_weight_g=60_000,
    )
    return CarrierUpsert(id="qinglu", name="青鹿物流 Qinglu Logistics", services=[service], codes=NUMBERS)


def _courier() -> CarrierUpsert:
    cities = [ZoneRule(zone="city", origin=region, destination=region, same=4) for region in _MAINLAND]
    service = Service(
        id="baixiang/today",
        name="百巷同城·当日达 Baixiang Same Day",
        zones=cities,
        rates={"city": Rate(first_g=5_000, first_price=900, step_g=1_000, step_price=150, days=0)},
        volumetric_divisor=None,
        cut_off="15:00",
        max_weight_g=20_000,
    )
    return CarrierUpsert(id="baixiang", name="百巷同城 Baixiang Courier", services=[service], codes=WORDS)


def _brazilian() -> CarrierUpsert:
    service = Service(
        id="arara/terrestre",
        name="Arara Entregas, terrestre",
        zones=[
            ZoneRule(zone="country", origin="BR", destination="BR"),
            ZoneRule(zone="state", origin="BR", destination="BR", same=5),
        ],
        rates={"state": _rate(1_400, 300, 4), "country": _rate(2_300, 600, 10)},
        cut_off="16:00",
    )
    return CarrierUpsert(id="arara", name="Arara Entregas", services=[service], codes=NUMBERS)


def _mainland_zones(between: Callable[[str, str], str] = lambda origin, destination: "mainland") -> list[ZoneRule]:
    """Between all great regions, by a zone's name for each pair, and nearer: within a province, a prefecture."""
    found = [ZoneRule(zone=between(a, b), origin=a, destination=b) for a in _MAINLAND for b in _MAINLAND]
    for region in _MAINLAND:
        found.append(ZoneRule(zone="province", origin=region, destination=region, same=2))
        found.append(ZoneRule(zone="city", origin=region, destination=region, same=4))
    return found


def _by_distance(origin: str, destination: str) -> str:
    if origin == destination:
        return "region"
    return "neighbour" if {origin + destination, destination + origin} & _NEIGHBOURS else "mainland"


def _beyond_zones() -> list[ZoneRule]:
    """To and from Hong Kong, Macau and Taiwan, and within them."""
    ways = [(place, region) for place in _BEYOND for region in (*_MAINLAND, *_BEYOND)]
    return [ZoneRule(zone="beyond", origin=a, destination=b) for a, b in sorted({*ways, *((b, a) for a, b in ways)})]
