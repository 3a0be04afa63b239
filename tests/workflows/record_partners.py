"""Records histories of partners for the replay test: `.venv/bin/pytest tests/workflows/record_partners.py`."""

from datetime import timedelta
from typing import Any

from temporalio.client import WorkflowHandle

from contracts.lifecycle import WORKFLOW as LIFECYCLE
from contracts.lifecycle import OfferDocument, Renew, Resume, ReviewDocument, Suspend, Terminate, lifecycle_id
from contracts.onboarding import WORKFLOW as ONBOARDING
from contracts.onboarding import partner_of
from contracts.partnership import PartnerRecord
from tests.workflows.partnering import Office
from tests.workflows.record_histories import _keep
from tests.workflows.test_lifecycle import DIGEST, Life
from tests.workflows.test_making_partners import activated
from tests.workflows.test_onboarding import wrong_name


async def test_record_an_applicant_that_becomes_a_partner(office: Office) -> None:
    process = await activated(office)
    await _keep("active", process, ONBOARDING)


async def test_record_an_application_that_is_corrected_and_expires(office: Office) -> None:
    process: WorkflowHandle[Any, str] = await office.reviewed(change=wrong_name)
    await office.env.sleep(timedelta(days=10))
    await office.stands(process, "review", lambda one: one.turn and one.turn.escalated)
    await office.review(process, "food_licence", "return", "抬头与营业执照不一致")
    await office.decide(process, "return")
    await office.stands(process, "revision")
    assert await office.ended(process) == "expired"
    await _keep("corrected_and_expired", process, ONBOARDING)


async def test_record_a_declined_agreement_and_a_rejection_during_the_test(office: Office) -> None:
    process = await office.reviewed()
    await office.approve(process)
    await office.decline(process, "分成比例过高")
    await office.stands(process, "review", lambda one: one.reasons)
    await office.approve(process)
    await office.sign(process)
    await office.stands(process, "testing")
    await office.decide(process, "reject", reason="重复申请")
    assert await office.ended(process) == "rejected"
    await _keep("declined_and_rejected", process, ONBOARDING)


async def test_record_a_life(office: Office) -> None:
    life = await Life.begin(office)
    await life.do("suspend", Suspend(reason="门店装修"))
    await life.do("resume", Resume())
    await life.pass_days(71)
    await life.stands(lambda one: one.state == "suspended")
    until = await life.now() + timedelta(days=700)
    await life.do("offer", OfferDocument(requirement="food_licence", digest=DIGEST, valid_until=until))
    await life.pass_days(6)
    await life.stands(lambda one: one.offered and one.offered[0].escalated)
    await life.do("review", ReviewDocument(requirement="food_licence", decision="accept"))
    await life.do("terminate", Terminate(reason="合同到期"))
    assert await life.handle.result() == "terminated"
    await _keep("suspended_and_terminated", life.handle, LIFECYCLE)


async def test_record_a_renewal(office: Office) -> None:
    process = await activated(office)
    partner = partner_of(process.id.removeprefix("onboarding-"))
    row = await office.mongo.partners.find_one({"_id": partner})
    assert row is not None
    life = Life(office, PartnerRecord.from_row(row))
    standing = await life.do("renew", Renew())
    assert standing.renewing is not None
    assert await office.signers.sign(await office.link(standing.renewing)) == 200
    await office.called_back(process, standing.renewing)
    await life.stands(lambda one: one.agreement == standing.renewing)
    await life.do("terminate", Terminate(reason="合同到期"))
    await office.client.get_workflow_handle(lifecycle_id(partner)).result()
    await _keep("renewed", life.handle, LIFECYCLE)
