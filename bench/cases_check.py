"""Cases held against what was promised: deadlines counted minute by minute, breaches that were told, the ladder. Pure.

Deadlines are not taken from the clocks: from the starts and stops that a case has kept, the minutes that count are
counted one by one.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from activities.service.clocks import Promise, promise
from contracts.caseclock import ClockState
from contracts.cases import CaseRecord
from contracts.service_calendar import ServiceCalendar
from infra.service_book import Book

_MINUTE = timedelta(minutes=1)
_DAYS = 40
_GRID_S = 60
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """A warning or a breach as the retailer was told. `said_at`: when the step was carried."""

    case: str
    clock: str
    percent: int
    at: datetime
    escalated_to: int | None
    said_at: datetime

    @classmethod
    def of(cls, event: Mapping[str, Any], said_at: datetime) -> "Told":
        data = orjson.loads(event["body"])["data"]
        at = datetime.fromisoformat(data["at"])
        return cls(data["case"], data["clock"], data["percent"], at, data["escalated_to"], said_at)


class Minutes:
    """A calendar as minutes since a moment: which ones count, and how many so far."""

    def __init__(self, calendar: ServiceCalendar, begun: datetime) -> None:
        self.begun = begun.astimezone(UTC).replace(second=0, microsecond=0)
        here = ZoneInfo(calendar.zone)
        works: list[bool] = []
        by_day: dict[date, list[tuple[int, int]]] = {}
        for number in range(_DAYS * 1440):
            local = (self.begun + number * _MINUTE).astimezone(here)
            day, clock = local.date(), local.hour * 60 + local.minute
            if day not in by_day:
                by_day[day] = [(_minute(opens), _closing(closes)) for opens, closes in calendar.work.on(day)]
            works.append(any(opens <= clock < closes for opens, closes in by_day[day]))
        self.works = works
        self.so_far = [0, *accumulate(works)]

    def counted_s(self, start: datetime, end: datetime) -> float:
        """Seconds that count from one moment to another."""
        return self._before(end) - self._before(start)

    def _before(self, moment: datetime) -> float:
        number, rest = divmod((moment - self.begun).total_seconds(), 60)
        return self.so_far[int(number)] * 60 + (rest if self.works[int(number)] else 0.0)

    def after(self, moment: datetime, seconds: float) -> datetime:
        """The moment at which so many more have counted: the earliest."""
        wanted = self._before(moment) + seconds
        full = bisect_left(self.so_far, wanted / 60)
        missing = full * 60 - (self.so_far[full] * 60 - wanted)
        return self.begun + timedelta(seconds=missing)


def _minute(clock: time) -> int:
    return clock.hour * 60 + clock.minute


def _closing(clock: time) -> int:
    """One minute before midnight is midnight."""
    return 1440 if _minute(clock) == 1439 else _minute(clock)


def check(records: Sequence[CaseRecord], told: Sequence[Told], book: Book, expected: int) -> Row:
    """`unnoticed`: breaches that were not told, or told although there was none; `off_ladder`: steps that are not as
    the ladder says; `told_after_s`: the longest from a breach to the step that told it."""
    minutes: dict[str, Minutes] = {}
    begun = min(one.opened_at for one in records) - timedelta(days=1)
    by_case: dict[str, list[Told]] = defaultdict(list)
    for one in told:
        by_case[one.case].append(one)
    unnoticed: list[str] = []
    off_ladder: list[str] = []
    breaches = 0
    for record in records:
        given = promise(
            book.policies.values(), book.calendars.values(), record.region, record.priority, record.customer.tier
        )
        if given.calendar.id not in minutes:
            minutes[given.calendar.id] = Minutes(given.calendar, begun)
        said = by_case[record.id]
        for clock in record.clocks.promised():
            wrong, late = _breach(clock, minutes[given.calendar.id], said)
            breaches += late
            unnoticed += [f"{record.id} {clock.kind}: {wrong}"] if wrong else []
        off_ladder += [f"{record.id}: {one}" for one in _off_ladder(record, given, said, minutes[given.calendar.id])]
    delays = [(one.said_at - one.at).total_seconds() for one in told if one.percent == 100 and one.escalated_to is None]
    return {
        "cases": len(records),
        "lost": expected - sum(one.state == "closed" for one in records),
        "breaches": breaches,
        "unnoticed": unnoticed[:50],
        "off_ladder": off_ladder[:50],
        "rises": sum(one.escalated_to is not None for one in told),
        "told_after_s": max(delays, default=0.0),
    }


def _breach(clock: ClockState, minutes: Minutes, said: Sequence[Told]) -> tuple[str | None, bool]:
    """What is wrong, and whether its target was used up before it was met."""
    left, begin = float(clock.target_s), clock.started_at
    full: datetime | None = None
    for stop, on in [*((one.start, one.end) for one in clock.pauses), (clock.met_at, None)]:
        end = stop or begin
        ran = minutes.counted_s(begin, end)
        if ran >= left:
            full = minutes.after(begin, left)
            break
        left -= ran
        if on is None:
            break
        begin = on
    here = [one for one in said if one.clock == clock.kind and one.percent == 100 and one.escalated_to is None]
    if clock.kind == "next_response":
        # Of several that came one after the other the case keeps the last.
        here = [one for one in here if one.at >= clock.started_at]
    if full is None:
        return ("told, though it was kept" if here or clock.breached_at else None), False
    if not here and clock.met_at is not None and (clock.met_at - full).total_seconds() <= _GRID_S:
        # Met within the grid of timers: it is on record, and nobody was left to be told.
        return (None if clock.breached_at else "not on record"), True
    if len(here) != 1:
        return f"told {len(here)} times", True
    off = abs((here[0].at - full).total_seconds())
    return (f"told as {here[0].at}, and was {full}" if off > 1 else None), True


_FIRST_RESPONSE_MIN: Mapping[str, float] = {"urgent": 10, "high": 20, "normal": 60, "low": 240}
_SILENT_MIN: Mapping[int, float] = {2: 2 * 30, 3: 2 * 60}
"""Working minutes after which a case that nobody touches leaves a level, as the built-in policy is meant: the first
response is breached on the first level, or two assignees were silent for half an hour each; then two of the next level
for an hour each."""
_OFF_MIN = 0.02


def _off_ladder(record: CaseRecord, given: Promise, said: Sequence[Told], minutes: Minutes) -> list[str]:
    """Each rise goes up by one and to the end; a case whose first response was breached is above the first level; one
    that nobody touches climbs at the designed moments."""
    rises = sorted((one.at, one.escalated_to) for one in said if one.escalated_to is not None)
    levels = [level for _, level in rises]
    wrong: list[str] = []
    climbed = [level for level in levels if level is not None]
    ups = [one for place, one in enumerate(climbed) if place == 0 or one != climbed[place - 1]]
    if any(b != a + 1 for a, b in pairwise(ups)) and not record.reopened:
        wrong.append(f"climbed {ups}")
    if max(climbed, default=1) > len(given.policy.ladder):
        wrong.append("above the top")
    first = next((one for one in said if one.clock == "first_response" and one.percent == 100), None)
    if first is not None and max(climbed, default=1) < 2:
        wrong.append("its first response was breached on the first level, and it stayed there")
    return wrong + _not_as_meant(record, said, minutes)


def _not_as_meant(record: CaseRecord, said: Sequence[Told], minutes: Minutes) -> list[str]:
    """Each silence begins when the case is given. That is on the grid of timers and as late as the machine is slow: so
    much later the case climbs, neither more nor less."""
    arrived = {level: min((one.at for one in said if one.escalated_to == level), default=None) for level in (2, 3)}
    first = record.clocks.first_response
    touched = first is not None and first.met_at is not None and (arrived[3] is None or first.met_at < arrived[3])
    if touched or record.outcome is None:
        return []
    since, wrong = record.opened_at, list[str]()
    for level, at in arrived.items():
        if at is None:
            return [*wrong, f"{record.priority}, untouched: never came to level {level}"]
        took = minutes.counted_s(since, at) / 60
        meant = _SILENT_MIN[level] + _given_late_min(record, since, at, minutes)
        meant = min(meant, _FIRST_RESPONSE_MIN[record.priority]) if level == 2 else meant
        if abs(took - meant) > _OFF_MIN:
            wrong.append(
                f"{record.priority}, untouched: level {level} after {took:.2f} working minutes, not {meant:.2f}"
            )
        since = at
    return wrong


def _given_late_min(record: CaseRecord, begin: datetime, end: datetime, minutes: Minutes) -> float:
    """Working minutes in which nobody had the case: from the opening, or a step of the ladder, until it was given."""
    since, late = record.opened_at, 0.0
    for entry in record.timeline:
        if entry.what in ("escalated", "reassigned"):
            since = entry.at
        elif entry.what == "given" and begin <= entry.at <= end:
            late += minutes.counted_s(since, entry.at) / 60
    return late
