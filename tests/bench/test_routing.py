"""The routing benchmark in small: its bound is one, its worlds repeat, and its exit says what it found."""

import itertools
import json
from pathlib import Path

import pytest

from activities.orders.choosing import look
from bench.hindsight import hindsight
from bench.routing import Point, figures_of, goals_of, main
from bench.routing_arms import ARMS, Play, policies
from bench.routing_world import World, draw, places_in

[PLACES] = places_in(None)


def small(cover: float = 0.8, orders: int = 4, locations: int = 3, seed: int = 4) -> World:
    return draw(PLACES, cover, seed, locations=locations, skus=3, orders=orders)


def by_brute_force(world: World) -> float:
    """Every order lost, or each line from each location: the cheapest of all combinations that the stock has."""
    stock = {(place, sku): units for place, sku, units in world.stock}
    ways = [_ways(world, number) for number in range(len(world.orders))]
    best = float("inf")
    for combination in itertools.product(*ways):
        total = sum(cost for cost, _ in combination)
        if total >= best:
            continue
        taken: dict[tuple[str, str], int] = {}
        for cell in itertools.chain.from_iterable(cells for _, cells in combination):
            taken[cell] = taken.get(cell, 0) + 1
        if all(stock.get(cell, 0) >= units for cell, units in taken.items()):
            best = total
    return best


def _ways(world: World, number: int) -> list[tuple[float, list[tuple[str, str]]]]:
    placed, demand = world.orders[number]
    policy = policies("cost")[demand.channel]
    view = look(demand, world.availability(), world.network, policy, None, placed)
    found: list[tuple[float, list[tuple[str, str]]]] = [(demand.value() * policy.margin_bp / 10_000, [])]
    skus = list(view.units)
    for places in itertools.product(range(len(world.network)), repeat=len(skus)):
        if not all(view.eligibility.able[place] for place in places):
            continue
        cost = 0.0
        for place in set(places):
            weight = sum(
                world.network.articles[sku].weight_g for sku, at in zip(skus, places, strict=True) if at == place
            )
            cost += float(view.costing.parcel(weight, 0)[place])
        cells = [(world.network.locations[place].id, sku) for sku, place in zip(skus, places, strict=True)]
        found.append((cost, cells))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_no_plan_whatever_costs_less_than_the_bound(seed: int) -> None:
    world = small(seed=seed)
    bound = hindsight(world, policies("cost")).total
    exact = by_brute_force(world)
    assert bound <= exact + 1
    assert bound >= 0.8 * exact


def test_no_arm_costs_less_than_the_bound_and_the_same_world_plays_the_same() -> None:
    world = small(orders=120, locations=8)
    bound = hindsight(world, policies("cost"))
    played = {arm: Play(world, arm).run() for arm in ARMS}
    totals = {arm: one.total for arm, one in played.items()}
    assert all(one.total >= bound.total - 1 and one.lost >= bound.least_lost - 0.01 for one in played.values())
    assert totals == {arm: Play(small(orders=120, locations=8), arm).run().total for arm in ARMS}


def test_every_order_is_shipped_or_lost_and_no_shelf_gives_more_than_it_has() -> None:
    world = small(orders=120, locations=8)
    units = sum(len(demand.lines) for _, demand in world.orders)
    for arm in ARMS:
        played = Play(world, arm).run()
        assert played.shipped + played.lost == units
        assert played.shipped <= sum(count for *_, count in world.stock)


def test_a_goal_is_met_or_missed_by_its_value() -> None:
    rows = figures_of(Point(PLACES.name, 0.8, 1), None, (8, 5, 120))
    goals = {goal["goal"]: goal for goal in goals_of(rows, 150.0)}
    cpu = goals["CPU per order at 1,000 locations, microseconds"]
    assert (cpu["value"], cpu["met"]) == (150.0, True)
    assert not goals_of(rows, 250.0)[-1]["met"]
    lost = goals["lost sales, against nearest"]
    assert lost["met"] == (lost["value"] <= -0.30)
    assert lost["least"] <= lost["value"] + 1e-6


def test_the_command_writes_all_figures_and_a_plot_and_tells_by_its_exit_whether_all_is_met(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "routing.json"
    monkeypatch.setattr("sys.argv", ["bench", "--seeds", "1", "--covers", "0.8", "--orders", "120", "--out", str(out)])
    monkeypatch.setattr("bench.routing_growth._VARIED", {"locations": (40, 1_000)})
    code = main()
    written = json.loads(out.read_text())
    assert {row["arm"] for row in written["arms"]} == {*ARMS, "hindsight"}
    assert code == (0 if all(goal["met"] for goal in written["goals"]) else 1)
    assert out.with_suffix(".svg").read_text().startswith("<?xml")
