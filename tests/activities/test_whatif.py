"""What if, by example: the same history on the stock of each arm, and what is counted of it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.orders.prices import Expected
from activities.orders.whatif import (
    Arm,
    CalledOff,
    Chooser,
    Event,
    Measure,
    Placed,
    Start,
    Tally,
    as_recorded,
    days_late,
    gini,
    under,
)
from contracts.routing import Policy
from contracts.stock import Change, Movement
from tests.builders import NOW, Levels, later, location, network, order

FEWEST = Policy(rule="fewest", handling=300, km_price=2, backorder_limit_s=3600)
ONE_PARCEL = FEWEST.model_copy(update={"id": "one", "max_parcels": 1})


def placed(
    order_id: str, *lines: tuple[str, int], at: datetime = NOW, went: tuple[str, ...] = (), **more: Any
) -> Placed:
    leaves = more.pop("leaves", False)
    of = order(*lines, order_id=order_id, placed_at=at, **more)
    return Placed(of, at, FEWEST, frozenset(went), leaves)


def arrives(place: str, sku: str, units: int, at: datetime) -> Movement:
    changes = [Change(sku=sku, on_hand=units)]
    return Movement(id=f"{place}:{sku}:{at}", kind="received", location=place, changes=changes, at=at)


def replayed(
    levels: Levels, *events: Event, policy: Chooser = as_recorded, end: datetime | None = None, margin: float = 0.4
) -> Tally:
    """Stores lie 10, 20, 30, ... km away in the order in which `levels` names them."""
    stock = {(place, sku): units for place, skus in levels.items() for sku, units in skus.items()}
    arm = Arm("arm", Start(network(*levels), stock), policy, Measure(as_recorded, margin))
    for event in events:
        arm.take(event)
    return arm.end(end or events[-1].at)


def test_an_order_costs_its_kilometres_and_its_parcel() -> None:
    tally = replayed({"near": {"tea": 5}, "far": {"tea": 5}}, placed("a", ("tea", 2), went=("near",)))
    assert (tally.freight, tally.handling, tally.cost) == (20, 300, 320)
    assert (tally.orders, tally.units, tally.parcels, tally.shipped_units) == (1, 2, 1, 2)
    assert tally.km == pytest.approx(10, abs=0.01)
    assert (tally.as_recorded, tally.load) == (1, {"near": 1})


def test_what_one_order_takes_the_next_does_not_find() -> None:
    tally = replayed({"near": {"tea": 2}, "far": {"tea": 5}}, placed("a", ("tea", 2)), placed("b", ("tea", 2)))
    assert tally.load == {"near": 1, "far": 1}
    assert tally.freight == 60


def test_under_another_policy_the_same_order_waits_and_its_margin_is_missed() -> None:
    levels = {"near": {"tea": 1}, "far": {"cup": 1}}
    both = placed("a", ("tea", 1), ("cup", 1), price=1000)
    split, whole = replayed(levels, both), replayed(levels, both, policy=under(ONE_PARCEL))
    assert (split.parcels, split.split_orders, split.handling, split.lost_margin) == (2, 1, 600, 0)
    assert (whole.parcels, whole.waiting_orders, whole.waiting_units, whole.lost_margin) == (0, 1, 2, 800)
    assert whole.cost == 800


def test_goods_that_arrive_go_to_who_waited_longest() -> None:
    first, second = placed("a", ("tea", 2)), placed("b", ("tea", 2), at=later(60))
    tally = replayed({"near": {}}, first, second, arrives("near", "tea", 3, later(120)))
    assert (tally.waited, tally.shipped_units, tally.waiting_orders) == (2, 2, 1)
    more = replayed({"near": {}}, first, second, arrives("near", "tea", 4, later(120)))
    assert (more.shipped_units, more.waiting_orders) == (4, 0)


def test_an_order_that_wants_more_than_arrived_does_not_keep_it_from_another() -> None:
    events = placed("a", ("tea", 9)), placed("b", ("tea", 1), at=later(60)), arrives("near", "tea", 3, later(120))
    assert replayed({"near": {}}, *events).shipped_units == 1


def test_who_waits_too_long_is_lost_before_the_goods_arrive() -> None:
    late = arrives("near", "tea", 5, later(hours=2))
    tally = replayed({"near": {}}, placed("a", ("tea", 2), price=100), late)
    assert (tally.lost_orders, tally.lost_units, tally.shipped_units, tally.lost_margin) == (1, 2, 0, 80)
    assert tally.waiting_orders == 0


def test_what_is_called_off_costs_nothing_and_gives_its_goods_to_who_waits() -> None:
    wanted = placed("a", ("tea", 2), leaves=True), placed("b", ("tea", 2), at=later(10))
    tally = replayed({"near": {"tea": 2}}, *wanted, CalledOff("a", later(20)))
    assert (tally.called_off, tally.parcels, tally.freight, tally.load["near"]) == (1, 1, 20, 1)
    assert tally.waiting_orders == 0


def test_an_order_that_waits_can_be_called_off() -> None:
    tally = replayed({"near": {}}, placed("a", ("tea", 2), leaves=True), CalledOff("a", later(20)))
    assert (tally.called_off, tally.waiting_orders, tally.lost_orders, tally.lost_margin) == (1, 0, 0, 0)


def test_goods_that_are_gone_are_gone_in_every_arm() -> None:
    counted = Movement(id="c", kind="counted", location="near", changes=[Change(sku="tea", on_hand=-4)], at=NOW)
    tally = replayed({"near": {"tea": 5}, "far": {"tea": 5}}, counted, placed("a", ("tea", 2)))
    assert tally.load == {"far": 1}


def test_a_policy_holds_for_the_orders_that_it_names_and_no_others() -> None:
    levels = {"near": {"tea": 9}, "far": {"cup": 9}}
    mine = ONE_PARCEL.model_copy(update={"regions": ["33"]})
    for channel, division, waits in (("online", "330106", 1), ("store", "330106", 0), ("online", "420100", 0)):
        both = placed("a", ("tea", 1), ("cup", 1))
        served = replace(both, order=both.order.model_copy(update={"division": division}))
        policy = under(mine.model_copy(update={"channels": [channel]}))
        assert replayed(levels, served, policy=policy).waiting_orders == waits


def test_all_arms_are_measured_by_the_same_prices() -> None:
    dear = FEWEST.model_copy(update={"id": "dear", "handling": 9_000, "km_price": 90})
    tally = replayed({"near": {"tea": 5}}, placed("a", ("tea", 1)), policy=under(dear))
    assert tally.cost == 320


@pytest.mark.parametrize(
    ("hours", "days"), [(-5, 0), (0, 0), (0.5, 1), (24, 1), (24.01, 2)], ids=["early", "just", "begun", "one", "two"]
)
def test_days_late_are_days_begun_beyond_the_promise(hours: float, days: int) -> None:
    policy = Policy(promise_s=7200)
    assert days_late(later(7200, hours=hours), order(("tea", 1)), policy) == days
    promised = order(("tea", 1), deliver_by=later(hours=1))
    assert days_late(later(hours=1 + hours), promised, policy) == days


@pytest.mark.parametrize(
    ("loads", "wanted"), [([1, 1, 1], 0.0), ([0, 0, 3], 2 / 3), ([1, 3], 0.25), ([4], 0.0), ([0, 0], None), ([], None)]
)
def test_gini_of_loads(loads: list[int], wanted: float | None) -> None:
    assert gini(loads) == (None if wanted is None else pytest.approx(wanted))


@given(st.lists(st.integers(0, 50), min_size=1, max_size=12).filter(any))
def test_gini_is_half_the_mean_difference_over_the_mean(loads: list[int]) -> None:
    count, mean = len(loads), sum(loads) / len(loads)
    differences = sum(abs(one - other) for one in loads for other in loads)
    assert gini(loads) == pytest.approx(differences / (2 * count * count * mean))


_LEVELS = st.dictionaries(
    st.sampled_from(["near", "far", "farther"]),
    st.dictionaries(st.sampled_from(["tea", "cup"]), st.integers(0, 4), max_size=2),
    min_size=1,
)
_LINES = st.lists(st.tuples(st.sampled_from(["tea", "cup"]), st.integers(1, 3)), min_size=1, max_size=2)
_HAPPENINGS = st.lists(
    st.one_of(_LINES, st.tuples(st.sampled_from(["near", "far"]), st.sampled_from(["tea", "cup"]), st.integers(1, 5))),
    max_size=14,
)


@given(_LEVELS, _HAPPENINGS)
def test_nothing_is_shipped_that_was_not_there_and_every_order_is_accounted_for(
    levels: Mapping[str, Mapping[str, int]], happenings: list[Any]
) -> None:
    events: list[Event] = [placed("first", ("tea", 1))]
    there = sum(units for skus in levels.values() for units in skus.values())
    for number, one in enumerate(happenings, 1):
        if isinstance(one, tuple):
            place, sku, units = one
            there += units if place in levels else 0
            events.append(arrives(place, sku, units, later(number)))
        else:
            events.append(placed(f"order-{number}", *one, at=later(number)))
    tally = replayed(levels, *events)
    again = replayed(levels, *events)
    assert tally == again
    assert tally.shipped_units <= there
    assert tally.units == tally.shipped_units + tally.waiting_units + tally.lost_units
    assert tally.parcels == sum(tally.load.values())


def test_goods_that_are_expected_to_be_wanted_nearer_are_spared_unless_scarcity_does_not_count() -> None:
    """The last unit at `near` is worth 2,000 to customers beside it; `far` costs this order only 20 more."""
    expected = Expected(skus=["tea"], units=np.array([[5.0]]), cost=np.array([[0.0, 2000.0]]), lost=np.array([9000.0]))
    policy = Policy(rule="cost", km_price=2, hold_back=False)
    start = Start(network("near", "far"), {("near", "tea"): 1, ("far", "tea"): 50})
    loads = []
    for scarcity in (1.0, 0.0):
        arm = Arm("arm", start, under(policy.model_copy(update={"scarcity": scarcity})), Measure(as_recorded, 0.4))
        arm.expect(expected, cover_days=7.0)
        arm.take(placed("a", ("tea", 1)))
        loads.append(arm.end(later(1)).load)
    assert loads == [{"far": 1}, {"near": 1}]


def test_a_full_location_gets_no_more_until_something_is_called_off() -> None:
    start = Start(
        network(location("near", 10.0, capacity_per_day=2), location("far", 20.0)),
        {("near", "tea"): 9, ("far", "tea"): 9},
        {("near", "2026-03-02T17"): 1},
    )
    arm = Arm("arm", start, as_recorded, Measure(as_recorded, 0.4))
    arm.take(placed("a", ("tea", 1), leaves=True))
    arm.take(placed("b", ("tea", 1), at=later(1)))
    arm.take(CalledOff("a", later(2)))
    arm.take(placed("c", ("tea", 1), at=later(3)))
    assert +arm.end(later(4)).load == {"near": 1, "far": 1}
