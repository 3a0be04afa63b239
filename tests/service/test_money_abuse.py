"""What somebody tries to give more money than they may, or to have it lost on its way."""

from dataclasses import replace
from typing import Any

import pytest

from activities.service.office import ranks_of
from activities.service.taking import conclude, step
from activities.service.work import Work
from contracts.cases import CaseEvent, CaseRecord
from contracts.service_policy import DEFAULT
from tests.service.casemaking import MONDAY, Story, after, given, happened, opened, team

FIRST, SECOND = DEFAULT.level(1).compensation_limit, DEFAULT.level(2).compensation_limit


def taken(case: CaseRecord, *events: CaseEvent, now: Any = MONDAY, ranks: Any = None, **more: Any) -> Work:
    promised = replace(given(case), ranks=ranks or {})
    return conclude(step(case, events, now, promised, **more))


def offer(amount: int, by: str = "lin") -> CaseEvent:
    return happened("compensate", MONDAY, by, amount=amount, reason="late")


def states(work: Work) -> list[str]:
    return [one.state for one in work.case.compensations]


@pytest.mark.parametrize("assigned", [False, True])
def test_who_has_a_case_escalated_may_not_give_more_by_that(assigned: bool) -> None:
    more = [happened("assign", MONDAY, assignee="lin")] if assigned else []
    events = [happened("escalate", MONDAY, reason="more money"), *more, offer(FIRST + 1)]
    ranks = ranks_of([team("line", 1, "wang", "lin"), team("experts", 2, "chen", "zhao")])
    work = taken(opened(), *events, ranks=ranks)
    assert (work.case.level, states(work)) == (2, ["waits"])
    above = taken(opened(), happened("escalate", MONDAY, reason="hard"), offer(FIRST + 1, "zhao"), ranks=ranks)
    assert states(above) == ["approved"]
    assert ranks == {"wang": 9, "lin": 1, "chen": 9, "zhao": 2}


def test_a_limit_is_one_for_all_cases_of_an_order() -> None:
    assert states(taken(opened(), offer(FIRST))) == ["approved"]
    assert states(taken(opened(), offer(1), elsewhere=FIRST)) == ["waits"]


def test_a_case_is_not_merged_while_money_is_on_its_way_nor_into_one_that_has_ended() -> None:
    case = taken(opened(), offer(1)).case
    work = taken(case, happened("merge", after(1), into=_OTHER), now=after(1))
    assert _codes(work) == ["under_way"] and work.case.state == "open"
    ended = taken(opened(), happened("merge", after(1), into=_OTHER), now=after(1), ended=frozenset({_OTHER}))
    assert _codes(ended) == ["case_not_live"] and ended.case.state == "open" and not ended.passed_on


def test_a_case_is_not_closed_while_money_is_on_its_way() -> None:
    story = Story(opened())
    story.at(MONDAY, offer(1), happened("resolve", after(1)))
    late = story.at(after(days=30)).case
    assert late.state == "resolved" and late.due is not None
    story.case.compensations[0].state = "paid"
    assert story.at(after(days=31)).case.state == "closed"


def _codes(work: Work) -> list[str]:
    return [refusal.code for refusal in work.verdicts.values() if refusal is not None]


_OTHER = "case-01kjt3w9x8c4m2p7q5"
