"""The demo's network and orders: real places, invented goods. The same seed gives the same ones."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from random import Random
from typing import Any, Literal

from contracts.divisions import Division, children_of, division, populations, prefectures, province_of
from contracts.geo import Point, to_gcj02

Body = dict[str, Any]
"""A JSON object, as the HTTP API takes it."""

WAREHOUSES = ("420100", "510100")
CITIES_WITH_STORES = """
    110100 120100 130100 130200 140100 140200 150100 150200 210100 210200 220100 220200 230100
    230600 310100 320100 320200 320300 320500 320600 330100 330200 330300 330700 340100 340200
    350100 350200 350500 360100 360700 370100 370200 370600 370700 371300 410100 410300 411300
    420100 420500 420600 430100 430200 430400 440100 440300 440500 440600 440800 441900 450100
    450200 450300 460100 460200 500100 510100 510700 520100 520300 530100 530300 610100 610300
    620100 630100 640100
""".split()
"""None in Tibet, Xinjiang, Hong Kong, Macau and Taiwan, so that some customers live far from every store."""
MORE_STORES = {
    **dict.fromkeys(["110100", "310100", "440100", "440300"], 3),
    **dict.fromkeys("120100 210100 320100 320500 330100 370200 410100 420100 430100 500100 510100 610100".split(), 2),
}
"""Cities with more than one."""

STORE_RADIUS_KM = 5.0
CUSTOMER_MEAN_KM, CUSTOMER_MAX_KM = 8.0, 40.0
CAPITAL_COUNTS = 2
KM_PER_DEGREE = 111.195

FREE_SHIPPING_FROM, SHIPPING_FEE = 9_900, 800
DECLINING_CARDS = 0.02
GCJ02_CUSTOMERS = 0.3
SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高"

Range = Literal["core", "wuhan", "chengdu", "limited"]


@dataclass(frozen=True, slots=True)
class Article:
    """Something sold. `price` in fen; `popularity` is its weight among all."""

    sku: str
    name: str
    price: int
    range: Range
    popularity: float


@dataclass(frozen=True, slots=True)
class Network:
    """Bodies for the locations' and the stock's upserts."""

    locations: list[Body]
    stock: list[Body]


def _articles() -> Iterator[Article]:
    """Core goods lie in both warehouses, slow movers in one of them, limited ones in a few stores only."""
    families: tuple[tuple[str, str, int, Range], ...] = (
        ("tea", "茶叶", 3_900, "limited"),
        ("coffee", "咖啡", 4_500, "limited"),
        ("rice", "大米", 2_980, "wuhan"),
        ("noodle", "面条", 990, "wuhan"),
        ("snack", "零食", 1_290, "wuhan"),
        ("oil", "食用油", 5_990, "chengdu"),
        ("milk", "牛奶", 4_990, "chengdu"),
        ("soap", "香皂", 690, "chengdu"),
    )
    popularity: dict[Range, float] = {"core": 1.0, "wuhan": 1.6, "chengdu": 1.6, "limited": 0.8}
    for family, name, price, special in families:
        for number in range(1, 6):
            is_special = number == 5 or (number == 4 and special != "limited")
            kept: Range = special if is_special else "core"
            yield Article(
                sku=f"sku-{family}-{number:02d}",
                name=f"{name}{number}号",
                price=price + (number - 1) * price // 4 // 10 * 10,
                range=kept,
                popularity=popularity[kept] * (2.0 if number == 1 else 1.0),
            )


ARTICLES = tuple(_articles())


def network(seed: int = 7, *, accept_within_s: int = 8, ship_within_s: int = 60) -> Network:
    """Two warehouses and the stores with their stock. The time limits are the demo's: seconds, not hours."""
    rng = Random(f"network:{seed}")
    limits = {"accept_within_s": accept_within_s, "ship_within_s": ship_within_s}
    locations = [_location("warehouse", division(code), 1, rng) | limits for code in WAREHOUSES]
    for code in CITIES_WITH_STORES:
        for number in range(1, MORE_STORES.get(code, 1) + 1):
            locations.append(_location("store", division(code), number, rng) | limits)
    stock = [
        {"location": location["id"], "sku": article.sku, "kind": "count", "quantity": quantity}
        for location in locations
        for article in ARTICLES
        if (quantity := _quantity(location, article, rng)) is not None
    ]
    return Network(locations, stock)


def orders(n: int, seed: int = 7) -> Iterator[Body]:
    """`n` orders, customers in proportion to population. The first orders are the same for every `n`."""
    rng = Random(f"orders:{seed}")
    for number in range(1, n + 1):
        yield _order(number, rng)


def _location(kind: Literal["store", "warehouse"], city: Division, number: int, rng: Random) -> Body:
    short = city.name.removesuffix("市")
    warehouse = kind == "warehouse"
    return {
        "id": f"wh-{city.pinyin}" if warehouse else f"store-{city.pinyin}-{number}",
        "kind": kind,
        "name": f"{short}仓" if warehouse else f"{short}{'一二三'[number - 1]}店",
        "division": city.code,
        "point": _near(city, STORE_RADIUS_KM * math.sqrt(rng.random()), rng).model_dump(),
        "active": True,
        "channels": ["online"],
    }


def _quantity(location: Body, article: Article, rng: Random) -> int | None:
    """Units on the shelf; None where the location does not carry the article."""
    if location["kind"] == "warehouse":
        kept = article.range == "core" or location["id"] == f"wh-{article.range}"
        return rng.randint(4_000, 6_000) if kept else None
    if article.range == "core":
        return 0 if rng.random() < 0.3 else rng.randint(1, 6)
    if article.range == "limited":
        return rng.randint(1, 2) if rng.random() < 0.3 else None
    return rng.randint(1, 5) if rng.random() < 0.05 else None


def _order(number: int, rng: Random) -> Body:
    count = rng.choices((1, 2, 3), (62, 27, 11))[0]
    lines: list[Body] = [
        {
            "line": line,
            "sku": article.sku,
            "quantity": rng.choices((1, 2, 3), (86, 11, 3))[0],
            "unit_price": article.price,
        }
        for line, article in enumerate(_different_articles(count, rng), 1)
    ]
    goods = sum(line["quantity"] * line["unit_price"] for line in lines)
    shipping_fee = 0 if goods >= FREE_SHIPPING_FROM else SHIPPING_FEE
    discount = goods // 10 if rng.random() < 0.15 else 0
    return {
        "id": f"demo-{number:06d}",
        "channel": "online",
        "currency": "CNY",
        "lines": lines,
        "shipping_fee": shipping_fee,
        "discount": discount,
        "total": goods - discount + shipping_fee,
        "payment": _payment(number, rng),
        "ship_to": _customer(rng),
    }


def _different_articles(count: int, rng: Random) -> list[Article]:
    chosen: dict[str, Article] = {}
    while len(chosen) < count:
        article = rng.choices(ARTICLES, [one.popularity for one in ARTICLES])[0]
        chosen[article.sku] = article
    return list(chosen.values())


def _payment(number: int, rng: Random) -> Body:
    if rng.random() < 0.5:
        return {"method": "prepaid"}
    fate = "decline" if rng.random() < DECLINING_CARDS else "ok"
    return {"method": "card", "token": f"tok_{fate}_{number:06d}"}


def _customer(rng: Random) -> Body:
    places, weights = _population_by_place()
    place = rng.choices(places, cum_weights=weights)[0]
    home = _near(place, min(rng.expovariate(1 / CUSTOMER_MEAN_KM), CUSTOMER_MAX_KM), rng)
    if rng.random() < GCJ02_CUSTOMERS:
        shown = to_gcj02(home)
        home = Point(lat=round(shown.lat, 6), lon=round(shown.lon, 6), datum="GCJ02")
    name = rng.choice(SURNAMES) + rng.choice(("先生", "女士"))
    return {"name": name, "division": place.code, "point": home.model_dump()}


@cache
def _population_by_place() -> tuple[tuple[Division, ...], tuple[float, ...]]:
    """Places, and their cumulated weights. An assumption, not a statistic: a province's residents are spread
    over its prefectures in proportion to their number of counties (at least one), the capital's doubled."""
    places = prefectures()
    counties = {place.code: max(1, len(children_of(place.code))) for place in places}
    shares = {code: count * (CAPITAL_COUNTS if code[2:] == "0100" else 1) for code, count in counties.items()}
    whole: dict[str, int] = {}
    for code, share in shares.items():
        whole[province_of(code)] = whole.get(province_of(code), 0) + share
    people = (
        populations()[province_of(place.code)].people * shares[place.code] / whole[province_of(place.code)]
        for place in places
    )
    return places, tuple(accumulate(people))


def _near(place: Division, km: float, rng: Random) -> Point:
    if place.centre is None:
        raise ValueError(f"{place.code} {place.name} has no known centre; name a prefecture instead")
    angle = rng.uniform(0, 2 * math.pi)
    lat = place.centre.lat + km * math.cos(angle) / KM_PER_DEGREE
    lon = place.centre.lon + km * math.sin(angle) / KM_PER_DEGREE / math.cos(math.radians(place.centre.lat))
    return Point(lat=round(lat, 6), lon=round(lon, 6), datum="WGS84")
