"""Offers that nobody has accepted are moved and exchanged where all together become cheaper; never anything else."""

from hypothesis import given, settings
from hypothesis import strategies as st

from activities.orders.choosing import look, priced
from activities.orders.demand import Demand
from activities.orders.exchanging import Exchange, Offer
from activities.orders.network import Availability, Network
from activities.orders.routing import StockSeen, redecide, route
from contracts.routing import Policy
from tests.builders import NOW, Levels, availability, demand, location, network
from tests.routed import given_out

POLICY = Policy(handling=300, km_price=10, reevaluate_gain=50)
_SEEN = StockSeen(0, 0)


def named(name: str, wanted: Demand) -> Demand:
    return Demand(name, wanted.channel, wanted.lat, wanted.lon, wanted.lines, wanted.excluded, wanted.attempt)


def offers(places: Network, stock: Availability, demands: list[Demand]) -> list[Offer]:
    decisions = route(demands, stock, places, [POLICY] * len(demands), None, NOW)
    return [
        Offer(one, POLICY, [(places.index[place], _units(one, items)) for place, items in given_out(decision).items()])
        for one, decision in zip(demands, decisions, strict=True)
        if decision.outcome != "none"
    ]


def _units(wanted: Demand, items: dict[int, int]) -> dict[str, int]:
    skus = {line: sku for line, sku, _ in wanted.lines}
    units: dict[str, int] = {}
    for line, count in items.items():
        units[skus[line]] = units.get(skus[line], 0) + count
    return units


def cost(offer: Offer, places: Network) -> float:
    return priced(look(offer.demand, Availability(places), places, POLICY, None, NOW), offer.parts).total


class TestExchange:
    def test_a_split_order_gets_the_goods_that_another_can_spare(self) -> None:
        places = network(location("a", 10), location("b", 12), location("c", 14))
        stock = availability(places, {"a": {"tea": 1, "cup": 1}, "b": {"tea": 1}})
        single, both = named("single", demand(("tea", 1))), named("both", demand(("tea", 1), ("cup", 1)))
        held = offers(places, stock, [single, both])
        assert [len(offer.parts) for offer in held] == [1, 2]
        moved = Exchange(held, stock, places, None, NOW).improve()
        assert moved == {0, 1}
        assert [offer.parts for offer in held] == [[(1, {"tea": 1})], [(0, {"tea": 1, "cup": 1})]]
        assert (held[0].exchanged_with, held[1].exchanged_with) == (["both"], ["single"])
        decision = redecide(held[1], stock, places, None, NOW, _SEEN)
        assert (decision.outcome, decision.reason) == (
            "single",
            "cheaper together: goods were exchanged with single",
        )

    def test_goods_that_have_come_free_are_taken_without_asking_anybody(self) -> None:
        places = network(location("near", 10), location("far", 900))
        stock = availability(places, {"far": {"tea": 1}})
        held = offers(places, stock, [named("one", demand(("tea", 1)))])
        stock.change("near", "tea", 1)
        assert Exchange(held, stock, places, None, NOW).improve() == {0}
        assert held[0].parts == [(0, {"tea": 1})]
        assert (stock.at("near", "tea"), stock.at("far", "tea")) == (0, 1)

    def test_a_saving_below_the_policys_least_moves_nothing(self) -> None:
        places = network(location("near", 10), location("far", 14))
        stock = availability(places, {"far": {"tea": 1}})
        held = offers(places, stock, [named("one", demand(("tea", 1)))])
        stock.change("near", "tea", 1)
        assert Exchange(held, stock, places, None, NOW).improve() == set()

    def test_a_location_without_capacity_left_is_not_moved_to(self) -> None:
        places = network(location("near", 10, capacity_per_day=1), location("far", 900))
        stock = availability(places, {"far": {"tea": 1}})
        held = offers(places, stock, [named("one", demand(("tea", 1)))])
        stock.change("near", "tea", 1)
        stock.count("near", "2026-03-02T10", 1)
        assert Exchange(held, stock, places, None, NOW).improve() == set()


_SKUS = ("tea", "cup", "pot")


@st.composite
def _worlds(draw: st.DrawFn) -> tuple[Network, Levels, list[Demand]]:
    count = draw(st.integers(2, 4))
    places = network(*(location(f"s{n}", draw(st.integers(1, 900))) for n in range(count)))
    units = st.integers(0, 2)
    levels = {f"s{n}": {sku: draw(units) for sku in _SKUS} for n in range(count)}
    demands = []
    for number in range(draw(st.integers(1, 6))):
        skus = draw(st.lists(st.sampled_from(_SKUS), min_size=1, max_size=3, unique=True))
        at = (30.0 + draw(st.integers(-8, 8)), 120.0)
        demands.append(named(f"o{number}", demand(*((sku, 1) for sku in skus), at=at)))
    return places, levels, demands


@given(_worlds())
@settings(max_examples=200, deadline=None)
def test_every_order_keeps_all_its_goods_nothing_is_lost_and_the_whole_is_cheaper(
    world: tuple[Network, Levels, list[Demand]],
) -> None:
    places, levels, demands = world
    stock = availability(places, levels)
    held = offers(places, stock, demands)
    before = sum(cost(offer, places) for offer in held)
    moved = Exchange(held, stock, places, None, NOW).improve()
    after = sum(cost(offer, places) for offer in held)
    assert (after < before) if moved else (after == before)
    for place, skus in levels.items():
        for sku, units in skus.items():
            taken = sum(parts.get(sku, 0) for offer in held for n, parts in offer.parts if n == places.index[place])
            assert stock.at(place, sku) == units - taken >= 0
    for offer in held:
        wanted = {sku: units for _, sku, units in offer.demand.lines}
        got = {sku: sum(parts.get(sku, 0) for _, parts in offer.parts) for sku in wanted}
        assert got == wanted
