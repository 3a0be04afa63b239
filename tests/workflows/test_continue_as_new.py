"""A long history is continued as a new run, on a real server that suggests it early; nothing of the batch is lost."""

import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.worker import Worker

from activities.orders.batch import BatchActivities
from activities.orders.settle import PaymentActivities
from activities.stock.booking import book
from activities.supply.carrying import TransferActivities
from contracts import transfers
from contracts.stock import Change, Movement
from contracts.transfers import Command, OpenTransfer, TransferLine
from infra.indexes import make_indexes
from infra.mongo import Mongo, Session
from infra.payments import HttpPaymentGateway
from infra.temporal import strict_sandbox
from tests.continuing import histories, steps, steps_after_it_was_suggested, suggesting_early
from tests.support import eventually
from tests.workflows.world import World
from workflows.catalogue import SUPPLY_WORKFLOWS, WORKFLOWS


async def test_a_batch_with_a_long_history_goes_on_as_a_new_run(
    mongo_url: str, payment_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"flow_{uuid.uuid4().hex[:8]}"
    mongo = Mongo(mongo_url, name)
    await make_indexes(mongo)
    async with suggesting_early(tmp_path, monkeypatch) as env, HttpPaymentGateway(payment_url) as gateway:
        client = env.client
        world = World(mongo, env, task_queue=name)
        async with Worker(
            client,
            task_queue=name,
            workflows=WORKFLOWS,
            activities=[BatchActivities(mongo, world.ring).advance, PaymentActivities(mongo, gateway).settle],
            workflow_runner=strict_sandbox(),
        ):
            await world.open_stores({"near": {"tea": 5}})
            order, batch = await world.begin(("tea", 1))
            parcel = await world.offered_to(order, "near")

            async def continued() -> bool:
                await world.ring({batch.id})
                return (await client.get_workflow_handle(batch.id).describe()).run_id != batch.first_execution_run_id

            await eventually(continued, timeout=30, message="the workflow was never continued as new")
            assert await client.get_workflow_handle(batch.id).query("order", order) == "dispatched"
            await world.answer(order, parcel, "shipped", "delivered")
            assert await batch.result() == {"closed": 1}
            assert await world.levels() == {"near/tea": (4, 0)}
    await mongo.client.drop_database(name)
    mongo.close()


async def test_a_transfer_with_a_long_history_goes_on_as_a_new_run(
    mongo_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"moved_{uuid.uuid4().hex[:8]}"
    mongo = Mongo(mongo_url, name)
    await make_indexes(mongo)

    async def ring(_: set[str]) -> None:
        """Nobody's order waits here."""

    made = TransferActivities(mongo, ring)
    async with (
        suggesting_early(tmp_path, monkeypatch) as env,
        Worker(
            env.client,
            task_queue=name,
            workflows=SUPPLY_WORKFLOWS,
            activities=[made.open, made.stand, made.carry_out, made.remind],
            workflow_runner=strict_sandbox(),
        ),
    ):
        await receive(mongo, "full", "tea", 12)
        now = mongo.clock.now()
        asked = OpenTransfer(
            id=f"t-{name}",
            run="run-1",
            source="full",
            destination="short",
            lines=[TransferLine(sku="tea", asked=12)],
            by="planner",
            approved_at=now,
            # What was due a week ago was reminded of twice, by a run that is over.
            ship_by=now - timedelta(days=7),
            arrive_by=now + timedelta(days=1),
        )
        process = await env.client.start_workflow(transfers.WORKFLOW, asked, id=asked.id, task_queue=name)
        latest = env.client.get_workflow_handle(asked.id)
        await latest.execute_update("command", Command.model_validate({"by": "full", "ship": {}}))
        for number in range(12):
            receipt = {"reference": f"DN-{number}", "lines": [{"sku": "tea", "units": 1}]}
            await latest.execute_update("command", Command.model_validate({"by": "short", "receive": receipt}))
        assert await process.result() == "received"
        runs = await histories(env.client, asked.id)
    assert len(runs) > 2
    assert max(map(steps_after_it_was_suggested, runs)) == 0
    carried = [step for run in runs for step in steps(run)]
    assert (carried.count(transfers.CARRY_OUT), carried.count(transfers.REMIND)) == (13, 0)
    row = await mongo.transfers.find_one({"_id": asked.id})
    assert row is not None
    assert (row["lines"][0]["received"], len(row["references"])) == (12, 12)
    await mongo.client.drop_database(name)
    mongo.close()


async def receive(mongo: Mongo, place: str, sku: str, units: int) -> None:
    movement = Movement(
        id=uuid.uuid4().hex,
        kind="received",
        location=place,
        changes=[Change(sku=sku, on_hand=units)],
        at=mongo.clock.now(),
    )

    async def work(session: Session) -> None:
        await book(mongo, session, [movement], 0)

    await mongo.transaction(work)
