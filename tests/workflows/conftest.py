"""The world of the workflow tests: one time-skipping server and one worker for each test."""

import os
import uuid
from collections.abc import AsyncIterator

import pytest
from nats.js import JetStreamContext
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.carriers.booking import CarrierActivities
from activities.onboarding.carrying import OnboardingActivities
from activities.onboarding.check import CheckActivities
from activities.onboarding.provisioning import Hands
from activities.onboarding.requirements import RequirementBook
from activities.orders.batch import BatchActivities
from activities.orders.settle import PaymentActivities
from activities.partners.carrying import PartnerActivities
from activities.returns.carrying import ReturnActivities
from infra.access import PartnerAccess
from infra.applications import Applications
from infra.bank import HttpBank
from infra.carriers import HttpCarrierPort
from infra.embedded.programs import TEMPORAL_TEST_SERVER, path_of
from infra.indexes import make_indexes
from infra.keyring import Keyring
from infra.mongo import Mongo
from infra.nats import connect
from infra.payments import HttpPaymentGateway
from infra.sealing import Sealing
from infra.streams import provision_streams
from infra.temporal import DATA_CONVERTER, register_search_attributes, strict_sandbox
from tests.workflows.partnering import Office
from tests.workflows.world import World
from workers.partners import activities_of, partner_worker
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


@pytest.fixture(scope="session")
async def jetstream(nats_url: str) -> AsyncIterator[JetStreamContext]:
    """Shared: tests keep apart by the ids of their partners."""
    nats = await connect(nats_url, "tests")
    await provision_streams(nats.jetstream())
    yield nats.jetstream()
    await nats.close()


@pytest.fixture
async def office(
    mongo_url: str,
    bank_url: str,
    jetstream: JetStreamContext,
    time_skipping_env: WorkflowEnvironment,
    max_cached_workflows: int,
) -> AsyncIterator[Office]:
    name = f"office_{uuid.uuid4().hex[:8]}"
    mongo = Mongo(mongo_url, name)
    await make_indexes(mongo)
    await register_search_attributes(time_skipping_env.client, "default")
    sealing = Sealing(Keyring({"test": os.urandom(32)}))
    applications = Applications(mongo, sealing)
    access = PartnerAccess(mongo)
    hands = Hands(mongo, jetstream, applications, RequirementBook(mongo), access)
    office = Office(mongo, time_skipping_env, jetstream, applications, bank_url, name)
    async with HttpBank(bank_url) as bank:
        activities = activities_of(
            OnboardingActivities(hands), CheckActivities(mongo, sealing, bank), PartnerActivities(mongo, access)
        )
        async with partner_worker(
            time_skipping_env.client,
            activities,
            name,
            runner=strict_sandbox(),
            max_cached_workflows=max_cached_workflows,
        ):
            yield office
    await mongo.client.drop_database(name)
    mongo.close()


@pytest.fixture
def max_cached_workflows() -> int:
    return 100
