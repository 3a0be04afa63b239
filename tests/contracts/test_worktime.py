"""Working time against counting minute by minute, and the table of holidays against those it was made from."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import chinese_calendar
import holidays
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.hours import Hours, Period
from contracts.worktime import (
    OFFICE,
    WorkCalendar,
    add_work_time,
    day_kind,
    is_provisional,
    reckon,
    work_between,
)

SHANGHAI = "Asia/Shanghai"
MINUTE = timedelta(minutes=1)
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
NINE_TO_FIVE = [Period(opens="09:00", closes="17:00")]
PLAIN = WorkCalendar(hours=Hours(**dict.fromkeys(DAYS[:5], NINE_TO_FIVE)), holidays=None)


def here(text: str, zone: str = SHANGHAI) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def worked(calendar: WorkCalendar, zone: str, moment: datetime) -> bool:
    """Whether one works in the minute that begins at a moment; by the packages, not by our table."""
    local = moment.astimezone(ZoneInfo(zone))
    day = local.date()
    name = DAYS[day.weekday()]
    if day in calendar.hours.closed:
        return False
    if calendar.holidays is not None and not _is_working(day):
        if day.weekday() < 5 or _is_holiday(day):
            return False
    elif calendar.holidays is not None and day.weekday() >= 5:
        name = calendar.make_up
    return any(
        p.opens <= f"{local:%H:%M}" < ("24:00" if p.closes == "23:59" else p.closes)
        for p in getattr(calendar.hours, name)
    )


def _is_working(day: date) -> bool:
    if day.year <= 2026:
        return bool(chinese_calendar.is_workday(day))
    return bool(holidays.country_holidays("CN").is_working_day(day))


def _is_holiday(day: date) -> bool:
    if day.year <= 2026:
        return bool(day in chinese_calendar.constants.holidays)
    return day in holidays.country_holidays("CN")


def minute_by_minute(calendar: WorkCalendar, zone: str, moment: datetime, minutes: int) -> datetime:
    at = moment.astimezone(UTC)
    while minutes:
        minutes -= worked(calendar, zone, at)
        at += MINUTE
    return at


@st.composite
def periods(draw: st.DrawFn) -> list[Period]:
    """Up to three a day, which may touch and overlap."""
    made = []
    for _ in range(draw(st.integers(0, 3))):
        opens = draw(st.integers(4 * 60, 22 * 60))
        closes = draw(st.integers(opens + 1, 23 * 60 + 59))
        made.append(Period(opens=f"{opens // 60:02}:{opens % 60:02}", closes=f"{closes // 60:02}:{closes % 60:02}"))
    return made


@st.composite
def calendars(draw: st.DrawFn) -> WorkCalendar:
    week: dict[str, Any] = {day: draw(periods()) for day in DAYS}
    week["wednesday"] = [*week["wednesday"], Period(opens="10:00", closes="11:00")]
    closed = draw(st.lists(st.dates(date(2025, 12, 1), date(2027, 3, 1)), max_size=3))
    region = draw(st.sampled_from(["CN", None]))
    return WorkCalendar(hours=Hours(**week, closed=closed), holidays=region, make_up=draw(st.sampled_from(DAYS)))


@settings(max_examples=60, deadline=None)
@given(
    calendar=calendars(),
    zone=st.sampled_from([SHANGHAI, "America/Sao_Paulo", "America/New_York", "Asia/Kathmandu"]),
    day=st.dates(date(2026, 1, 1), date(2026, 12, 30)),
    clock=st.times(),
    minutes=st.integers(1, 900),
)
def test_it_is_what_counting_minutes_gives(
    calendar: WorkCalendar, zone: str, day: date, clock: time, minutes: int
) -> None:
    begun = datetime.combine(day, clock.replace(second=0, microsecond=0), UTC)
    reckoned = reckon(calendar, zone, begun, minutes * 60)
    assert reckoned.moment == minute_by_minute(calendar, zone, begun, minutes)
    assert sum(one.seconds for one in reckoned.counted) == minutes * 60
    assert work_between(calendar, zone, begun, reckoned.moment) == minutes * 60
    assert all(a.end <= b.start for a, b in zip(reckoned.counted, reckoned.counted[1:], strict=False))


@given(st.integers(0, 400_000), st.integers(0, 400_000), st.dates(date(2018, 1, 1), date(2040, 1, 1)), st.times())
def test_time_adds_up(first: int, second: int, day: date, clock: time) -> None:
    begun = datetime.combine(day, clock, UTC)
    halfway = add_work_time(OFFICE, SHANGHAI, begun, first)
    assert begun <= halfway
    assert add_work_time(OFFICE, SHANGHAI, halfway, second) == add_work_time(OFFICE, SHANGHAI, begun, first + second)


@pytest.mark.parametrize(
    ("calendar", "begun", "hours", "due"),
    [
        # Friday afternoon, and the weekend between.
        (PLAIN, "2026-11-20T16:30", 1, "2026-11-23T09:30"),
        # Noon does not count; what is full at its beginning is due then.
        (OFFICE, "2026-11-23T11:00", 1, "2026-11-23T12:00"),
        (OFFICE, "2026-11-23T11:00", 2, "2026-11-23T14:30"),
        # Spring Festival of 2026: off from 15 to 23 February, worked on Saturday the 14th and the 28th.
        (OFFICE, "2026-02-13T18:00", 1, "2026-02-14T09:30"),
        (OFFICE, "2026-02-14T18:00", 1, "2026-02-24T09:30"),
        # National day of 2025: eight days off, one of them the Mid-Autumn Festival.
        (OFFICE, "2025-09-30T18:30", 8, "2025-10-09T18:30"),
        # A year whose holidays are not published: its statutory days are off.
        (OFFICE, "2026-12-31T18:00", 1, "2027-01-04T09:30"),
    ],
)
def test_due(calendar: WorkCalendar, begun: str, hours: float, due: str) -> None:
    assert add_work_time(calendar, SHANGHAI, here(begun), hours * 3600) == here(due)


def test_it_says_which_hours_counted() -> None:
    reckoned = reckon(OFFICE, SHANGHAI, here("2026-02-14T11:00"), 6 * 3600)
    assert reckoned.words(SHANGHAI) == (
        "2026-02-14 11:00-12:00 (make-up workday); 2026-02-14 13:30-18:30 (make-up workday)"
    )
    assert not reckoned.provisional
    later = reckon(OFFICE, SHANGHAI, here("2026-12-31T18:00"), 3600)
    assert later.words(SHANGHAI) == "2026-12-31 18:00-18:30; 2027-01-04 09:00-09:30 (holidays not published)"
    assert later.provisional


def test_a_calendar_without_hours_counts_by_the_clock() -> None:
    never = WorkCalendar(hours=Hours())
    reckoned = reckon(never, SHANGHAI, here("2026-11-23T11:00"), 3600)
    assert (reckoned.moment, reckoned.by_the_clock) == (here("2026-11-23T12:00"), True)


def test_the_table_is_what_the_packages_say() -> None:
    known = holidays.country_holidays("CN")
    day, published = date(2018, 1, 1), 0
    while day.year < 2037:
        works = day_kind("CN", day) == "make_up" or (day_kind("CN", day) == "plain" and day.weekday() < 5)
        assert works == known.is_working_day(day), day
        if day.year <= 2026:
            assert works == chinese_calendar.is_workday(day), day
            published += 1
        assert is_provisional("CN", day) == (day.year > 2026)
        day += timedelta(days=1)
    assert published == 9 * 365 + 2


@pytest.mark.parametrize("year", [1970, 2017, 2037, 8999])
def test_a_year_that_no_table_has_is_plain_and_provisional(year: int) -> None:
    assert (day_kind("CN", date(year, 10, 1)), is_provisional("CN", date(year, 10, 1))) == ("plain", True)
    begun = datetime(year, 6, 1, tzinfo=UTC)
    assert add_work_time(OFFICE, SHANGHAI, begun, 3600) > begun
