"""A partner's life on the time-skipping server: years of documents and agreements that end, and how it goes."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle, WorkflowUpdateFailedError

from contracts.agreements import signing_id
from contracts.lifecycle import (
    WORKFLOW,
    Command,
    Doing,
    Live,
    OfferDocument,
    Renew,
    Resume,
    ReviewDocument,
    Standing,
    Suspend,
    Terminate,
    lifecycle_id,
)
from contracts.partnership import HeldDocument, PartnerRecord
from infra.keys import Scope, create_key
from tests.support import eventually
from tests.workflows.partnering import Office, shown
from tests.workflows.settling import code_of
from tests.workflows.test_making_partners import activated

DIGEST = "0" * 64


class Life:
    """One active partner with a place that takes orders, and the workflow that carries it."""

    def __init__(self, office: Office, record: PartnerRecord) -> None:
        self.office = office
        self.id = record.id

    @classmethod
    async def begin(cls, office: Office, **more: Any) -> "Life":
        application = await office.write()
        now = await office.env.get_current_time()
        name = f"partner-{application.id.removeprefix('app-')}"
        fields: dict[str, Any] = {
            "kind": "franchise",
            "state": "active",
            "name": "杭州茶庄有限公司",
            "credit_code": "91330100799655058B",
            "locations": [f"{name}-1"],
            "application": application.id,
            "agreement": f"{application.id}-a1",
            "agreement_until": now + timedelta(days=2000),
            "documents": [
                HeldDocument(requirement="food_licence", digest=DIGEST, valid_until=now + timedelta(days=70))
            ],
            "access": "collected",
        }
        record = PartnerRecord(id=name, **{**fields, **more})
        await office.mongo.partners.insert_one(record.as_row())
        await office.mongo.locations.insert_one({"_id": f"{name}-1", "partner": name, "active": True, "version": 1})
        life = cls(office, record)
        await life.start()
        return life

    async def start(self) -> WorkflowHandle[Any, str]:
        handle: WorkflowHandle[Any, str] = await self.office.client.start_workflow(
            WORKFLOW,
            Live(partner=self.id),
            id=lifecycle_id(self.id),
            task_queue=self.office.task_queue,
            result_type=str,
        )
        return handle

    @property
    def handle(self) -> WorkflowHandle[Any, str]:
        return self.office.client.get_workflow_handle(lifecycle_id(self.id), result_type=str)

    async def record(self) -> PartnerRecord:
        row = await self.office.mongo.partners.find_one({"_id": self.id})
        assert row is not None
        return PartnerRecord.from_row(row)

    async def stands(self, check: Callable[[PartnerRecord], Any]) -> PartnerRecord:
        async def look() -> PartnerRecord | None:
            found = await self.record()
            return found if check(found) else None

        found: PartnerRecord | None = await eventually(look, timeout=60, message="never stood so")
        assert found is not None
        return found

    async def takes_orders(self) -> bool:
        row = await self.office.mongo.locations.find_one({"_id": f"{self.id}-1"})
        assert row is not None
        return bool(row["active"])

    async def do(self, what: Doing, asked: Any, by: str = "op") -> Standing:
        command = Command.model_validate({"by": by, what: asked})
        standing: Standing = await self.handle.execute_update(what, command, result_type=Standing)
        return standing

    async def refused(self, what: Doing, asked: Any) -> str | None:
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await self.do(what, asked)
        return code_of(refused.value)

    async def pass_days(self, days: float) -> None:
        await self.office.env.sleep(timedelta(days=days))

    async def now(self) -> datetime:
        return await self.office.env.get_current_time()


async def test_a_document_that_ends_is_told_of_and_suspends_until_a_new_one_is_accepted(office: Office) -> None:
    life = await Life.begin(office)
    await eventually(lambda: _shows(life, "60 days before the end of food_licence"))
    await life.pass_days(71)
    suspended = await life.stands(lambda one: one.state == "suspended")
    assert suspended.suspended_for == ["document_expired:food_licence"]
    assert not await life.takes_orders()
    endings = await office.told_of(life.id, "partner.ending.v1")
    assert [one["days"] for one in endings] == [60, 30, 7]
    assert await office.told_of("retailer", "partner.ending.v1") == endings
    assert await life.refused("resume", Resume()) == "still_expired"
    until = await life.now() + timedelta(days=700)
    new = OfferDocument(requirement="food_licence", digest=DIGEST, valid_until=until, name="别家有限公司")
    await life.do("offer", new, by="shop")
    accept = ReviewDocument(requirement="food_licence", decision="accept")
    assert await life.refused("review", accept) == "check_failed"
    await life.do("review", ReviewDocument(requirement="food_licence", decision="return", comment="抬头不符"))
    await life.do("offer", new.model_copy(update={"name": "杭州茶庄有限公司"}), by="shop")
    standing = await life.do("review", accept, by="mei")
    assert (standing.state, standing.suspended_for) == ("active", [])
    assert await life.takes_orders()
    told = [(one["state"], one.get("reasons", [])) for one in await office.told_of(life.id, "partner.changed.v1")]
    assert told == [("suspended", ["document_expired:food_licence"]), ("active", [])]
    documents = [one["state"] for one in await office.told_of(life.id, "partner.document.v1")]
    assert documents == ["offered", "returned", "offered", "accepted"]
    did = [row["did"] async for row in office.mongo.audit.find({"subject": life.id}).sort([("at", 1), ("_id", 1)])]
    assert sorted(did) == sorted(["reminded", "reminded", "reminded", "expired", "offer", "review", "offer", "review"])


async def test_a_new_document_that_nobody_looks_at_goes_up(office: Office) -> None:
    life = await Life.begin(office)
    until = await life.now() + timedelta(days=700)
    await life.do("offer", OfferDocument(requirement="food_licence", digest=DIGEST, valid_until=until))
    await life.pass_days(10)
    late = await life.stands(lambda one: one.offered and one.offered[0].escalated >= 2)
    assert late.offered[0].role == "partner_director"
    waits = [one for one in await office.told_of("retailer", "partner.document.v1") if one["state"] == "waits"]
    assert [one.get("escalated_to") for one in waits[:3]] == [None, "partner_review_lead", "partner_director"]
    assert not [one for one in await office.told_of(life.id, "partner.document.v1") if one["state"] == "waits"]


async def test_an_agreement_that_ends_suspends_and_the_next_one_resumes(office: Office) -> None:
    process = await activated(office)
    row = await office.partner(process)
    agreement = await office.mongo.agreements.find_one({"_id": row["agreement"]})
    assert agreement is not None and row["agreement_until"] == agreement["effective_until"]
    life = Life(office, PartnerRecord.from_row(row))
    left = row["agreement_until"] - await life.now()
    await office.env.sleep(left + timedelta(days=1))
    suspended = await life.stands(lambda one: "agreement_expired" in one.suspended_for)
    standing = await life.do("renew", Renew())
    assert (standing.renewing, standing.agreements) == (f"{row['application']}-a2", 2)
    assert await life.refused("renew", Renew()) == "renewal_under_way"
    assert standing.renewing is not None
    assert await office.signers.sign(await office.link(standing.renewing)) == 200
    await office.called_back(process, standing.renewing)
    renewed = await life.stands(lambda one: one.agreement == standing.renewing)
    assert "agreement_expired" not in renewed.suspended_for
    assert renewed.agreement_until > suspended.agreement_until
    assert [one["outcome"] for one in await office.told_of(life.id, "partner.renewal.v1")] == ["signed"]


@pytest.mark.parametrize("when_done", [False, True])
async def test_who_goes_while_the_next_agreement_is_out_withdraws_it_first(office: Office, when_done: bool) -> None:
    process = await activated(office)
    life = Life(office, PartnerRecord.from_row(await office.partner(process)))
    renewing = (await life.do("renew", Renew())).renewing
    assert renewing is not None
    link = await office.link(renewing)
    if when_done:
        place = (await life.record()).locations[0]
        parcels = [{"location": place, "state": "accepted"}]
        await office.mongo.orders.insert_one({"_id": f"order-{life.id}", "stage": "accepted", "parcels": parcels})
    standing = await life.do("terminate", Terminate(reason="合同到期", when_done=when_done))
    assert (standing.state, standing.renewing) == ("suspended" if when_done else "terminated", None)
    if not when_done:
        assert await life.handle.result() == "terminated"
    signing = office.client.get_workflow_handle(signing_id(renewing))
    assert (await signing.result())["outcome"] == "cancelled"
    assert (await signing.describe()).status is WorkflowExecutionStatus.COMPLETED
    assert await office.signers.sign(link) == 410


async def test_a_renewal_that_cannot_be_drafted_is_told_and_may_be_tried_again(office: Office) -> None:
    life = await Life.begin(office)
    await life.do("renew", Renew())
    await life.stands(lambda one: one.renewing is None and one.agreements == 2)
    assert [one["outcome"] for one in await office.told_of(life.id, "partner.renewal.v1")] == ["failed"]
    assert (await life.record()).state == "active"


async def test_an_operator_suspends_and_resumes(office: Office) -> None:
    life = await Life.begin(office)
    standing = await life.do("suspend", Suspend(reason="门店装修"))
    assert (standing.state, standing.suspended_for) == ("suspended", ["suspended_by_operator"])
    assert not await life.takes_orders()
    [told] = await office.told_of(life.id, "partner.changed.v1")
    assert (told["note"], "暂停" in told["words"]["zh"]) == ("门店装修", True)
    assert await life.refused("suspend", Suspend(reason="again")) == "suspended_already"
    assert (await life.do("resume", Resume())).state == "active"
    assert await life.takes_orders()
    assert await life.refused("resume", Resume()) == "not_suspended"


async def test_of_commands_at_once_each_sees_what_the_one_before_it_did(office: Office) -> None:
    life = await Life.begin(office)
    outcomes = await asyncio.gather(
        *(life.do("suspend", Suspend(reason="x")) for _ in range(3)), return_exceptions=True
    )
    codes = [code_of(one) for one in outcomes if isinstance(one, BaseException)]
    assert codes == ["suspended_already"] * 2


async def test_a_partner_with_nothing_open_goes_at_once_and_its_access_ends(office: Office) -> None:
    life = await Life.begin(office)
    record = await life.record()
    await create_key(office.mongo, life.id, [Scope.PARTNER], partner=life.id)
    await office.access.rotate(record, 0)
    hook = {"stream": f"{life.id}-1", "state": "active", "paused_for": None, "generation": 1}
    await office.mongo.webhooks.insert_one({"_id": f"wh-{life.id}", **hook})
    assert await office.mongo.credentials.count_documents({"partner": life.id, "revoked_at": None}) == 1
    standing = await life.do("terminate", Terminate(reason="合同到期"))
    assert standing.state == "terminated"
    assert await life.handle.result() == "terminated"
    assert not await life.takes_orders()
    assert await office.mongo.api_keys.count_documents({"partner": life.id}) == 0
    assert await office.mongo.credentials.count_documents({"partner": life.id, "revoked_at": None}) == 0
    left = await office.mongo.webhooks.find_one({"_id": f"wh-{life.id}"})
    assert left is not None and (left["state"], left["paused_for"]) == ("paused", "revoked")
    told = [one["state"] for one in await office.told_of("retailer", "partner.changed.v1")]
    assert told == ["terminating", "terminated"]


async def test_a_partner_with_open_orders_and_money_goes_when_it_is_done(office: Office) -> None:
    life = await Life.begin(office)
    place = f"{life.id}-1"
    await office.mongo.orders.insert_one(
        {"_id": "order-1", "stage": "accepted", "parcels": [{"location": place, "state": "accepted"}]}
    )
    await office.mongo.orders.insert_one(
        {"_id": "order-2", "stage": "accepted", "parcels": [{"location": place, "state": "rejected"}]}
    )
    entry = {"_id": "e1", "account": f"partner:{place}", "amount": 1_250, "currency": "CNY", "statement": None}
    await office.mongo.entries.insert_one({**entry, "cause": "c", "at": await life.now(), "meaning": "goods"})
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await life.do("terminate", Terminate(reason="合同到期"))
    assert code_of(refused.value) == "still_open"
    cause = refused.value.__cause__
    assert cause is not None and "1 open orders (order-1); ¥12.50 not settled" in str(cause)
    assert (await life.record()).state == "active"
    standing = await life.do("terminate", Terminate(reason="合同到期", when_done=True))
    assert (standing.state, standing.terminating) == ("suspended", True)
    assert not await life.takes_orders()
    await eventually(lambda: _shows(life, "open orders and money"))
    assert await life.refused("resume", Resume()) == "partner_terminating"
    await life.pass_days(1)
    assert (await life.record()).state == "suspended"
    await office.mongo.orders.update_one({"_id": "order-1"}, {"$set": {"stage": "closed"}})
    await office.mongo.entries.update_one({"_id": "e1"}, {"$set": {"statement": "settlement-1"}})
    statement = {"_id": "settlement-1", "partner": place, "state": "closed", "balances": [{"closing": 1_250}]}
    await office.mongo.statements.insert_one(statement)
    await life.pass_days(1)
    assert (await life.record()).state == "suspended"
    await office.mongo.statements.update_one({"_id": "settlement-1"}, {"$set": {"state": "paid"}})
    await life.pass_days(0.1)
    assert await life.handle.result() == "terminated"


async def test_a_workflow_that_was_ended_by_force_goes_on_where_it_stood(office: Office) -> None:
    life = await Life.begin(office)
    await life.pass_days(20)
    await life.stands(lambda one: one.reminded.get("food_licence") == [60])
    await life.handle.terminate("tried out")
    await life.start()
    standing = await life.do("suspend", Suspend(reason="x"))
    assert standing.state == "suspended"
    assert [one["days"] for one in await office.told_of(life.id, "partner.ending.v1")] == [60]


async def _shows(life: Life, words: str) -> bool:
    return words in await shown(life.handle)
