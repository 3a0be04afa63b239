"""Objections to lines of scores: their time, in working time, and who answers; no server."""

from datetime import UTC, datetime

import pytest

from activities.buying.dispute_moves import answer, begin, time_has_come, waits_for
from contracts.buying_terms import Approver, Approvers, BuyingTerms, ObjectionTerms
from contracts.disputing import Command
from contracts.refusals import Refusal
from contracts.scoring import LineDispute
from tests.purchasing import MONDAY

TERMS = BuyingTerms(objections=ObjectionTerms(roles=["buyer", "purchasing_lead"], answer_work_s=16 * 3600))
NAMED = Approvers(
    approvers=[Approver(name="li", roles=["buyer"], up_to=1), Approver(name="zhao", roles=["purchasing_lead"])]
)
FIRST_DUE = datetime(2026, 3, 3, 10, 30, tzinfo=UTC)
"""Two days of eight hours after Monday at nine, in China."""


def bare() -> LineDispute:
    return LineDispute(id="po-1:1", supplier="sup-a", order="po-1", line=1, reason="门店停电", by="sup-a", at=MONDAY)


def opened() -> LineDispute:
    return begin(bare(), TERMS, MONDAY)


def due_next(dispute: LineDispute) -> tuple[LineDispute, list[tuple[str, str | None, int]]]:
    """The next moment; to whom it was told, with the role and the reminder."""
    assert dispute.next_at is not None
    moved = time_has_come(dispute, TERMS, dispute.next_at)
    assert moved is not None
    return moved[0], [(whom, data.role, data.reminder) for whom, data in moved[1]]


def test_it_is_reminded_at_half_the_working_time_then_escalates_then_is_accepted() -> None:
    dispute = opened()
    assert dispute.turn is not None and dispute.turn.due == FIRST_DUE
    assert dispute.next_at == datetime(2026, 3, 2, 10, 30, tzinfo=UTC), "after eight working hours"
    dispute, told = due_next(dispute)
    assert told == [("retailer", "buyer", 1)], "a reminder is nothing to the supplier"
    assert dispute.next_at == FIRST_DUE
    dispute, told = due_next(dispute)
    assert told == [("sup-a", None, 0), ("retailer", "purchasing_lead", 0)], "the supplier hears that, not of whom"
    assert dispute.turn is not None and dispute.turn.due == datetime(2026, 3, 5, 10, 30, tzinfo=UTC)
    dispute, _ = due_next(dispute)
    silent, told = due_next(dispute)
    assert (silent.state, silent.why, silent.answer, silent.answered_by) == ("accepted", "not_answered", None, "timer")
    assert (silent.turn, silent.next_at, [whom for whom, _, _ in told]) == (None, None, ["sup-a", "retailer"])
    assert time_has_come(silent, TERMS, datetime(2027, 1, 1, tzinfo=UTC)) is None


def test_nothing_happens_before_its_moment() -> None:
    assert time_has_come(opened(), TERMS, datetime(2026, 3, 2, 10, 29, tzinfo=UTC)) is None


def test_a_holiday_and_a_weekend_that_is_worked_count_as_they_are() -> None:
    friday = datetime(2026, 2, 13, 1, 0, tzinfo=UTC)
    dispute = begin(bare(), TERMS, friday)
    # Saturday the 14th is worked instead of a day of the Spring Festival.
    assert dispute.turn is not None and dispute.turn.due == datetime(2026, 2, 14, 10, 30, tzinfo=UTC)


def test_one_that_never_had_a_turn_gets_it_with_the_first_look() -> None:
    moved = time_has_come(bare(), TERMS, MONDAY)
    assert moved is not None and moved[0].turn is not None and moved[0].turn.due == FIRST_DUE


def test_the_role_whose_turn_it_is_answers_or_one_above_it() -> None:
    said = {"accept": False, "reason": "There is a photograph of the shelf."}
    dispute = opened()
    for name in ("li", "zhao"):
        answered, told = answer(dispute, TERMS, NAMED, Command(by=name, **said), MONDAY)
        assert (answered.state, answered.answered_by, answered.turn) == ("rejected", name, None)
        assert [whom for whom, _ in told] == ["sup-a", "retailer"]
    with pytest.raises(Refusal) as caught:
        answer(dispute, TERMS, NAMED, Command(by="sun", **said), MONDAY)
    assert caught.value.code == "other_role" and "li, zhao" in caught.value.remedy
    for _ in range(2):
        dispute, _ = due_next(dispute)
    with pytest.raises(Refusal) as caught:
        answer(dispute, TERMS, NAMED, Command(by="li", **said), MONDAY)
    assert caught.value.remedy == "Let purchasing_lead do it: zhao."
    done, _ = answer(dispute, TERMS, NAMED, Command(by="zhao", **said), MONDAY)
    with pytest.raises(Refusal, match="no_open_dispute"):
        answer(done, TERMS, NAMED, Command(by="zhao", **said), MONDAY)


def test_it_says_what_it_waits_for() -> None:
    assert waits_for(opened()) == (
        "an answer by buyer; looked at again at 2026-03-03 10:30 UTC; reminder at 2026-03-02 10:30 UTC"
    )
    assert waits_for(opened().model_copy(update={"state": "rejected", "turn": None})) == "nothing any more"
