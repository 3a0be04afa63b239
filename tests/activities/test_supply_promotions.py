"""Planned promotions as shares by series and day: what holds where and when, and since when it was known."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from activities.supply.chunks import table_of
from activities.supply.promotions import (
    Days,
    Sold,
    named_before,
    named_by_series,
    named_by_sku,
    plans_of,
    pooled_plans,
)
from activities.supply.reckoning import AHEAD, Wanted, reckon
from activities.supply.table import plain_table
from activities.supply.watching import Watched, start_of
from contracts.promotions import Promotion, PromotionUpsert
from contracts.supply import SupplyPolicy

TODAY = date(2026, 3, 2)
AS_OF = start_of(TODAY) + timedelta(hours=3)
AHEAD_DAYS = Days(TODAY, 10, AS_OF)
TEA = Sold("a", "tea", "330106", "drinks")
CUP = Sold("a", "cup", "330106", "ware")
FAR = Sold("b", "tea", "440305", "drinks")
SERIES = [TEA, CUP, FAR]


def day(number: int) -> date:
    return TODAY + timedelta(days=number)


def planned(first: int = 2, last: int = 4, **fields: Any) -> Promotion:
    """Days are counted from today; written down a week before, unless said otherwise."""
    known = {"id": "p@1", "promotion": "p", "version": 1, "at": AS_OF - timedelta(days=7)}
    what = {} if "categories" in fields else {"skus": ["tea"]}
    days = {"first_day": day(first), "last_day": day(last)}
    return Promotion.model_validate({**known, **days, **what, **fields})


def days_of(plans: Any, row: int = 0) -> list[int]:
    return [int(number) for number in np.flatnonzero(plans[row])]


def test_it_holds_from_the_first_day_to_the_last_with_its_strength() -> None:
    plans = plans_of([planned(strength=0.8)], SERIES, AHEAD_DAYS)
    assert plans[0].tolist() == [0, 0, 0.8, 0.8, 0.8, 0, 0, 0, 0, 0]
    assert not plans[1].any() and plans[2].tolist() == plans[0].tolist()


@pytest.mark.parametrize(
    ("fields", "held"),
    [
        ({"skus": ["cup"]}, [1]),
        ({"categories": ["drinks"]}, [0, 2]),
        ({"categories": ["drinks"], "skus": ["cup"]}, [0, 1, 2]),
        ({"locations": ["b"]}, [2]),
        ({"divisions": ["33"]}, [0]),
        ({"divisions": ["33"], "locations": ["b"]}, [0, 2]),
        ({"divisions": ["51"]}, []),
        ({"active": False}, []),
    ],
)
def test_it_holds_for_what_it_names(fields: dict[str, Any], held: list[int]) -> None:
    plans = plans_of([planned(**fields)], SERIES, AHEAD_DAYS)
    assert [number for number in range(len(SERIES)) if plans[number].any()] == held


def test_what_reaches_beyond_the_days_is_cut_and_the_strongest_counts() -> None:
    both = [planned(-5, 3, strength=0.3), planned(2, 99, promotion="q", id="q@1", strength=0.6)]
    plans = plans_of(both, [TEA], AHEAD_DAYS)
    assert plans[0].tolist() == [0.3, 0.3, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6]
    assert not plans_of([planned(-9, -1), planned(10, 12)], [TEA], AHEAD_DAYS).any()
    last = planned(first_day=date.max, last_day=date.max)
    assert not plans_of([last], [TEA], AHEAD_DAYS).any()


def test_nobody_knows_of_it_before_it_is_written_down() -> None:
    late = planned(at=AS_OF + timedelta(seconds=1))
    assert not plans_of([late], [TEA], AHEAD_DAYS).any()
    assert plans_of([late], [TEA], replace(AHEAD_DAYS, as_of=AS_OF + timedelta(seconds=1))).any()


def test_a_day_that_was_over_when_it_was_entered_was_not_planned() -> None:
    past = Days(day(-10), 20, AS_OF)
    entered = planned(-8, 1, at=start_of(day(-3)) + timedelta(hours=12))
    assert days_of(plans_of([entered], [TEA], past)) == [7, 8, 9, 10, 11]


def test_a_new_version_counts_from_the_day_on_which_it_is_written() -> None:
    changed = start_of(day(-2)) + timedelta(hours=9)
    old = planned(-6, 3, at=AS_OF - timedelta(days=30), replaced_at=changed, strength=0.5)
    new = planned(-6, -1, id="p@2", version=2, at=changed, strength=0.9)
    whole = Days(day(-8), 16, AS_OF)
    assert plans_of([old, new], [TEA], whole)[0].tolist() == [0, 0, *[0.5] * 4, 0.9, 0.9, *[0] * 8]
    # As it was known the evening before.
    before = replace(whole, as_of=start_of(day(-2)))
    assert plans_of([old, new], [TEA], before)[0].tolist() == [0, 0, *[0.5] * 10, *[0] * 4]
    withdrawn = new.model_copy(update={"active": False})
    assert days_of(plans_of([old, withdrawn], [TEA], whole)) == [2, 3, 4, 5]


moments = st.integers(-20 * 24, 20 * 24).map(lambda hours: AS_OF + timedelta(hours=hours))


@st.composite
def histories(draw: st.DrawFn) -> list[Promotion]:
    """Promotions, each with versions one after the other."""
    found = []
    for number in range(draw(st.integers(1, 3))):
        times = sorted(draw(st.lists(moments, min_size=1, max_size=4, unique=True)))
        for version, (at, after) in enumerate(zip(times, [*times[1:], None], strict=True), 1):
            first = draw(st.integers(-15, 15))
            found.append(
                planned(
                    first,
                    first + draw(st.integers(0, 12)),
                    id=f"{number}@{version}",
                    promotion=f"{number}",
                    version=version,
                    at=at,
                    replaced_at=after,
                    active=draw(st.booleans()),
                    strength=draw(st.sampled_from([0.2, 0.5, 1.0])),
                    **draw(st.sampled_from([{"skus": ["tea"]}, {"categories": ["ware"]}, {"divisions": ["44"]}])),
                )
            )
    return found


def said_by_hand(history: list[Promotion], one: Sold, wanted: date, as_of: datetime) -> float:
    """Of each promotion, the newest version that was known before the day was over."""
    end = min(as_of, start_of(wanted + timedelta(days=1)) - timedelta(microseconds=1))
    newest = {row.promotion: row for row in sorted(history, key=lambda row: row.at) if row.at <= end}
    return max(
        (
            row.strength
            for row in newest.values()
            if row.active
            and row.first_day <= wanted <= row.last_day
            and row.holds_for(one.sku, one.category)
            and row.holds_at(one.location, one.division)
        ),
        default=0.0,
    )


@settings(max_examples=150, deadline=None)
@given(histories(), moments)
def test_each_day_is_planned_as_the_newest_version_that_was_known_says(
    history: list[Promotion], as_of: datetime
) -> None:
    days = Days(day(-12), 30, as_of)
    plans = plans_of(history, SERIES, days)
    for number, one in enumerate(SERIES):
        assert plans[number].tolist() == [said_by_hand(history, one, day(n - 12), as_of) for n in range(30)]
    later = [row.model_copy(update={"at": as_of + timedelta(minutes=1), "id": f"{row.id}x"}) for row in history]
    assert (plans_of([*history, *later], SERIES, days) == plans).all(), "what is written later changes nothing"


def test_a_region_is_planned_by_what_its_locations_sell() -> None:
    units = np.array([[3.0, 3.0], [9.0, 9.0], [1.0, 1.0]])
    plans = pooled_plans([planned(divisions=["33"], strength=0.8)], SERIES, units, ["cup", "tea"], AHEAD_DAYS)
    assert not plans[0].any()
    assert plans[1].tolist() == pytest.approx([0, 0, 0.6, 0.6, 0.6, 0, 0, 0, 0, 0])
    none = pooled_plans([planned(divisions=["33"])], SERIES, np.zeros((3, 2)), ["tea"], AHEAD_DAYS)
    assert none[0, 2] == 0.5


def test_those_within_the_days_are_named_once() -> None:
    rows = [planned(5, 6, id="q@1", promotion="q"), planned(-3, 2), planned(20, 21, id="r@1", promotion="r")]
    named = named_by_series(rows, SERIES, AHEAD_DAYS)
    assert [one.promotion for one in named["a", "tea"]] == ["p", "q"] and ("a", "cup") not in named
    assert [one.promotion for one in named_by_sku(named, "@east")["@east", "tea"]] == ["p", "q"]
    assert [one.promotion for one in named_before(named["b", "tea"], day(5))] == ["p"]


def test_days_that_are_over_tell_what_was_sold_and_else_what_was_planned() -> None:
    sold = np.array([[4.0, 0.0, 5.0]])
    parts = Watched([("a", "tea")], day(-3), sold, np.zeros((1, 3)), np.array([[1.0, 0.0, 5.0]]))
    whole = np.zeros((1, 3 + AHEAD))
    whole[0, [0, 1, 4]] = [0.9, 0.7, 0.6]
    table = table_of(parts, {}, sold, whole)
    assert table.plans[0, :6, 0].tolist() == [0.25, 0.7, 1.0, 0.0, 0.6, 0.0]
    assert table.plans.shape == (1, 3 + AHEAD, 1) and whole[0, 0] == 0.9


@pytest.mark.timeout(300)  # A forecast is learned, twice.
def test_what_is_planned_raises_what_is_expected_where_it_did_so_before() -> None:
    """A promotion of three days brings three times the demand, at other times for each series."""
    rng = np.random.default_rng(5)
    n, days = 90, 120
    plans = np.zeros((n, days + AHEAD, 1))
    for row in range(n):
        for begin in rng.choice(np.arange(0, days - 3, 4), 6, replace=False):
            plans[row, begin : begin + 3] = 1.0
    demand = rng.poisson(6 * (1 + 2 * plans[:, :days, 0])).astype(float)
    table = replace(plain_table(demand, start=TODAY - timedelta(days=days), ahead=AHEAD), plans=plans)
    wanted = [Wanted(key, "330106", "drinks", 2.0, 0.0) for key in table.series]
    policy = [SupplyPolicy(review_days=1)]
    without = reckon(table, wanted, policy, "r", TODAY)
    of_half = plans.copy()
    of_half[: n // 2, days : days + 3] = 1.0
    told = reckon(replace(table, plans=of_half), wanted, policy, "r", TODAY)
    rise = [after.forecast.mean / before.forecast.mean for before, after in zip(without, told, strict=True)]
    assert {one.forecast.model for one in told} == {"Boosted"}
    assert np.median(rise[: n // 2]) > 1.7 and rise[n // 2 :] == [1.0] * (n - n // 2)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"skus": []}, "name skus, categories"),
        ({"last_day": "2026-12-01"}, "last_day lies before first_day"),
        ({"last_day": "2028-12-12"}, "check the year of last_day"),
        ({"strength": 0}, "greater than 0"),
        ({"strength": 1.01}, "less than or equal to 1"),
        ({"skus": ["two words"]}, "pattern"),
    ],
)
def test_what_cannot_be_planned_is_refused(fields: dict[str, Any], words: str) -> None:
    good = {"id": "double-12", "first_day": "2026-12-10", "last_day": "2026-12-12", "skus": ["tea"]}
    assert PromotionUpsert.model_validate(good).strength == 1
    with pytest.raises(ValidationError, match=words):
        PromotionUpsert.model_validate({**good, **fields})


def test_a_day_is_one_of_china() -> None:
    """Written down at half past midnight there, which is the day before in UTC."""
    at = datetime(2026, 3, 1, 16, 30, tzinfo=UTC)
    entered = planned(-1, 0, at=at)
    assert days_of(plans_of([entered], [TEA], Days(day(-2), 4, at + timedelta(days=1)))) == [2]
