"""Forecasts of sums: what is learned holds on demand that was not seen, and nothing is known before its time."""

from dataclasses import replace

import numpy as np
import pytest

from activities.supply.classes import CLASSES, classes_of, intervals_and_variation
from activities.supply.features import Looker
from activities.supply.forecasting import fit
from activities.supply.pooling import LEVELS, MASS, Points, at_level, pinball, poisson_like, pool_of
from activities.supply.series import PRIOR, forecast_series
from activities.supply.table import DemandTable, Floats, plain_table
from activities.supply.uncensoring import NEAR, uncensored

RNG = np.random.default_rng
HORIZON = 3


def weekly(n: int = 120, days: int = 90, seed: int = 4) -> DemandTable:
    """Poisson demand, half as much again on two days of seven."""
    rng = RNG(seed)
    level = rng.uniform(1, 12, n)[:, None]
    day = np.where(np.arange(days) % 7 >= 5, 1.5, 1.0)[None, :]
    return plain_table(rng.poisson(level * day).astype(float))


def test_interval_and_variation_of_a_series_by_hand() -> None:
    interval, variation = intervals_and_variation(np.array([[0, 2.0, 0, 4.0, 0, 0, 2.0, 4.0, 0, 0], [0.0] * 10]))
    assert interval[0] == pytest.approx(9 / 4)  # From its first demand on.
    assert variation[0] == pytest.approx(1 / 9)  # Mean 3, variance 1.
    assert interval[1] == np.inf and variation[1] == 0


def test_each_class_by_the_thresholds_of_the_paper() -> None:
    rows = np.zeros((5, 56))
    rows[0] = 5
    rows[1] = np.tile([1, 1, 1, 12], 14)
    rows[2, ::4] = 5
    rows[3, ::4] = np.tile([1, 12], 7)
    rows[4, -3:] = 5
    assert [CLASSES[kind] for kind in classes_of(plain_table(rows))] == [
        "smooth",
        "erratic",
        "intermittent",
        "lumpy",
        "new",
    ]


def test_days_out_of_stock_are_estimated_from_days_that_reached_as_much() -> None:
    sold = np.array([[3.0, 8.0, 5.0, 0.0, 6.0, 9.0]])
    out = np.array([[0, 0, 0, 0.5, 0, 0.9]])
    found = uncensored(sold, out, np.zeros(6, dtype=bool), RNG(1))
    assert found[0, :3].tolist() == [3, 8, 5] and found[0, 4] == 6
    assert found[0, 3] in (3, 8, 5, 6)
    assert found[0, 5] == 9  # No day reached as much: what was sold is all that is known.


def test_a_day_is_not_estimated_from_later_days() -> None:
    days = NEAR + 20
    sold, out = np.full((1, days), 2.0), np.zeros((1, days))
    place = NEAR + 5
    sold[0, place:] = 50
    sold[0, place], out[0, place] = 1, 1
    assert uncensored(sold, out, np.zeros(days, dtype=bool), RNG(1))[0, place] == 2


def test_only_days_of_the_same_kind_tell_of_a_day() -> None:
    free = np.array([False, True] * 10)
    sold, out = np.where(free, 20.0, 4.0)[None, :], np.zeros((1, 20))
    sold[0, 3] = out[0, 3] = 1
    assert uncensored(sold, out, free, RNG(1))[0, 3] == 20


def test_nothing_after_an_origin_changes_what_is_known_before_it() -> None:
    table = weekly(20)
    later = table.demand.copy()
    later[:, 60:] = 999
    before, after = (Looker(one, HORIZON).at(60) for one in (table, replace(table, demand=later)))
    assert np.array_equal(before.x, after.x) and np.array_equal(before.scale, after.scale)
    assert before.total is not None and np.array_equal(before.total, table.demand[:, 60:63].sum(axis=1))
    assert Looker(table.until(60, HORIZON), HORIZON).at(60).total is None


def test_pooled_errors_make_quantiles_that_hold_on_demand_not_seen() -> None:
    rng = RNG(2)
    mean = rng.uniform(2, 40, 6_000)
    total = rng.negative_binomial(mean / 2, 1 / 3).astype(float)
    pool = pool_of(poisson_like(mean[:4_000]), total[:4_000], mean[:4_000])
    said = pool.quantiles(poisson_like(mean[4_000:]), mean[4_000:])
    assert np.all(np.diff(said, axis=1) >= 0) and said.min() >= 0
    for level in (0.5, 0.8, 0.9, 0.95):
        assert (total[4_000:] <= said[:, LEVELS.index(level)]).mean() == pytest.approx(level, abs=0.03)


def test_few_errors_are_pooled_whatever_their_size() -> None:
    points = Points(np.full(50, 5.0), np.ones(50), np.ones(50))
    assert pool_of(points, np.arange(50.0), np.arange(50.0)).shape.shape == (1, len(LEVELS))


def test_a_level_between_two_is_in_a_straight_line_and_beyond_the_last_the_last() -> None:
    rows = np.array([LEVELS, LEVELS])
    assert at_level(rows, np.array([0.65, 0.9999])) == pytest.approx([0.65, LEVELS[-1]])
    assert MASS.sum() == pytest.approx(1)


def test_pinball_by_hand() -> None:
    said = np.array([[8.0, 12.0]])
    assert pinball(np.array([10.0]), said, (0.5, 0.9))[0] == pytest.approx((0.5 * 2 + 0.1 * 2) / 2)


def test_the_model_chosen_is_the_one_with_the_least_error_and_weekdays_make_it_beat_the_average() -> None:
    fitted = fit(weekly(), HORIZON)
    choice = fitted.choices[CLASSES.index("smooth")]
    assert choice.error == min(choice.errors.values())
    assert choice.errors["SeasonalWindow"] < choice.errors["WindowAverage"]
    assert choice.tested > 0 and choice.wmase is not None and choice.wmase < 1
    for level, achieved in choice.coverage:
        assert achieved == pytest.approx(level, abs=0.06)


def test_quantiles_hold_on_days_after_those_that_were_learned_from() -> None:
    table = weekly(200, 97)
    inside: list[Floats] = []
    fitted = fit(table.until(83, HORIZON), HORIZON)
    for origin in range(83, 94):
        said = fitted.quantiles(table.until(origin, HORIZON))
        inside.append(table.demand[:, origin : origin + HORIZON].sum(axis=1) <= said[:, LEVELS.index(0.9)])
    assert np.mean(inside) == pytest.approx(0.9, abs=0.03)


def test_series_of_any_interval_come_back_in_their_order() -> None:
    table = weekly(60)
    horizons = [3 + place % 5 for place in range(60)]
    found = forecast_series(table, horizons)
    assert [one.horizon for one in found.series] == horizons
    usual = table.demand.mean(axis=1) * np.array(horizons)
    said = np.array([one.mean for one in found.series])
    assert np.corrcoef(usual, said)[0, 1] > 0.97
    assert len(found.fits) <= 3
    for one in found.series:
        assert one.daily.sum() == pytest.approx(one.mean) and one.daily.size == one.horizon


def test_a_table_too_short_to_learn_from_gets_a_prior_and_says_so() -> None:
    [one] = forecast_series(plain_table([[0.0, 1.0, 2.0]]), [7]).series
    assert one.model == PRIOR and one.tested == 0 and one.coverage == []
    assert one.mean == pytest.approx(7 * 3.5 / 17)
    assert one.quantiles[LEVELS.index(0.95)] > one.mean


def test_the_same_table_makes_the_same_forecast() -> None:
    first, second = (forecast_series(weekly(40), [HORIZON] * 40).series for _ in range(2))
    assert all(np.array_equal(a.quantiles, b.quantiles) for a, b in zip(first, second, strict=True))
