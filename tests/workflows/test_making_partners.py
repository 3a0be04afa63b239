"""From the reviewers to an active partner: signers, the saga of making it, its test event. On real servers."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle

from activities.onboarding import provisioning
from activities.onboarding.provisioning import CannotBeMade, Hands, Work
from activities.settlement.rulebook import read_rules
from contracts.applications import Application
from contracts.lifecycle import lifecycle_id
from contracts.onboarding import PROVISION_STEPS, Provide, ProvisionStep, partner_of
from contracts.partnership import PartnerRecord
from contracts.subjects import EVENTS, event_subject, partner_consumer
from infra.access import PartnerAccess
from infra.nats import publish
from infra.outbox import Turn, mark_sent
from infra.streams import provision_partner
from tests.workflows.partnering import Office, shown

Process = WorkflowHandle[Any, str]


async def relay(office: Office) -> None:
    """What the relay does, for this test's database: number and publish what waits in the outbox."""
    pending = await office.mongo.outbox.find({"status": "pending"}).sort([("at", 1), ("key", 1)]).to_list(None)
    last: dict[str, int] = {}
    async for row in office.mongo.outbox.find({"numbers": {"$exists": True}}):
        for event, number in zip(row["events"], row["numbers"], strict=True):
            last[event["partner"]] = max(number, last.get(event["partner"], 0))
    for row in pending:
        numbers = []
        for event in row["events"]:
            last[event["partner"]] = last.get(event["partner"], 0) + 1
            numbers.append(last[event["partner"]])
        turn = Turn()
        turn.take({**row, "numbers": numbers})
        for one in turn.events:
            await publish(office.js, event_subject(one.partner, one.kind), one.body(), f"{office.task_queue}:{one.id}")
        await office.mongo.outbox.update_one(
            {"_id": row["_id"]}, {"$set": {"status": "stamped", "numbers": numbers, "turn": 1}}
        )
        await mark_sent(office.mongo, [row["_id"]])


async def acknowledge_all(office: Office, stream: str) -> list[str]:
    """The partner's systems read what there is and acknowledge it; the types they heard."""
    durable = await office.js.pull_subscribe_bind(partner_consumer(stream), EVENTS)
    heard = []
    for message in await durable.fetch(100, timeout=2):
        heard.append(message.subject.removeprefix(f"evt.v1.{stream}."))
        await message.ack_sync()
    await durable.unsubscribe()
    return heard


async def has_consumer(js: JetStreamContext, stream: str) -> bool:
    try:
        await js.consumer_info(EVENTS, partner_consumer(stream))
    except NotFoundError:
        return False
    return True


async def activated(office: Office, **more: Any) -> Process:
    process = await office.tested(**more)
    await relay(office)
    await acknowledge_all(office, partner_of(_application(process)))
    assert await office.ended(process) == "active"
    return process


def _application(process: Process) -> str:
    return process.id.removeprefix("onboarding-")


async def test_an_applicant_becomes_a_partner_when_its_test_event_is_acknowledged(office: Office) -> None:
    process = await office.tested()
    partner = await office.partner(process)
    assert (partner["state"], partner["access"], partner["price_list"]) == ("testing", "to_collect", None) or partner[
        "price_list"
    ]
    assert partner["training"] and partner["documents"] and partner["territory"] == ["330106"]
    assert "to acknowledge the test event until" in await shown(process)
    [place] = partner["locations"]
    location = await office.mongo.locations.find_one({"_id": place})
    assert location is not None
    assert (location["active"], location["partner"], location["ships_to"]) == (False, partner["_id"], ["330106"])
    agreement = await office.mongo.db["agreements"].find_one({"_id": partner["agreement"]})
    assert agreement is not None and agreement["terms"]["commission_bp"] > 0
    [rule] = await read_rules(office.mongo)
    assert (rule.id, rule.version, rule.terms, rule.location) == (f"agreed-{partner['_id']}-1", 1, "sales", place)
    assert rule.percent_bp == agreement["terms"]["commission_bp"]
    for stream in (partner["_id"], place):
        assert await has_consumer(office.js, stream)
    await relay(office)
    heard = await acknowledge_all(office, partner["_id"])
    assert heard == ["partner.changed", "partner.test"]
    assert await office.ended(process) == "active"
    partner = await office.partner(process)
    assert (partner["state"], partner["test_number"]) == ("active", 2)
    location = await office.mongo.locations.find_one({"_id": place})
    assert location is not None and location["active"]
    life = office.client.get_workflow_handle(lifecycle_id(partner["_id"]))
    assert (await life.describe()).status is not None
    stages = [one["stage"] for one in await office.told_of("retailer", "application.changed.v1")]
    assert stages[-4:] == ["agreement", "provisioning", "testing", "active"]


async def test_hearing_without_acknowledging_activates_nobody(office: Office) -> None:
    process = await office.tested()
    await relay(office)
    await office.env.sleep(timedelta(days=3))
    assert (await office.standing(process)).stage == "testing"
    assert (await office.partner(process))["state"] == "testing"


async def test_a_partner_that_never_acknowledges_is_taken_back(office: Office) -> None:
    process = await office.tested()
    partner = await office.partner(process)
    await relay(office)
    await office.env.sleep(timedelta(days=15))
    late = await office.stands(process, "testing", lambda one: one.turn and one.turn.escalated)
    assert late.turn is not None and late.turn.role == "partner_operations"
    assert await office.ended(process) == "expired"
    assert (await office.standing(process)).reasons == ["test_not_acknowledged"]
    await nothing_is_left(office, partner["_id"], partner["locations"])


async def nothing_is_left(office: Office, partner: str, places: list[str]) -> None:
    assert await office.mongo.partners.find_one({"_id": partner}) is None
    assert await office.mongo.locations.count_documents({"partner": partner}) == 0
    assert await office.mongo.commission_rules.count_documents({}) == 0
    assert await office.mongo.api_keys.count_documents({"partner": partner}) == 0
    assert await office.mongo.credentials.count_documents({"partner": partner, "revoked_at": None}) == 0
    for stream in (partner, *places):
        assert not await has_consumer(office.js, stream)


async def test_a_partner_that_is_rejected_while_it_is_tested_is_taken_back(office: Office) -> None:
    process = await office.tested()
    partner = await office.partner(process)
    access = PartnerAccess(office.mongo, office.settings)
    record = await provisioning.find_partner(office.mongo, partner["_id"])
    assert record is not None
    assert await access.collect(record) is not None
    assert await office.mongo.api_keys.count_documents({"partner": record.id}) == 1
    await office.decide(process, "reject", reason="重复申请")
    assert await process.result() == "rejected"
    await nothing_is_left(office, record.id, record.locations)
    await access.close()


async def test_an_agreement_that_is_declined_comes_back_to_the_reviewers(office: Office) -> None:
    process = await office.reviewed()
    await office.approve(process)
    agreement = await office.decline(process, "分成比例过高")
    back = await office.stands(process, "review", lambda one: one.reasons)
    assert (back.reasons, back.approved_by) == (["agreement_declined"], [])
    assert "back because of agreement_declined" in await shown(process)
    await office.approve(process)
    second = await office.agreement_of(process)
    assert (agreement[-2:], second[-2:]) == ("a1", "a2")
    await office.sign(process)
    await office.stands(process, "testing")


async def test_an_agreement_that_nobody_signs_comes_back_to_the_reviewers(office: Office) -> None:
    process = await office.reviewed()
    await office.approve(process)
    await office.link(await office.agreement_of(process))
    await office.env.sleep(timedelta(days=16))
    back = await office.stands(process, "review", lambda one: one.reasons)
    assert back.reasons == ["agreement_expired"]


async def test_an_applicant_that_withdraws_while_signers_are_asked_ends_the_agreement(office: Office) -> None:
    process = await office.reviewed()
    await office.approve(process)
    agreement = await office.agreement_of(process)
    link = await office.link(agreement)
    assert (await office.withdraw(process)).stage == "withdrawn"
    assert await process.result() == "withdrawn"
    # Ended before, it would have taken the signing along, and left the link good.
    signing = office.client.get_workflow_handle(f"agreement-{agreement}")
    assert (await signing.describe()).status is WorkflowExecutionStatus.COMPLETED
    assert (await signing.result())["outcome"] == "cancelled"
    assert await office.signers.sign(link) == 410


@pytest.mark.parametrize("failing", PROVISION_STEPS)
async def test_what_was_made_is_taken_back_when_a_step_fails_for_good(
    office: Office, failing: ProvisionStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the step has done its work, so that of the failing step too something is there to be undone."""
    undone: list[ProvisionStep] = []

    async def fails(hands: Hands, asked: Provide) -> None:
        await real(hands, asked)
        raise CannotBeMade("tried_out", "as the test wants it")

    def noted(step: ProvisionStep, work: Work) -> Work:
        async def undo(hands: Hands, asked: Provide) -> None:
            undone.append(step)
            await work(hands, asked)

        return undo

    real = provisioning._DO[failing]
    monkeypatch.setitem(provisioning._DO, failing, fails)
    for step, work in list(provisioning._UNDO.items()):
        monkeypatch.setitem(provisioning._UNDO, step, noted(step, work))
    process = await office.reviewed()
    await office.approve(process)
    await office.sign(process)
    back = await office.stands(process, "review", lambda one: one.reasons)
    assert back.reasons == [f"provisioning_failed:{failing}"]
    made = PROVISION_STEPS[: PROVISION_STEPS.index(failing) + 1]
    assert undone == list(reversed(made))
    partner = partner_of(_application(process))
    await nothing_is_left(office, partner, [f"{partner}-1"])
    monkeypatch.setitem(provisioning._DO, failing, real)
    await office.decide(process, "approve")
    await office.stands(process, "testing")
    assert (await office.standing(process)).agreements == 1


async def test_a_step_that_fails_for_the_moment_is_tried_again(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    left = 3

    async def flaky(hands: Hands, asked: Provide) -> None:
        nonlocal left
        left -= 1
        if left:
            raise ConnectionError("the bus is away")
        await real(hands, asked)

    real = provisioning._DO["streams"]
    monkeypatch.setitem(provisioning._DO, "streams", flaky)
    await office.tested()
    assert left == 0


@pytest.mark.parametrize(
    ("spoil", "step"),
    [
        (lambda office, application: taken_territory(office, application), "territory"),
        (lambda office, application: taken_place(office, application), "locations"),
    ],
)
async def test_what_somebody_else_got_meanwhile_fails_for_good(
    office: Office, spoil: Callable[[Office, str], Any], step: str
) -> None:
    process = await office.reviewed()
    await office.approve(process)
    await spoil(office, _application(process))
    await office.sign(process)
    back = await office.stands(process, "review", lambda one: one.reasons)
    assert back.reasons == [f"provisioning_failed:{step}"]
    assert await office.mongo.partners.find_one({"_id": partner_of(_application(process))}) is None


@pytest.mark.parametrize("theirs", ["partner-01kjt3w9x8c4m2p7q5", "acme"])
async def test_a_place_that_is_called_as_another_partner_gives_nobody_its_stream(office: Office, theirs: str) -> None:
    """Also where an application has it from before that was refused when it is supplied."""
    other = PartnerRecord(
        id=theirs,
        kind="supplier",
        state="active",
        name="别家有限公司",
        credit_code="91330100799655058B",
        application="app-other",
        agreement="app-other-a1",
        agreement_until=await office.env.get_current_time() + timedelta(days=300),
    )
    await office.mongo.partners.insert_one(other.as_row())

    def named(application: Application) -> Application:
        [place] = application.fields.places or []
        fields = application.fields.model_copy(update={"places": [place.model_copy(update={"id": theirs})]})
        return application.model_copy(update={"fields": fields})

    process = await office.reviewed(change=named)
    await office.approve(process)
    await office.sign(process)
    back = await office.stands(process, "review", lambda one: one.reasons)
    assert back.reasons == ["provisioning_failed:locations"]
    assert await office.mongo.locations.find_one({"_id": theirs}) is None
    assert await office.mongo.partners.count_documents({"locations": theirs}) == 0


async def taken_territory(office: Office, application: str) -> None:
    """A franchise store that has Hangzhou for itself becomes a partner first."""
    other = {
        "_id": "partner-other",
        "kind": "franchise",
        "state": "active",
        "name": "别家有限公司",
        "credit_code": "91330100799655058B",
        "territory": ["3301"],
        "exclusive": True,
        "categories": ["food"],
        "application": "app-other",
        "agreement": "app-other-a1",
        "agreement_until": await office.env.get_current_time() + timedelta(days=300),
    }
    await office.mongo.partners.insert_one(other)


async def taken_place(office: Office, application: str) -> None:
    await office.mongo.locations.insert_one({"_id": f"{partner_of(application)}-1", "name": "别家一店"})


async def test_each_step_may_be_repeated_and_undone_twice(office: Office) -> None:
    process = await office.tested()
    application = _application(process)
    hands = office.hands
    record = await office.partner(process)
    now = await office.env.get_current_time()
    asked = [Provide(application=application, partner=record["_id"], step=step, now=now) for step in PROVISION_STEPS]
    for one in asked:
        await provisioning.provide(hands, one)
    again = await office.partner(process)
    assert {**again, "version": 0} == {**record, "version": 0}
    assert await office.mongo.commission_rules.count_documents({}) == 1
    for _ in range(2):
        for one in reversed(asked):
            await provisioning.undo(hands, one)
    await nothing_is_left(office, record["_id"], record["locations"])


async def test_nothing_of_a_living_partner_is_taken_back(office: Office) -> None:
    process = await activated(office)
    before = await office.partner(process)
    now = await office.env.get_current_time()
    for step in reversed(PROVISION_STEPS):
        asked = Provide(application=_application(process), partner=before["_id"], step=step, now=now)
        await provisioning.undo(office.hands, asked)
    assert await office.partner(process) == before
    assert len(await read_rules(office.mongo)) == 1
    assert await has_consumer(office.js, before["_id"])


def supplier(application: Application) -> Application:
    return application.model_copy(update={"kind": "supplier"})


async def test_a_kind_that_ships_nothing_has_no_locations(office: Office) -> None:
    process = await office.tested(change=supplier)
    partner = await office.partner(process)
    assert partner["locations"] == []
    assert await read_rules(office.mongo) == []
    assert await has_consumer(office.js, partner["_id"])
    await provision_partner(office.js, partner["_id"])
