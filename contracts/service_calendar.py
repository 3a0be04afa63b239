"""Working calendars of customer service, by id and version: whose hours, whose holidays, in which time zone."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints, field_validator

from contracts.base import Moment, Request
from contracts.hours import TIME_ZONE, Hours, Period, TimeZone
from contracts.requirements import Words
from contracts.worktime import OFFICE, WorkCalendar

CalendarId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class CalendarDraft(Request):
    """A calendar as a caller describes it. The version is given by the system."""

    id: CalendarId
    title: Words
    zone: TimeZone = TIME_ZONE
    work: WorkCalendar

    @field_validator("work")
    @classmethod
    def _has_hours(cls, work: WorkCalendar) -> WorkCalendar:
        if not any(getattr(work.hours, day) for day in _DAYS):
            raise ValueError("hours has no period at all, so that nothing would ever be due; add one")
        return work


class ServiceCalendar(CalendarDraft):
    """One version of it, which never changes."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: int = Field(default=1, ge=1, le=999_999)
    at: Moment | None = Field(default=None, description="When it was made; null: the system brings it with it.")

    @property
    def pinned(self) -> str:
        return f"{self.id}@{self.version}"


def _week(*periods: tuple[str, str], days: tuple[str, ...] = _DAYS) -> Hours:
    return Hours.model_validate(
        {day: [Period(opens=opens, closes=closes) for opens, closes in periods] for day in days}
    )


AROUND_THE_CLOCK = ServiceCalendar(
    id="around-the-clock",
    title=Words(zh="全天候", en="Around the clock"),
    work=WorkCalendar(hours=_week(("00:00", "23:59")), holidays=None),
)
BUILTIN: Mapping[str, ServiceCalendar] = {
    one.id: one
    for one in (
        AROUND_THE_CLOCK,
        ServiceCalendar(id="cn-office", title=Words(zh="工作日", en="Office hours in China"), work=OFFICE),
        ServiceCalendar(
            id="cn-service",
            title=Words(zh="每日客服时间", en="Service hours, every day"),
            work=WorkCalendar(hours=_week(("08:00", "12:00"), ("13:00", "22:00")), holidays=None),
        ),
    )
}
"""What counts as long as no version of these ids is kept."""
