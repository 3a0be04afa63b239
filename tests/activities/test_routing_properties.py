"""The routing decision against an independent brute force, and what must hold for any batch."""

from collections.abc import Sequence
from itertools import combinations
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.orders import fewest as fewest_module
from activities.orders.fewest import fewest
from activities.orders.network import Network
from activities.orders.routing import Demand, StockSeen, decide, route
from contracts.geo import haversine_km
from contracts.partners import Location
from contracts.routing import Policy
from tests.builders import CUSTOMER, NOW, Levels, availability, demand, location, network
from tests.routed import assert_fills, chosen, decided

POLICY = Policy(
    rule="fewest",
)


class TestAgainstBruteForce:
    @settings(max_examples=250, deadline=None)
    @given(st.data())
    def test_no_choice_of_up_to_four_locations_is_better(self, data: st.DataObject) -> None:
        wanted, places, levels = data.draw(small_worlds())
        decision = decided(wanted, places, levels)
        best = best_by_brute_force(wanted, places, levels)
        if best is None:
            assert decision.outcome == "none"
            return
        assert decision.exact
        assert_fills(wanted, decision, levels)
        assert len(decision.allocations) == best[0]
        assert cost(chosen(decision), places) == pytest.approx(best, abs=1e-5)

    @settings(max_examples=150, deadline=None)
    @given(st.integers(2, 4), st.randoms(use_true_random=False))
    def test_leaving_out_places_that_others_outdo_never_costs_the_best_choice(self, most: int, chance: Random) -> None:
        skus, count = chance.randint(1, 3), 12
        covered = np.array([[chance.randint(0, 6) for _ in range(count)] for _ in range(skus)], dtype=np.int64)
        distance = np.array([float(chance.choice([1, 2, 3, 5, 8, np.inf])) for _ in range(count)])
        wanted = covered.max(axis=1) + chance.randint(1, 12)
        found, exact = fewest(np.arange(count), covered, wanted, distance, most)
        assert exact
        for size in range(2, most + 1):
            enough = [
                group for group in combinations(range(count), size) if (covered[:, group].sum(axis=1) >= wanted).all()
            ]
            if enough:
                costs = {group: np.minimum(distance[list(group)], 1e9).sum() for group in enough}
                assert len(found) == size
                assert costs[tuple(sorted(found))] == min(costs.values())
                return
        assert found == []

    @settings(max_examples=100, deadline=None)
    @given(st.data())
    def test_a_batch_is_never_given_more_than_there_is(self, data: st.DataObject) -> None:
        _, places, levels = data.draw(small_worlds())
        demands = data.draw(st.lists(demands_for(places), min_size=1, max_size=8))
        stock = availability(places, levels)
        decisions = route(demands, stock, places, [POLICY] * len(demands), None, NOW, StockSeen(7, 3))
        left = {(place, sku): units for place, skus in levels.items() for sku, units in skus.items()}
        for wanted, decision in zip(demands, decisions, strict=True):
            skus = {line: sku for line, sku, _ in wanted.lines}
            for part in decision.allocations:
                for item in part.items:
                    assert item.sku == skus[item.line]
                    left[part.location, item.sku] -= item.quantity
                    assert left[part.location, item.sku] >= 0
        assert all(stock.at(place, sku) == units for (place, sku), units in left.items())

    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def test_each_decision_of_a_batch_is_made_again_from_the_stock_it_names(self, data: st.DataObject) -> None:
        _, places, levels = data.draw(small_worlds())
        demands = data.draw(st.lists(demands_for(places), min_size=1, max_size=6))
        decisions = route(
            demands, availability(places, levels), places, [POLICY] * len(demands), None, NOW, StockSeen(7, 3)
        )
        rows = [part for decision in decisions for part in decision.allocations]
        for wanted, decision in zip(demands, decisions, strict=True):
            assert decision.stock_version == 7
            stock = availability(places, levels)
            for part in rows[: decision.stock_rows - 3]:
                stock.change_all((part.location, item.sku, -item.quantity) for item in part.items)
            seen = StockSeen(decision.stock_version, decision.stock_rows)
            assert decide(wanted, stock, places, POLICY, NOW, seen) == decision

    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def test_however_few_steps_are_allowed_what_is_chosen_is_feasible_and_needed(self, data: st.DataObject) -> None:
        rows = st.lists(st.integers(0, 4), min_size=8, max_size=8)
        covered = np.array(data.draw(st.lists(rows, min_size=1, max_size=3)), dtype=np.int64)
        wanted = covered.max(axis=1) + 1
        covered = np.minimum(covered, wanted[:, None])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fewest_module, "STEPS_MAX", data.draw(st.integers(0, 6)))
            places, _ = fewest(np.arange(8), covered, wanted, np.arange(8.0), 4)
        if places:
            assert (covered[:, places].sum(axis=1) >= wanted).all()
            for place in places:
                others = [other for other in places if other != place]
                assert (covered[:, others].sum(axis=1) < wanted).any()


SKUS = ["tea", "cup", "pot"]


@st.composite
def demands_for(draw: st.DrawFn, places: Network) -> Demand:
    lines = draw(st.lists(st.tuples(st.sampled_from(SKUS), st.integers(1, 8)), min_size=1, max_size=4))
    excluded = draw(st.lists(st.sampled_from([place.id for place in places.locations]), max_size=2))
    channel = draw(st.sampled_from(["online", "online", "online", "fair"]))
    return demand(*lines, channel=channel, excluded=excluded)


@st.composite
def small_worlds(draw: st.DrawFn) -> tuple[Demand, Network, dict[str, dict[str, int]]]:
    """Up to seven locations with little of each SKU, so that lines must be split often."""
    places = network(*(draw(places_named(f"s{number}")) for number in range(draw(st.integers(1, 7)))))
    levels = {
        place.id: draw(st.fixed_dictionaries({sku: st.integers(-1, 5) for sku in SKUS})) for place in places.locations
    }
    return draw(demands_for(places)), places, levels


@st.composite
def places_named(draw: st.DrawFn, location_id: str) -> Location:
    return location(
        location_id,
        draw(st.one_of(st.none(), st.integers(0, 40).map(float))),
        active=draw(st.sampled_from([True, True, True, True, False])),
        channels=draw(st.sampled_from([["online"], ["online"], ["online", "fair"], ["fair"]])),
    )


def cost(names: Sequence[str], places: Network) -> tuple[int, int, float]:
    """How many, how many of them at unknown distance, and the known kilometres."""
    found = [places.locations[places.index[name]] for name in names]
    known = [haversine_km(*CUSTOMER, p.lat, p.lon) for p in found if p.lat is not None and p.lon is not None]
    return len(found), len(found) - len(known), sum(known)


def best_by_brute_force(wanted: Demand, places: Network, levels: Levels) -> tuple[int, int, float] | None:
    """The least cost over all groups of up to four locations that have everything together."""
    units = {sku: sum(u for _, s, u in wanted.lines if s == sku) for _, sku, _ in wanted.lines}
    able = [
        place.id
        for place in places.locations
        if place.active and wanted.channel in place.channels and place.id not in wanted.excluded
    ]
    for size in range(1, 5):
        groups = [
            cost(group, places)
            for group in combinations(able, size)
            if all(sum(max(levels[place][sku], 0) for place in group) >= u for sku, u in units.items())
        ]
        if groups:
            return min(groups)
    return None
