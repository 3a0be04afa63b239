"""The routing decision by example."""

import time

import numpy as np
import pytest

from activities.orders import fewest as fewest_module
from contracts.routing import Policy
from tests.builders import CUSTOMER, demand, location, network
from tests.routed import assert_fills, chosen, decided, given_out


class TestNearestThatCanShipAll:
    def test_the_nearest_location_with_all_lines_ships_the_order(self) -> None:
        places = network("near", "middle", "far")
        levels = {"near": {"tea": 5}, "middle": {"tea": 5, "cup": 1}, "far": {"tea": 5, "cup": 5}}
        decision = decided(demand(("tea", 2), ("cup", 1)), places, levels)
        assert decision.outcome == "single"
        assert given_out(decision) == {"middle": {1: 2, 2: 1}}
        assert decision.allocations[0].distance_km == pytest.approx(20, abs=0.01)
        assert decision.ruled_out == {"partial_stock": 1}
        assert decision.reason == "nearest of 2 locations that can ship all lines"

    def test_a_nearer_pair_does_not_beat_one_far_location_that_has_all(self) -> None:
        places = network("near", "middle", location("far", 2_000))
        levels = {"near": {"tea": 1}, "middle": {"cup": 1}, "far": {"tea": 1, "cup": 1}}
        assert chosen(decided(demand(("tea", 1), ("cup", 1)), places, levels)) == ["far"]

    def test_exactly_what_is_available_is_enough_and_one_less_is_not(self) -> None:
        places = network("near", "far")
        wanted = demand(("tea", 3))
        assert chosen(decided(wanted, places, {"near": {"tea": 3}, "far": {"tea": 9}})) == ["near"]
        assert chosen(decided(wanted, places, {"near": {"tea": 2}, "far": {"tea": 9}})) == ["far"]

    def test_lines_of_the_same_sku_are_added_up_before_stock_is_looked_at(self) -> None:
        places = network("near", "far")
        wanted = demand(("tea", 2), ("tea", 2))
        levels = {"near": {"tea": 3}, "far": {"tea": 4}}
        assert given_out(decided(wanted, places, levels)) == {"far": {1: 2, 2: 2}}

    def test_of_two_equally_near_locations_the_first_by_place_is_taken(self) -> None:
        places = network(location("b", 10), location("a", 10))
        assert chosen(decided(demand(("tea", 1)), places, {"a": {"tea": 1}, "b": {"tea": 1}})) == ["b"]

    def test_distance_is_measured_across_the_date_line(self) -> None:
        places = network(location("fiji", lat=-17.0, lon=179.9), location("tonga", lat=-17.0, lon=-175.0))
        wanted = demand(("tea", 1), at=(-17.0, -179.9))
        decision = decided(wanted, places, {"fiji": {"tea": 1}, "tonga": {"tea": 1}})
        assert chosen(decision) == ["fiji"]
        assert decision.allocations[0].distance_km == pytest.approx(21.27, abs=0.05)


class TestLocationsWithoutCoordinates:
    def test_they_come_after_the_farthest_known_location(self) -> None:
        places = network(location("nowhere", None), location("antipode", lat=-CUSTOMER[0], lon=CUSTOMER[1] - 180))
        levels = {"nowhere": {"tea": 1}, "antipode": {"tea": 1}}
        decision = decided(demand(("tea", 1)), places, levels)
        assert chosen(decision) == ["antipode"]
        assert [c.location for c in decision.candidates] == ["antipode", "nowhere"]
        assert decision.candidates[1].distance_km is None

    def test_they_ship_when_nobody_else_can(self) -> None:
        places = network(location("nowhere", None), "near")
        decision = decided(demand(("tea", 2)), places, {"nowhere": {"tea": 2}, "near": {"tea": 1}})
        assert chosen(decision) == ["nowhere"]
        assert decision.allocations[0].distance_km is None

    def test_in_a_split_as_few_of_them_as_possible_are_asked(self) -> None:
        places = network(location("nowhere", None), location("far", 5_000), location("near", 1))
        levels = {"nowhere": {"cup": 1}, "far": {"cup": 1}, "near": {"tea": 1}}
        assert chosen(decided(demand(("tea", 1), ("cup", 1)), places, levels)) == ["near", "far"]


class TestRuledOut:
    def test_each_location_is_counted_once_under_its_first_reason(self) -> None:
        places = network(
            location("closed", active=False, channels=["offline"]),
            location("offline", channels=["offline"]),
            location("refused", 1),
            location("empty", 2),
            location("short", 3),
            location("able", 4),
        )
        stocked = {"tea": 5}
        levels = dict.fromkeys(["closed", "offline", "refused", "able"], stocked) | {"short": {"tea": 1}}
        wanted = demand(("tea", 2), excluded=["closed", "offline", "refused", "refused", "unheard-of"])
        decision = decided(wanted, places, levels)
        assert chosen(decision) == ["able"]
        assert decision.ruled_out == {
            "inactive": 1,
            "channel": 1,
            "excluded": 1,
            "no_stock": 1,
            "partial_stock": 1,
        }
        assert decision.excluded == ["closed", "offline", "refused", "refused", "unheard-of"]

    def test_reserved_goods_below_what_is_on_the_shelf_are_not_given_away(self) -> None:
        places = network("near", "far")
        decision = decided(demand(("tea", 1)), places, {"near": {"tea": -2}, "far": {"tea": 1}})
        assert chosen(decision) == ["far"]
        assert decision.ruled_out == {"no_stock": 1}

    def test_locations_that_ship_a_part_are_not_counted_as_ruled_out(self) -> None:
        places = network("near", "middle", "far")
        levels = {"near": {"tea": 1}, "middle": {"cup": 1}, "far": {"cup": 1}}
        decision = decided(demand(("tea", 1), ("cup", 1)), places, levels)
        assert chosen(decision) == ["near", "middle"]
        assert decision.ruled_out == {"partial_stock": 1}

    def test_nothing_anywhere_says_so(self) -> None:
        decision = decided(demand(("tea", 1)), network("near"), {"near": {"cup": 9}})
        assert (decision.outcome, decision.allocations, decision.candidates) == ("none", [], [])
        assert decision.reason == "no location has any of it available"

    def test_a_network_without_locations_decides_too(self) -> None:
        decision = decided(demand(("tea", 1)), network(), {})
        assert (decision.outcome, decision.ruled_out) == ("none", {})

    def test_too_little_in_all_places_together_ships_nothing(self) -> None:
        decision = decided(demand(("tea", 3)), network("near", "far"), {"near": {"tea": 1}, "far": {"tea": 1}})
        assert decision.outcome == "none"
        assert decision.reason == "what is available cannot make the order in 4 parcels"
        assert decision.exact


class TestCandidates:
    def test_the_nearest_are_kept_up_to_the_policys_number(self) -> None:
        places = network(*(f"s{n}" for n in range(9)))
        decision = decided(demand(("tea", 1)), places, {f"s{n}": {"tea": 1} for n in range(9)})
        assert [c.location for c in decision.candidates] == ["s0", "s1", "s2"]
        assert [c.chosen for c in decision.candidates] == [True, False, False]
        assert all(c.ships_all for c in decision.candidates)

    def test_a_chosen_location_is_shown_even_when_it_is_far(self) -> None:
        places = network(*(f"s{n}" for n in range(8)), location("far", 900))
        levels = {f"s{n}": {"tea": 1} for n in range(8)} | {"far": {"cup": 1}}
        decision = decided(demand(("tea", 1), ("cup", 1)), places, levels)
        assert [c.location for c in decision.candidates] == ["s0", "s1", "s2", "far"]
        assert [c.location for c in decision.candidates if c.chosen] == ["s0", "far"]
        assert not any(c.ships_all for c in decision.candidates)


class TestSplit:
    def test_two_far_parcels_are_better_than_three_near_ones(self) -> None:
        places = network("a", "b", "c", location("x", 800), location("y", 900))
        levels = {
            "a": {"tea": 1},
            "b": {"cup": 1},
            "c": {"pot": 1},
            "x": {"tea": 1, "cup": 1},
            "y": {"pot": 1},
        }
        decision = decided(demand(("tea", 1), ("cup", 1), ("pot", 1)), places, levels)
        assert chosen(decision) == ["c", "x"]
        assert decision.outcome == "split"
        assert decision.reason.startswith("no location can ship all lines; 2 parcels are the fewest")

    def test_one_line_is_split_when_no_location_has_all_of_it(self) -> None:
        places = network("a", "b", "c")
        decision = decided(demand(("tea", 10)), places, {"a": {"tea": 4}, "b": {"tea": 3}, "c": {"tea": 6}})
        assert given_out(decision) == {"a": {1: 4}, "c": {1: 6}}

    def test_two_lines_of_one_sku_share_what_a_location_has(self) -> None:
        places = network("a", "b")
        decision = decided(demand(("tea", 3), ("tea", 3)), places, {"a": {"tea": 4}, "b": {"tea": 5}})
        assert given_out(decision) == {"a": {1: 3, 2: 1}, "b": {2: 2}}

    def test_four_parcels_are_the_most_and_the_policy_may_allow_fewer(self) -> None:
        places = network("a", "b", "c", "d", "e")
        stocked = {place: {"tea": 2} for place in "abcde"}
        four, five = demand(("tea", 8)), demand(("tea", 9))
        assert chosen(decided(four, places, stocked)) == ["a", "b", "c", "d"]
        assert decided(five, places, stocked).outcome == "none"
        assert decided(four, places, stocked, Policy(max_parcels=3)).outcome == "none"
        assert decided(demand(("tea", 3)), places, stocked, Policy(max_parcels=1)).outcome == "none"

    def test_excluded_and_inactive_locations_take_no_part_in_a_split(self) -> None:
        places = network("a", location("b", 15, active=False), "c", "d")
        stocked = {place: {"tea": 2} for place in "abcd"}
        assert chosen(decided(demand(("tea", 4), excluded=["a"]), places, stocked)) == ["c", "d"]

    def test_fifty_lines_over_a_thousand_locations_are_decided_within_a_second(self) -> None:
        rng = np.random.default_rng(7)
        places = network(*(location(f"s{n}", float(rng.uniform(1, 3_000))) for n in range(1_000)))
        skus = [f"sku{n}" for n in range(50)]
        levels = {f"s{n}": {sku: 5 for sku in skus if rng.random() < 0.5} for n in range(1_000)}
        started = time.process_time()
        decision = decided(demand(*((sku, 2) for sku in skus)), places, levels)
        assert time.process_time() - started < 1
        assert decision.outcome == "split"
        assert_fills(demand(*((sku, 2) for sku in skus)), decision, levels)


class TestWhenTheSearchIsCutShort:
    def test_the_answer_is_feasible_and_says_that_it_may_not_be_the_best(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fewest_module, "STEPS_MAX", 1)
        places = network(*(f"s{n}" for n in range(30)))
        levels = {f"s{n}": {"tea": n % 7, "cup": (n * 5) % 7} for n in range(30)}
        wanted = demand(("tea", 16), ("cup", 16))
        decision = decided(wanted, places, levels)
        assert not decision.exact
        assert decision.outcome == "split"
        assert "cut short" in decision.reason
        assert_fills(wanted, decision, levels)

    def test_no_location_is_asked_that_the_others_can_do_without(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # Taking the most first means taking "a"; "b" and "c", which are needed anyway, have everything.
        monkeypatch.setattr(fewest_module, "STEPS_MAX", 1)
        levels = {"a": {"tea": 3, "cup": 3}, "b": {"tea": 5}, "c": {"cup": 5}}
        decision = decided(demand(("tea", 5), ("cup", 5)), network("a", "b", "c"), levels)
        assert (chosen(decision), decision.exact) == (["b", "c"], False)

    def test_having_found_nothing_is_not_called_proof_that_there_is_nothing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Taking the most each time (a: all but one of each) leaves three singles over; only b + c + d + e would do.
        monkeypatch.setattr(fewest_module, "STEPS_MAX", 1)
        places = network("a", "b", "c", "d", "e")
        skus = ["k", "l", "m", "n"]
        levels = {"a": {"k": 8, "l": 8, "m": 8, "n": 8}} | {
            place: {sku: 9} for place, sku in zip("bcde", skus, strict=True)
        }
        wanted = demand(*((sku, 9) for sku in skus))
        cut = decided(wanted, places, levels)
        assert (cut.outcome, cut.exact) == ("none", False)
        assert cut.reason == "no way was found to make the order in 4 parcels before the search was cut short"
        monkeypatch.undo()
        assert chosen(decided(wanted, places, levels)) == ["b", "c", "d", "e"]
