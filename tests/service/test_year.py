"""A year of deadlines against counting every minute, by calendars that know nothing of ours: exact to the minute."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import chinese_calendar
import numpy as np
import pytest

from contracts.caseclock import pause, reached, resume, start, used_s
from contracts.hours import Hours, Period
from contracts.service_calendar import AROUND_THE_CLOCK, BUILTIN, ServiceCalendar
from contracts.worktime import WorkCalendar
from tests.service.clockwork import DAYS

FIRST, DAYS_KNOWN = date(2025, 6, 1), 579
"""Until the end of 2026, the last day of which the holidays are published."""
MINUTES = DAYS_KNOWN * 1440


def lunch_and_evening(zone: str = "Asia/Shanghai") -> ServiceCalendar:
    """Three periods a day that touch and overlap, a night shift, Sundays off, a day off of one's own."""
    plain = [
        Period(opens="08:30", closes="12:00"),
        Period(opens="12:00", closes="12:30"),
        Period(opens="13:00", closes="18:00"),
    ]
    friday = [*plain, Period(opens="17:00", closes="23:59")]
    saturday = [Period(opens="00:00", closes="02:00")]
    week = {**dict.fromkeys(DAYS[:4], plain), "friday": friday, "saturday": saturday}
    hours = Hours.model_validate({**week, "closed": ["2026-03-09"]})
    return ServiceCalendar(
        id="mixed", title=AROUND_THE_CLOCK.title, zone=zone, work=WorkCalendar(hours=hours, make_up="friday")
    )


def minutes_worked(calendar: ServiceCalendar) -> np.ndarray:
    """For every minute of the time whether one works in it: by the wall clock of the place and the package's days."""
    here = ZoneInfo(calendar.zone)
    begun = datetime.combine(FIRST, datetime.min.time(), UTC)
    worked = np.zeros(MINUTES, dtype=bool)
    day, periods = FIRST - timedelta(days=9), list[tuple[int, int]]()
    for number in range(MINUTES):
        local = (begun + timedelta(minutes=number)).astimezone(here)
        if local.day != day.day:
            day = local.date()
            periods = _periods(calendar.work, day)
        clock = local.hour * 60 + local.minute
        worked[number] = any(opens <= clock < closes for opens, closes in periods)
    return worked


def _periods(work: WorkCalendar, day: date) -> list[tuple[int, int]]:
    """Of a day, in minutes since midnight."""
    if day in work.hours.closed or day.year > 2026:
        return []
    weekday = DAYS[day.weekday()]
    if work.holidays == "CN":
        if day in chinese_calendar.constants.holidays:
            return []
        if day in chinese_calendar.constants.workdays:
            weekday = work.make_up
    return [
        (_minute(one.opens), 1440 if one.closes == "23:59" else _minute(one.closes))
        for one in getattr(work.hours, weekday)
    ]


def _minute(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "calendar",
    [BUILTIN["cn-office"], BUILTIN["cn-service"], lunch_and_evening(), lunch_and_evening("America/New_York")],
    ids=["office", "service", "mixed", "mixed, where clocks are put forward"],
)
def test_a_year_of_deadlines_is_exact_to_the_minute(calendar: ServiceCalendar) -> None:
    """A case every 83 minutes of a year, each with a target of its own; every third was stopped twice."""
    worked = minutes_worked(calendar)
    so_far = np.concatenate([[0], np.cumsum(worked)])
    """Minutes worked before each minute."""
    begun = datetime.combine(FIRST, datetime.min.time(), UTC)

    def moment(minute: int) -> datetime:
        return begun + timedelta(minutes=minute)

    def after(minute: int, count: int) -> int:
        """The minute at whose beginning so many have been worked since another, counted one by one."""
        return int(np.searchsorted(so_far, so_far[minute] + count, side="left"))

    compared = 0
    for opened in range(1_440, 366 * 1440, 83):
        target = 5 + opened * 7 % 2_600
        clock = start("resolution", target * 60, moment(opened), calendar)
        left, since = target, opened
        if opened % 3 == 0:
            for stop in (opened + opened % 500, opened + 2_000 + opened % 900):
                on = stop + 1 + opened % 1_500
                if stop < since or so_far[stop] - so_far[since] >= left:
                    continue
                left, since = left - int(so_far[stop] - so_far[since]), on
                clock = resume(pause(clock, moment(stop), calendar), moment(on), calendar)
        expected = after(since, left)
        assert clock.due == moment(expected), (moment(opened), target, clock)
        assert used_s(clock, calendar, moment(expected)) == target * 60
        half = reached(clock, calendar, 1)
        assert half is not None and half <= clock.due
        compared += 1
    assert compared > 6_000
