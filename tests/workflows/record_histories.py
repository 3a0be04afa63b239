"""Records histories for the replay test. Run it by name: `.venv/bin/pytest tests/workflows/record_histories.py`."""

import re
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from contracts.agreements import WAKE
from contracts.carriers import TrackingState
from contracts.settling import ALL_WORKFLOW, WORKFLOW, SettleAll
from infra.indexes import make_indexes
from infra.mongo import Mongo
from tests.signing import Office, Signers
from tests.workflows.settling import OCTOBER, UNTIL, Desk
from tests.workflows.test_agreement import office, signers
from tests.workflows.test_carriers import begin as begin_carried
from tests.workflows.test_carriers import labelled, scan
from tests.workflows.test_replay import HISTORIES
from tests.workflows.test_returns import closed_order, opened
from tests.workflows.world import World
from workers.fulfilment import settlement_worker

__all__ = ["office", "signers"]


async def _keep(name: str, handle: WorkflowHandle[Any, Any], workflow: str = "OrderFulfilment") -> None:
    history = await handle.fetch_history()
    anonymous = re.sub(r'"identity": "[^"]*"', '"identity": "worker"', history.to_json())
    (HISTORIES / f"{workflow}.{name}.json").write_text(anonymous)


async def test_record_a_delivered_order(world: World) -> None:
    await world.open_stores({"near": {"tea": 5}})
    order, batch = await world.begin(("tea", 2), payment={"method": "card", "token": "tok_ok"})
    parcel = await world.offered_to(order, "near")
    await world.answer(order, parcel, "accepted", "packed")
    await world.reaches(order, "packed")
    await world.answer(order, parcel, "shipped", "delivered")
    await batch.result()
    await _keep("delivered", batch)


async def test_record_a_silent_store_and_a_back_order_at_its_limit(world: World) -> None:
    await world.open_stores({"near": {"tea": 1}})
    order, batch = await world.begin(("tea", 1))
    await world.offered_to(order, "near")
    await world.pass_time(hours=80)
    await batch.result()
    await _keep("backorder_limit", batch)


async def test_record_a_batch_that_an_operator_cancelled(world: World) -> None:
    await world.open_stores({"near": {"tea": 5}})
    orders = [await world.place(("tea", 1)) for _ in range(3)]
    batch = await world.start(*orders)
    parcel = await world.offered_to(orders[0], "near")
    await world.answer(orders[0], parcel, "shipped")
    await world.reaches(orders[0], "shipped")
    await batch.cancel()
    await world.reaches(orders[1], "cancelled")
    await world.answer(orders[0], parcel, "delivered")
    await batch.result()
    await _keep("cancelled_by_operator", batch)


async def test_record_a_return_that_is_paid_back(world: World) -> None:
    order, parcel = await closed_order(world)
    returned = await opened(world, order, parcel, 2)
    process = await world.follow(returned)
    await world.return_is(returned, "approved")
    await world.say_of_return(returned, "sent", tracking="SF1")
    await world.return_is(returned, "in_transit")
    await world.say_of_return(returned, "received", lines=[{"line": 1, "sellable": 2, "damaged": 0, "missing": 0}])
    await (await world.carry_again(order)).result()
    await process.result()
    await _keep("paid_back", process, "OrderReturn")


async def test_record_a_return_that_never_arrives(world: World) -> None:
    order, parcel = await closed_order(world)
    process = await world.follow(await opened(world, order, parcel, 1))
    await world.pass_time(days=15)
    await process.result()
    await _keep("never_arrived", process, "OrderReturn")


@pytest.fixture
async def desk(mongo_url: str, time_skipping_env: WorkflowEnvironment) -> AsyncIterator[Desk]:
    mongo = Mongo(mongo_url, f"record_{uuid.uuid4().hex[:8]}")
    await make_indexes(mongo)
    async with settlement_worker(time_skipping_env.client, mongo):
        yield Desk(mongo, time_skipping_env, "settlement")
    await mongo.client.drop_database(mongo.db.name)
    mongo.close()


async def test_record_a_statement_that_is_corrected_approved_and_paid(desk: Desk) -> None:
    await desk.sell("shop", 1_000, 100)
    settlement = await desk.settle("shop")
    await desk.ready("shop")
    await desk.object(settlement, 1)
    await desk.answer(settlement, 1, right=950)
    await desk.ready("shop", revision=2)
    await desk.approve(settlement)
    await desk.pay(settlement)
    await settlement.result()
    await _keep("corrected", settlement, WORKFLOW)


async def test_record_a_statement_that_silence_approves_and_a_later_one_carries(desk: Desk) -> None:
    await desk.sell("shop", 1_000)
    october = await desk.settle("shop")
    await desk.ready("shop")
    await desk.settle("shop", "2026-11", UNTIL + timedelta(days=30))
    await desk.env.sleep(timedelta(days=6))
    await desk.ready("shop", "2026-11")
    await october.result()
    await _keep("silence_and_carried", october, WORKFLOW)


async def test_record_settlements_of_all_partners(desk: Desk) -> None:
    for partner in ("a", "b"):
        await desk.sell(partner, 100, at=OCTOBER)
    asked = SettleAll(period="2026-10", until=UNTIL)
    everybody = await desk.client.start_workflow(ALL_WORKFLOW, asked, id="settlements", task_queue="settlement")
    await everybody.result()
    await _keep("two_partners", everybody, ALL_WORKFLOW)


async def test_record_a_parcel_that_was_labelled_and_told_late(world: World) -> None:
    order, parcel, batch = await begin_carried(world, "flaky")
    await world.answer(order, parcel, "accepted")
    await world.until(order, lambda r: (r["parcels"][0]["label"] or {}).get("tries") == 1, "failing once")
    await world.pass_time(minutes=5)
    number = (await labelled(world, order))["tracking"]
    await scan(world, order, TrackingState.COLLECTED, number)
    await world.pass_time(days=4)
    await scan(world, order, TrackingState.DELIVERED, number)
    await batch.result()
    await _keep("labelled", batch)


@pytest.mark.parametrize("office", [100], indirect=True)
async def test_record_an_agreement_that_all_sign(office: Office, signers: Signers) -> None:
    sign, signing = await office.begin()
    await office.link(sign.agreement, "partner-1")
    await office.resend(signing, "partner-1")
    assert await signers.sign(await office.link(sign.agreement, "partner-1", sends=2)) == 200
    await signing.signal(WAKE)
    assert await signers.sign(await office.link(sign.agreement, "partner-2")) == 200
    await signing.result()
    await _keep("signed", signing, "AgreementSigning")


@pytest.mark.parametrize("office", [100], indirect=True)
async def test_record_an_agreement_that_nobody_signs(office: Office) -> None:
    sign, signing = await office.begin(sequence="parallel")
    await office.link(sign.agreement, "partner-1")
    await signing.result()
    await _keep("expired", signing, "AgreementSigning")


@pytest.mark.parametrize("office", [100], indirect=True)
async def test_record_an_agreement_for_which_nobody_waits(office: Office) -> None:
    sign, signing = await office.begin()
    await office.link(sign.agreement, "partner-1")
    await signing.cancel()
    await signing.result()
    await _keep("given_up", signing, "AgreementSigning")
