"""Transfers: exact on small networks, near the exact programme with fixed costs, and within what there is."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, milp

from activities.supply.flow import Goods, Node, Plan, Tier, Way, plan_transfers

TEA = {"tea": Goods(kg=1.0)}


def way(source: str, destination: str, *, fixed: float = 0, per_unit: float = 1) -> Way:
    return Way(source, destination, fixed, per_unit, 0, 1, 10)


def moved(plan: Plan) -> dict[tuple[str, str], int]:
    return {(one.source, one.destination): one.units for one in plan.moves}


def test_goods_go_the_cheaper_way() -> None:
    gives = [Node("a", "tea", (Tier(10, 0),)), Node("b", "tea", (Tier(10, 0),))]
    takes = [Node("c", "tea", (Tier(12, 20),))]
    plan = plan_transfers(gives, takes, [way("a", "c", per_unit=1), way("b", "c", per_unit=3)], TEA)
    assert moved(plan) == {("a", "c"): 10, ("b", "c"): 2}
    assert plan.freight == pytest.approx(16)
    assert plan.saved == pytest.approx(240 - 16)


def test_what_costs_more_than_it_brings_stays() -> None:
    plan = plan_transfers(
        [Node("a", "tea", (Tier(10, 1),))],
        [Node("c", "tea", (Tier(5, 4), Tier(5, 1)))],
        [way("a", "c", per_unit=3)],
        TEA,
    )
    assert moved(plan) == {("a", "c"): 5}


def test_a_trip_must_pay_for_itself() -> None:
    gives, takes = [Node("a", "tea", (Tier(10, 0),))], [Node("c", "tea", (Tier(10, 5),))]
    assert moved(plan_transfers(gives, takes, [way("a", "c", fixed=39)], TEA)) == {("a", "c"): 10}
    assert moved(plan_transfers(gives, takes, [way("a", "c", fixed=41)], TEA)) == {}


def test_a_trip_shared_by_two_goods_is_worth_it() -> None:
    gives = [Node("a", sku, (Tier(5, 0),)) for sku in ("tea", "cup")]
    takes = [Node("c", sku, (Tier(5, 5),)) for sku in ("tea", "cup")]
    plan = plan_transfers(gives, takes, [way("a", "c", fixed=30)], {})
    assert {one.sku: one.units for one in plan.moves} == {"tea": 5, "cup": 5}
    assert sum(one.freight for one in plan.moves) == pytest.approx(40)


def test_a_load_below_the_minimum_does_not_go() -> None:
    gives, takes = [Node("a", "tea", (Tier(4, 9),))], [Node("c", "tea", (Tier(10, 9),))]
    assert plan_transfers(gives, takes, [way("a", "c")], TEA, least_units=5).moves == []
    assert plan_transfers(gives, takes, [way("a", "c")], TEA, least_units=4).moves[0].units == 4


def test_whole_cases_go() -> None:
    gives, takes = [Node("a", "tea", (Tier(2, 90),))], [Node("c", "tea", (Tier(7, 90),))]
    plan = plan_transfers(gives, takes, [way("a", "c")], {"tea": Goods(multiple=6)})
    assert plan.moves[0].units == 12


def test_nobody_gives_and_takes_at_once() -> None:
    node = Node("a", "tea", (Tier(1, 1),))
    with pytest.raises(ValueError, match="gives and takes"):
        plan_transfers([node], [node], [], TEA)


NODES = st.lists(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30)), min_size=1, max_size=2), min_size=6, max_size=6
)


@settings(max_examples=40, deadline=None)
@given(NODES, st.lists(st.integers(0, 60), min_size=9, max_size=9), st.integers(1, 6))
def test_nothing_comes_from_nowhere(nodes: list[list[tuple[int, int]]], fixed: list[int], least: int) -> None:
    gives, takes, ways = network(nodes, fixed)
    plan = plan_transfers(gives, takes, ways, TEA, least)
    given_, taken, on_way = Counter[str](), Counter[str](), Counter[tuple[str, str]]()
    for one in plan.moves:
        given_[one.source] += one.units
        taken[one.destination] += one.units
        on_way[one.source, one.destination] += one.units
    for node in [*gives, *takes]:
        assert max(given_[node.location], taken[node.location]) <= sum(tier.loads for tier in node.tiers)
    assert all(units >= least for units in on_way.values())
    assert plan.saved >= -1e-6
    assert plan.saved == pytest.approx(sum(one.saved for one in plan.moves), abs=0.1)


def network(nodes: list[list[tuple[int, int]]], fixed: list[int]) -> tuple[list[Node], list[Node], list[Way]]:
    made = [
        Node("abcdef"[n], "tea", tuple(Tier(loads, worth) for loads, worth in sorted(tiers, key=lambda t: -t[1])))
        for n, tiers in enumerate(nodes)
    ]
    ways = [
        way(a, b, fixed=cost, per_unit=1 + n % 4)
        for n, ((a, b), cost) in enumerate(zip(itertools.product("abc", "def"), fixed, strict=True))
    ]
    return made[:3], made[3:], ways


def exact(gives: list[Node], takes: list[Node], ways: list[Way]) -> float:
    """The greatest gain with fixed costs, by a mixed-integer programme of another form: one binary for each way."""
    ends = [*gives, *takes]
    tiers = [(n, tier) for n, node in enumerate(ends) for tier in node.tiers]
    size, count = len(ways) * 2 + len(tiers), len(ways)
    place = {node.location: n for n, node in enumerate(ends)}
    balance = np.zeros((len(ends), size))
    big = np.zeros((count, size))
    for n, one in enumerate(ways):
        balance[place[one.source], n] = balance[place[one.destination], n] = 1
        big[n, n], big[n, count + n] = 1, -1_000
    for n, (node, _) in enumerate(tiers):
        balance[node, 2 * count + n] = -1
    cost = np.array([w.per_unit for w in ways] + [w.fixed for w in ways] + [-tier.worth for _, tier in tiers])
    upper = np.array([1_000.0] * count + [1.0] * count + [tier.loads for _, tier in tiers])
    found = milp(
        cost,
        constraints=[LinearConstraint(balance, 0, 0), LinearConstraint(big, -np.inf, 0)],
        bounds=(0, upper),
        integrality=np.ones(size),
    )
    return -float(found.fun)


def test_near_the_exact_programme() -> None:
    """Of 60 networks with fixed costs, drawn once: never better than exact, and on the whole hardly worse."""
    chance = np.random.default_rng(7)
    ours = best = 0.0
    for _ in range(60):
        nodes = [[(int(chance.integers(1, 20)), int(chance.integers(0, 20)))] for _ in range(6)]
        gives, takes, ways = network(nodes, [int(c) for c in chance.integers(0, 120, 9)])
        gain, bound = plan_transfers(gives, takes, ways, TEA).saved, exact(gives, takes, ways)
        assert gain <= bound + 1e-6
        ours, best = ours + gain, best + bound
    assert ours >= 0.95 * best
