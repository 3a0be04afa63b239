"""The ladder: when a case leaves its level, or its assignee, and why. Pure.

A step has the moment at which it came about, and the next one is reckoned from there: a system that was away for hours
climbs as it would have climbed, and says the same moments.
"""

from collections.abc import Iterator
from datetime import datetime

from activities.service.clocks import Promise, arrived
from contracts.caseclock import CaseClocks, ClockState, before_due
from contracts.requirements import Words
from contracts.service_policy import Because, OnLadder, Step

_KINDS: dict[str, Words] = {
    "first_response": Words(zh="首次响应", en="first response"),
    "next_response": Words(zh="后续响应", en="next response"),
    "resolution": Words(zh="解决", en="resolution"),
}
_WHY: dict[Because, Words] = {
    "breach": Words(zh="{clock}已超时", en="{clock} is overdue"),
    "before_due": Words(zh="即将超过解决时限", en="its resolution is due soon"),
    "level_target": Words(zh="在上一级停留已到时限", en="its time at the level below has passed"),
    "silence": Words(zh="处理人长时间没有动作", en="its assignee has been silent"),
    "asked": Words(zh="人工升级", en="somebody asked for it"),
}


def ladder_step(given: Promise, standing: OnLadder, clocks: CaseClocks, now: datetime) -> Step | None:
    """The earliest step that has come about by `now`, to be taken before asking again; None: the case stays."""
    step = _earliest(given, standing, clocks)
    return step if step is not None and step.at <= now else None


def next_step_at(given: Promise, standing: OnLadder, clocks: CaseClocks) -> datetime | None:
    """When the next step comes about as the clocks run now; None: never, as long as nothing happens."""
    step = _earliest(given, standing, clocks)
    return step.at if step is not None else None


def asked_to_rise(given: Promise, standing: OnLadder, at: datetime) -> Step | None:
    """By a person; None: there is no level above."""
    return _rise(given, standing, "asked", at) if standing.level < len(given.policy.ladder) else None


def taken(given: Promise, standing: OnLadder, clocks: CaseClocks, step: Step) -> tuple[OnLadder, CaseClocks]:
    """Where the case is after a step. Whoever gets it then has their silence counted from there on (`assigned`)."""
    if step.kind == "replace":
        return standing.model_copy(update={"silences": standing.silences + 1}), clocks.model_copy(
            update={"silence": None}
        )
    return OnLadder(level=step.to_level, since=step.at), arrived(clocks, given, step.to_level, step.at)


def message(step: Step, case: str) -> Words:
    """What is said to whom it is given."""
    clock = _KINDS.get(step.clock or "", Words(zh="时限", en="a promise"))
    why = _WHY[step.because]
    return Words(
        zh=_filled(step.message.zh, case, _filled(why.zh, case, "", clock.zh)),
        en=_filled(step.message.en, case, _filled(why.en, case, "", clock.en)),
    )


def _earliest(given: Promise, standing: OnLadder, clocks: CaseClocks) -> Step | None:
    if clocks.resolution is None or clocks.resolution.met_at is not None:
        return None
    # min() keeps the first of equals: a breach says more than a level's target that passes in the same moment.
    return min(_steps(given, standing, clocks), key=lambda one: one.at, default=None)


def _steps(given: Promise, standing: OnLadder, clocks: CaseClocks) -> Iterator[Step]:
    level = given.policy.level(standing.level)
    if standing.level < len(given.policy.ladder):
        yield from _rises(given, standing, clocks)
    silent = clocks.silence
    if silent is None or silent.due is None or silent.met_at is not None:
        return
    if standing.silences + 1 >= level.silences and standing.level < len(given.policy.ladder):
        yield _rise(given, standing, "silence", silent.due)
    else:
        yield Step(
            kind="replace",
            from_level=standing.level,
            to_level=standing.level,
            because="silence",
            clock="silence",
            at=silent.due,
            assignee=level.assignee,
            message=level.message,
        )


def _rises(given: Promise, standing: OnLadder, clocks: CaseClocks) -> Iterator[Step]:
    """What came about before the case was here has brought it here, and counts no more."""
    level = given.policy.level(standing.level)
    for clock in clocks.promised():
        breach = _breach(clock)
        if clock.kind in level.on_breach and breach is not None and breach > standing.since:
            yield _rise(given, standing, "breach", breach, clock)
    if level.before_due_s is not None and clocks.resolution is not None and clocks.resolution.breached_at is None:
        near = before_due(clocks.resolution, given.calendar, level.before_due_s)
        if near is not None and near > standing.since:
            yield _rise(given, standing, "before_due", near, clocks.resolution)
    if clocks.level is not None and clocks.level.due is not None:
        yield _rise(given, standing, "level_target", clocks.level.due, clocks.level)


def _breach(clock: ClockState) -> datetime | None:
    return clock.breached_at or (clock.due if clock.met_at is None else None)


def _rise(given: Promise, standing: OnLadder, because: Because, at: datetime, clock: ClockState | None = None) -> Step:
    above = given.policy.level(standing.level + 1)
    return Step(
        kind="rise",
        from_level=standing.level,
        to_level=standing.level + 1,
        because=because,
        clock=clock.kind if clock else None,
        at=at,
        assignee=above.assignee,
        message=above.message,
    )


def _filled(text: str, case: str, because: str, clock: str = "") -> str:
    """Only the names that are known: braces that somebody else wrote stay."""
    return text.replace("{case}", case).replace("{because}", because).replace("{clock}", clock)
