"""A kept decision the way it is read, and verdicts that are reckoned anew by the production function."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.orders.eligible import REASONS as ROUTERS_REASONS
from activities.orders.explaining import why_of
from activities.orders.network import Network
from activities.orders.routing import demand_of
from activities.orders.verdicts import Hindsight, demand_then, near_ruled_out, recompute
from contracts.explanations import Near
from contracts.orders import OrderState
from contracts.partners import Location
from contracts.refusals import Refusal
from contracts.routing import Candidate, Decision, Policy, Terms
from tests.builders import NOW, Levels, location, network, order
from tests.routed import decided
from workers.picture.words import REASONS

FEWEST = Policy(rule="fewest")


def candidate(place: str, total: int | None = None, *, km: float = 10.0, whole: bool = True, **more: Any) -> Candidate:
    terms = None if total is None else Terms(freight=total)
    return Candidate(location=place, distance_km=km, ships_all=whole, terms=terms, **more)


def changed(decision: Decision, **changes: Any) -> Decision:
    return decision.model_copy(update=changes)


SIMPLE = decided(demand_of(order(("tea", 2))), network("near", "far"), {"near": {"tea": 5}, "far": {"tea": 5}}, FEWEST)


def test_the_newest_decision_is_told_unless_another_is_asked_for() -> None:
    both = [changed(SIMPLE, reason="first"), changed(SIMPLE, reason="second")]
    assert why_of("order-1", "CNY", both).reason == "second"
    first = why_of("order-1", "CNY", both, 1)
    assert (first.reason, first.decision, first.decisions) == ("first", 1, 2)


@pytest.mark.parametrize(("decisions", "number", "code"), [([], None, "not_routed"), ([SIMPLE], 2, "unknown_decision")])
def test_a_decision_that_is_not_there_is_refused(decisions: Sequence[Decision], number: int | None, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        why_of("order-1", "CNY", decisions, number)
    assert (refused.value.code, refused.value.status) == (code, 404)


def test_the_runner_up_is_told_with_how_much_more_it_would_have_cost() -> None:
    kept = changed(SIMPLE, terms=Terms(freight=1000, scarcity=0.4), runner_up=["far", "third"], runner_up_total=1200.0)
    runner_up = why_of("order-1", "CNY", [kept]).runner_up
    assert runner_up is not None
    assert (runner_up.locations, runner_up.total, runner_up.by) == (["far", "third"], 1200.0, 199.6)


def test_where_none_was_kept_the_runner_up_is_the_next_that_could_ship_all() -> None:
    candidates = [
        candidate("near", 900, chosen=True),
        candidate("dear", 2000, km=1.0),
        candidate("part", 10, whole=False),
        candidate("next", 1500, km=90.0),
    ]
    kept = changed(SIMPLE, candidates=candidates, terms=Terms(freight=900), runner_up=None)
    runner_up = why_of("order-1", "CNY", [kept]).runner_up
    assert runner_up is not None
    assert (runner_up.locations, runner_up.by) == (["next"], 600)


def test_reasons_come_by_their_number_with_the_nearest_of_each() -> None:
    near = [Near(location=f"closed-{n}", distance_km=n, reason="closed") for n in range(9)]
    kept = changed(SIMPLE, ruled_out={"closed": 40, "no_stock": 300})
    reasons = why_of("order-1", "CNY", [kept], near=near).ruled_out
    assert [(one.reason, one.count) for one in reasons] == [("no_stock", 300), ("closed", 40)]
    assert [one.location for one in reasons[1].nearest] == [f"closed-{n}" for n in range(5)]


def hindsight(
    places: Sequence[Location], levels: Levels, of: OrderState, policy: Policy = FEWEST, **changes: Any
) -> Hindsight:
    """A decision that was made on these levels, and what is known of it."""
    demand, network_then = demand_of(of, policy), network(*places)
    decision = changed(decided(demand, network_then, levels, policy), **changes)
    seen = {(place, sku): units for place, skus in levels.items() for sku, units in skus.items()}
    return Hindsight(decision, demand, seen, {}, policy, network_then)


STORES = [
    location("near", 10.0),
    location("far", 20.0),
    location("part", 5.0),
    location("empty", 4.0),
    location("off", 3.0, active=False),
    location("shop", 2.0, channels=["store"]),
    location("lost", None),
]
LEVELS = {
    "near": {"tea": 5, "cup": 5},
    "far": {"tea": 5, "cup": 5},
    "part": {"tea": 5},
    "off": {"tea": 9, "cup": 9},
    "shop": {"tea": 9, "cup": 9},
    "lost": {"tea": 9, "cup": 9},
}


@pytest.mark.parametrize(
    ("place", "verdict", "reason"),
    [
        ("near", "chosen", None),
        ("far", "could_ship_all", None),
        ("lost", "could_ship_all", None),
        ("part", "could_ship_some", None),
        ("empty", "ruled_out", "no_stock"),
        ("off", "ruled_out", "inactive"),
        ("shop", "ruled_out", "channel"),
    ],
)
def test_every_location_gets_its_own_verdict(place: str, verdict: str, reason: str | None) -> None:
    found = recompute(hindsight(STORES, LEVELS, order(("tea", 2), ("cup", 1))), place)
    assert (found.verdict, found.reason, found.same) == (verdict, reason, True)
    assert found.available == {sku: LEVELS.get(place, {}).get(sku, 0) for sku in ("tea", "cup")}


def test_a_location_that_refused_is_excluded() -> None:
    of = order(("tea", 2), ("cup", 1))
    of.excluded = ["near"]
    found = recompute(hindsight(STORES, LEVELS, of), "near")
    assert (found.verdict, found.reason) == ("ruled_out", "excluded")


def test_another_stock_makes_another_decision_and_it_is_said() -> None:
    then = hindsight(STORES, LEVELS, order(("tea", 2), ("cup", 1)))
    empty = {key: units for key, units in then.seen.items() if key[0] != "near"}
    network_since = Network(STORES, version=7)
    found = recompute(replace(then, seen=empty, network=network_since), "far")
    assert (found.same, found.network_changed) == (False, True)
    priced = replace(then, seen=empty, decision=changed(then.decision, prices_version=3))
    assert recompute(priced, "far").same is None


def test_the_nearest_that_were_ruled_out_are_named_with_their_reasons() -> None:
    found = near_ruled_out(hindsight(STORES, LEVELS, order(("tea", 2), ("cup", 1))), 7)
    assert [(one.location, one.reason) for one in found] == [
        ("shop", "channel"),
        ("off", "inactive"),
        ("empty", "no_stock"),
        ("part", "partial_stock"),
    ]
    more = [*STORES, location("empty-too", 4.5)]
    both = near_ruled_out(hindsight(more, LEVELS, order(("tea", 2), ("cup", 1))), 7)
    assert [one.location for one in both if one.reason == "no_stock"] == ["empty", "empty-too"]
    assert near_ruled_out(hindsight(more, LEVELS, order(("tea", 2), ("cup", 1))), 1) == found


def test_what_was_wanted_then_is_what_was_handed_out() -> None:
    of = order(("tea", 2), ("cup", 1), ("tea", 3))
    decision = decided(demand_of(of), network("near"), {"near": {"tea": 9, "cup": 9}}, FEWEST)
    assert demand_then(of, decision, {"tea": 99}, FEWEST).lines == demand_of(of).lines


def test_what_was_wanted_of_a_decision_for_nothing_is_what_no_parcel_carried() -> None:
    of = order(("tea", 2), ("cup", 1), ("tea", 3))
    nothing = changed(SIMPLE, allocations=[], outcome="none", excluded=["near"], attempt=4)
    then = demand_then(of, nothing, {"tea": 3}, FEWEST)
    assert list(then.lines) == [(2, "cup", 1), (3, "tea", 2)]
    assert (list(then.excluded), then.attempt) == (["near"], 4)


_STOCK = st.dictionaries(
    st.sampled_from(["near", "far", "part", "empty", "off", "lost"]),
    st.dictionaries(st.sampled_from(["tea", "cup"]), st.integers(0, 4), max_size=2),
)


@given(_STOCK, st.integers(1, 3), st.integers(0, 3))
def test_verdicts_agree_with_what_was_counted(levels: Mapping[str, Mapping[str, int]], tea: int, cup: int) -> None:
    lines = [("tea", tea)] + ([("cup", cup)] if cup else [])
    then = hindsight(STORES, levels, order(*lines))
    verdicts = [recompute(then, place.id) for place in STORES]
    assert all(one.same for one in verdicts)
    for reason, count in then.decision.ruled_out.items():
        if reason != "partial_stock":
            assert sum(one.reason == reason for one in verdicts) == count
    chosen = {one.location for one in verdicts if one.verdict == "chosen"}
    assert chosen == {part.location for part in then.decision.allocations}
    assert then.decision.at == NOW


def test_a_location_without_capacity_is_ruled_out_by_the_parcels_of_that_hour() -> None:
    full = location("full", 1.0, capacity_per_hour=2)
    levels = {"full": {"tea": 9}, "near": {"tea": 9}}
    then = hindsight([full, location("near", 10.0)], levels, order(("tea", 1)))
    assert recompute(then, "full").verdict == "chosen"
    busy = replace(then, parcels={("full", "2026-03-02T17"): 2}, decision=changed(then.decision, allocations=[]))
    found = recompute(busy, "full")
    assert (found.verdict, found.reason, found.same) == ("ruled_out", "capacity", False)


def test_units_that_stay_on_the_shelf_are_told() -> None:
    careful = location("careful", 1.0, safety_stock=2, channel_buffers={"online": 3})
    found = recompute(hindsight([careful], {"careful": {"tea": 5}}, order(("tea", 1))), "careful")
    assert (found.verdict, found.reason, found.available, found.kept_back) == ("ruled_out", "no_stock", {"tea": 5}, 5)


def test_every_reason_of_the_router_has_words() -> None:
    assert set(ROUTERS_REASONS) <= set(REASONS)
