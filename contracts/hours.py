"""Opening hours of a place in its own time zone, and time counted while it is open. Pure."""

from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, model_validator

from contracts.base import Request
from contracts.carriers import ClockTime

TIME_ZONE = "Asia/Shanghai"
_DAYS_LOOKED_AHEAD = 60


def _known_zone(name: str) -> str:
    if name not in _zones():
        raise ValueError(f"{name} is not a time zone of the IANA database; write one such as {TIME_ZONE}")
    return name


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


TimeZone = Annotated[str, AfterValidator(_known_zone), Field(description="IANA name.", examples=[TIME_ZONE])]


class Period(Request):
    """From opening to closing on one day. Past midnight: two periods, one until 23:59."""

    opens: ClockTime
    closes: ClockTime

    @model_validator(mode="after")
    def _in_order(self) -> "Period":
        if self.opens >= self.closes:
            raise ValueError("closes must be later than opens; a period past midnight is written as two")
        return self


class Hours(Request):
    """When a place is open. A day of the week without periods is a day off; `closed` names further days off."""

    monday: list[Period] = Field(default=[], max_length=6)
    tuesday: list[Period] = Field(default=[], max_length=6)
    wednesday: list[Period] = Field(default=[], max_length=6)
    thursday: list[Period] = Field(default=[], max_length=6)
    friday: list[Period] = Field(default=[], max_length=6)
    saturday: list[Period] = Field(default=[], max_length=6)
    sunday: list[Period] = Field(default=[], max_length=6)
    closed: list[date] = Field(default=[], max_length=400)

    def on(self, day: date) -> list[tuple[time, time]]:
        """Periods of a day, in their order."""
        if day in self.closed:
            return []
        by_weekday = (
            self.monday,
            self.tuesday,
            self.wednesday,
            self.thursday,
            self.friday,
            self.saturday,
            self.sunday,
        )
        return sorted((time.fromisoformat(p.opens), time.fromisoformat(p.closes)) for p in by_weekday[day.weekday()])


def periods_from(hours: Hours, zone: str, moment: datetime) -> list[tuple[datetime, datetime]]:
    """Open periods that end after `moment`, the running one first, for the next 60 days; with the place's offset."""
    here = ZoneInfo(zone)
    today = moment.astimezone(here).date()
    found = []
    for ahead in range(_DAYS_LOOKED_AHEAD):
        day = today + timedelta(days=ahead)
        for opens, closes in hours.on(day):
            start, end = datetime.combine(day, opens, here), datetime.combine(day, closes, here)
            if end > moment:
                found.append((start, end))
    return found


def add_open_time(hours: Hours | None, zone: str, moment: datetime, seconds: float) -> datetime:
    """The moment at which the place has been open for so many seconds since `moment`, in UTC of `moment`'s zone.

    A place that is not open within 60 days counts as always open, so that every deadline ends.
    """
    span = timedelta(seconds=seconds)
    if hours is None:
        return moment + span
    for start, end in periods_from(hours, zone, moment):
        begins = max(start, moment)
        if begins + span <= end:
            return (begins + span).astimezone(moment.tzinfo)
        span -= end - begins
    return moment + timedelta(seconds=seconds)
