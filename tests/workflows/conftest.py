"""The world of the workflow tests: one time-skipping server and one worker for each test."""

import uuid
from collections.abc import AsyncIterator

import pytest
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.carriers.booking import CarrierActivities
from activities.orders.batch import BatchActivities
from activities.orders.settle import PaymentActivities
from activities.returns.carrying import ReturnActivities
from infra.carriers import HttpCarrierPort
from infra.embedded.programs import TEMPORAL_TEST_SERVER, path_of
from infra.indexes import make_indexes
from infra.mongo import Mongo
from infra.payments import HttpPaymentGateway
from infra.temporal import DATA_CONVERTER, register_search_attributes, strict_sandbox
from tests.workflows.world import World
from workflows import WORKFLOWS


@pytest.fixture
async def time_skipping_env() -> AsyncIterator[WorkflowEnvironment]:
    """A server for each test: one on which a workflow was ended by force does not skip time any more."""
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(path_of(TEMPORAL_TEST_SERVER)), data_converter=DATA_CONVERTER
    ) as environment:
        yield environment


@pytest.fixture
async def world(
    mongo_url: str,
    payment_url: str,
    carrier_url: str,
    time_skipping_env: WorkflowEnvironment,
    max_cached_workflows: int,
) -> AsyncIterator[World]:
    name = f"flow_{uuid.uuid4().hex[:8]}"
    mongo = Mongo(mongo_url, name)
    await make_indexes(mongo)
    await register_search_attributes(time_skipping_env.client, "default")
    world = World(mongo, time_skipping_env, task_queue=name)
    async with HttpPaymentGateway(payment_url) as gateway, HttpCarrierPort(carrier_url) as port:
        orders = BatchActivities(mongo, world.ring)
        returns = ReturnActivities(mongo, world.ring)
        async with Worker(
            time_skipping_env.client,
            task_queue=name,
            workflows=WORKFLOWS,
            activities=[
                orders.advance,
                PaymentActivities(mongo, gateway).settle,
                CarrierActivities(mongo, port).book,
                returns.advance,
            ],
            workflow_runner=strict_sandbox(),
            max_cached_workflows=max_cached_workflows,
        ):
            yield world
    await mongo.client.drop_database(name)
    mongo.close()


@pytest.fixture
def max_cached_workflows() -> int:
    return 100
