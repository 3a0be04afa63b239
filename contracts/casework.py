"""What may be done with a case that stands so, how it stands in short, and what it waits for. Pure."""

from datetime import datetime

from contracts.cases import LIVE, CaseRecord, Compensation, Correct, DecideMoney, Doing, Standing
from contracts.refusals import Refusal

_IN_ANY_STATE: frozenset[Doing] = frozenset({"rate", "note", "found", "settled", "partner_says", "recount"})
_OF_RESOLVED: frozenset[Doing] = _IN_ANY_STATE | {"say", "reopen"}
_NEEDS_PARCEL = frozenset({"reship", "refund", "take_back"})


def standing_of(case: CaseRecord, due: datetime | None) -> Standing:
    running = [clock for clock in case.clocks.each() if clock.met_at is None]
    return Standing(
        case=case.id,
        kind=case.kind,
        state=case.state,
        region=case.region,
        order=case.order,
        partner=case.partner,
        priority=case.priority,
        level=case.level,
        team=case.team,
        assignee=case.assignee,
        clocks=[(clock.kind, clock.due, clock.breached_at is not None) for clock in running],
        waits=waits_for(case),
        until=due,
        version=case.version,
    )


def waits_for(case: CaseRecord) -> str:
    """In words, for those who look."""
    until = f" until {case.ends_at:%Y-%m-%d %H:%M} UTC" if case.ends_at else ""
    if case.state == "bot":
        return "the bot" if case.messages > case.answered_by_bot else "the customer, whom the bot has asked"
    if case.state == "waiting_customer":
        return f"the customer{until}"
    if case.state == "waiting_partner":
        return f"{case.partner}{until}"
    if case.state == "waiting_approval":
        number = next((str(one.number) for one in case.compensations if one.state == "waits"), "")
        return f"approval of compensation {number}"
    if case.state == "resolved":
        return f"nobody; it may be reopened{until}"
    if case.state == "closed":
        return "nobody"
    return f"{case.assignee or 'somebody'} of {case.team or 'any team'}, level {case.level}"


def refuse(case: CaseRecord, what: Doing, by: str, asked: object = None) -> None:
    """Raises Refusal when a case that stands so cannot take this; it then changes nothing. `asked`: the request."""
    if case.state == "closed" and what not in _IN_ANY_STATE:
        raise Refusal(
            "case_closed",
            f"The case {case.id} is closed{f'; {case.merged_into} has it' if case.merged_into else ''}.",
            remedy="Open a new case; it is linked to this one.",
            status=409,
        )
    if case.state == "resolved" and what not in _OF_RESOLVED:
        raise Refusal("case_resolved", f"The case {case.id} is resolved.", remedy="Reopen it first.", status=409)
    if what == "reopen" and case.state in LIVE:
        raise Refusal("case_open", f"The case {case.id} is open.", remedy="There is nothing to do.", status=409)
    if what in ("compensate", "correct") and case.order is None:
        raise Refusal(
            "no_order",
            "The case is about no order, so that there is none to pay back or to correct.",
            remedy="Open a case that names the order.",
            status=409,
        )
    if what == "compensate" and any(one.state == "waits" for one in case.compensations):
        raise Refusal(
            "compensation_waits",
            "A compensation waits for approval already.",
            remedy="Have it decided first.",
            status=409,
        )
    if what == "rate":
        _refuse_rating(case)
    if isinstance(asked, DecideMoney):
        _refuse_decision(case, by, asked)
    if isinstance(asked, Correct) and asked.action in _NEEDS_PARCEL and asked.parcel is None:
        raise Refusal(
            "parcel_missing", f"{asked.action} is about one parcel.", remedy="Name the parcel.", field="parcel"
        )
    if what == "ask_partner" and case.partner is None and getattr(asked, "partner", None) is None:
        raise Refusal("no_partner", "The case concerns no partner.", remedy="Send partner.", field="partner")
    if what == "merge" and under_way(case):
        raise Refusal(
            "under_way",
            "Money, or a correction of the order, is on its way.",
            remedy="Merge it when that is done; the case tells.",
            status=409,
        )
    if what == "merge" and getattr(asked, "into", None) == case.id:
        raise Refusal("same_case", "A case cannot be merged into itself.", remedy="Send another case.", field="into")


def _refuse_rating(case: CaseRecord) -> None:
    if case.state in LIVE:
        raise Refusal(
            "not_resolved", "The case is not resolved yet.", remedy="Rate it when it is resolved.", status=409
        )
    if case.satisfaction is not None:
        raise Refusal("rated_already", "The case was rated.", remedy="There is nothing to do.", status=409)


def _refuse_decision(case: CaseRecord, by: str, asked: DecideMoney) -> None:
    waiting = compensation(case, asked.number)
    if waiting is None or waiting.state != "waits":
        raise Refusal(
            "nothing_to_decide",
            f"No compensation {asked.number} of the case waits for a decision.",
            remedy="Look at the case to see what does.",
            field="number",
            status=409,
        )
    if waiting.by == by:
        raise Refusal(
            "own_compensation",
            "Who offers a compensation cannot approve it.",
            remedy="Have somebody else decide.",
            status=409,
        )


def under_way(case: CaseRecord) -> bool:
    """Whether something outside is to be looked at."""
    return any(one.state == "approved" for one in case.compensations) or any(
        one.state == "todo" for one in case.corrections
    )


def compensation(case: CaseRecord, number: int) -> Compensation | None:
    return next((one for one in case.compensations if one.number == number), None)
