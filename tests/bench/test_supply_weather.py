"""The measurement of weather in small: what moves demand is found, what does not is not, and nothing is known early."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from activities.supply.table import plain_table
from bench.supply_data import World
from bench.supply_scores import windows_of
from bench.supply_weather import CAME, PAST, WITHOUT, Off, Weather, arms, compared, off_of, quantiles_of

DAYS, SERIES = 90, 210


def world(effect: float) -> tuple[World, Weather]:
    """Series of three cities, asked for more on warm days; weather that nothing of before tells."""
    rng = np.random.default_rng(4)
    city = np.arange(SERIES) % 3
    days = rng.normal(size=(3, DAYS, 4))[city]
    mean = 20 * np.exp(effect * days[:, :, 1])
    table = plain_table(rng.poisson(mean), start=date(2024, 3, 28), ahead=0)
    made = World("drawn", table, lead=2, first=75, refit=14, clean=np.ones((SERIES, DAYS), dtype=bool))
    return made, Weather(days, city)


@pytest.mark.timeout(600)
def test_what_weather_does_is_found_by_who_knows_it() -> None:
    made, weather = world(effect=0.4)
    windows = windows_of(made, slice(None))
    offs = {name: off_of(windows, quantiles_of(one, windows)) for name, one in arms(made, weather).items()}
    found = compared(offs, weather.city, draws=200)
    assert found[CAME]["pinball_change"] < -0.15 and found[CAME]["pinball_interval"][1] < -0.1
    assert found[CAME]["wmase_change"] < -0.15
    assert found[CAME]["pinball"] < found[PAST]["pinball"], "what is past tells at most what the last days were worth"
    assert found[WITHOUT]["pinball_interval"] == [0, 0]


def test_past_weather_is_past_before_the_first_day_of_a_sum() -> None:
    made, weather = world(effect=0)
    days = np.broadcast_to(np.arange(DAYS, dtype=float)[None, :, None], (SERIES, DAYS, 4))
    plans = arms(made, replace(weather, days=days))[PAST].table.plans
    for origin in range(made.first, DAYS - made.horizon + 1):
        assert plans[:, origin : origin + made.horizon].max() == origin - 1


def test_an_interval_is_of_cities() -> None:
    """One city of two is worse by a half: with both of it, or none, drawn in every fourth sample."""
    city = np.array([0, 0, 1, 1])
    ones = np.ones(4)
    worse = np.array([1, 1, 1.5, 1.5])
    found = compared({WITHOUT: Off(ones, ones, ones, ones), CAME: Off(worse, ones, worse, ones)}, city)
    assert found[CAME]["pinball_change"] == pytest.approx(0.25) == found[CAME]["wmase_change"]
    assert found[CAME]["pinball_interval"] == pytest.approx([0, 0.5])
