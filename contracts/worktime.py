"""Time counted while people work: hours by the week, public holidays, and weekends on which one works instead. Pure.

Days of China come from contracts/data/workdays.json. A year whose notice is not out has its statutory days only and is
`provisional`: what is counted in it may come out otherwise when the table has it, but it is always counted.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from contracts.base import Request
from contracts.hours import Hours, Period

Region = Literal["CN"]
DayKind = Literal["plain", "holiday", "make_up"]
"""make_up: a Saturday or Sunday on which one works, because a day of the week is free instead."""
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

_DAYS_LOOKED_AHEAD = 2_000
_LAST_MINUTE = time(23, 59)
_OFFICE = [Period(opens="09:00", closes="12:00"), Period(opens="13:30", closes="18:30")]


class WorkCalendar(Request):
    """When one works. `hours` by the week, with days off of one's own; `holidays`: whose public holidays are off."""

    hours: Hours
    holidays: Region | None = "CN"
    make_up: Weekday = Field(default="monday", description="Whose hours count on a weekend that is worked instead.")

    def on(self, day: date) -> list[tuple[time, time]]:
        """Periods of a day, in their order."""
        kind = day_kind(self.holidays, day)
        if kind == "holiday" or day in self.hours.closed:
            return []
        if kind == "make_up":
            return sorted(
                (time.fromisoformat(p.opens), time.fromisoformat(p.closes)) for p in getattr(self.hours, self.make_up)
            )
        return self.hours.on(day)


OFFICE = WorkCalendar(hours=Hours(monday=_OFFICE, tuesday=_OFFICE, wednesday=_OFFICE, thursday=_OFFICE, friday=_OFFICE))
"""Eight hours a day with a break at noon, Monday to Friday."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A stretch that counts, in UTC. `provisional`: in a year whose holidays are not published."""

    start: datetime
    end: datetime
    kind: DayKind = "plain"
    provisional: bool = False

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True, slots=True)
class WorkTime:
    """A moment that was reckoned, and how: the stretches that count, in their order.

    `by_the_clock`: the calendar has no time to work for years, so that seconds of the clock were counted.
    """

    moment: datetime
    counted: tuple[Counted, ...] = ()
    by_the_clock: bool = False

    @property
    def provisional(self) -> bool:
        return any(stretch.provisional for stretch in self.counted)

    def words(self, zone: str) -> str:
        """For people, by days of the place, such as `2026-02-14 09:00-12:00 (make-up workday)`."""
        here = ZoneInfo(zone)
        names = {"plain": "", "holiday": "", "make_up": " (make-up workday)"}
        return "; ".join(
            f"{one.start.astimezone(here):%Y-%m-%d %H:%M}-{one.end.astimezone(here):%H:%M}{names[one.kind]}"
            f"{' (holidays not published)' if one.provisional else ''}"
            for one in self.counted
        )


@cache
def _table() -> dict[int, tuple[bool, frozenset[str], frozenset[str]]]:
    """By year: whether it is provisional, days off and make-up workdays as `MM-DD`."""
    kept = json.loads(files("contracts").joinpath("data/workdays.json").read_text(encoding="utf-8"))
    return {
        int(year): (days["provisional"], frozenset(days["off"]), frozenset(days["work"]))
        for year, days in kept["years"].items()
    }


@cache
def edition() -> str:
    """Tells one table of days from another: what was reckoned by an older one may come out otherwise."""
    return hashlib.sha256(files("contracts").joinpath("data/workdays.json").read_bytes()).hexdigest()[:12]


def day_kind(region: Region | None, day: date) -> DayKind:
    """What the region's public holidays make of a day. A year that no table has is plain."""
    known = _table().get(day.year) if region == "CN" else None
    if known is None:
        return "plain"
    _, off, work = known
    name = f"{day:%m-%d}"
    return "holiday" if name in off else "make_up" if name in work else "plain"


def is_provisional(region: Region | None, day: date) -> bool:
    """Whether the holidays of its year may still change."""
    if region is None:
        return False
    known = _table().get(day.year)
    return known is None or known[0]


def add_work_time(calendar: WorkCalendar, zone: str, moment: datetime, seconds: float) -> datetime:
    """The moment at which so many seconds of working time have passed since `moment`, in UTC.

    It is never at the end of a break: what is full at noon is due at noon.
    """
    return reckon(calendar, zone, moment, seconds).moment


def reckon(calendar: WorkCalendar, zone: str, moment: datetime, seconds: float) -> WorkTime:
    """As `add_work_time`, with the hours that counted."""
    start, left = moment.astimezone(UTC), timedelta(seconds=seconds)
    if left <= timedelta(0):
        return WorkTime(start)
    counted: list[Counted] = []
    for stretch in work_from(calendar, zone, start):
        end = min(stretch.end, stretch.start + left)
        counted.append(Counted(stretch.start, end, stretch.kind, stretch.provisional))
        left -= end - stretch.start
        if left <= timedelta(0):
            return WorkTime(end, tuple(counted))
    return WorkTime(start + timedelta(seconds=seconds), by_the_clock=True)


def work_between(calendar: WorkCalendar, zone: str, start: datetime, end: datetime) -> float:
    """Seconds of working time from one moment to another; none when the second is not later."""
    total = timedelta(0)
    for stretch in work_from(calendar, zone, start):
        if stretch.start >= end:
            break
        total += min(stretch.end, end) - stretch.start
    return total.total_seconds()


def work_from(calendar: WorkCalendar, zone: str, moment: datetime) -> Iterator[Counted]:
    """Stretches of work that end after `moment`, the running one from `moment` on; for some five years.

    Periods that touch or overlap are one. One that closes at 23:59 lasts until midnight, since no later time of the day
    can be written: so a night in two periods has no gap, and a day may be whole. Reckoned in UTC, so that an hour is an
    hour when clocks are put forward.
    """
    here = ZoneInfo(zone)
    today = moment.astimezone(here).date()
    until = moment.astimezone(UTC)
    for ahead in range(_DAYS_LOOKED_AHEAD):
        day = today + timedelta(days=ahead)
        kind, provisional = day_kind(calendar.holidays, day), is_provisional(calendar.holidays, day)
        for opens, closes in calendar.on(day):
            start = max(until, datetime.combine(day, opens, here).astimezone(UTC))
            end = _closing(day, closes, here)
            if end > start:
                until = end
                yield Counted(start, end, kind, provisional)


def _closing(day: date, closes: time, here: ZoneInfo) -> datetime:
    if closes == _LAST_MINUTE:
        return datetime.combine(day + timedelta(days=1), time(0), here).astimezone(UTC)
    return datetime.combine(day, closes, here).astimezone(UTC)
