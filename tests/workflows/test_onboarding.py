"""Onboarding on the time-skipping server: from the first word to the reviewers, and every silence on the way."""

from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError

from contracts.applications import Application, Facts
from contracts.onboarding import Deadlines, Standing
from contracts.worktime import OFFICE, work_between
from tests.support import eventually
from tests.workflows.partnering import DAY, DEADLINES, Office, shown
from tests.workflows.settling import code_of


def wrong_name(application: Application) -> Application:
    """The food licence is made out to somebody else."""
    papers = dict(application.documents)
    licence = papers["food_licence"]
    assert licence.facts is not None
    facts = Facts.model_validate({**licence.facts.model_dump(), "name": "别家有限公司"})
    papers["food_licence"] = licence.model_copy(update={"facts": facts})
    return application.model_copy(update={"documents": papers})


def young_and_wrong_name(application: Application) -> Application:
    """30 points for the name, 15 for its age, 5 for food."""
    company = application.fields.company
    assert company is not None
    young = company.model_copy(update={"established_on": f"{application.created_at:%Y-%m-%d}"})
    fields = application.fields.model_copy(update={"company": young})
    return wrong_name(application).model_copy(update={"fields": fields})


def wrong_code(application: Application) -> Application:
    """Its last check character is another one."""
    company = application.fields.company
    assert company is not None
    code = company.credit_code[:-1] + ("0" if company.credit_code[-1] != "0" else "1")
    fields = application.fields.model_copy(update={"company": company.model_copy(update={"credit_code": code})})
    return application.model_copy(update={"fields": fields, "credit_code": code})


def without_contact(application: Application) -> Application:
    return application.model_copy(update={"fields": application.fields.model_copy(update={"contact": None})})


async def shows(process: WorkflowHandle[Any, str], words: str) -> bool:
    return words in await shown(process)


async def test_an_applicant_comes_to_its_reviewers(office: Office) -> None:
    process = await office.begin()
    draft = await office.stands(process, "draft")
    assert draft.items and all(item.state == "supplied" for item in draft.items)
    assert "the applicant to submit until" in await shown(process)
    await office.submit(process)
    await office.stands(process, "bank")
    assert "confirm the amount of the deposit" in await shown(process)
    await office.confirm(process, await office.deposited(process))
    review = await office.stands(process, "review")
    assert {item.verdict for item in review.items if item.item == "bank_account"} == {"passed"}
    assert "**Waits for** a reviewer until" in await shown(process)
    told = await office.told_of("retailer", "application.waits.v1")
    assert [one["stage"] for one in told] == ["draft", "bank", "review"]
    audit = [row["did"] async for row in office.mongo.audit.find().sort("at", 1)]
    assert {"submit", "confirm_deposit", "turn"} <= set(audit)


async def test_an_application_that_is_begun_twice_is_one(office: Office) -> None:
    application = await office.write()
    first = await office.start(application)
    second = await office.start(application)
    assert first.first_execution_run_id == second.first_execution_run_id or first.id == second.id
    assert await office.mongo.applications.count_documents({}) == 1


async def test_what_is_missing_is_named_and_nothing_is_submitted(office: Office) -> None:
    process = await office.begin(change=without_contact)
    await office.stands(process, "draft")
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await office.submit(process)
    assert code_of(refused.value) == "items_missing"
    assert (await office.standing(process)).stage == "draft"


@pytest.mark.parametrize("days", [61])
async def test_a_draft_is_reminded_of_and_expires(office: Office, days: int) -> None:
    process = await office.begin()
    await office.stands(process, "draft")
    await office.env.sleep(timedelta(days=days))
    assert await process.result() == "expired"
    assert (await office.standing(process)).reasons == ["not_submitted"]
    told = await office.told_of("retailer", "application.waits.v1")
    assert [(one["stage"], one["reminder"]) for one in told] == [("draft", 0), ("draft", 1)]


async def test_a_deposit_that_nobody_confirms_ends_the_application(office: Office) -> None:
    process = await office.begin()
    await office.submit(process)
    await office.stands(process, "bank")
    await office.env.sleep(timedelta(days=15))
    assert await process.result() == "expired"
    assert (await office.standing(process)).reasons == ["deposit_not_confirmed"]


async def test_of_three_wrong_amounts_the_last_one_is_for_people_to_judge(office: Office) -> None:
    process = await office.begin()
    await office.submit(process)
    await office.stands(process, "bank")
    wrong = await office.deposited(process) % 99 + 1
    for _ in range(2):
        assert (await office.confirm(process, wrong)).stage == "bank"
    assert (await office.confirm(process, wrong)).stage == "review"
    review = await office.stands(process, "review")
    account = next(item for item in review.items if item.item == "bank_account")
    assert (account.verdict, account.must_pass) == ("failed", True)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await office.review(process, "bank_account", "waive", "we know them")
    assert code_of(refused.value) == "must_not_be_waived"


async def test_reviewers_who_are_silent_are_reminded_and_it_goes_up(office: Office) -> None:
    process = await office.reviewed()
    turn = (await office.stands(process, "review")).turn
    assert turn is not None
    assert work_between(OFFICE, DEADLINES.zone, turn.since, turn.due) == 16 * 3600
    await office.env.sleep(timedelta(days=30))
    late = await office.stands(process, "review", lambda one: one.turn and one.turn.escalated >= 2)
    assert late.turn is not None and late.turn.role == "partner_director"
    assert "escalated to partner_director" in await shown(process)
    told = [one for one in await office.told_of("retailer", "application.waits.v1") if one["stage"] == "review"]
    assert [one.get("escalated_to") for one in told[:4]] == [None, None, "partner_review_lead", "partner_director"]
    assert told[1]["reminder"] == 1
    assert "升级" in told[2]["words"]["zh"]
    assert (await office.approve(process)).stage == "agreement"


async def test_what_is_returned_is_corrected_and_comes_again(office: Office) -> None:
    process = await office.reviewed(change=wrong_name)
    review = await office.stands(process, "review")
    licence = next(item for item in review.items if item.item == "food_licence")
    assert licence.verdict == "failed"
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await office.review(process, "food_licence", "accept")
    assert code_of(refused.value) == "check_failed"
    await office.review(process, "food_licence", "return", "抬头与营业执照不一致")
    await office.decide(process, "return")
    revision = await office.stands(process, "revision")
    assert revision.returned == ["food_licence"]
    assert "to correct food_licence until" in await shown(process)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await office.submit(process)
    assert code_of(refused.value) == "items_missing"
    await office.correct(process, "food_licence")
    await office.submit(process)
    again = await office.stands(process, "review")
    assert again.revision == 2
    assert next(item for item in again.items if item.item == "food_licence").verdict == "passed"
    assert (await office.approve(process)).stage == "agreement"


async def test_what_is_not_corrected_ends_the_application(office: Office) -> None:
    process = await office.reviewed(change=wrong_name)
    await office.review(process, "food_licence", "return", "抬头与营业执照不一致")
    await office.decide(process, "return")
    await office.stands(process, "revision")
    await office.env.sleep(timedelta(days=31))
    assert await process.result() == "expired"
    assert (await office.standing(process)).reasons == ["not_corrected"]


async def test_a_wrong_credit_code_cannot_be_waived_and_asks_for_two_reviewers(office: Office) -> None:
    process = await office.begin(change=wrong_code)
    await office.submit(process)
    await office.stands(process, "bank")
    await office.confirm(process, await office.deposited(process))
    review = await office.stands(process, "review")
    assert review.risk is not None and review.risk > 40
    assert review.reviewers_needed == 2
    barred = next(item.item for item in review.items if item.must_pass)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await office.review(process, barred, "waive", "a typing error")
    assert code_of(refused.value) == "must_not_be_waived"
    rejected = await office.decide(process, "reject", reason="信用代码有误")
    assert rejected.stage == "rejected"
    assert await process.result() == "rejected"


async def test_above_the_limit_of_risk_the_same_reviewer_cannot_approve_twice(office: Office) -> None:
    process = await office.reviewed(change=young_and_wrong_name)
    review = await office.stands(process, "review")
    assert (review.risk, review.reviewers_needed) == (50, 2)
    for item in review.items:
        failed = item.verdict == "failed"
        await office.review(process, item.item, "waive" if failed else "accept", "checked by hand" if failed else None)
    first = await office.decide(process, "approve", by="mei")
    assert first.stage == "review"
    await eventually(lambda: shows(process, "1 more reviewer than mei"))
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await office.decide(process, "approve", by="mei")
    assert code_of(refused.value) == "same_reviewer"
    assert (await office.decide(process, "approve", by="jun")).stage == "agreement"


async def test_an_applicant_may_withdraw(office: Office) -> None:
    process = await office.reviewed()
    assert (await office.withdraw(process)).stage == "withdrawn"
    assert await process.result() == "withdrawn"


async def test_a_workflow_that_was_ended_by_force_goes_on_where_it_stood(office: Office) -> None:
    application = await office.write()
    process = await office.start(application)
    await office.submit(process)
    await office.stands(process, "bank")
    await process.terminate("tried out")
    again = await office.start(application)
    assert await again.query("standing", result_type=Standing) == await office.standing(process)
    await office.confirm(again, await office.deposited(again))
    await office.stands(again, "review")


async def test_the_times_are_the_ones_it_was_started_with(office: Office) -> None:
    application = await office.write()
    process = await office.start(application, Deadlines(draft_s=3 * DAY, remind_after=0.9))
    turn = (await office.stands(process, "draft")).turn
    assert turn is not None and turn.due - turn.since == timedelta(days=3)
