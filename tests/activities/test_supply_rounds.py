"""Delivery rounds: one vehicle where one suffices, more where weight or hours ask for them, and what that costs."""

import pytest

from activities.supply.rounds import DETOUR, Stop, plan_rounds, shares
from contracts.geo import haversine_km
from contracts.replenishing import TransferTerms

DEPOT = (30.0, 120.0)
TERMS = TransferTerms(per_km=250, vehicle_fixed=5_000, vehicle_kg=1_000, vehicles=3, round_hours=10)


def stop(name: str, north: float, east: float = 0.0, kg: float = 100) -> Stop:
    return Stop(name, DEPOT[0] + north, DEPOT[1] + east, kg)


def test_places_on_one_way_are_one_round() -> None:
    found = plan_rounds("hub", DEPOT, [stop("far", 0.3), stop("near", 0.1), stop("mid", 0.2)], TERMS)
    assert len(found.rounds) == 1
    assert sorted(found.rounds[0].stops) == ["far", "mid", "near"]
    there_and_back = 2 * haversine_km(*DEPOT, DEPOT[0] + 0.3, DEPOT[1]) * DETOUR
    assert found.km == pytest.approx(there_and_back, rel=1e-3)
    assert found.cost == 5_000 + round(found.km * 250)


def test_what_is_too_heavy_goes_on_two_vehicles() -> None:
    found = plan_rounds("hub", DEPOT, [stop("a", 0.1, kg=700), stop("b", 0.11, kg=700)], TERMS)
    assert len(found.rounds) == 2
    assert all(one.kg <= 1_000 for one in found.rounds)


def test_one_destination_may_need_two_vehicles() -> None:
    found = plan_rounds("hub", DEPOT, [stop("a", 0.1, kg=1_700)], TERMS)
    assert [one.stops for one in found.rounds] == [("a",), ("a",)]
    assert sum(one.kg for one in found.rounds) == pytest.approx(1_700)


def test_what_no_day_suffices_for_is_left_and_said() -> None:
    found = plan_rounds("hub", DEPOT, [stop("a", 0.1), stop("moon", 8)], TERMS)
    assert found.left == ("moon",)
    assert [one.stops for one in found.rounds] == [("a",)]


def test_vehicles_are_as_many_as_there_are() -> None:
    terms = TERMS.model_copy(update={"vehicles": 1})
    found = plan_rounds("hub", DEPOT, [stop("a", 0.1, kg=900), stop("b", 0.1, kg=900)], terms)
    assert len(found.rounds) == 1
    assert len(found.left) == 1


def test_the_same_stops_make_the_same_rounds() -> None:
    stops = [stop(f"s{n}", 0.05 * (n % 5), 0.07 * (n % 7), kg=90 + n) for n in range(20)]
    assert plan_rounds("hub", DEPOT, stops, TERMS) == plan_rounds("hub", DEPOT, stops, TERMS)


def test_costs_are_shared_out_wholly() -> None:
    found = plan_rounds("hub", DEPOT, [stop("a", 0.1, kg=1), stop("b", 0.2, kg=3)], TERMS)
    borne = shares(found, {"a": 1, "b": 3})
    assert sum(borne.values()) == found.cost
    assert borne["b"] == pytest.approx(3 * borne["a"], abs=3)
