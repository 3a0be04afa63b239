"""Onboarding on the time-skipping server: from the first word to the reviewers, and every silence on the way."""

from contracts.applications import Application, Facts
from tests.workflows.partnering import Office, shown


def wrong_name(application: Application) -> Application:
    """The food licence is made out to somebody else."""
    papers = dict(application.documents)
    licence = papers["food_licence"]
    assert licence.facts is not None
    facts = Facts.model_validate({**licence.facts.model_dump(), "name": "别家有限公司"})
    papers["food_licence"] = licence.model_copy(update={"facts": facts})
    return application.model_copy(update={"documents": papers})


def wrong_code(application: Application) -> Application:
    """Its last check character is another one."""
    company = application.fields.company
    assert company is not None
    code = company.credit_code[:-1] + ("0" if company.credit_code[-1] != "0" else "1")
    fields = application.fields.model_copy(update={"company": company.model_copy(update={"credit_code": code})})
    return application.model_copy(update={"fields": fields, "credit_code": code})


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
