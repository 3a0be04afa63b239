"""Replay, levels found by it, and what books say: checked by hand, and against formulas with known answers."""

from statistics import NormalDist

import numpy as np
import pytest

from activities.supply.levels import Aim, Pace, level_for, tried
from activities.supply.ordering import expected_loss, lost_before, stretched
from activities.supply.pooling import LEVELS, at_level
from activities.supply.quantity import quantity
from activities.supply.simulate import replay, up_to
from activities.supply.table import Floats
from activities.supply.targets import target_of
from contracts.supply import Forecast, Position, Service, Sourcing, SupplyPolicy, Target

RNG = np.random.default_rng


def normal(mean: float, deviation: float, days: int = 1) -> Forecast:
    """A forecast that is a normal distribution."""
    of = NormalDist(mean, deviation)
    return Forecast(
        id="r:l:s",
        run="r",
        location="l",
        sku="s",
        demand_class="smooth",
        model="Normal",
        protection_days=days,
        mean=mean,
        deviation=deviation,
        quantiles=[of.inv_cdf(level) for level in LEVELS],
        daily_mean=mean / days,
        as_of="2026-03-02",
    )


def test_a_replay_by_hand() -> None:
    demand = np.array([[3.0, 4.0, 2.0, 5.0, 1.0]])
    done = replay(demand, up_to(np.full((1, 5), 6.0)), lead=2, on_hand=np.array([6.0]))
    # Day 0: 6 on hand, none ordered, 3 left. Day 1: 3 on hand, 3 ordered for day 3, one of 4 lost. Day 2: none on hand,
    # 3 coming, 3 ordered for day 4, 2 lost. Day 3: 3 come, 5 asked for, 2 lost; position 6. Day 4: 3 come, 3 ordered.
    assert done.left.tolist() == [[3, 0, 0, 0, 2]]
    assert done.lost.tolist() == [[0, 1, 2, 2, 0]]
    assert done.ordered.tolist() == [[0, 3, 3, 0, 3]]
    assert done.fill_rate == pytest.approx(10 / 15) and done.cycle_service == pytest.approx(2 / 5)
    assert done.cost(0.2, 1.0) == pytest.approx(0.2 * 5 + 5)


def test_nothing_is_made_or_vanishes_in_a_replay() -> None:
    rng = RNG(1)
    demand = rng.poisson(4, (50, 40)).astype(float)
    begin = np.full(50, 9.0)
    done = replay(demand, up_to(rng.uniform(5, 30, (50, 40))), lead=3, on_hand=begin)
    arrived = done.ordered[:, :-3].sum(axis=1)
    assert np.allclose(begin + arrived - (demand - done.lost).sum(axis=1), done.left[:, -1])
    assert done.left.min() >= 0 and np.all(np.minimum(done.left, done.lost) == 0)


def test_what_is_lost_before_the_goods_come_of_a_normal_sum() -> None:
    forecast = normal(100, 10)
    # All of the interval is lead time: the unit normal loss G(1) = 0.0833, ten times.
    assert lost_before(forecast, 110, 1) == pytest.approx(10 * 0.0833, abs=0.03)
    assert lost_before(forecast, 200, 1) == 0
    half = stretched(np.array([forecast.quantiles]), 0.25)
    assert half[0, LEVELS.index(0.5)] == pytest.approx(25)
    assert half[0, LEVELS.index(0.9)] - 25 == pytest.approx(5 * NormalDist().inv_cdf(0.9))
    assert expected_loss(np.array([forecast.quantiles]), np.array([0.0]), 1.0)[0] == pytest.approx(100, abs=0.2)


def poisson(mean: float, periods: int, n: int) -> tuple[Floats, Floats]:
    """Quantiles (P, n, levels) of the sum over three periods, and demand (n, P), of one and the same distribution."""
    rng = RNG(7)
    sums = np.quantile(rng.poisson(3 * mean, 200_000), LEVELS)
    return np.broadcast_to(sums, (periods, n, len(LEVELS))), rng.poisson(mean, (n, periods)).astype(float)


@pytest.mark.parametrize("target", [0.9, 0.95, 0.98])
def test_the_level_found_serves_what_was_asked_on_other_demand(target: float) -> None:
    quantiles, demand = poisson(6, 60, 100)
    level = level_for(Aim("fill", target), quantiles[:30], demand[:, :30], Pace(2))
    assert level is not None
    assert tried(quantiles[30:], demand[:, 30:], level, Pace(2)).fill_rate == pytest.approx(target, abs=0.01)


def test_the_level_found_costs_least_of_all() -> None:
    quantiles, demand = poisson(6, 60, 100)
    level = level_for(Aim("cost"), quantiles, demand, Pace(2))
    assert level is not None
    least = tried(quantiles, demand, level, Pace(2)).cost(0.2, 1.0)
    for other in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95):
        assert least <= tried(quantiles, demand, other, Pace(2)).cost(0.2, 1.0) * 1.003


def test_dearer_shortage_asks_for_more_and_reviews_that_are_further_apart_can_be_tried() -> None:
    quantiles, demand = poisson(6, 60, 100)
    levels = [level_for(Aim("cost", shortage=shortage), quantiles, demand, Pace(1, 2)) for shortage in (0.5, 1.0, 4.0)]
    assert None not in levels and levels == sorted(levels) and len(set(levels)) == 3  # type: ignore[type-var]


def test_too_little_to_try_finds_no_level() -> None:
    quantiles, demand = poisson(6, 14, 10)
    assert level_for(Aim("cost"), quantiles, demand, Pace(10, 7)) is None
    assert level_for(Aim("cost"), quantiles, np.zeros_like(demand), Pace(2)) is None


def test_one_season_is_a_newsvendor() -> None:
    """Snyder and Shen, Fundamentals of Supply Chain Theory: 0.18 too many, 0.70 too few, N(50, 8) asks for 56.60395."""
    policy = SupplyPolicy(one_season=True, margin=0.70, salvage=1 - 0.18)
    target = target_of(normal(50, 8), policy, 0)
    assert target.level == pytest.approx(0.70 / 0.88, abs=1e-4)
    assert target.order_up_to == 57


@pytest.mark.parametrize(
    ("over", "short", "mean", "deviation", "exact"), [(2, 18, 120, 10, 132.8155), (0.18, 0.70, 50, 8, 56.60395)]
)
def test_quantiles_of_a_newsvendor(over: float, short: float, mean: float, deviation: float, exact: float) -> None:
    quantiles = np.array([normal(mean, deviation).quantiles])
    assert at_level(quantiles, short / (short + over))[0] == pytest.approx(exact, rel=0.002)


def test_safety_stock_with_a_lead_time_that_varies() -> None:
    """d = 100, σd = 20, L = 9, σL = 2 at 95 %: 208.81 deviation, 343.46 of safety stock."""
    forecast = normal(900, 60, 9)
    target = target_of(forecast, SupplyPolicy(service=Service(kind="cycle", value=0.95)), 2)
    assert target.order_up_to == pytest.approx(900 + 343.46, abs=1.5)


def test_a_level_found_by_replay_is_taken_and_said() -> None:
    policy = SupplyPolicy(service=Service(kind="fill", value=0.95))
    target = target_of(normal(50, 8), policy, 0, 0.7)
    assert target.level == 0.7 and target.terms["level_from"] == "replay"
    assert target_of(normal(50, 8), policy, 0).terms["level_from"] == "forecast"


def test_what_is_lost_meanwhile_is_not_ordered() -> None:
    sourcing = Sourcing(id="a:s:", supplier="a", sku="s", price=100, lead_days=1)
    target = Target(reorder_point=99, order_up_to=100, level=0.9)
    assert quantity(Position(on_hand=10), target, SupplyPolicy(), sourcing).units == 90
    assert quantity(Position(on_hand=10), target, SupplyPolicy(), sourcing, lost=7.5).units == 83
