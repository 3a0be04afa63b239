"""Who is on duty, when the next one is, and where nobody is. Pure; moments are UTC."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from contracts.service_calendar import ServiceCalendar
from contracts.service_teams import DutyChange, Rota, RotaDraft
from contracts.worktime import day_kind

_DAY = timedelta(days=1)
_LOOKED_AHEAD = timedelta(days=21)
"""Longer than any holiday with the weekends around it."""
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True, order=True)
class OnDuty:
    """A stretch in which somebody is on duty."""

    start: datetime
    end: datetime
    agent: str


def duties(
    rota: RotaDraft, calendar: ServiceCalendar | None, start: datetime, end: datetime, *, agent: str | None = None
) -> list[OnDuty]:
    """Stretches that touch the time from `start` to `end`, whole, by their beginning; those of an agent that touch or
    overlap are one. `calendar`: the one that the rota names, of which only the days count."""
    by_agent: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    by_day = _by_day(rota)
    here = ZoneInfo(rota.zone)
    day, last = start.astimezone(here).date() - 2 * _DAY, end.astimezone(here).date() + 2 * _DAY
    while day <= last:
        for name, begins, minutes in by_day.get(_place(rota, calendar, day), ()):
            if agent is None or name == agent:
                begun = datetime.combine(day, begins, here).astimezone(UTC)
                by_agent[name].append((begun, begun + timedelta(minutes=minutes)))
        day += _DAY
    for change in rota.changes:
        # What lies far away changes nothing here.
        if change.end > start - 2 * _DAY and change.start < end + 2 * _DAY and agent in (None, change.agent):
            by_agent[change.agent] = _changed(by_agent[change.agent], change)
    return sorted(
        OnDuty(begun, ended, name)
        for name, stretches in by_agent.items()
        for begun, ended in _joined(stretches)
        if begun < end and ended > start
    )


def on_duty(rota: Rota, calendar: ServiceCalendar | None, at: datetime) -> dict[str, OnDuty]:
    """By agent; who ends in this moment is not, who begins is."""
    return {one.agent: one for one in duties(rota, calendar, at, at + timedelta(milliseconds=1)) if one.start <= at}


def next_duty(rota: Rota, calendar: ServiceCalendar | None, agents: Collection[str], at: datetime) -> datetime | None:
    """When the next of these agents comes on duty, after `at`; None: nobody within three weeks."""
    return min(
        (one.start for one in duties(rota, calendar, at, at + _LOOKED_AHEAD) if one.agent in agents and one.start > at),
        default=None,
    )


def gaps(
    rota: RotaDraft, calendar: ServiceCalendar | None, start: datetime, end: datetime
) -> list[tuple[datetime, datetime]]:
    """Where nobody is on duty between two moments."""
    found, covered = [], start
    for one in duties(rota, calendar, start, end):
        if one.start > covered:
            found.append((covered, one.start))
        covered = max(covered, one.end)
    return [*found, (covered, end)] if covered < end else found


def _by_day(rota: RotaDraft) -> dict[int, list[tuple[str, time, int]]]:
    found: dict[int, list[tuple[str, time, int]]] = defaultdict(list)
    for one in rota.duties:
        found[one.day].append((one.agent, time.fromisoformat(one.begins), one.minutes))
    return found


def _place(rota: RotaDraft, calendar: ServiceCalendar | None, day: date) -> int:
    """Which day of the cycle a day is; -1: nobody works."""
    if calendar is not None:
        kind = day_kind(calendar.work.holidays, day)
        if kind == "holiday" or day in calendar.work.hours.closed:
            return -1
        if kind == "make_up":
            return _WEEKDAYS.index(calendar.work.make_up)
    return (day - rota.anchor).days % rota.cycle_days


def _changed(stretches: list[tuple[datetime, datetime]], change: DutyChange) -> list[tuple[datetime, datetime]]:
    if change.on:
        return [*stretches, (change.start, change.end)]
    left = []
    for begun, ended in stretches:
        left.append((begun, min(ended, change.start)))
        left.append((max(begun, change.end), ended))
    return [(begun, ended) for begun, ended in left if begun < ended]


def _joined(stretches: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    joined: list[tuple[datetime, datetime]] = []
    for begun, ended in sorted(stretches):
        if joined and begun <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], ended))
        else:
            joined.append((begun, ended))
    return joined
