"""The demo network is made of real places, and its orders exercise every outcome of routing."""

from collections import Counter
from itertools import combinations
from statistics import median

import pytest

from contracts.divisions import division, exists, prefectures, province_of
from contracts.geo import Point, distance_km
from contracts.orders import OrderPlacement
from contracts.partners import LocationUpsert
from contracts.stock import StockUpsert
from infra.demo_network import ARTICLES, Body, Network, network, orders

RUN = 2_000
MAX_PARCELS = 4


@pytest.fixture(scope="module")
def demo() -> Network:
    return network()


@pytest.fixture(scope="module")
def placed() -> list[Body]:
    return list(orders(RUN))


def test_every_body_is_one_that_the_api_takes(demo: Network, placed: list[Body]) -> None:
    for location in demo.locations:
        LocationUpsert.model_validate(location)
    for item in demo.stock:
        StockUpsert.model_validate(item)
    for order in placed:
        OrderPlacement.model_validate(order)


def test_the_stores_stand_in_many_real_cities_and_provinces(demo: Network) -> None:
    stores = [location for location in demo.locations if location["kind"] == "store"]
    cities = {store["division"] for store in stores}
    assert len(stores) >= 80
    assert len(cities) >= 60
    assert len({province_of(city) for city in cities}) >= 25
    assert {division(city).level for city in cities} == {"prefecture"}
    assert sum(location["kind"] == "warehouse" for location in demo.locations) == 2


def test_ids_are_unique_and_name_their_city(demo: Network) -> None:
    ids = [location["id"] for location in demo.locations]
    assert len(set(ids)) == len(ids)
    assert {"store-hangzhou-2", "wh-wuhan"} <= set(ids)


def test_a_store_lies_within_a_few_kilometres_of_its_city(demo: Network) -> None:
    for location in demo.locations:
        centre = division(location["division"]).centre
        assert centre is not None
        assert distance_km(centre, Point(**location["point"])) < 5.1


def test_stock_is_listed_once_per_location_and_article_and_is_thin_in_stores(demo: Network) -> None:
    keys = [(item["location"], item["sku"]) for item in demo.stock]
    assert len(set(keys)) == len(keys)
    in_stores = [item["quantity"] for item in demo.stock if item["location"].startswith("store-")]
    in_warehouses = [item["quantity"] for item in demo.stock if item["location"].startswith("wh-")]
    assert in_stores.count(0) > len(in_stores) / 10
    assert max(in_stores) < 10 < 1_000 < min(in_warehouses)


def test_the_totals_add_up_and_the_ids_count(placed: list[Body]) -> None:
    for number, order in enumerate(placed, 1):
        goods = sum(line["quantity"] * line["unit_price"] for line in order["lines"])
        assert order["total"] == goods - order["discount"] + order["shipping_fee"]
        assert order["id"] == f"demo-{number:06d}"
        assert len({line["sku"] for line in order["lines"]}) == len(order["lines"])


def test_half_the_orders_are_paid_by_card_and_a_few_cards_decline(placed: list[Body]) -> None:
    tokens = [order["payment"]["token"] for order in placed if order["payment"]["method"] == "card"]
    assert 0.45 < len(tokens) / RUN < 0.55
    assert len(set(tokens)) == len(tokens)
    assert 0.01 < sum(token.startswith("tok_decline") for token in tokens) / len(tokens) < 0.04


def test_customers_follow_the_population_and_live_in_nearly_every_prefecture() -> None:
    many = Counter(order["ship_to"]["division"] for order in orders(20_000))
    assert len(many) > 0.95 * len(prefectures())
    by_province = Counter[str]()
    for code, count in many.items():
        assert exists(code)
        by_province[province_of(code)] += count
    assert by_province["440000"] / 20_000 == pytest.approx(0.0888, abs=0.01)
    assert by_province["540000"] / 20_000 == pytest.approx(0.0026, abs=0.002)


def test_most_customers_have_a_store_near_and_some_have_none(demo: Network, placed: list[Body]) -> None:
    stores = [Point(**one["point"]) for one in demo.locations if one["kind"] == "store"]
    nearest = [
        min(distance_km(Point(**order["ship_to"]["point"]), store) for store in stores) for order in placed[:500]
    ]
    assert median(nearest) < 150
    assert max(nearest) > 800


def test_customers_give_their_points_in_two_datums(placed: list[Body]) -> None:
    assert {order["ship_to"]["point"]["datum"] for order in placed} == {"WGS84", "GCJ02"}


def test_the_same_seed_gives_the_same_and_another_seed_another(placed: list[Body]) -> None:
    assert network() == network()
    assert network(seed=8) != network()
    assert list(orders(50)) == placed[:50]
    assert list(orders(50, seed=8)) != placed[:50]


def test_a_run_has_whole_orders_split_orders_and_orders_that_nobody_can_fill(demo: Network, placed: list[Body]) -> None:
    outcomes = Counter(parcels for parcels, _ in _routed(demo, placed))
    assert 0.03 <= (RUN - outcomes[1] - outcomes[0]) / RUN <= 0.08
    assert 0.005 <= outcomes[0] / RUN <= 0.02


def test_stores_ship_a_good_part_of_a_run_and_warehouses_another(demo: Network, placed: list[Body]) -> None:
    first = Counter(chosen[0].split("-")[0] for parcels, chosen in _routed(demo, placed) if parcels)
    assert first["store"] / RUN > 0.4
    assert first["wh"] / RUN > 0.1


def test_an_article_has_one_price_and_a_readable_id() -> None:
    assert len({article.sku for article in ARTICLES}) == len(ARTICLES) == 40
    assert all(article.sku.startswith("sku-") and article.price > 0 for article in ARTICLES)


def _routed(demo: Network, placed: list[Body]) -> list[tuple[int, tuple[str, ...]]]:
    """Parcels and locations of each order by the plainest rule: nearest with all, else fewest parcels."""
    free = {(item["location"], item["sku"]): item["quantity"] for item in demo.stock}
    points = {location["id"]: Point(**location["point"]) for location in demo.locations}
    outcomes = []
    for order in placed:
        wanted = {line["sku"]: line["quantity"] for line in order["lines"]}
        home = Point(**order["ship_to"]["point"])
        useful = [one for one in points if any(free.get((one, sku), 0) for sku in wanted)]
        useful.sort(key=lambda one: distance_km(home, points[one]))
        chosen = _fewest(useful, wanted, free)
        for sku, quantity in wanted.items():
            for location in chosen:
                taken = min(quantity, free.get((location, sku), 0))
                free[location, sku] = free.get((location, sku), 0) - taken
                quantity -= taken
        outcomes.append((len(chosen), chosen))
    return outcomes


def _fewest(useful: list[str], wanted: dict[str, int], free: dict[tuple[str, str], int]) -> tuple[str, ...]:
    if any(sum(free.get((one, sku), 0) for one in useful) < quantity for sku, quantity in wanted.items()):
        return ()
    for size in range(1, MAX_PARCELS + 1):
        for group in combinations(useful, size):
            if all(sum(free.get((one, sku), 0) for one in group) >= wanted[sku] for sku in wanted):
                return group
    return ()
