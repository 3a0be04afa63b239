"""The state machine of a case: `step` takes in what has come and lets time pass, in the order in which it happened.

Pure: no clock, no I/O, no chance. The same case, events and moment give the same work.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from activities.service import clocks, ladder
from activities.service.clocks import Promise
from activities.service.closing import merge, rate, reopen, resolve, settle, time_is_over
from activities.service.compensating import compensate, correct, decide, lapse
from activities.service.telling import tell_changes, tell_partner
from activities.service.timing import (
    acted,
    climb,
    clock_time_after,
    count_anew,
    give,
    go_on,
    next_notice,
    notice,
    to_people,
    wait,
    work_time_after,
)
from activities.service.work import Work, begin
from contracts.caseclock import PRIORITIES
from contracts.cases import (
    FOUND_BY_SYSTEM,
    LIVE,
    PEOPLE,
    REQUESTS,
    AskPartner,
    Assign,
    CaseEvent,
    CaseRecord,
    Compensate,
    Correct,
    DecideMoney,
    Doing,
    Escalate,
    Found,
    Merge,
    Note,
    PartnerSays,
    Prioritise,
    Rating,
    Reopen,
    ReplyToCustomer,
    Resolve,
    Say,
    Settled,
)
from contracts.casework import refuse
from contracts.refusals import Refusal
from contracts.service_policy import OnLadder


def step(
    case: CaseRecord,
    events: Sequence[CaseEvent],
    now: datetime,
    given: Promise,
    *,
    elsewhere: int = 0,
    ended: frozenset[str] = frozenset(),
) -> Work:
    """A deadline that ended before something came in has ended, even if both are seen in the same step."""
    work = begin(case, given, elsewhere, ended)
    if not work.case.taken_up:
        _take_up(work)
    for event in sorted(events, key=lambda one: (one.at, one.id)):
        at = min(event.at, now)
        pass_time(work, at)
        work.verdicts[event.id] = _verdict(work, event, at)
    pass_time(work, now)
    return work


def conclude(work: Work) -> Work:
    """Set when something must happen next, and tell what changed."""
    case = work.case
    moments = [next_notice(work), case.ends_at, case.look_at, case.choose_at if case.wants else None]
    moments += [one.due for one in case.compensations if one.state == "waits"]
    case.due = None if case.state == "closed" else min((one for one in moments if one is not None), default=None)
    tell_changes(work)
    return work


def pass_time(work: Work, now: datetime) -> None:
    """Everything that has come about by now, in its order; by the policy and calendar that count now."""
    case = work.case
    if case.state in LIVE and case.policy not in (None, work.given.pinned):
        count_anew(work, now)
    while True:
        lapsing = [one.due for one in case.compensations if one.state == "waits" and one.due is not None]
        ends = [one for one in (case.ends_at, *lapsing) if one is not None and one <= now]
        notice(work, min(ends, default=now))
        if not ends:
            return
        first = min(ends)
        lapse(work, first)
        time_is_over(work, first)


def _take_up(work: Work) -> None:
    """What is no matter for the bot goes to people at once; the clocks run from the opening."""
    case = work.case
    case.taken_up = True
    case.policy = work.given.pinned
    if case.state == "open" or case.kind in FOUND_BY_SYSTEM:
        to_people(work, case.opened_at, case.kind)
        if case.kind in ("late_missed", "late_predicted", "partner_silent"):
            tell_partner(work)


def _verdict(work: Work, event: CaseEvent, at: datetime) -> Refusal | None:
    asked = REQUESTS[event.what].model_validate({**event.data, **({} if event.text is None else {"text": event.text})})
    try:
        refuse(work.case, event.what, event.by, asked)
        _TAKEN[event.what](work, asked, event.by, at)
    except Refusal as refusal:
        work.note(at, "refused", event.by, f"{event.what}: {refusal.code}")
        return refusal
    return None


def _say(work: Work, asked: Say, by: str, at: datetime) -> None:
    case = work.case
    if asked.language is not None:
        case.language = asked.language
    work.say(at, "customer", by, asked.text)
    case.unanswered_since = case.unanswered_since or at
    if case.state == "resolved":
        reopen(work, by, at, "the customer wrote")
    elif case.state in PEOPLE:
        if case.state == "waiting_customer":
            go_on(work, at)
        level = case.level
        work.wind(lambda old, given: clocks.customer_wrote(old, given, level, at))


def _reply(work: Work, asked: ReplyToCustomer, by: str, at: datetime) -> None:
    case = work.case
    acted(work, by, at)
    work.say(at, "agent", by, asked.text)
    case.unanswered_since = None
    level = case.level
    work.wind(lambda old, given: clocks.answered(old, given, level, at))
    if asked.wait and case.state in ("open", "waiting_customer"):
        wait(work, "waiting_customer", at, clock_time_after(at, work.given.policy.limits.customer_s))


def _note(work: Work, asked: Note, by: str, at: datetime) -> None:
    if work.case.state in PEOPLE:
        acted(work, by, at)
    work.say(at, "agent", by, asked.text, internal=True)


def _assign(work: Work, asked: Assign, by: str, at: datetime) -> None:
    case = work.case
    if case.state == "bot":
        to_people(work, at, f"taken by {by}")
    give(work, asked.team or case.team, asked.assignee, at)
    if asked.assignee is None:
        case.wants, case.team = True, asked.team
    work.note(at, "assigned", by, asked.assignee or asked.team or "by the rules")


def _escalate(work: Work, asked: Escalate, by: str, at: datetime) -> None:
    case = work.case
    standing = case.ladder or OnLadder(since=at)
    up = ladder.asked_to_rise(work.given, standing, at)
    if up is None:
        raise Refusal(
            "top_of_ladder",
            f"There is no level above {standing.level} for the case {case.id}.",
            remedy="Assign it to somebody, or resolve it.",
            status=409,
        )
    if case.state == "bot":
        to_people(work, at, asked.reason)
    climb(work, up)
    work.note(at, "escalation_asked", by, asked.reason)


def _prioritise(work: Work, asked: Prioritise, by: str, at: datetime) -> None:
    case = work.case
    work.note(at, "prioritised", by, f"{case.priority} -> {asked.priority}: {asked.reason}")
    case.priority = asked.priority
    work.regard()
    count_anew(work, at)


def _ask_partner(work: Work, asked: AskPartner, by: str, at: datetime) -> None:
    case = work.case
    acted(work, by, at)
    case.partner = asked.partner or case.partner
    work.say(at, "agent", by, asked.text, internal=True)
    until = work_time_after(work, at, work.given.policy.limits.partner_work_s)
    wait(work, "waiting_partner", at, until)
    work.note(at, "partner_asked", by, case.partner)
    tell_partner(work, asked.text, until)


def _partner_says(work: Work, asked: PartnerSays, by: str, at: datetime) -> None:
    work.say(at, "partner", by, asked.text, internal=True)
    work.note(at, "partner_answered", by)
    if work.case.state == "waiting_partner":
        go_on(work, at)


def _found(work: Work, asked: Found, by: str, at: datetime) -> None:
    """The same matter, once more: what is graver counts."""
    case = work.case
    if asked.cause in case.causes:
        return
    case.causes = [*case.causes, asked.cause]
    work.note(at, asked.kind, by, asked.note)
    graver = min(case.priority, asked.priority, key=PRIORITIES.index)
    if graver != case.priority:
        case.priority = graver
        work.regard()
        count_anew(work, at)
    if case.state == "bot":
        to_people(work, at, asked.kind)
    elif case.state == "resolved":
        reopen(work, by, at, asked.kind)


def _settled(work: Work, asked: Settled, by: str, at: datetime) -> None:
    settle(work, asked, by, at)


def _compensate(work: Work, asked: Compensate, by: str, at: datetime) -> None:
    compensate(work, asked, by, at)


def _decide(work: Work, asked: DecideMoney, by: str, at: datetime) -> None:
    decide(work, asked, by, at)


def _correct(work: Work, asked: Correct, by: str, at: datetime) -> None:
    correct(work, asked, by, at)


def _resolve(work: Work, asked: Resolve, by: str, at: datetime) -> None:
    if work.case.state == "bot":
        to_people(work, at, f"taken by {by}")
    acted(work, by, at)
    resolve(work, asked, by, at)


def _reopen(work: Work, asked: Reopen, by: str, at: datetime) -> None:
    reopen(work, by, at, asked.reason)


def _merge(work: Work, asked: Merge, by: str, at: datetime) -> None:
    merge(work, asked.into, by, at)


def _rate(work: Work, asked: Rating, by: str, at: datetime) -> None:
    rate(work, asked, by, at)


def _recount(work: Work, asked: object, by: str, at: datetime) -> None:
    if work.case.state in LIVE:
        count_anew(work, at)


_TAKEN: dict[Doing, Callable[..., None]] = {
    "say": _say,
    "reply": _reply,
    "note": _note,
    "assign": _assign,
    "escalate": _escalate,
    "prioritise": _prioritise,
    "ask_partner": _ask_partner,
    "partner_says": _partner_says,
    "found": _found,
    "settled": _settled,
    "compensate": _compensate,
    "decide": _decide,
    "correct": _correct,
    "resolve": _resolve,
    "reopen": _reopen,
    "merge": _merge,
    "rate": _rate,
    "recount": _recount,
}
