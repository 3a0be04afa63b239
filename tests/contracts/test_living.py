"""A partner's life as pure decisions: what comes next, what is refused, and what becomes of suspensions."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.lifecycle import (
    AGREEMENT,
    Command,
    OfferDocument,
    Open,
    Pace,
    Renew,
    Resume,
    ReviewDocument,
    Suspend,
    Terminate,
)
from contracts.living import (
    BY_OPERATOR,
    LEAVING,
    accepted,
    ended_by,
    next_due,
    offered,
    refuse,
    refuse_endless,
    refuse_open,
    renewed,
    standing_of,
    urged,
    waits_for,
    why_ended,
    with_reasons,
    without_reason,
)
from contracts.onboarding import Deadlines
from contracts.partnership import HeldDocument, Offered, PartnerRecord
from contracts.refusals import Refusal

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
DIGEST = "0" * 64
TERMS = Deadlines()
PACE = Pace()


def days(count: float) -> timedelta:
    return timedelta(days=count)


def record(**more: Any) -> PartnerRecord:
    fields: dict[str, Any] = {
        "id": "partner-1",
        "kind": "franchise",
        "state": "active",
        "name": "杭州茶庄有限公司",
        "credit_code": "91330100799655058B",
        "application": "app-1",
        "agreement": "app-1-a1",
        "agreement_until": NOW + days(700),
        "documents": [
            HeldDocument(requirement="food_licence", digest=DIGEST, valid_until=NOW + days(100)),
            HeldDocument(requirement="business_licence", digest=DIGEST),
        ],
    }
    return PartnerRecord(**{**fields, **more})


def offer(**more: Any) -> Offered:
    asked = OfferDocument(requirement="food_licence", digest=DIGEST, valid_until=NOW + days(900))
    return offered(asked, [], "shop", TERMS, NOW).model_copy(update=more)


def told(partner: PartnerRecord, until: datetime) -> list[tuple[str, str, int]]:
    """All that comes to pass by itself until then, with when in days from NOW."""
    found: list[tuple[str, str, int]] = []
    now = NOW
    while (due := next_due(standing_of(partner), PACE, now)) is not None and due.at <= until:
        now = max(now, due.at)
        found.append((due.kind, due.what, round((now - NOW) / days(1))))
        if due.kind == "remind":
            before = partner.reminded.get(due.what, [])
            partner = partner.model_copy(update={"reminded": {**partner.reminded, due.what: [*before, due.days]}})
        elif due.kind == "expire":
            reasons = ended_by(partner, now)
            assert reasons
            partner = with_reasons(partner, reasons)
        else:
            break
    return found


def test_what_ends_is_told_sixty_thirty_and_seven_days_before_and_then_suspends() -> None:
    assert told(record(), NOW + days(200)) == [
        ("remind", "food_licence", 40),
        ("remind", "food_licence", 70),
        ("remind", "food_licence", 93),
        ("expire", "food_licence", 100),
    ]


def test_of_reminders_that_were_missed_only_the_nearest_is_told() -> None:
    soon = HeldDocument(requirement="food_licence", digest=DIGEST, valid_until=NOW + days(20))
    assert told(record(documents=[soon]), NOW + days(200)) == [
        ("remind", "food_licence", 0),
        ("remind", "food_licence", 13),
        ("expire", "food_licence", 20),
    ]


@given(
    st.dictionaries(st.sampled_from(["food_licence", "permit", "fire_safety"]), st.integers(-50, 400)),
    st.integers(-50, 400),
)
def test_everything_that_ends_suspends_once_and_is_told_before_where_there_is_time(
    documents: dict[str, int], agreement: int
) -> None:
    held = [
        HeldDocument(requirement=name, digest=DIGEST, valid_until=NOW + days(left))
        for name, left in sorted(documents.items())
    ]
    found = told(record(documents=held, agreement_until=NOW + days(agreement)), NOW + days(500))
    moments = [at for _, _, at in found]
    assert moments == sorted(moments)
    expired = [what for kind, what, _ in found if kind == "expire"]
    assert len(found) <= 4 * (1 + len(documents))
    for what, left in {**documents, AGREEMENT: agreement}.items():
        assert expired.count(what) <= 1
        reminded = [at for kind, name, at in found if (kind, name) == ("remind", what)]
        assert len(reminded) == len(set(reminded)) <= 3
        if left > 60:
            assert reminded == [left - 60, left - 30, left - 7]


def test_a_new_document_ends_the_suspension_for_the_old_one() -> None:
    suspended = with_reasons(record(offered=[offer()]), [why_ended("food_licence")])
    assert suspended.state == "suspended"
    again = accepted(suspended, suspended.offered[0])
    assert (again.state, again.suspended_for, again.offered) == ("active", [], [])
    assert again.documents[0].valid_until == NOW + days(900)


def test_a_suspension_by_an_operator_stays_when_the_document_comes() -> None:
    suspended = with_reasons(record(offered=[offer()]), [why_ended("food_licence"), BY_OPERATOR])
    again = accepted(suspended, suspended.offered[0])
    assert (again.state, again.suspended_for) == ("suspended", [BY_OPERATOR])
    assert without_reason(again, BY_OPERATOR).state == "active"


def test_a_renewal_counts_from_the_next_end_and_is_reminded_of_anew() -> None:
    old = record(agreement_until=NOW, reminded={AGREEMENT: [60, 30, 7], "food_licence": [60]}, renewing="app-1-a2")
    new = renewed(with_reasons(old, [why_ended(AGREEMENT)]), "app-1-a2", NOW + days(365))
    assert (new.state, new.agreement, new.renewing, new.reminded) == (
        "active",
        "app-1-a2",
        None,
        {"food_licence": [60]},
    )


@pytest.mark.parametrize(
    ("partner", "command", "code"),
    [
        (record(state="terminated"), Command(by="op", suspend=Suspend(reason="x")), "partner_terminated"),
        (
            record(state="suspended", terminating=True, suspended_for=[LEAVING]),
            Command(by="op", resume=Resume()),
            "partner_terminating",
        ),
        (
            record(state="suspended", suspended_for=[BY_OPERATOR]),
            Command(by="op", suspend=Suspend(reason="x")),
            "suspended_already",
        ),
        (record(), Command(by="op", resume=Resume()), "not_suspended"),
        (
            record(state="suspended", suspended_for=["document_expired:food_licence"]),
            Command(by="op", resume=Resume()),
            "still_expired",
        ),
        (record(renewing="app-1-a2"), Command(by="op", renew=Renew()), "renewal_under_way"),
        (
            record(),
            Command(by="op", offer=OfferDocument(requirement="nothing", digest=DIGEST)),
            "unknown_document",
        ),
        (
            record(),
            Command(by="op", offer=OfferDocument(requirement="food_licence", digest=DIGEST, valid_until=NOW)),
            "not_valid_longer",
        ),
        (
            record(),
            Command(by="mei", review=ReviewDocument(requirement="food_licence", decision="accept")),
            "nothing_offered",
        ),
        (
            record(offered=[offer()]),
            Command(by="mei", review=ReviewDocument(requirement="food_licence", decision="return")),
            "comment_missing",
        ),
        (
            record(offered=[offer(found=["name_differs"])]),
            Command(by="mei", review=ReviewDocument(requirement="food_licence", decision="accept")),
            "check_failed",
        ),
    ],
)
def test_what_does_not_fit_is_refused(partner: PartnerRecord, command: Command, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        refuse(standing_of(partner), command)
    assert refused.value.code == code
    assert refused.value.remedy.endswith(".")


def test_a_partner_with_something_open_goes_only_when_it_is_done() -> None:
    still = Open(orders=["order-1"], order_count=1, unsettled={"CNY": 1_250})
    with pytest.raises(Refusal) as refused:
        refuse_open(Terminate(reason="x"), still)
    assert refused.value.detail == "The partner has 1 open orders (order-1); ¥12.50 not settled."
    refuse_open(Terminate(reason="x", when_done=True), still)
    refuse_open(Terminate(reason="x"), Open())


@pytest.mark.parametrize(("until", "long_term"), [(None, False), (date(2031, 12, 31), True)])
def test_until_when_a_new_document_is_valid_must_be_said(until: date | None, long_term: bool) -> None:
    """One whose end was forgotten would never end."""
    with pytest.raises(Refusal) as refused:
        refuse_endless(until, long_term)
    assert (refused.value.code, refused.value.field) == ("validity_unclear", "valid_until")


def test_a_new_document_ends_or_says_that_it_does_not() -> None:
    refuse_endless(date(2031, 12, 31), False)
    refuse_endless(None, True)


def test_reviewers_of_a_new_document_are_reminded_and_it_goes_up() -> None:
    first = offer()
    assert first.remind_at is not None and first.remind_at < first.due
    assert next_due(standing_of(record(offered=[first])), PACE, NOW) is not None
    one = urged(first, TERMS, first.remind_at)
    assert (one.remind_at, one.role, one.due) == (None, None, first.due)
    two = urged(one, TERMS, one.due)
    three = urged(two, TERMS, two.due)
    assert (two.role, three.role) == ("partner_review_lead", "partner_director")
    assert first.due < two.due < three.due


def test_what_comes_next_is_said() -> None:
    standing = standing_of(record(renewing="app-1-a2"))
    due = next_due(standing, PACE, NOW)
    assert waits_for(standing, due) == (
        "2027-01-02 03:00 UTC, 60 days before the end of food_licence; agreement app-1-a2 is out for signature"
    )


def test_a_reviewer_of_a_new_document_is_waited_for_until_the_end_of_its_time() -> None:
    first = offer()
    assert first.remind_at is not None
    standing = standing_of(record(offered=[first]))
    said = waits_for(standing, next_due(standing, PACE, NOW))
    assert said == (
        f"a reviewer of the new food_licence until {first.due:%Y-%m-%d %H:%M} UTC;"
        f" reminded at {first.remind_at:%Y-%m-%d %H:%M} UTC"
    )
    standing = standing_of(record(offered=[urged(first, TERMS, first.remind_at)]))
    said = waits_for(standing, next_due(standing, PACE, NOW))
    assert said == f"a reviewer of the new food_licence until {first.due:%Y-%m-%d %H:%M} UTC"


@pytest.mark.parametrize(
    ("reasons", "needed"),
    [
        ([BY_OPERATOR], "; suspended until an operator resumes it"),
        (
            ["document_expired:lease", BY_OPERATOR],
            "; suspended until a new lease is accepted and an operator resumes it",
        ),
        (["agreement_expired"], "; suspended until the next agreement is signed"),
    ],
)
def test_who_is_suspended_sees_what_must_come_first(reasons: list[str], needed: str) -> None:
    standing = standing_of(record(state="suspended", suspended_for=reasons))
    assert waits_for(standing, next_due(standing, PACE, NOW)).endswith(needed)
    leaving = standing_of(record(state="suspended", suspended_for=reasons, terminating=True))
    due = next_due(leaving, PACE, NOW)
    assert due is not None and waits_for(leaving, due).endswith(f"looked at again by {due.at:%Y-%m-%d %H:%M} UTC")
