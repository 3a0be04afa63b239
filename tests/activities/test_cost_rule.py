"""The cost rule by example: what rules a location out, what a parcel costs, and what is worth waiting for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from activities.orders.network import Network
from activities.orders.prices import Expected, Prices
from activities.orders.routing import decide
from contracts.carriers import Carrier, Rate, Service, ZoneRule
from contracts.hours import Hours, Period
from contracts.routing import Decision, Policy
from contracts.skus import Article
from tests.builders import NOW, Levels, availability, demand, location, network
from tests.routed import chosen, given_out

POLICY = Policy(handling=300, km_price=10)
_NINE_TO_FIVE = [Period(opens="09:00", closes="17:00")]
WEEKDAYS = Hours(**dict.fromkeys(("monday", "tuesday", "wednesday", "thursday", "friday"), _NINE_TO_FIVE))


def by_cost(
    wanted: Any, places: Network, levels: Levels, policy: Policy = POLICY, *, now: datetime = NOW, **more: Any
) -> Decision:
    return decide(wanted, availability(places, levels), places, policy, now, **more)


class TestRuledOut:
    @pytest.mark.parametrize(
        ("reason", "changes", "policy"),
        [
            ("inactive", {"active": False}, {}),
            ("channel", {"channels": ["shop"]}, {}),
            ("region_licence", {"ships_to": ["44", "3302"]}, {}),
            ("radius", {}, {"radius_km": 5.0}),
            ("closed", {"hours": WEEKDAYS, "time_zone": "UTC"}, {"hand_over_within_s": 3600}),
            ("closed", {"cut_off": "08:00", "time_zone": "UTC"}, {"hand_over_within_s": 3600}),
            ("no_stock", {"safety_stock": 2}, {}),
            ("no_stock", {"channel_buffers": {"online": 2, "shop": 1}}, {}),
        ],
    )
    def test_with_its_reason(self, reason: str, changes: dict[str, Any], policy: dict[str, Any]) -> None:
        places = network(location("near", 10, division="330106", **changes), location("far", 4))
        late = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)
        wanted = replace(demand(("tea", 1)), division="330106")
        levels = {"near": {"tea": 2}}
        decision = by_cost(wanted, places, levels, POLICY.model_copy(update=policy), now=late)
        assert decision.outcome == "none"
        assert decision.ruled_out == {reason: 1, "no_stock": 1} if reason != "no_stock" else {"no_stock": 2}

    def test_by_its_licence_only_outside_of_it(self) -> None:
        places = network(location("near", 10, ships_to=["44", "33"]))
        wanted = replace(demand(("tea", 1)), division="330106")
        assert chosen(by_cost(wanted, places, {"near": {"tea": 1}})) == ["near"]

    def test_by_a_buffer_only_for_the_channel_it_is_kept_from(self) -> None:
        places = network(location("near", 10, channel_buffers={"shop": 2}))
        assert chosen(by_cost(demand(("tea", 1)), places, {"near": {"tea": 1}})) == ["near"]

    def test_when_its_parcels_of_the_hour_or_the_day_are_all_taken_in_its_own_time(self) -> None:
        places = network(location("near", 10, capacity_per_hour=2, capacity_per_day=3, time_zone="Asia/Shanghai"))
        stock = availability(places, {"near": {"tea": 9}})
        wanted = demand(("tea", 1))
        stock.count("near", "2026-03-02T17", 2)
        assert decide(wanted, stock, places, POLICY, NOW).ruled_out == {"capacity": 1}
        assert decide(wanted, stock, places, POLICY, NOW + timedelta(hours=1)).outcome == "single"
        stock.count("near", "2026-03-02T18", 1)
        assert decide(wanted, stock, places, POLICY, NOW + timedelta(hours=2)).ruled_out == {"capacity": 1}
        assert decide(wanted, stock, places, POLICY, NOW + timedelta(hours=8)).outcome == "single"

    def test_when_no_carrier_goes_there(self) -> None:
        service = Service(
            id="c/s",
            name="s",
            zones=[ZoneRule(zone="home", same=2)],
            rates={"home": Rate(first_g=1000, first_price=500, step_g=1000, step_price=100, days=1)},
            cut_off="23:59",
        )
        abroad, home = location("abroad", 1, division="440100"), location("home", 500, division="330200")
        places = Network([abroad, home], 1, [Carrier(id="c", name="c", services=[service])])
        wanted = replace(demand(("tea", 1)), division="330106")
        decision = by_cost(wanted, places, {"abroad": {"tea": 1}, "home": {"tea": 1}})
        assert (chosen(decision), decision.ruled_out) == (["home"], {"no_carrier": 1})
        [part] = decision.allocations
        assert part.service == "c/s"
        assert part.terms is not None
        assert (part.terms.freight, part.terms.handling, part.terms.lateness) == (500, 300, 0)
        assert part.promised_at == datetime(2026, 3, 3, 13, 0, tzinfo=UTC)


class TestSplits:
    LEVELS: Levels = {"a": {"tea": 1}, "b": {"cup": 1}, "far": {"tea": 1, "cup": 1}}

    def test_two_parcels_from_near_by_beat_one_from_far_away(self) -> None:
        places = network(location("a", 5), location("b", 6), location("far", 900))
        decision = by_cost(demand(("tea", 1), ("cup", 1)), places, self.LEVELS)
        assert (chosen(decision), decision.reason) == (["a", "b"], "2 parcels cost less than one")
        assert decision.runner_up == ["far"]
        assert decision.terms is not None
        assert decision.terms.total == 50 + 60 + 600 < (decision.runner_up_total or 0) == 9_300

    def test_lines_that_belong_together_come_from_one_location(self) -> None:
        places = network(location("a", 5), location("b", 6), location("far", 900))
        wanted = replace(demand(("tea", 1), ("cup", 1)), together={1: "set", 2: "set"})
        assert chosen(by_cost(wanted, places, self.LEVELS)) == ["far"]

    def test_lines_that_belong_together_wait_when_nobody_has_them_together(self) -> None:
        wanted = replace(demand(("tea", 1), ("cup", 1)), together={1: "set", 2: "set"})
        levels = {"a": {"tea": 1}, "b": {"cup": 1}}
        assert by_cost(wanted, network("a", "b"), levels).outcome == "none"

    def test_no_parcel_of_a_split_is_worth_less_than_the_policy_says(self) -> None:
        places = network(location("a", 5), location("b", 6), location("far", 900))
        wanted = replace(demand(("tea", 1), ("cup", 1)), values={1: 5_000, 2: 900})
        policy = POLICY.model_copy(update={"split_min_value": 1_000})
        assert chosen(by_cost(wanted, places, self.LEVELS, policy)) == ["far"]
        assert chosen(by_cost(replace(wanted, values={1: 5_000, 2: 1_000}), places, self.LEVELS, policy)) == ["a", "b"]

    def test_a_line_is_divided_only_where_nobody_has_it_whole_and_the_gap_is_told(self) -> None:
        levels = {"a": {"tea": 2}, "b": {"tea": 2}}
        decision = by_cost(demand(("tea", 3)), network("a", "b"), levels)
        assert given_out(decision) == {"a": {1: 2}, "b": {1: 1}}
        assert not decision.exact
        assert decision.gap is not None

    def test_more_lines_than_are_searched_exactly_are_still_shipped_with_the_gap(self) -> None:
        skus = [f"sku{n}" for n in range(8)]
        levels = {"a": dict.fromkeys(skus[:4], 1), "b": dict.fromkeys(skus[4:], 1)}
        decision = by_cost(demand(*((sku, 1) for sku in skus)), network("a", "b"), levels)
        assert (chosen(decision), decision.exact) == (["a", "b"], False)


def test_of_locations_that_cost_the_same_the_nearest_ships() -> None:
    rate = Rate(first_g=1000, first_price=500, step_g=500, step_price=100, days=1)
    service = Service(id="c/s", name="s", zones=[ZoneRule(zone="z")], rates={"z": rate}, cut_off="23:59")
    carriers = [Carrier(id="c", name="c", services=[service])]
    places = Network([location("a", 90), location("b", 20), location("c", None), location("d", 50)], 1, carriers)
    levels = {place: {"tea": 1, "cup": int(place != "b")} for place in "abcd"}
    wanted = replace(demand(("tea", 1)), division="330106")
    decision = by_cost(wanted, places, levels)
    assert (chosen(decision), decision.runner_up, decision.runner_up_total) == (["b"], ["d"], 800.0)
    assert chosen(by_cost(replace(demand(("cup", 1)), division="330106"), places, levels)) == ["d"]


class TestNearest:
    def test_takes_what_the_nearest_has_and_the_rest_from_the_next(self) -> None:
        levels = {"a": {"tea": 1}, "b": {"tea": 1, "cup": 1}}
        decision = by_cost(demand(("tea", 1), ("cup", 1)), network("a", "b"), levels, Policy(rule="nearest"))
        assert given_out(decision) == {"a": {1: 1}, "b": {2: 1}}

    def test_gives_up_after_the_most_parcels(self) -> None:
        levels = {place: {"tea": 1} for place in "abc"}
        policy = Policy(rule="nearest", max_parcels=2)
        assert by_cost(demand(("tea", 3)), network(*"abc"), levels, policy).outcome == "none"


def prices(places: Network, units: float, cost: list[float], lost: float, stock: Levels) -> Prices:
    """One class of customers that wants so much tea in a day."""
    expected = Expected(["tea"], np.array([[units]]), np.array([cost]), np.array([lost]))
    made = Prices(expected, smoothing=50.0)
    made.update(availability(places, stock), 1.0, rounds=200)
    return made


class TestScarcity:
    STOCK: Levels = {"a": {"tea": 2}, "b": {"tea": 2}}

    def test_nothing_is_scarce_where_more_lies_than_is_expected(self) -> None:
        row = prices(network("a", "b"), 0.5, [100, 500], 4_000, self.STOCK).of("tea")
        assert row is None or row.max() < 20

    def test_a_shelf_that_others_will_need_costs_what_its_next_best_would_cost_them(self) -> None:
        row = prices(network("a", "b"), 3.0, [100, 500], 4_000, self.STOCK).of("tea")
        assert row is not None
        assert row[0] == pytest.approx(400, abs=60)
        assert row[1] < 20

    def test_where_too_little_lies_in_all_a_unit_is_worth_the_lost_sale_less_what_it_costs_to_ship(self) -> None:
        row = prices(network("a", "b"), 40.0, [100, 500], 4_000, self.STOCK).of("tea")
        assert row is not None
        assert row.tolist() == [3_900, 3_500]

    def test_an_order_takes_the_shelf_that_nobody_else_will_need(self) -> None:
        places = network(location("a", 10), location("b", 30))
        known = prices(places, 3.0, [100, 500], 4_000, self.STOCK)
        wanted = replace(demand(("tea", 1)), values={1: 100_000})
        assert chosen(by_cost(wanted, places, self.STOCK)) == ["a"]
        decision = by_cost(wanted, places, self.STOCK, prices=known)
        assert chosen(decision) == ["b"]
        assert decision.terms is not None
        assert decision.terms.scarcity < 20

    def test_an_order_that_costs_more_than_it_brings_waits_only_while_others_want_its_goods(self) -> None:
        places = network(location("a", 300))
        known = prices(places, 40.0, [100], 4_000, {"a": {"tea": 2}})
        wanted = replace(demand(("tea", 1)), values={1: 10_000})
        decision = by_cost(wanted, places, {"a": {"tea": 2}}, prices=known)
        assert (decision.outcome, decision.reason.split(" to ")[0]) == ("none", "its goods are worth more")
        assert by_cost(wanted, places, {"a": {"tea": 2}}).outcome == "single"
        waited = replace(wanted, placed_at=NOW - timedelta(hours=72))
        assert by_cost(waited, places, {"a": {"tea": 2}}, prices=known).outcome == "single"
        unpaid = replace(wanted, patient=False)
        assert by_cost(unpaid, places, {"a": {"tea": 2}}, prices=known).outcome == "single"
        never = POLICY.model_copy(update={"hold_back": False})
        assert by_cost(wanted, places, {"a": {"tea": 2}}, never, prices=known).outcome == "single"

    def test_an_order_as_near_as_those_expected_never_waits(self) -> None:
        places = network(location("a", 10))
        known = prices(places, 400.0, [400], 4_000, {"a": {"tea": 2}})
        wanted = replace(demand(("tea", 1)), values={1: 10_000})
        assert by_cost(wanted, places, {"a": {"tea": 2}}, prices=known).outcome == "single"


def test_what_weighs_more_costs_more() -> None:
    rate = Rate(first_g=1000, first_price=500, step_g=500, step_price=100, days=1)
    service = Service(id="c/s", name="s", zones=[ZoneRule(zone="z")], rates={"z": rate}, cut_off="23:59")
    articles = {"tea": Article(id="tea", weight_g=1_400), "cup": Article(id="cup", weight_g=200, volume_cm3=12_000)}
    places = Network([location("a", 1)], 1, [Carrier(id="c", name="c", services=[service])], articles)
    freight = []
    for lines in ([("tea", 1)], [("cup", 1)], [("tea", 1), ("cup", 1)]):
        decision = by_cost(replace(demand(*lines), division="330106"), places, {"a": {"tea": 1, "cup": 1}})
        assert decision.terms is not None
        freight.append(decision.terms.freight)
    assert freight == [600, 700, 700]
