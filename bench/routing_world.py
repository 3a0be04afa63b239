"""The world of the routing benchmark: real coordinates where a folder with them is named, orders by a seeded generator.

Locations and customers come from the folder (see `places_in`); without one, from the divisions of China that are part
of the project. Everything else is drawn, and stated here: what orders want, what lies where, and when orders come.
"""

import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from activities.orders.demand import Demand
from activities.orders.network import Availability, Network, unit_vectors
from contracts.carriers import Carrier
from contracts.divisions import exists, prefectures, province_of
from contracts.geo import Point, to_wgs84
from contracts.partners import Location
from contracts.routing import Policy
from contracts.skus import Article
from infra.demo_carriers import carriers
from infra.demo_network import CITIES_WITH_STORES
from infra.demo_network import orders as demo_orders

START = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)
DAYS = 7
"""Until the next delivery: stock must last so long."""
LINES = {1: 0.55, 2: 0.27, 3: 0.12, 4: 0.06}
"""Share of orders by number of lines, one unit each."""
ZIPF = 0.8
"""Popularity of the n-th SKU falls with n to this power."""
WEIGHTS_G = (200, 400, 700, 1_200, 2_500)
PRICES = (6_000, 10_000, 16_000)
NEARBY_SHARE, NEARBY_KM = 0.4, 50.0
"""Of the customers who have a location so near, this share wants it from there: goods at once, or picked up."""
UNEVEN = 0.5
"""Stock follows expected demand by location and SKU, times exp of a normal draw with this deviation."""
_CUSTOMERS = 4_000
Place = tuple[str, float, float]
"""Division, latitude and longitude in WGS84 degrees."""


@dataclass(frozen=True, slots=True)
class Places:
    name: str
    customers: Sequence[Place]
    locations: Sequence[Place]


@dataclass(frozen=True, slots=True)
class World:
    """`orders` with the moment each is placed; `earlier`: orders of the weeks before, from which demand is expected."""

    network: Network
    stock: Sequence[tuple[str, str, int]]
    orders: Sequence[tuple[datetime, Demand]]
    earlier: Sequence[Demand]

    def availability(self) -> Availability:
        stock = Availability(self.network)
        stock.change_all(self.stock)
        return stock


def places_in(folder: Path | None) -> list[Places]:
    """The places of a folder, as far as it has them, else our own.

    `olist/`: customers and sellers of Brazil by zip prefix. `china_stores/electronics_dealers.csv` as locations, with
    `starbucks/starbucks_cn_2017.csv` as a picture of where customers are.
    """
    found = [read(folder) for read in (_brazil, _china) if folder is not None]
    return [places for places in found if places is not None] or [_our_own()]


def _our_own() -> Places:
    """Stores in the cities of the demo; customers as the demo draws them, by population."""
    everywhere = {one.code: one.centre for one in prefectures() if one.centre}
    stores = [(code, everywhere[code].lat, everywhere[code].lon) for code in CITIES_WITH_STORES]
    customers = []
    for order in demo_orders(_CUSTOMERS):
        goal = order["ship_to"]
        point = to_wgs84(Point.model_validate(goal["point"]))
        customers.append((goal["division"], point.lat, point.lon))
    return Places("divisions", customers, stores)


def _china(folder: Path) -> Places | None:
    dealers, coffee = folder / "china_stores/electronics_dealers.csv", folder / "starbucks/starbucks_cn_2017.csv"
    if not (dealers.exists() and coffee.exists()):
        return None
    customers = [(float(r["Latitude"]), float(r["Longitude"])) for r in _rows(coffee) if r["Latitude"]]
    locations = [(float(r["lat"]), float(r["lng"])) for r in _rows(dealers) if r["lat"]]
    return Places("china", _with_divisions(customers), _with_divisions(locations))


def _brazil(folder: Path) -> Places | None:
    olist = folder / "olist"
    if not (olist / "olist_geolocation_dataset.csv").exists():
        return None
    points: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in _rows(olist / "olist_geolocation_dataset.csv"):
        points[row["geolocation_zip_code_prefix"]].append(
            (float(row["geolocation_lat"]), float(row["geolocation_lng"]))
        )
    middle = {zip_: (median(p[0] for p in all_), median(p[1] for p in all_)) for zip_, all_ in points.items()}

    def read(kind: str) -> list[Place]:
        found = []
        for row in _rows(olist / f"olist_{kind}s_dataset.csv"):
            point, state = middle.get(row[f"{kind}_zip_code_prefix"]), f"BR-{row[f'{kind}_state']}"
            if point is not None and exists(state):
                found.append((state, *point))
        return found

    return Places("olist", read("customer"), read("seller"))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _with_divisions(points: Sequence[tuple[float, float]]) -> list[Place]:
    """Each point with the prefecture whose centre is nearest."""
    centres = [(one.code, one.centre.lat, one.centre.lon) for one in prefectures() if one.centre]
    nearest = np.argmax(_vectors(points) @ _vectors([c[1:] for c in centres]).T, axis=1)
    return [(centres[n][0], *point) for n, point in zip(nearest.tolist(), points, strict=True)]


def _vectors(points: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    array = np.array(points, dtype=float)
    return unit_vectors(array[:, 0], array[:, 1])


def draw(
    places: Places, cover: float, seed: int, *, locations: int, skus: int, orders: int, lines: dict[int, float] = LINES
) -> World:
    """One world: the same arguments give the same one. `cover`: units in stock for each unit that will be asked for."""
    rng = np.random.default_rng([seed, 7])
    sites = [places.locations[n] for n in rng.permutation(len(places.locations))[:locations]]
    names = [f"sku-{n:03d}" for n in range(skus)]
    weights, prices = rng.choice(WEIGHTS_G, skus), rng.choice(PRICES, skus)
    articles = {name: Article(id=name, weight_g=int(w)) for name, w in zip(names, weights, strict=True)}
    kept = [Carrier.model_validate(carrier.model_dump()) for carrier in carriers()]
    network = Network([_location(n, site) for n, site in enumerate(sites)], 1, kept, articles)
    popularity = 1 / np.arange(1, skus + 1) ** ZIPF
    price_of = dict(zip(names, prices.tolist(), strict=True))

    def some(count: int, first: int) -> list[Demand]:
        who = rng.integers(0, len(places.customers), count)
        sizes = rng.choice(list(lines), count, p=np.array(list(lines.values())) / sum(lines.values()))
        made = []
        for number, (customer, size) in enumerate(zip(who.tolist(), sizes.tolist(), strict=True)):
            wanted = rng.choice(skus, min(size, skus), replace=False, p=popularity / popularity.sum())
            made.append(_demand(f"o{first + number}", places.customers[customer], [names[w] for w in wanted], price_of))
        return _some_nearby(made, network, rng)

    earlier, coming = some(3 * orders, 0), some(orders, 3 * orders)
    moments = np.sort(rng.uniform(0, DAYS * 86_400, orders))
    placed = [START + timedelta(seconds=int(second)) for second in moments]
    coming = [
        replace(d, placed_at=at, deadline=at + timedelta(seconds=Policy().promise_s))
        for at, d in zip(placed, coming, strict=True)
    ]
    stock = _stock(network, earlier, coming, names, cover, rng)
    return World(network, stock, list(zip(placed, coming, strict=True)), earlier)


def _location(number: int, site: Place) -> Location:
    division, lat, lon = site
    return Location(
        id=f"l{number:04d}",
        kind="store",
        name=f"l{number:04d}",
        division=division,
        lat=lat,
        lon=lon,
        active=True,
        channels=["online", "nearby"],
        accept_within_s=1_800,
        ship_within_s=86_400,
        time_zone="America/Sao_Paulo" if province_of(division).startswith("BR") else "Asia/Shanghai",
    )


def _demand(order: str, customer: Place, skus: Sequence[str], price_of: dict[str, int]) -> Demand:
    return Demand(
        order=order,
        channel="online",
        lat=customer[1],
        lon=customer[2],
        lines=[(number + 1, sku, 1) for number, sku in enumerate(skus)],
        excluded=(),
        attempt=1,
        division=customer[0],
        values={number + 1: price_of[sku] for number, sku in enumerate(skus)},
    )


def _some_nearby(demands: list[Demand], network: Network, rng: np.random.Generator) -> list[Demand]:
    near = [bool((network.distances_km(d.lat, d.lon) <= NEARBY_KM).any()) for d in demands]
    chosen = rng.random(len(demands)) < NEARBY_SHARE / max(sum(near) / len(near), NEARBY_SHARE)
    return [
        replace(d, channel="nearby") if at_hand and wants else d
        for d, at_hand, wants in zip(demands, near, chosen.tolist(), strict=True)
    ]


def _stock(
    network: Network,
    earlier: Sequence[Demand],
    coming: Sequence[Demand],
    names: Sequence[str],
    cover: float,
    rng: np.random.Generator,
) -> list[tuple[str, str, int]]:
    """Each SKU's units, `cover` for every unit that will be asked for, spread over the locations unevenly."""
    homes = np.array([int(np.argmin(network.chords(d.lat, d.lon))) for d in earlier])
    local = np.bincount(homes, minlength=len(network)) + 1.0
    local *= rng.lognormal(0, UNEVEN, len(network))
    wanted = dict.fromkeys(names, 0)
    for demand in coming:
        for _, sku, units in demand.lines:
            wanted[sku] += units
    stock: list[tuple[str, str, int]] = []
    for name in names:
        share = local * rng.lognormal(0, UNEVEN, len(network))
        spread = rng.multinomial(round(cover * wanted[name]), share / share.sum()).tolist()
        stock.extend((network.locations[n].id, name, units) for n, units in enumerate(spread) if units)
    return stock
