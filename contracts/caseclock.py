"""The clocks of a service case: working time that a promise has, used up, stopped while the customer is waited for.

A clock keeps when it was started and when it was stopped; all else follows from these and a calendar. Its due moment
is the one at which its target has passed in working time while it ran, so that a stop moves it by the working time
that was stopped, each stop anew. Pure; moments are UTC, spans are seconds of working time.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field

from contracts.base import Document, Moment
from contracts.service_calendar import ServiceCalendar
from contracts.worktime import Counted, reckon, work_between

ClockKind = Literal["first_response", "next_response", "resolution", "level", "silence"]
"""Promises to the customer: the first answer of a person, the next one, the solution. Within the house: the time that
a level of the ladder has, and how long an assignee may do nothing."""
Priority = Literal["urgent", "high", "normal", "low"]
PRIORITIES: tuple[Priority, ...] = ("urgent", "high", "normal", "low")
TARGET_MAX_S = 90 * 86400
WARNINGS = (50, 75, 90)


class Pause(Document):
    """The clock stands. `end` null: it still does."""

    start: Moment
    end: Moment | None = None


class ClockState(Document):
    """One clock. `due` is null while it stands, as long as its target is not used up.

    `breached_at` is the moment at which the target was used up, not when that was noticed. `warned`: percents of the
    target at which somebody was warned. `calendar`: `<id>@<version>` by which `due` was reckoned.
    """

    kind: ClockKind
    target_s: int = Field(ge=1)
    started_at: Moment
    calendar: str
    pauses: list[Pause] = []
    due: Moment | None = None
    met_at: Moment | None = None
    breached_at: Moment | None = None
    warned: list[int] = []

    @property
    def stands(self) -> bool:
        return self.met_at is None and bool(self.pauses) and self.pauses[-1].end is None

    @property
    def runs(self) -> bool:
        return self.met_at is None and not self.stands


class CaseClocks(Document):
    """All clocks of a case; null: not wound up. `level` and `silence` are the house's own."""

    first_response: ClockState | None = None
    next_response: ClockState | None = None
    resolution: ClockState | None = None
    level: ClockState | None = None
    silence: ClockState | None = None

    @classmethod
    def of(cls, clocks: Iterable[ClockState]) -> "CaseClocks":
        """Out of a list in which each kind stands once, as `each` gives it."""
        return cls.model_validate({one.kind: one for one in clocks})

    def each(self) -> list[ClockState]:
        every = (self.first_response, self.next_response, self.resolution, self.level, self.silence)
        return [one for one in every if one is not None]

    def promised(self) -> list[ClockState]:
        """What the customer was promised."""
        return [one for one in (self.first_response, self.next_response, self.resolution) if one is not None]

    def with_(self, *clocks: ClockState) -> "CaseClocks":
        """With these in the place of those of their kind."""
        return self.model_copy(update={one.kind: one for one in clocks})


class Notice(Document):
    """Something that somebody must hear of: so many percent of a target are used up; 100 is a breach."""

    clock: ClockKind
    percent: int
    at: Moment
    """When it came about, which is not later than when it is noticed."""


class Moved(Document):
    """What a change of calendar or policy did to the due moment of an open clock."""

    clock: ClockKind
    due_before: Moment | None
    due: Moment | None
    target_before_s: int
    target_s: int
    calendar_before: str
    calendar: str


def start(kind: ClockKind, target_s: int, at: datetime, calendar: ServiceCalendar) -> ClockState:
    return _reckoned(ClockState(kind=kind, target_s=target_s, started_at=at, calendar=calendar.pinned), calendar)


def pause(clock: ClockState, at: datetime, calendar: ServiceCalendar) -> ClockState:
    """Stop it; nothing happens to one that stands or has ended."""
    if not clock.runs:
        return clock
    return _reckoned(
        clock.model_copy(update={"pauses": [*clock.pauses, Pause(start=_not_before(clock, at))]}), calendar
    )


def resume(clock: ClockState, at: datetime, calendar: ServiceCalendar) -> ClockState:
    """Let it run on; nothing happens to one that runs or has ended. Stops add up."""
    if not clock.stands:
        return clock
    last = clock.pauses[-1].model_copy(update={"end": _not_before(clock, at)})
    kept = [*clock.pauses[:-1], last] if last.end != last.start else clock.pauses[:-1]
    return _reckoned(clock.model_copy(update={"pauses": kept}), calendar)


def meet(clock: ClockState, at: datetime, calendar: ServiceCalendar) -> ClockState:
    """What was promised is done. At the moment it is due its target is used up: then, and later, it is a breach,
    noticed or not."""
    if clock.met_at is not None:
        return clock
    met = _not_before(clock, at)
    full = reached(clock, calendar, clock.target_s)
    late = full if full is not None and full <= met else None
    return clock.model_copy(update={"met_at": met, "due": full, "breached_at": clock.breached_at or late})


def reopen(clock: ClockState, at: datetime, calendar: ServiceCalendar) -> ClockState:
    """One that was met runs on with what was left of it: the time in between counts as stopped."""
    if clock.met_at is None:
        return clock
    stood = bool(clock.pauses) and clock.pauses[-1].end is None
    pauses = clock.pauses if stood else [*clock.pauses, Pause(start=clock.met_at)]
    return resume(clock.model_copy(update={"met_at": None, "pauses": pauses}), at, calendar)


def used_s(clock: ClockState, calendar: ServiceCalendar, now: datetime) -> float:
    """Working time that counted until `now`."""
    return sum(
        work_between(calendar.work, calendar.zone, begin, now if end is None else min(end, now))
        for begin, end in stretches(clock)
    )


def reached(clock: ClockState, calendar: ServiceCalendar, seconds: float) -> datetime | None:
    """The moment at which so much working time has counted, past or to come; None: it stands, and has less."""
    left = seconds
    for begin, end in stretches(clock):
        if end is None:
            return reckon(calendar.work, calendar.zone, begin, left).moment
        counted = work_between(calendar.work, calendar.zone, begin, end)
        if counted >= left:
            return reckon(calendar.work, calendar.zone, begin, left).moment
        left -= counted
    return None


def before_due(clock: ClockState, calendar: ServiceCalendar, seconds: float) -> datetime | None:
    """The moment so much working time before it is due (less than nothing: after it); None as in `reached`."""
    return reached(clock, calendar, max(clock.target_s - seconds, 0))


def stretches(clock: ClockState) -> Iterator[tuple[datetime, datetime | None]]:
    """When it ran, in order; the end of the last is None while it runs."""
    begin = clock.started_at
    for stop in clock.pauses:
        if stop.start > begin:
            yield begin, stop.start
        if stop.end is None:
            return
        begin = stop.end
    if clock.met_at is None or clock.met_at > begin:
        yield begin, clock.met_at


def notices(
    clock: ClockState, calendar: ServiceCalendar, now: datetime, percents: Sequence[int] = WARNINGS
) -> list[Notice]:
    """What has come about by `now` and was not noted yet, in its order; nothing of a clock that has ended."""
    found = []
    for percent, at in _to_come(clock, calendar, percents):
        if at is not None and at <= now:
            found.append(Notice(clock=clock.kind, percent=percent, at=at))
    return found


def noted(clock: ClockState, given: Sequence[Notice]) -> ClockState:
    """With these notices on record, so that each is given once."""
    mine = [one for one in given if one.clock == clock.kind]
    breach = next((one.at for one in mine if one.percent == 100), None)
    return clock.model_copy(
        update={
            "warned": sorted({*clock.warned, *(one.percent for one in mine if one.percent < 100)}),
            "breached_at": clock.breached_at or breach,
        }
    )


def next_notice(clock: ClockState, calendar: ServiceCalendar, percents: Sequence[int] = WARNINGS) -> datetime | None:
    """When the next notice comes about; it may be past. None: it has ended, stands, or all were given."""
    return next((at for _, at in _to_come(clock, calendar, percents) if at is not None), None)


def recount(
    clock: ClockState, calendar: ServiceCalendar, target_s: int | None = None
) -> tuple[ClockState, Moved | None]:
    """By another calendar or target. What has ended, and what was breached, stays as it was promised."""
    if clock.met_at is not None or clock.breached_at is not None:
        return clock, None
    new = _reckoned(clock.model_copy(update={"target_s": target_s or clock.target_s}), calendar)
    if (new.due, new.target_s) == (clock.due, clock.target_s):
        return new, None
    return new, Moved(
        clock=clock.kind,
        due_before=clock.due,
        due=new.due,
        target_before_s=clock.target_s,
        target_s=new.target_s,
        calendar_before=clock.calendar,
        calendar=new.calendar,
    )


def counted(clock: ClockState, calendar: ServiceCalendar) -> list[Counted]:
    """The stretches of working time that make up the target, or what has counted before it stood."""
    left = float(clock.target_s)
    found: list[Counted] = []
    for begin, end in stretches(clock):
        span = left if end is None else min(left, work_between(calendar.work, calendar.zone, begin, end))
        one = reckon(calendar.work, calendar.zone, begin, span)
        found.extend(one.counted)
        left -= span
        if left <= 0:
            break
    return found


def _to_come(
    clock: ClockState, calendar: ServiceCalendar, percents: Sequence[int]
) -> Iterator[tuple[int, datetime | None]]:
    if clock.met_at is not None:
        return
    for percent in sorted(percents):
        if percent not in clock.warned and clock.breached_at is None:
            yield percent, reached(clock, calendar, clock.target_s * percent / 100)
    if clock.breached_at is None:
        yield 100, reached(clock, calendar, clock.target_s)


def _reckoned(clock: ClockState, calendar: ServiceCalendar) -> ClockState:
    return clock.model_copy(update={"due": reached(clock, calendar, clock.target_s), "calendar": calendar.pinned})


def _not_before(clock: ClockState, at: datetime) -> datetime:
    """Messages may come out of order; a clock never runs backwards."""
    known = [clock.started_at, *(moment for stop in clock.pauses for moment in (stop.start, stop.end) if moment)]
    return max(at, *known)
