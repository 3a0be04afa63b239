"""Clocks of cases against known faults of other systems, and their laws."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.caseclock import (
    ClockState,
    Pause,
    before_due,
    counted,
    meet,
    next_notice,
    noted,
    notices,
    pause,
    recount,
    reopen,
    resume,
    start,
    used_s,
)
from contracts.service_calendar import AROUND_THE_CLOCK, BUILTIN, ServiceCalendar
from tests.service.clockwork import DAYS, HOUR, MINUTE, a_calendar, here

NINE_TO_FIVE = a_calendar(("09:00", "17:00"))
OFFICE = BUILTIN["cn-office"]


def due(clock: ClockState) -> datetime:
    assert clock.due is not None
    return clock.due


def test_an_hour_of_friday_afternoon_ends_on_monday() -> None:
    clock = start("first_response", HOUR, here("2026-11-20T16:30"), NINE_TO_FIVE)
    assert due(clock) == here("2026-11-23T09:30")


def test_an_hour_before_the_deadline_is_not_at_midnight() -> None:
    calendar = a_calendar(("08:00", "18:00"))
    clock = start("resolution", 3 * HOUR, here("2026-11-24T08:00"), calendar)
    assert due(clock) == here("2026-11-24T11:00")
    assert before_due(clock, calendar, HOUR) == here("2026-11-24T10:00")
    # Of a deadline early in the morning it is in the evening before.
    early = start("resolution", 3 * HOUR, here("2026-11-23T15:30"), calendar)
    assert (due(early), before_due(early, calendar, HOUR)) == (here("2026-11-24T08:30"), here("2026-11-23T17:30"))


def test_two_days_of_working_time_over_two_holidays_are_six_days_later() -> None:
    """Of 9 November at 23:00, with twelve hours a day: 48 hours are four days, and two are off."""
    calendar = a_calendar(("09:00", "21:00"), days=DAYS, closed=("2026-11-11", "2026-11-12"))
    clock = start("resolution", 48 * HOUR, here("2026-11-09T23:00"), calendar)
    assert due(clock) == here("2026-11-15T21:00")


def test_a_pause_moves_the_deadline_by_the_working_time_it_lasts() -> None:
    """Not by the time of the clock, and each pause anew, not the last alone."""
    clock = start("resolution", 4 * HOUR, here("2026-11-20T09:00"), NINE_TO_FIVE)
    clock = resume(pause(clock, here("2026-11-20T10:00"), NINE_TO_FIVE), here("2026-11-20T10:30"), NINE_TO_FIVE)
    assert due(clock) == here("2026-11-20T13:30")
    clock = pause(clock, here("2026-11-20T12:00"), NINE_TO_FIVE)
    assert (clock.due, clock.stands) == (None, True)
    # Over the weekend: five hours of Friday and one of Monday.
    clock = resume(clock, here("2026-11-23T10:00"), NINE_TO_FIVE)
    assert due(clock) == here("2026-11-23T11:30")


def test_a_make_up_workday_counts_and_the_holiday_does_not() -> None:
    clock = start("resolution", 9 * HOUR, here("2026-02-14T14:30"), OFFICE)
    assert due(clock) == here("2026-02-24T15:30")
    assert [one.kind for one in counted(clock, OFFICE)] == ["make_up", "plain", "plain"]


def test_around_the_clock_has_no_gap_at_midnight() -> None:
    clock = start("first_response", 48 * HOUR, here("2026-11-20T16:30"), AROUND_THE_CLOCK)
    assert due(clock) == here("2026-11-22T16:30")


def test_warnings_come_once_and_then_the_breach() -> None:
    clock = start("resolution", 8 * HOUR, here("2026-11-23T09:00"), NINE_TO_FIVE)
    assert next_notice(clock, NINE_TO_FIVE) == here("2026-11-23T13:00")
    assert notices(clock, NINE_TO_FIVE, here("2026-11-23T12:59")) == []
    said = notices(clock, NINE_TO_FIVE, here("2026-11-23T15:00"))
    assert [(one.percent, one.at) for one in said] == [(50, here("2026-11-23T13:00")), (75, here("2026-11-23T15:00"))]
    clock = noted(clock, said)
    assert notices(clock, NINE_TO_FIVE, here("2026-11-23T15:00")) == []
    rest = notices(clock, NINE_TO_FIVE, here("2026-11-24T09:00"))
    assert [one.percent for one in rest] == [90, 100]
    clock = noted(clock, rest)
    assert (clock.breached_at, next_notice(clock, NINE_TO_FIVE)) == (here("2026-11-23T17:00"), None)


def test_a_clock_that_stands_warns_of_nothing_to_come() -> None:
    clock = start("resolution", 8 * HOUR, here("2026-11-23T09:00"), NINE_TO_FIVE)
    clock = pause(clock, here("2026-11-23T13:30"), NINE_TO_FIVE)
    assert next_notice(clock, NINE_TO_FIVE) == here("2026-11-23T13:00")
    assert next_notice(noted(clock, notices(clock, NINE_TO_FIVE, here("2026-11-30T09:00"))), NINE_TO_FIVE) is None


def test_met_late_is_a_breach_that_nobody_needs_to_have_noticed() -> None:
    clock = start("first_response", HOUR, here("2026-11-23T09:00"), NINE_TO_FIVE)
    assert meet(clock, here("2026-11-23T09:59:59"), NINE_TO_FIVE).breached_at is None
    assert meet(clock, here("2026-11-23T10:00"), NINE_TO_FIVE).breached_at == here("2026-11-23T10:00")
    assert meet(clock, here("2026-11-23T10:01"), NINE_TO_FIVE).breached_at == here("2026-11-23T10:00")
    stood = pause(clock, here("2026-11-23T09:30"), NINE_TO_FIVE)
    assert meet(stood, here("2026-11-25T09:30"), NINE_TO_FIVE).breached_at is None


@pytest.mark.parametrize("stood", [True, False])
def test_reopened_it_has_what_was_left(stood: bool) -> None:
    clock = start("resolution", 4 * HOUR, here("2026-11-23T09:00"), NINE_TO_FIVE)
    if stood:
        clock = pause(clock, here("2026-11-23T10:00"), NINE_TO_FIVE)
    clock = meet(clock, here("2026-11-23T10:00" if not stood else "2026-11-24T12:00"), NINE_TO_FIVE)
    clock = reopen(clock, here("2026-11-26T09:00"), NINE_TO_FIVE)
    assert (clock.met_at, due(clock)) == (None, here("2026-11-26T12:00"))
    assert clock.pauses == [Pause(start=here("2026-11-23T10:00"), end=here("2026-11-26T09:00"))]


def test_another_calendar_moves_what_is_open_and_says_from_what_to_what() -> None:
    clock = start("resolution", 4 * HOUR, here("2026-11-20T15:00"), NINE_TO_FIVE)
    weekend = a_calendar(("09:00", "17:00"), days=DAYS, version=2)
    new, moved = recount(clock, weekend)
    assert moved is not None
    assert (moved.due_before, moved.due) == (here("2026-11-23T11:00"), here("2026-11-21T11:00"))
    assert (moved.calendar_before, moved.calendar, new.calendar) == ("made@1", "made@2", "made@2")
    assert recount(new, weekend) == (new, None)
    for ended in (
        meet(clock, here("2026-11-20T16:00"), NINE_TO_FIVE),
        noted(clock, notices(clock, NINE_TO_FIVE, here("2026-11-30T11:00"))),
    ):
        assert recount(ended, weekend, 60) == (ended, None)


@st.composite
def lives(draw: st.DrawFn) -> tuple[ServiceCalendar, ClockState, list[datetime]]:
    """A clock that was stopped and went on at any moments, some out of order."""
    calendar = draw(st.sampled_from([NINE_TO_FIVE, *BUILTIN.values()]))
    begun = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=draw(st.integers(0, 360 * 1440)))
    clock = start("resolution", draw(st.integers(1, 3000)) * MINUTE, begun, calendar)
    moments = [begun + timedelta(minutes=one) for one in draw(st.lists(st.integers(-100, 20_000), max_size=8))]
    for number, at in enumerate(moments):
        clock = (resume if number % 2 else pause)(clock, at, calendar)
    return calendar, clock, moments


@settings(max_examples=150, deadline=None)
@given(lives())
def test_the_hours_that_count_are_the_target(life: tuple[ServiceCalendar, ClockState, list[datetime]]) -> None:
    calendar, clock, _ = life
    total = sum(one.seconds for one in counted(clock, calendar))
    if clock.due is None:
        assert clock.stands and total == used_s(clock, calendar, clock.pauses[-1].start) < clock.target_s
    else:
        assert total == clock.target_s == used_s(clock, calendar, clock.due)
    assert all(one.end is not None and one.start < one.end for one in clock.pauses[:-1])
    assert all(a.end is not None and a.end <= b.start for a, b in zip(clock.pauses, clock.pauses[1:], strict=False))


@settings(max_examples=100, deadline=None)
@given(lives(), st.integers(0, 50_000))
def test_a_pause_never_brings_a_deadline_nearer(
    life: tuple[ServiceCalendar, ClockState, list[datetime]], later: int
) -> None:
    calendar, clock, _ = life
    if not clock.runs or clock.due is None:
        return
    at = clock.started_at + timedelta(minutes=later)
    stopped = pause(clock, at, calendar)
    went_on = resume(stopped, at + timedelta(hours=30), calendar)
    assert went_on.due is not None and went_on.due >= clock.due
    assert resume(stopped, stopped.pauses[-1].start, calendar).due == clock.due
