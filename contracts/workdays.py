"""Whole working days: Monday to Friday, without public holidays, with the weekends that are worked instead. Pure.

A lead time is the number of working days after the day on which the goods were ordered, up to and with the day on which
they came: ordered on Monday and there on Wednesday is two. What comes on a free day counts as on the last working day.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import PlainSerializer

from contracts.base import milliseconds
from contracts.hours import TIME_ZONE
from contracts.worktime import Region, day_kind

_SATURDAY = 5

Day = Annotated[date, PlainSerializer(date.isoformat, return_type=str)]
"""A calendar day, kept and sent as `2026-03-31`: the database knows moments only."""


def is_workday(region: Region | None, day: date) -> bool:
    """`region` None: weekends are free, and nothing else."""
    kind = day_kind(region, day)
    return kind == "make_up" or (kind == "plain" and day.weekday() < _SATURDAY)


def workdays_between(region: Region | None, start: date, end: date) -> int:
    """Working days after `start`, up to and with `end`; below zero when `end` is the earlier one."""
    if end < start:
        return -workdays_between(region, end, start)
    return sum(is_workday(region, start + timedelta(days=n)) for n in range(1, (end - start).days + 1))


def add_workdays(region: Region | None, start: date, days: int) -> date:
    """The working day that is `days` working days after `start`; with 0 the first one from `start` on."""
    day, left = start, days
    while left > 0 or not is_workday(region, day):
        day += timedelta(days=1)
        if left and is_workday(region, day):
            left -= 1
    return day


def day_of(moment: datetime, zone: str = TIME_ZONE) -> date:
    """The day there at a moment."""
    return moment.astimezone(ZoneInfo(zone)).date()


def end_of_day(day: date, zone: str = TIME_ZONE) -> datetime:
    """The first moment after a day there, in UTC."""
    return milliseconds(datetime.combine(day + timedelta(days=1), time.min, ZoneInfo(zone)).astimezone(UTC))
