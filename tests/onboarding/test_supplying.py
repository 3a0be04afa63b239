"""What an applicant supplies: new things are to be looked at again, the same thing again changes nothing."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.onboarding import bank
from activities.onboarding.case import Case, Others
from activities.onboarding.supplying import FILES_BYTES_MAX, with_facts, with_fields, with_file
from bench.applicants import complete
from contracts.applications import Application, Facts, FieldsSent, SuppliedFile, standing_items
from contracts.deciding import decided
from contracts.onboarding import Decide, ItemStanding, Stage, Standing
from contracts.refusals import Refusal
from contracts.requirements import builtin_sets
from workers.gateway.applying import standing_view

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
SET = builtin_sets()["franchise@1"]


def revised(stage: Stage = "revision") -> Application:
    """Everything was accepted but the lease, which was returned with a comment."""
    made = complete(1, SET, NOW)
    items = [
        ItemStanding(item=item.item, state="returned", verdict="failed", comment="请上传新合同", by="mei")
        if item.item == "lease"
        else ItemStanding(item=item.item, state="accepted", verdict="passed", by="mei")
        for item in standing_items(made, SET)
    ]
    return made.model_copy(update={"standing": Standing(application=made.id, stage=stage, revision=1, items=items)})


def file(digest: str = "f" * 64, size: int = 10) -> SuppliedFile:
    return SuppliedFile(digest=digest, media_type="application/pdf", size=size, pages=1, supplied_at=NOW)


def missing(application: Application) -> list[str]:
    """What must be supplied, or supplied anew, before it can be submitted."""
    return [item.item for item in standing_items(application, SET) if item.state in ("missing", "returned")]


def states(application: Application) -> dict[str, str]:
    return {item.item: item.state for item in application.standing.items if item.state != "accepted"}


def refused(code: str, work: Any) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        work()
    assert refusal.value.code == code
    return refusal.value


def test_what_is_returned_is_supplied_anew() -> None:
    before = revised()
    assert missing(before) == ["lease"]
    after, items = with_file(before, SET, "lease", file(), NOW)
    assert items == ["lease"] and missing(after) == []
    lease = after.standing.item("lease")
    assert lease is not None
    assert (lease.state, lease.verdict, lease.comment, lease.by) == ("supplied", "not_checked", "请上传新合同", None)
    assert after.uploaded_bytes == 10


def test_what_was_accepted_and_is_changed_is_looked_at_again() -> None:
    before = revised()
    contact = before.fields.contact
    assert contact is not None
    sent = FieldsSent(contact=contact.model_copy(update={"phone": "13800000000"}), company=before.fields.company)
    after, items = with_fields(before, SET, sent, NOW)
    assert items == ["contact"]
    assert states(after) == {"contact": "supplied", "lease": "returned"}


def test_the_same_again_changes_nothing() -> None:
    before = revised()
    sent = FieldsSent.model_validate({**before.fields.model_dump(), "declarations": list(before.declarations)})
    assert with_fields(before, SET, sent, NOW)[1] == []
    document = before.documents["food_licence"]
    assert document.file is not None and document.facts is not None
    assert with_file(before, SET, "food_licence", document.file, NOW) == (before, [])
    assert with_facts(before, SET, "food_licence", document.facts, NOW) == (before, [])


def test_what_was_returned_may_be_sent_again_as_it_was() -> None:
    """The applicant says that it is right; otherwise it could never submit again."""
    before = revised()
    document = before.documents["lease"]
    assert document.file is not None and document.facts is not None
    for after, items in (
        with_file(before, SET, "lease", document.file, NOW),
        with_facts(before, SET, "lease", document.facts, NOW),
    ):
        assert items == ["lease"] and missing(after) == [] and after.uploaded_bytes == 0
    standing = before.standing.model_copy(
        update={"items": [ItemStanding(item="integrity", state="returned"), *before.standing.items[1:]]}
    )
    returned = before.model_copy(update={"standing": standing})
    assert with_fields(returned, SET, FieldsSent(declarations=["integrity"]), NOW)[1] == ["integrity"]


@pytest.mark.parametrize("stage", ["checking", "bank", "review", "agreement", "active", "rejected"])
def test_out_of_turn_nothing_is_supplied(stage: Stage) -> None:
    application = revised(stage)
    refused("not_editable", lambda: with_fields(application, SET, FieldsSent(), NOW))
    refused("not_editable", lambda: with_file(application, SET, "lease", file(), NOW))
    refused("not_editable", lambda: with_facts(application, SET, "lease", Facts(), NOW))


@pytest.mark.parametrize(
    "taken", ["partner-01kjt3w9x8c4m2p7q5", "partner-01kjt3w9x8c4m2p7q5-1", "Partner-x", "retailer"]
)
def test_a_place_is_not_called_as_somebody_else_is(taken: str) -> None:
    """Who has the place hears the stream of that id, and answers on it."""
    application = revised()
    [place] = application.fields.places or []
    sent = FieldsSent(places=[place, place.model_copy(update={"id": taken})])
    assert refused("id_reserved", lambda: with_fields(application, SET, sent, NOW)).field == "places.1.id"
    with_fields(application, SET, FieldsSent(places=[place.model_copy(update={"id": "tea-house-1"})]), NOW)


def test_what_is_not_asked_is_refused() -> None:
    supplier = builtin_sets()["supplier@1"]
    application = revised()
    places = FieldsSent(places=application.fields.places)
    assert refused("form_not_asked", lambda: with_fields(application, supplier, places, NOW)).field == "places"
    wrong = FieldsSent(declarations=["truthfulness", "lease"])
    assert refused("declaration_not_asked", lambda: with_fields(application, SET, wrong, NOW)).field == "declarations.1"
    assert (
        refused("unknown_document", lambda: with_file(application, SET, "alcohol_licence", file(), NOW)).status == 404
    )
    ends = Facts(long_term=True, valid_until="2030-01-01")
    refused("two_ends", lambda: with_facts(application, SET, "lease", ends, NOW))


def test_files_of_one_application_are_bounded_together() -> None:
    application = revised().model_copy(update={"uploaded_bytes": FILES_BYTES_MAX - 10})
    with_file(application, SET, "lease", file(size=10), NOW)
    assert refused("too_many_files", lambda: with_file(application, SET, "lease", file(size=11), NOW)).status == 413


@settings(deadline=None)
@given(st.lists(st.sampled_from(["company", "contact", "lease", "facts", "declare"]), max_size=8))
def test_whatever_is_supplied_items_say_what_is_there(order: list[str]) -> None:
    """In any order, from nothing."""
    whole = complete(3, SET, NOW)
    empty = {"fields": whole.fields.model_copy(update=dict.fromkeys(type(whole.fields).model_fields)), "documents": {}}
    application = whole.model_copy(
        update={**empty, "declarations": {}, "standing": Standing(application=whole.id, items=[])}
    )
    steps: dict[str, Any] = {
        "company": lambda a: with_fields(a, SET, FieldsSent(company=whole.fields.company), NOW),
        "contact": lambda a: with_fields(a, SET, FieldsSent(contact=whole.fields.contact), NOW),
        "declare": lambda a: with_fields(a, SET, FieldsSent(declarations=["integrity"]), NOW),
        "lease": lambda a: with_file(a, SET, "lease", file(), NOW),
        "facts": lambda a: with_facts(a, SET, "lease", whole.documents["lease"].facts or Facts(), NOW),
    }
    for step in order:
        application, _ = steps[step](application)
    there: set[str] = {"company", "contact"} & set(order)
    there |= {"integrity"} if "declare" in order else set()
    there |= {"lease"} if {"lease", "facts"} <= set(order) else set()
    if order:
        assert {item.item for item in application.standing.items if item.state == "supplied"} == there
        assert set(missing(application)) == {
            item.id for item in SET.asked_of(application.categories) if not item.optional and item.id not in there
        }


def test_another_way_to_write_the_holder_gives_no_further_tries() -> None:
    application = revised("bank")
    account = application.fields.bank_account
    assert account is not None
    deposit = bank.wanted(application, account, 42, NOW).model_copy(update={"state": "sent"})
    application = application.model_copy(update={"deposits": [deposit]})
    for wrong in (1, 2, 3):
        deposit, said = bank.said(application, wrong, NOW)
        application = application.model_copy(update={"deposits": [deposit]})
    assert said == "refuted"
    renamed = account.model_copy(update={"holder": "别名"})
    again = application.model_copy(update={"fields": application.fields.model_copy(update={"bank_account": renamed})})
    assert not bank.needs_deposit(again)
    refused("no_deposit_open", lambda: bank.said(again, 42, NOW))


def test_deposits_are_counted() -> None:
    application = revised("bank")
    account = application.fields.bank_account
    assert account is not None
    for number in range(bank.DEPOSITS):
        other = account.model_copy(update={"number": f"62220000000{number}"})
        application = application.model_copy(
            update={"fields": application.fields.model_copy(update={"bank_account": other})}
        )
        assert bank.needs_deposit(application)
        made = bank.wanted(application, other, 1, NOW).model_copy(update={"state": "failed"})
        application = application.model_copy(update={"deposits": [*application.deposits, made]})
    last = account.model_copy(update={"number": "622299999999"})
    application = application.model_copy(
        update={"fields": application.fields.model_copy(update={"bank_account": last})}
    )
    assert not bank.needs_deposit(application)


def test_who_named_a_wrong_amount_is_told_so_and_how_often_one_may_try_yet() -> None:
    application = revised("bank")
    account = application.fields.bank_account
    assert account is not None
    deposit = bank.wanted(application, account, 42, NOW).model_copy(update={"state": "sent"})
    said = []
    for wrong in (1, 2, 3):
        deposit, _ = bank.said(application.model_copy(update={"deposits": [deposit]}), wrong, NOW)
        case = Case(application.model_copy(update={"deposits": [deposit]}), SET, Others(), NOW)
        [check] = bank.check_account(case)
        said.append((check.verdict, check.code, check.words.en))
    assert said == [
        ("not_checked", "amount_wrong_so_far", "The amount that was named is wrong; tries that are left: 2."),
        ("not_checked", "amount_wrong_so_far", "The amount that was named is wrong; tries that are left: 1."),
        ("failed", "amount_wrong", "3 amounts were named, all wrong."),
    ]


def test_an_applicant_that_is_rejected_reads_what_the_reviewer_said() -> None:
    application = revised("review")
    standing = decided(application.standing, Decide(decision="reject", reason="信用代码有误"), "mei")
    seen = standing_view(application.model_copy(update={"standing": standing}))
    assert (seen["stage"], seen["comment"]) == ("rejected", "信用代码有误")
