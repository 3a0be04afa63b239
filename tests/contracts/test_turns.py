"""Whose turn it is, until when, and who hears of it when nothing is done."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from contracts.onboarding import ENDED, Deadlines, ItemStanding, Stage, Standing
from contracts.turns import ends_when_due, escalated, first_turn, next_moment, reminded, waits_for, why_expired
from contracts.worktime import OFFICE, work_between

FRIDAY = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
"""17:00 in Shanghai: an hour and a half of work is left in the week."""
TERMS = Deadlines()


def test_reviewers_have_sixteen_hours_of_work() -> None:
    turn = first_turn("review", TERMS, FRIDAY)
    assert turn is not None and turn.remind_at is not None
    assert turn.due == datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
    assert work_between(OFFICE, TERMS.zone, FRIDAY, turn.due) == 16 * 3600
    assert work_between(OFFICE, TERMS.zone, FRIDAY, turn.remind_at) == 8 * 3600
    assert next_moment(turn) == turn.remind_at
    assert next_moment(reminded(turn)) == turn.due


def test_a_review_goes_up_from_role_to_role_and_never_ends_by_itself() -> None:
    turn = first_turn("review", TERMS, FRIDAY)
    roles, now = [], FRIDAY
    for _ in range(4):
        assert turn is not None and not ends_when_due(turn)
        now = turn.due
        turn = escalated(turn, TERMS, now)
        roles.append(turn.role)
        assert work_between(OFFICE, TERMS.zone, now, turn.due) == 8 * 3600
    assert roles == ["partner_review_lead", "partner_director", "partner_director", "partner_director"]


def test_a_partner_that_does_not_acknowledge_has_its_time_twice() -> None:
    turn = first_turn("testing", TERMS, FRIDAY)
    assert turn is not None and not ends_when_due(turn)
    again = escalated(turn, TERMS, turn.due)
    assert (again.role, again.due) == ("partner_operations", turn.due + timedelta(days=14))
    assert ends_when_due(again)


@pytest.mark.parametrize(("stage", "days"), [("draft", 60), ("revision", 30), ("bank", 14)])
def test_an_application_that_its_applicant_forgot_expires(stage: Stage, days: int) -> None:
    turn = first_turn(stage, TERMS, FRIDAY)
    assert turn is not None
    assert (turn.due, turn.remind_at) == (FRIDAY + timedelta(days=days), FRIDAY + timedelta(days=days / 2))
    assert ends_when_due(turn)
    with pytest.raises(ValueError, match="nobody above"):
        escalated(turn, TERMS, turn.due)


@pytest.mark.parametrize("stage", ["checking", "provisioning", "active", "rejected", "withdrawn", "expired"])
def test_nobody_is_waited_for_where_nothing_is_to_be_done(stage: Stage) -> None:
    assert first_turn(stage, TERMS, FRIDAY) is None


def test_why_it_expired() -> None:
    stages: list[Stage] = ["draft", "revision", "bank", "testing"]
    assert [why_expired(stage) for stage in stages] == [
        "not_submitted",
        "not_corrected",
        "deposit_not_confirmed",
        "test_not_acknowledged",
    ]


def test_what_is_waited_for_is_said() -> None:
    standing = Standing(
        application="app-1",
        stage="revision",
        items=[ItemStanding(item="licence", state="returned")],
        turn=first_turn("revision", TERMS, FRIDAY),
    )
    assert waits_for(standing) == (
        "the applicant to correct licence until 2026-12-20 09:00 UTC; reminder at 2026-12-05 09:00 UTC"
    )
    turn = first_turn("review", TERMS, FRIDAY)
    assert turn is not None
    late = Standing(
        application="app-1",
        stage="review",
        reviewers_needed=2,
        approved_by=["mei"],
        turn=escalated(turn, TERMS, turn.due),
    )
    assert waits_for(late) == ("1 more reviewer than mei until 2026-11-25 09:00 UTC; escalated to partner_review_lead")
    back = late.model_copy(update={"approved_by": [], "reasons": ["agreement_declined"]})
    assert waits_for(back) == (
        "two different reviewers until 2026-11-25 09:00 UTC; escalated to partner_review_lead;"
        " back because of agreement_declined"
    )


def test_what_is_done_meanwhile_is_said_where_it_is_nobodys_turn() -> None:
    words = {stage: waits_for(Standing(application="app-1", stage=stage)) for stage in get_args(Stage)}
    assert words["checking"] == "checks by machine"
    assert words["provisioning"] == "the partner to be made"
    assert {stage for stage, said in words.items() if said == "nothing any more"} == ENDED
