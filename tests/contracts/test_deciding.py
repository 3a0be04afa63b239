"""What may be done with an application, by example and by walks of chance through all commands."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.deciding import MOVES, decided, moved, refuse, reviewed, submitted, withdrawn
from contracts.onboarding import (
    EDITABLE,
    ENDED,
    Command,
    ConfirmDeposit,
    Decide,
    ItemStanding,
    Move,
    ReviewItem,
    Stage,
    Standing,
    Submit,
    Withdraw,
)
from contracts.refusals import Refusal

NOW = datetime(2026, 11, 23, tzinfo=UTC)
ITEMS = ("licence", "permit", "account")
STAGES: tuple[Stage, ...] = (
    "draft",
    "checking",
    "bank",
    "review",
    "revision",
    "agreement",
    "provisioning",
    "testing",
    "active",
    "rejected",
    "withdrawn",
    "expired",
)


def standing(stage: Stage = "review", **more: Any) -> Standing:
    items = [ItemStanding(item=item, state="supplied", verdict="passed") for item in ITEMS]
    return Standing(application="app-1", stage=stage, items=more.pop("items", items), **more)


def item(name: str, **more: Any) -> ItemStanding:
    return ItemStanding(item=name, **{"state": "supplied", "verdict": "passed", **more})


def review(name: str, decision: Any, comment: str | None = None, by: str = "mei") -> Command:
    return Command(by=by, review=ReviewItem(item=name, decision=decision, comment=comment))


def decide(decision: Any, reason: str | None = None, by: str = "mei") -> Command:
    return Command(by=by, decide=Decide(decision=decision, reason=reason))


SUBMIT = Command(by="applicant", submit=Submit())
WITHDRAW = Command(by="applicant", withdraw=Withdraw())
CONFIRM = Command(by="applicant", confirm_deposit=ConfirmDeposit(amount=42))


@pytest.mark.parametrize(
    ("stands", "command", "code", "field"),
    [
        (standing("review"), SUBMIT, "not_at_this_stage", None),
        (standing("provisioning"), WITHDRAW, "not_at_this_stage", None),
        (standing("review"), CONFIRM, "not_at_this_stage", None),
        (standing("draft"), decide("approve"), "not_at_this_stage", None),
        (standing("active"), WITHDRAW, "application_over", None),
        (standing("expired"), SUBMIT, "application_over", None),
        (standing(), review("nothing", "accept"), "unknown_item", "item"),
        (standing(), review("licence", "return"), "comment_missing", "comment"),
        (standing(), review("licence", "waive"), "comment_missing", "comment"),
        (standing(items=[item("licence", state="missing")]), review("licence", "accept"), "item_missing", "decision"),
        (standing(items=[item("licence", verdict="failed")]), review("licence", "accept"), "check_failed", "decision"),
        (
            standing(items=[item("licence", verdict="failed", must_pass=True)]),
            review("licence", "waive", "they are known"),
            "must_not_be_waived",
            "decision",
        ),
        (standing(), decide("approve"), "items_undecided", "decision"),
        (standing(), decide("return"), "nothing_returned", "decision"),
        (standing(), decide("reject"), "reason_missing", "reason"),
        (
            standing(items=[item("licence", state="accepted")], approved_by=["mei"], reviewers_needed=2),
            decide("approve"),
            "same_reviewer",
            None,
        ),
        (standing("testing"), decide("approve"), "not_at_this_stage", "decision"),
    ],
)
def test_what_does_not_fit_is_refused(stands: Standing, command: Command, code: str, field: str | None) -> None:
    before = stands.model_dump()
    with pytest.raises(Refusal) as refused:
        refuse(stands, command)
    assert (refused.value.code, refused.value.field) == (code, field)
    assert refused.value.remedy.endswith(".")
    assert stands.model_dump() == before


def test_a_failed_item_may_be_waived_with_a_reason_where_no_check_forbids_it() -> None:
    stands = standing(items=[item("licence", verdict="failed")])
    command = review("licence", "waive", "renewed last week")
    refuse(stands, command)
    assert command.review is not None
    after = reviewed(stands, command.review, "mei")
    assert (after.items[0].state, after.items[0].comment, after.items[0].by) == ("waived", "renewed last week", "mei")


def test_above_the_limit_two_different_reviewers_approve() -> None:
    stands = standing(items=[item("licence", state="accepted")], reviewers_needed=2)
    first = decided(stands, Decide(decision="approve"), "mei")
    assert (first.stage, first.approved_by) == ("review", ["mei"])
    refuse(first, decide("approve", by="jun"))
    second = decided(first, Decide(decision="approve"), "jun")
    assert (second.stage, second.approved_by) == ("agreement", ["mei", "jun"])


def test_an_item_that_is_decided_anew_takes_the_approvals_back() -> None:
    stands = standing(items=[item("licence", state="accepted")], reviewers_needed=2, approved_by=["mei"])
    assert reviewed(stands, ReviewItem(item="licence", decision="return", comment="blurred"), "jun").approved_by == []


def test_what_was_returned_goes_back_and_comes_again() -> None:
    stands = standing(items=[item("licence", state="returned", comment="blurred"), item("permit", state="accepted")])
    back = decided(stands, Decide(decision="return"), "mei")
    assert (back.stage, back.returned) == ("revision", ["licence"])
    again = submitted(back)
    assert (again.stage, again.revision) == ("checking", 1)
    assert [one.state for one in again.items] == ["returned", "accepted"]


def test_an_application_whose_agreement_is_signed_is_made_a_partner_again_without_another() -> None:
    stands = standing(items=[item("licence", state="accepted")], signed=True, agreement="app-1-a1", agreements=1)
    after = decided(stands, Decide(decision="approve"), "mei")
    assert (after.stage, after.agreement) == ("provisioning", "app-1-a1")


def test_a_new_approval_asks_for_a_new_agreement() -> None:
    stands = standing(items=[item("licence", state="accepted")], agreement="app-1-a1", agreements=1)
    after = decided(stands, Decide(decision="approve"), "mei")
    assert (after.stage, after.agreement, after.agreements) == ("agreement", None, 1)
    drafted = moved(after, _move("agreement", agreement="app-1-a2"))
    assert (drafted.agreement, drafted.agreements) == ("app-1-a2", 2)
    assert moved(drafted, _move("agreement", agreement="app-1-a2")).agreements == 2


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("to", STAGES)
def test_the_process_goes_on_by_itself_only_where_there_is_a_way(stage: Stage, to: Stage) -> None:
    if to in MOVES.get(stage, frozenset()):
        assert moved(standing(stage), _move(to)).stage == to
    else:
        with pytest.raises(ValueError, match="cannot go from"):
            moved(standing(stage), _move(to))


def _move(to: Stage, **more: Any) -> Move:
    return Move(application="app-1", number=1, now=NOW, to=to, **more)


commands = st.one_of(
    st.just(SUBMIT),
    st.just(WITHDRAW),
    st.just(CONFIRM),
    st.builds(
        review,
        st.sampled_from([*ITEMS, "nothing"]),
        st.sampled_from(["accept", "return", "waive"]),
        st.sampled_from([None, "words"]),
        st.sampled_from(["mei", "jun"]),
    ),
    st.builds(
        decide,
        st.sampled_from(["approve", "return", "reject"]),
        st.sampled_from([None, "words"]),
        st.sampled_from(["mei", "jun"]),
    ),
)


@settings(max_examples=300)
@given(
    st.lists(commands, max_size=40),
    st.lists(st.tuples(st.sampled_from(["passed", "failed", "doubtful"]), st.booleans()), min_size=3, max_size=3),
    st.integers(1, 2),
)
def test_walks(walk: list[Command], verdicts: list[tuple[Any, bool]], needed: int) -> None:
    """Whatever is tried: nobody becomes a partner with an item undecided, with a check failed that must pass, or with
    fewer different reviewers than its risk asks for."""
    items = [
        item(name, verdict=verdict, must_pass=barred and verdict == "failed")
        for name, (verdict, barred) in zip(ITEMS, verdicts, strict=True)
    ]
    stands = standing("draft", items=items, reviewers_needed=needed)
    for command in walk:
        before = stands.model_copy(deep=True)
        try:
            refuse(stands, command)
        except Refusal:
            assert stands == before
            continue
        stands = _carried(stands, command)
        assert stands.stage in (*EDITABLE, "checking", "bank", "review", "agreement", *ENDED)
        if stands.stage == "checking":
            stands = stands.model_copy(update={"stage": "review"})
        if stands.stage == "agreement":
            assert stands.undecided == []
            assert len(set(stands.approved_by)) >= needed
            for one in stands.items:
                assert not (one.must_pass and one.state in ("accepted", "waived"))
                assert not (one.verdict == "failed" and one.state == "accepted")
                assert one.state != "waived" or one.comment
            return


def _carried(stands: Standing, command: Command) -> Standing:
    if command.submit is not None:
        return submitted(stands)
    if command.withdraw is not None:
        return withdrawn(stands)
    if command.review is not None:
        return reviewed(stands, command.review, command.by)
    assert command.decide is not None
    return decided(stands, command.decide, command.by)


def test_who_is_rejected_reads_why() -> None:
    after = decided(standing(), Decide(decision="reject", reason="信用代码有误"), "mei")
    assert (after.stage, after.reasons, after.comment) == ("rejected", ["rejected_by_reviewer"], "信用代码有误")
