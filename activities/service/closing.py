"""How a case ends: resolved, reopened within a window, closed for good, rated, or merged into another. Pure."""

from datetime import datetime

from activities.service import clocks
from activities.service.telling import resolved_words
from activities.service.timing import clock_time_after, give, go_on, to_people
from activities.service.work import SYSTEM, Work
from contracts.cases import (
    FOUND_BY_SYSTEM,
    PEOPLE,
    SETTLES,
    CaseEvent,
    Outcome,
    Rating,
    Resolve,
    Satisfaction,
    Settled,
)
from contracts.casework import under_way
from contracts.refusals import Refusal

_UNDER_WAY_S = 3600


def resolve(work: Work, asked: Resolve, by: str, at: datetime) -> None:
    case = work.case
    if asked.text is not None:
        work.say(at, "agent", by, asked.text)
    _resolved(work, Outcome(code=asked.code, by=by, at=at, note=asked.note, fault=asked.fault))
    if case.customer.reference is not None or case.customer.phone is not None:
        work.say(at, "system", SYSTEM, resolved_words(case.language, asked.code))


def settle(work: Work, asked: Settled, by: str, at: datetime) -> None:
    """What the system had noticed is over. It is resolved when there is nothing else in it and nobody has done anything
    about it; who never knew of it is told nothing. Otherwise whoever has it reads that it is over."""
    case = work.case
    if case.state not in PEOPLE:
        return
    noticed = {case.kind, *(one.what for one in case.timeline if one.what in FOUND_BY_SYSTEM)}
    work.note(at, "settled", by, asked.by)
    if noticed <= SETTLES[asked.by] and case.state == "open" and not case.messages and not case.corrections:
        _resolved(work, Outcome(code="solved", by=by, at=at, note=asked.by))


def _resolved(work: Work, outcome: Outcome) -> None:
    case, at = work.case, outcome.at
    go_on(work, at)
    _at_rest(work, at)
    case.state, case.resolved_at = "resolved", at
    case.ends_at = clock_time_after(at, work.given.policy.reopen_within_s)
    case.outcome = outcome
    work.note(at, "resolved", outcome.by, outcome.code)


def reopen(work: Work, by: str, at: datetime, why: str) -> None:
    """To people, first to whoever had it: what was answered and is not well is no matter for the bot."""
    case = work.case
    case.reopened += 1
    case.resolved_at, case.outcome, case.ends_at = None, None, None
    work.note(at, "reopened", by, why)
    if case.ladder is None:
        to_people(work, at, "reopened")
        return
    level = case.level
    case.state = "open"
    work.wind(lambda old, given: clocks.reopened(old, given, level, at))
    if case.assignee is not None:
        give(work, case.team, case.assignee, at)
    else:
        case.wants = True


def time_is_over(work: Work, now: datetime) -> None:
    """What the state has waited for did not come."""
    case = work.case
    if case.ends_at is None or case.ends_at > now:
        return
    at = case.ends_at
    if case.state == "resolved" and under_way(case):
        # Money or an order is on its way; it is closed when that is known.
        case.ends_at = clock_time_after(at, _UNDER_WAY_S)
    elif case.state == "resolved":
        case.state, case.ends_at, case.same = "closed", None, None
        work.note(at, "closed")
    elif case.state == "waiting_partner":
        go_on(work, at)
        work.note(at, "partner_silent", note=case.partner)
    else:
        resolve(work, Resolve(code="given_up"), SYSTEM, at)


def rate(work: Work, asked: Rating, by: str, at: datetime) -> None:
    work.case.satisfaction = Satisfaction(score=asked.score, at=at)
    if asked.text is not None:
        work.say(at, "customer", by, asked.text)
    work.note(at, "rated", by, str(asked.score))


def merge(work: Work, into: str, by: str, at: datetime) -> None:
    """Its messages are read there; here nothing is done any more. Raises Refusal when the other one has ended."""
    case = work.case
    if into in work.ended:
        raise Refusal(
            "case_not_live",
            f"The case {into} has ended, or is being merged itself.",
            remedy="Merge into a live case.",
            field="into",
            status=409,
        )
    go_on(work, at)
    _at_rest(work, at)
    case.state, case.merged_into, case.same, case.ends_at = "closed", into, None, None
    case.outcome = Outcome(code="merged", by=by, at=at, note=into)
    case.resolved_at = case.resolved_at or at
    work.note(at, "merged", by, into)
    text = f"工单 {case.id} 已并入本工单。 Case {case.id} was merged into this one."
    told = CaseEvent(id=f"merged:{case.id}", case=into, at=at, by=by, what="note", text=text)
    work.passed_on.append(told)


def _at_rest(work: Work, at: datetime) -> None:
    """Nobody owes anything any more. A compensation that waited is not given."""
    case = work.case
    work.wind(lambda old, given: clocks.resolved(old, given, at))
    case.unanswered_since, case.wants, case.choose_at = None, False, None
    case.compensations = [
        one.model_copy(update={"state": "lapsed", "due": None}) if one.state == "waits" else one
        for one in case.compensations
    ]
