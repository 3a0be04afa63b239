"""The clocks of a case as it goes from hand to hand, and the ladder when they run out. Pure."""

from datetime import datetime, timedelta

from activities.service import clocks, ladder
from activities.service.telling import tell_clock
from activities.service.work import Work
from contracts.base import milliseconds
from contracts.caseclock import CaseClocks, Moved
from contracts.cases import PEOPLE, CaseState
from contracts.service_policy import OnLadder, Step, Waiting
from contracts.worktime import add_work_time

_WAITING: dict[CaseState, Waiting] = {
    "waiting_customer": "waiting_customer",
    "waiting_partner": "waiting_partner",
    "waiting_approval": "waiting_approval",
}


def to_people(work: Work, at: datetime, why: str) -> None:
    """From the first level, which the bot is, to people: somebody is to be chosen, and has to answer."""
    case = work.case
    case.state, case.ends_at, case.wants, case.choose_at = "open", None, True, None
    case.ladder = OnLadder(since=at)
    case.clocks = clocks.opened(work.given, at)
    work.note(at, "to_people", note=why)


def wait(work: Work, state: CaseState, at: datetime, until: datetime | None = None) -> None:
    """For somebody else. From one wait to another the clocks go by the new one."""
    go_on(work, at)
    case = work.case
    case.state, case.ends_at = state, until
    work.wind(lambda old, given: clocks.waiting(old, given, _WAITING[state], at))


def go_on(work: Work, at: datetime) -> None:
    """It is people's turn again."""
    case = work.case
    if case.state in _WAITING:
        level = case.level
        work.wind(lambda old, given: clocks.went_on(old, given, level, at))
        case.state, case.ends_at = "open", None


def acted(work: Work, by: str, at: datetime) -> None:
    """Somebody of ours did something: who finds nobody in charge has it now, and their silence begins anew."""
    case = work.case
    if case.state == "bot":
        to_people(work, at, f"taken by {by}")
    if case.state not in PEOPLE:
        return
    if case.assignee is None:
        give(work, case.team, by, at)
    elif case.assignee == by:
        _silence_anew(work, at)


def give(work: Work, team: str | None, assignee: str | None, at: datetime) -> None:
    """To somebody, or to a team in which nobody can have it now."""
    case = work.case
    case.team, case.assignee, case.wants, case.choose_at = team, assignee, False, None
    case.assigned_at = at if assignee is not None else None
    if assignee is None:
        case.clocks = case.clocks.model_copy(update={"silence": None})
    else:
        _silence_anew(work, at)


def _silence_anew(work: Work, at: datetime) -> None:
    """Counted only while it is their turn."""
    case = work.case
    state, level = case.state, case.level
    work.wind(lambda old, given: clocks.assigned(old, given, level, at))
    if state in _WAITING:
        work.wind(lambda old, given: clocks.waiting(old, given, _WAITING[state], at))


def climb(work: Work, step: Step) -> None:
    """A step of the ladder: to the next level, or to somebody else of the same one."""
    case = work.case
    assert case.ladder is not None
    case.ladder, case.clocks = ladder.taken(work.given, case.ladder, case.clocks, step)
    silent = case.assignee if step.because == "silence" else None
    case.passed = [*case.passed, silent] if silent is not None else case.passed
    case.wants, case.choose_at, case.team = True, None, None
    if step.assignee.kind != "keep" or silent is not None:
        case.assignee, case.assigned_at = None, None
    words = f"{step.from_level} -> {step.to_level}, {step.because}{f' ({silent})' if silent else ''}"
    work.note(step.at, "escalated" if step.kind == "rise" else "reassigned", note=words)
    tell_clock(work, step.clock or "level", 100, step.at, ladder.message(step, case.id), step.to_level)


def notice(work: Work, now: datetime) -> None:
    """What has come about by now: warnings and breaches, each told once, and the steps of the ladder, in their
    order."""
    case = work.case
    if case.state not in PEOPLE:
        return
    for given in clocks.come_about(case.clocks, work.given, now):
        _climb_until(work, given.at)
        case.clocks = clocks.told(case.clocks, [given])
        work.note(given.at, "breached" if given.percent == 100 else "warned", note=f"{given.clock} {given.percent} %")
        tell_clock(work, given.clock, given.percent, given.at)
    _climb_until(work, now)


def _climb_until(work: Work, moment: datetime) -> None:
    case = work.case
    while case.ladder is not None:
        step = ladder.ladder_step(work.given, case.ladder, case.clocks, moment)
        if step is None:
            return
        climb(work, step)


def next_notice(work: Work) -> datetime | None:
    """When the next of these comes about."""
    case = work.case
    if case.state not in PEOPLE:
        return None
    found = [clocks.next_warning(case.clocks, work.given)]
    if case.ladder is not None:
        found.append(ladder.next_step_at(work.given, case.ladder, case.clocks))
    return min((one for one in found if one is not None), default=None)


def count_anew(work: Work, at: datetime) -> None:
    """By the policy and calendar that hold now; what moves is noted from what to what."""
    case = work.case
    pinned = work.given.pinned
    new: CaseClocks
    new, moves = clocks.counted_anew(case.clocks, work.given, case.level or 1)
    for moved in moves:
        work.note(at, "clock_moved", note=_words(moved))
    case.clocks = new
    if case.policy not in (None, pinned):
        work.note(at, "policy_changed", note=f"{case.policy} -> {pinned}")
    case.policy = pinned


def _words(moved: Moved) -> str:
    before, after = (_moment(one) for one in (moved.due_before, moved.due))
    return (
        f"{moved.clock}: {before} ({moved.target_before_s} s by {moved.calendar_before}) -> "
        f"{after} ({moved.target_s} s by {moved.calendar})"
    )


def work_time_after(work: Work, at: datetime, seconds: float) -> datetime:
    calendar = work.given.calendar
    return milliseconds(add_work_time(calendar.work, calendar.zone, at, seconds))


def clock_time_after(at: datetime, seconds: float) -> datetime:
    return milliseconds(at + timedelta(seconds=seconds))


def _moment(moment: datetime | None) -> str:
    return "stands" if moment is None else f"{moment:%Y-%m-%d %H:%M} UTC"
