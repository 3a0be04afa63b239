"""How full it is, when it opens again, and what callers are told to wait: pure arithmetic."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.gateway.pressure import Level, spread


def test_it_is_full_at_the_limit_and_opens_only_well_below() -> None:
    level = Level(most=100).counted(99, 99, 1.0)
    assert not level.full
    level = level.counted(100, 1, 1.0)
    assert level.full
    assert level.counted(81, 0, 1.0).full
    assert not level.counted(80, 0, 1.0).full


def test_what_comes_in_between_two_counts_counts_at_once() -> None:
    level = Level(most=100).counted(90, 90, 1.0)
    assert not level.arrived(9).full
    assert level.arrived(10).full


def test_the_wait_is_what_is_too_much_over_what_is_carried_off() -> None:
    level = Level(most=1000).counted(1000, 1000, 1.0).counted(1000, 50, 1.0)
    assert level.per_s == 50
    assert level.retry_after() == 4, "200 above the mark at which it opens"


def test_an_idle_time_does_not_make_it_look_slow() -> None:
    level = Level(most=1000).counted(1000, 1000, 1.0).counted(500, 0, 1.0)
    for _ in range(100):
        level = level.counted(0, 0, 1.0)
    assert level.per_s == 500


@pytest.mark.parametrize("counts", [1, 50])
def test_where_nothing_is_carried_off_the_wait_is_the_longest(counts: int) -> None:
    level = Level(most=100)
    for _ in range(counts + 1):
        level = level.counted(150, 0, 1.0)
    assert level.retry_after() == 30


def test_where_the_rate_is_not_known_yet_the_wait_is_short() -> None:
    assert Level(most=100).arrived(500).retry_after() == 1


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.none() | st.floats(0, 10**6))
def test_a_wait_is_between_one_second_and_half_a_minute(most: int, waiting: int, per_s: float | None) -> None:
    assert 1 <= Level(most, waiting, per_s).retry_after() <= 30


@given(st.integers(1, 60), st.integers())
def test_waits_are_spread_and_never_shortened(seconds: int, seed: int) -> None:
    assert seconds <= spread(seconds, random.Random(seed)) <= 2 * seconds
