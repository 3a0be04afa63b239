"""Purchase orders on the time-skipping server, the real database and the real stock."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment

from activities.buying.carrying import BuyingActivities
from activities.buying.open import on_order
from activities.buying.sources import choose_supplier
from contracts.failures import refusal_of
from contracts.supply import ApprovalLimit
from infra.invariants import check
from infra.temporal import register_search_attributes, strict_sandbox
from tests.databases import Databases
from tests.workflows.buying import STORE, Purchasing, day
from workers.buying import buying_worker


@pytest.fixture
async def buying(
    databases: Databases, time_skipping_env: WorkflowEnvironment, max_cached_workflows: int
) -> AsyncIterator[Purchasing]:
    name = f"buy_{uuid.uuid4().hex[:8]}"
    await register_search_attributes(time_skipping_env.client, "default")

    async def ring(_: set[str]) -> None:
        """Nobody's order waits here."""

    async with databases.lent() as mongo:
        await mongo.clock.start()
        world = Purchasing(mongo, time_skipping_env, name, BuyingActivities(mongo, ring))
        await world.prepare()
        async with buying_worker(
            time_skipping_env.client,
            mongo,
            ring,
            name,
            runner=strict_sandbox(),
            max_cached_workflows=max_cached_workflows,
        ):
            yield world


async def test_an_order_from_a_proposal_to_the_three_way_match(buying: Purchasing) -> None:
    supplier = await buying.supplier("sup-a", 100)
    process = await buying.order(supplier, ("tea", 10), ("cup", 4))
    order = process.id
    assert await on_order(buying.mongo, STORE, "tea") == 10, "on order before the supplier has answered"
    await buying.says(order, "confirmed")
    await buying.stands(order, "confirmed")
    now = await buying.now()
    await buying.says(order, "shipped", reference="asn-1", expected=day(now, 2), lines=[{"line": 1, "quantity": 10}])
    await buying.stands(order, "confirmed", lambda one: one.notices)
    await buying.receive(order, "dn-1", ("tea", 10))
    assert (await buying.shelf("tea"), await on_order(buying.mongo, STORE, "tea")) == (10, 0)
    assert await on_order(buying.mongo, STORE, "cup") == 4
    await buying.receive(order, "dn-2", ("cup", 4))
    lines = [{"line": 1, "quantity": 10, "unit_price": 100}, {"line": 2, "quantity": 4, "unit_price": 100}]
    await buying.says(order, "invoiced", reference="inv-1", lines=lines)
    assert await process.result() == "closed"
    assert [one["kind"] for one in await buying.told(supplier)] == [
        "purchase.changed.v1",
        "purchase.ordered.v1",
        "purchase.changed.v1",
        "purchase.changed.v1",
        "purchase.received.v1",
        "purchase.received.v1",
        "purchase.changed.v1",
        "purchase.invoice.v1",
        "purchase.changed.v1",
    ]
    assert not await check(buying.mongo, None)


async def test_approval_by_limits_is_reminded_and_escalates(buying: Purchasing) -> None:
    supplier = await buying.supplier("sup-a", 100)
    limits = [ApprovalLimit(up_to=100_000, role="buyer"), ApprovalLimit(role="director")]
    process = await buying.order(supplier, limits=limits)
    await buying.pass_days(5)
    known = await buying.stands(process.id, "expired")
    told = await buying.told("retailer", "purchase.waits.v1")
    assert [(one["role"], one["reminder"]) for one in told] == [
        ("buyer", 0),
        ("buyer", 1),
        ("director", 0),
        ("director", 1),
    ]
    assert not await buying.told(supplier), "who was never asked hears nothing"
    assert await process.result() == "expired"
    assert (known.lines[0].open, await on_order(buying.mongo, STORE, "tea")) == (0, 0)
    second = await buying.order(supplier, limits=limits)
    await buying.do(second.id, approve={"note": "ok"})
    assert (await buying.stands(second.id, "sent")).approved_by == "buyer"


async def test_a_silent_supplier_is_reminded_and_the_next_one_delivers(buying: Purchasing) -> None:
    await buying.supplier("sup-a", 100)
    await buying.supplier("sup-b", 110)
    await buying.supplier("sup-c", 120)
    process = await buying.order("sup-a")
    await buying.pass_days(5)
    first = await buying.stands(process.id, "silent")
    assert await process.result() == "silent"
    [second] = first.successors
    known = await buying.known(second)
    assert (known.supplier, known.lines[0].ordered, known.lines[0].unit_price) == ("sup-b", 10, 110)
    assert await on_order(buying.mongo, STORE, "tea") == 10, "neither nothing nor twice as much"
    reminders = [one["reminder"] for one in await buying.told("sup-a", "purchase.ordered.v1")]
    assert reminders == [0, 1]
    [cancelled] = await buying.told("sup-a", "purchase.cancelled.v1")
    assert cancelled["lines"] == [{"line": 1, "sku": "tea", "quantity": 10}]
    await buying.starter.once()
    await buying.says(second, "declined", reason="out_of_stock")
    third = (await buying.stands(second, "declined")).successors[0]
    await buying.starter.once()
    await buying.says(third, "declined", reason="price")
    last = await buying.stands(third, "declined")
    assert last.successors == []
    assert (await buying.told("retailer", "purchase.elsewhere.v1"))[-1]["nowhere"] == ["tea"]
    # An answer that comes too late is refused, and nothing else.
    late = await buying.says(process.id, "confirmed")
    refused = await buying.told("sup-a", "reply.refused.v1")
    while not refused:
        await asyncio.wait_for(buying.handle(process.id).result(), 30)
        refused = await buying.told("sup-a", "reply.refused.v1")
    assert (refused[0]["reply"], refused[0]["code"]) == (late, "order_ended")


async def test_a_postponed_receipt_is_still_on_order_and_orders_nothing_again(buying: Purchasing) -> None:
    supplier = await buying.supplier("sup-a", 100)
    now = await buying.now()
    asked = buying.asked(supplier, now)
    order = await buying.activities.order(asked)
    await buying.starter.once()
    await buying.says(order, "confirmed")
    await buying.stands(order, "confirmed")
    later = day(now, 40)
    await buying.says(order, "postponed", lines=[{"line": 1, "due": later}])
    await buying.stands(order, "confirmed", lambda one: one.lines[0].day.isoformat() == later)
    assert await on_order(buying.mongo, STORE, "tea") == 10
    # The same decision again, and the same proposals under another decision.
    assert await buying.activities.order(asked) == order
    assert await buying.activities.order(asked.model_copy(update={"id": "po-run-99"})) == order
    assert await buying.mongo.purchase_orders.count_documents({}) == 1
    await buying.pass_days(12)
    await buying.stands(order, "confirmed")
    assert not await buying.told(supplier, "purchase.late.v1"), "it is not late before the day it was moved to"


async def test_refusals_reach_who_asked_and_change_nothing(buying: Purchasing) -> None:
    supplier = await buying.supplier("sup-a", 100)
    process = await buying.order(supplier)
    for command, code in (
        ({"approve": {}}, "not_in_approval"),
        ({"answer": {"accept": True}}, "no_counter_offer"),
        ({"cancel": {"reason": "?", "lines": [7]}}, "nothing_open"),
    ):
        before = await buying.known(process.id)
        with pytest.raises(WorkflowUpdateFailedError) as failed:
            await buying.do(process.id, **command)
        refusal = refusal_of(failed.value.cause)
        assert refusal is not None and (refusal.code, bool(refusal.remedy)) == (code, True)
        assert await buying.known(process.id) == before


async def test_lead_times_are_learned_from_receipts_in_working_days(buying: Purchasing) -> None:
    supplier = await buying.supplier("sup-a", 100)
    waits = (1, 3, 4)
    for days in waits:
        process = await buying.order(supplier)
        await buying.says(process.id, "confirmed")
        await buying.stands(process.id, "confirmed")
        await buying.pass_days(days)
        await buying.receive(process.id, f"dn-{days}", ("tea", 10))
    rows = await buying.mongo.lead_observations.find({}).to_list(None)
    assert len(rows) == 3
    learned = await buying.mongo.lead_times.find_one({"_id": f"{supplier}:{STORE}"})
    assert learned is not None
    mean = sum(row["days"] for row in rows) / 3
    assert (learned["n"], learned["mean"]) == (3, mean)
    assert learned["deviation"] == pytest.approx((sum((row["days"] - mean) ** 2 for row in rows) / 2) ** 0.5)


async def test_choices_of_one_day_rest_on_the_same_record(buying: Purchasing) -> None:
    supplier = await buying.supplier("sup-a", 100)
    now = await buying.now()
    first = await choose_supplier(buying.mongo, "tea", 10, STORE, now)
    assert first.best is not None and any("no data" in reason.en for reason in first.best.why)
    process = await buying.order(supplier)
    await buying.says(process.id, "confirmed")
    await buying.stands(process.id, "confirmed")
    await buying.receive(process.id, "dn-1", ("tea", 10))
    again = await choose_supplier(buying.mongo, "tea", 10, STORE, now)
    assert again.best is not None and again.best.cost == first.best.cost
    tomorrow = await choose_supplier(buying.mongo, "tea", 10, STORE, now + timedelta(days=1))
    assert tomorrow.best is not None and any("1 of 1 lines" in reason.en for reason in tomorrow.best.why)
