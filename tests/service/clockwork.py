"""Calendars and moments for tests of service clocks."""

from datetime import datetime
from zoneinfo import ZoneInfo

from contracts.hours import Hours, Period
from contracts.requirements import Words
from contracts.service_calendar import ServiceCalendar
from contracts.worktime import Region, WorkCalendar

SHANGHAI = "Asia/Shanghai"
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MINUTE, HOUR = 60, 3600


def here(text: str, zone: str = SHANGHAI) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def a_calendar(
    *periods: tuple[str, str],
    days: tuple[str, ...] = DAYS[:5],
    holidays: Region | None = None,
    zone: str = SHANGHAI,
    closed: tuple[str, ...] = (),
    version: int = 1,
) -> ServiceCalendar:
    week = {day: [Period(opens=opens, closes=closes) for opens, closes in periods] for day in days}
    return ServiceCalendar(
        id="made",
        version=version,
        title=Words(zh="试", en="made"),
        zone=zone,
        work=WorkCalendar(hours=Hours.model_validate({**week, "closed": closed}), holidays=holidays),
    )
