"""The world of the workflow tests: one time-skipping server and one worker for each test."""

import uuid
from collections.abc import AsyncIterator

import pytest
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.orders.batch import BatchActivities
from activities.orders.settle import PaymentActivities
from infra.indexes import make_indexes
from infra.mongo import Mongo
from infra.payments import HttpPaymentGateway
from infra.temporal import register_search_attributes, sandbox
from tests.workflows.world import World
from workflows import WORKFLOWS


@pytest.fixture
async def world(
    mongo_url: str, payment_url: str, time_skipping_env: WorkflowEnvironment, max_cached_workflows: int
) -> AsyncIterator[World]:
    name = f"flow_{uuid.uuid4().hex[:8]}"
    mongo = Mongo(mongo_url, name)
    await make_indexes(mongo)
    await register_search_attributes(time_skipping_env.client, "default")
    world = World(mongo, time_skipping_env, task_queue=name)
    async with HttpPaymentGateway(payment_url) as gateway:
        orders = BatchActivities(mongo, world.ring)
        async with Worker(
            time_skipping_env.client,
            task_queue=name,
            workflows=WORKFLOWS,
            activities=[orders.advance, PaymentActivities(mongo, gateway).settle],
            workflow_runner=sandbox(),
            max_cached_workflows=max_cached_workflows,
        ):
            yield world
            await _end_what_is_left(world)
    await mongo.client.drop_database(name)
    mongo.close()


async def _end_what_is_left(world: World) -> None:
    """A workflow that is left without its worker would keep time from being skipped in later tests."""
    async for row in world.mongo.batches.find():
        try:
            await world.env.client.get_workflow_handle(row["_id"]).terminate("the test is over")
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise


@pytest.fixture
def max_cached_workflows() -> int:
    return 100
