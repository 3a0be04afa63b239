"""What becomes of a case's clocks with what happens to it. Pure: each function takes clocks and gives new ones.

First response counts until a person has answered, and only then next response begins, with the customer's oldest
message that has no answer. Resolution counts until the case is resolved. Waiting stops them as the policy says.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from contracts.caseclock import (
    CaseClocks,
    ClockKind,
    ClockState,
    Moved,
    Notice,
    Priority,
    meet,
    next_notice,
    noted,
    notices,
    pause,
    recount,
    reopen,
    resume,
    start,
)
from contracts.service_calendar import BUILTIN as BUILTIN_CALENDARS
from contracts.service_calendar import ServiceCalendar
from contracts.service_policy import DEFAULT, ServicePolicy, Targets, Waiting
from contracts.versions import newest
from contracts.worktime import edition


@dataclass(frozen=True, slots=True)
class Promise:
    """What counts for a case: its policy, the policy's calendar, and the targets for its priority, tier and region.
    `ranks`: by agent, the highest level whose cases are theirs; who is in no team is of the first."""

    policy: ServicePolicy
    calendar: ServiceCalendar
    targets: Targets
    ranks: Mapping[str, int] = field(default_factory=dict)

    @property
    def pinned(self) -> str:
        """By which versions it is reckoned: of the policy, the calendar and, where holidays count, their table."""
        days = f" {edition()}" if self.calendar.work.holidays is not None else ""
        return f"{self.policy.pinned} {self.calendar.pinned}{days}"

    def target_s(self, kind: ClockKind, level: int) -> int | None:
        """Of a clock, for a case at a level; None: it has no such clock there."""
        at_level = self.policy.level(level)
        targets: dict[ClockKind, int | None] = {
            "first_response": self.targets.first_response_s,
            "next_response": self.targets.next_response_s,
            "resolution": self.targets.resolution_s,
            "level": at_level.target_s,
            "silence": at_level.silent_s,
        }
        return targets[kind]


def promise(
    policies: Iterable[ServicePolicy],
    calendars: Iterable[ServiceCalendar],
    region: str,
    priority: Priority,
    tier: str,
) -> Promise:
    """The newest versions that are kept count, before what is built in; the longest beginning of the region, then the
    smallest id. A calendar that is gone is the one around the clock: a promise is never without an end."""
    fitting = [(one.precision(region), one) for one in newest([*policies, DEFAULT])]
    best = max((one for one in fitting if one[0] is not None), key=lambda one: one[0] or 0, default=(0, DEFAULT))[1]
    known = {one.id: one for one in newest([*calendars, *BUILTIN_CALENDARS.values()])}
    calendar = known.get(best.calendar) or BUILTIN_CALENDARS["around-the-clock"]
    return Promise(best, calendar, best.targets_for(priority, tier, region))


def opened(given: Promise, at: datetime, level: int = 1) -> CaseClocks:
    """A case comes to people."""
    clocks = CaseClocks(
        first_response=start("first_response", given.targets.first_response_s, at, given.calendar),
        resolution=start("resolution", given.targets.resolution_s, at, given.calendar),
    )
    return arrived(clocks, given, level, at)


def arrived(clocks: CaseClocks, given: Promise, level: int, at: datetime) -> CaseClocks:
    """At a level of the ladder, whose own target begins; nobody there has it yet."""
    target = given.target_s("level", level)
    new = start("level", target, at, given.calendar) if target is not None else None
    clocks = clocks.model_copy(update={"level": new, "silence": None})
    stands = clocks.resolution is not None and clocks.resolution.stands
    return clocks.with_(pause(new, at, given.calendar)) if new is not None and stands else clocks


def assigned(clocks: CaseClocks, given: Promise, level: int, at: datetime) -> CaseClocks:
    """Somebody has it; or they have done something: their silence begins anew."""
    target = given.target_s("silence", level)
    silence = start("silence", target, at, given.calendar) if target is not None else None
    return clocks.model_copy(update={"silence": silence})


def answered(clocks: CaseClocks, given: Promise, level: int, at: datetime) -> CaseClocks:
    """A person has written to the customer."""
    met = [
        meet(one, at, given.calendar)
        for one in (clocks.first_response, clocks.next_response)
        if one is not None and one.met_at is None
    ]
    return assigned(clocks.with_(*met), given, level, at)


def customer_wrote(clocks: CaseClocks, given: Promise, level: int, at: datetime) -> CaseClocks:
    """Whatever stood for the customer runs on; an answer is owed from the first message that has none."""
    clocks = went_on(clocks, given, level, at)
    first, following = clocks.first_response, clocks.next_response
    if first is None or first.met_at is None or (following is not None and following.met_at is None):
        return clocks
    return clocks.with_(start("next_response", given.targets.next_response_s, at, given.calendar))


def waiting(clocks: CaseClocks, given: Promise, state: Waiting, at: datetime) -> CaseClocks:
    """Somebody else has to act. The assignee is not silent then, whatever the policy says of the promises."""
    stopped = clocks.each() if state in given.policy.pauses else [one for one in (clocks.silence,) if one]
    return clocks.with_(*(pause(one, at, given.calendar) for one in stopped))


def went_on(clocks: CaseClocks, given: Promise, level: int, at: datetime) -> CaseClocks:
    """The wait is over. An assignee has the whole time again before they count as silent."""
    waited = clocks.silence is not None and clocks.silence.stands
    clocks = clocks.with_(*(resume(one, at, given.calendar) for one in clocks.each()))
    return assigned(clocks, given, level, at) if waited else clocks


def resolved(clocks: CaseClocks, given: Promise, at: datetime) -> CaseClocks:
    """Everything has come to its end; a solution is an answer too."""
    done = clocks.with_(*(meet(one, at, given.calendar) for one in clocks.promised()))
    return done.model_copy(update={"level": None, "silence": None})


def reopened(clocks: CaseClocks, given: Promise, level: int, at: datetime) -> CaseClocks:
    """The customer is not content. `continue`: what was left of the resolution; `restart`: all of it."""
    if clocks.resolution is None or given.policy.reopen == "restart":
        resolution = start("resolution", given.targets.resolution_s, at, given.calendar)
    else:
        resolution = reopen(clocks.resolution, at, given.calendar)
    owed = start("next_response", given.targets.next_response_s, at, given.calendar)
    return arrived(clocks.with_(resolution, owed), given, level, at)


def come_about(clocks: CaseClocks, given: Promise, now: datetime) -> list[Notice]:
    """Warnings and breaches of what was promised that nobody was told of yet, the earliest first."""
    found = [notice for one in clocks.promised() for notice in notices(one, given.calendar, now, given.policy.warnings)]
    return sorted(found, key=lambda one: (one.at, one.percent))


def told(clocks: CaseClocks, given: Iterable[Notice]) -> CaseClocks:
    """With these on record."""
    said = list(given)
    return clocks.with_(*(noted(one, said) for one in clocks.promised()))


def next_warning(clocks: CaseClocks, given: Promise) -> datetime | None:
    """When the next of them comes about; it may be past."""
    moments = (next_notice(one, given.calendar, given.policy.warnings) for one in clocks.promised())
    return min((one for one in moments if one is not None), default=None)


def counted_anew(clocks: CaseClocks, given: Promise, level: int) -> tuple[CaseClocks, list[Moved]]:
    """By what counts now: another version of the policy or calendar, another priority, or holidays made public. What
    has ended or is breached stays as it was promised. A clock that the level has no more ends without a word."""
    new: dict[str, ClockState | None] = {}
    moves = []
    for one in clocks.each():
        target = given.target_s(one.kind, level)
        if target is None:
            new[one.kind] = None
            continue
        new[one.kind], moved = recount(one, given.calendar, target)
        if moved is not None:
            moves.append(moved)
    return clocks.model_copy(update=new), moves
