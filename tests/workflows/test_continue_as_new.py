"""A long history is continued as a new run, on a real server that suggests it early; nothing of the batch is lost."""

import uuid
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.orders.batch import BatchActivities
from activities.orders.settle import PaymentActivities
from infra.embedded import embedded_servers, temporal_server
from infra.indexes import make_indexes
from infra.mongo import Mongo
from infra.payments import HttpPaymentGateway
from infra.settings import Settings
from infra.temporal import connect, register_search_attributes, strict_sandbox
from tests.support import eventually
from tests.workflows.world import World
from workflows.catalogue import WORKFLOWS


async def test_a_batch_with_a_long_history_goes_on_as_a_new_run(
    mongo_url: str, payment_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    early = {**temporal_server.DYNAMIC_CONFIG, "limit.historyCount.suggestContinueAsNew": 40}
    monkeypatch.setattr(temporal_server, "DYNAMIC_CONFIG", early)
    name = f"flow_{uuid.uuid4().hex[:8]}"
    mongo = Mongo(mongo_url, name)
    await make_indexes(mongo)
    async with (
        embedded_servers(Settings(data_dir=tmp_path), tmp_path, mongo=False, nats=False) as servers,
        HttpPaymentGateway(payment_url) as gateway,
    ):
        client = await connect(Settings(data_dir=tmp_path, temporal_address=servers.temporal_address))
        await register_search_attributes(client, "default")
        world = World(mongo, WorkflowEnvironment.from_client(client), task_queue=name)
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
