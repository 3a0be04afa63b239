"""The world of the workflow tests: one time-skipping server and one worker for each test."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from nats.js import JetStreamContext
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.carriers.booking import CarrierActivities
from activities.orders.batch import BatchActivities
from activities.orders.settle import PaymentActivities
from activities.returns.carrying import ReturnActivities
from infra.applications import Applications
from infra.carriers import HttpCarrierPort
from infra.embedded import Addresses
from infra.embedded.timeskipping import time_skipping
from infra.keyring import keyring
from infra.nats import connect
from infra.payments import HttpPaymentGateway
from infra.sealing import Sealing
from infra.settings import Settings
from infra.streams import provision_streams
from infra.temporal import register_search_attributes, strict_sandbox
from tests.conftest import SignatureSandbox
from tests.databases import Databases
from tests.workflows.partnering import Office
from tests.workflows.world import World
from workers.partners import partner_activities, partner_worker
from workflows.catalogue import WORKFLOWS


@pytest.fixture
async def time_skipping_env() -> AsyncIterator[WorkflowEnvironment]:
    """A server for each test: one on which a workflow was ended by force does not skip time any more."""
    async with await time_skipping() as environment:
        yield environment


@pytest.fixture
async def world(
    databases: Databases,
    payment_url: str,
    carrier_url: str,
    time_skipping_env: WorkflowEnvironment,
    max_cached_workflows: int,
) -> AsyncIterator[World]:
    name = f"flow_{uuid.uuid4().hex[:8]}"
    await register_search_attributes(time_skipping_env.client, "default")
    async with (
        databases.lent() as mongo,
        HttpPaymentGateway(payment_url) as gateway,
        HttpCarrierPort(carrier_url) as port,
    ):
        world = World(mongo, time_skipping_env, task_queue=name)
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


@pytest.fixture(scope="session")
async def jetstream(servers: Addresses) -> AsyncIterator[JetStreamContext]:
    """Shared: tests keep apart by the ids of their partners."""
    nats = await connect(servers.nats_url, servers.nats_creds, "tests")
    await provision_streams(nats.jetstream())
    yield nats.jetstream()
    await nats.close()


@pytest.fixture
async def office(
    databases: Databases,
    bank_url: str,
    signatures: SignatureSandbox,
    jetstream: JetStreamContext,
    servers: Addresses,
    time_skipping_env: WorkflowEnvironment,
    max_cached_workflows: int,
    tmp_path: Path,
) -> AsyncIterator[Office]:
    name = f"office_{uuid.uuid4().hex[:8]}"
    settings = Settings(
        data_dir=tmp_path,
        nats_url=servers.nats_url,
        nats_creds=servers.nats_creds,
        nats_keys=servers.nats_keys,
        bank_url=bank_url,
        signature_url=signatures.url,
        signature_key=signatures.api_key,
        signature_roots=signatures.roots,
    )
    await register_search_attributes(time_skipping_env.client, "default")
    async with (
        databases.lent() as mongo,
        partner_activities(settings, mongo, jetstream) as activities,
        partner_worker(
            time_skipping_env.client,
            activities,
            name,
            runner=strict_sandbox(),
            max_cached_workflows=max_cached_workflows,
        ),
        aiohttp.ClientSession() as session,
    ):
        applications = Applications(mongo, Sealing(keyring(settings)))
        made = Office(mongo, time_skipping_env, jetstream, applications, bank_url, name, session, settings)
        yield made
        await made.access.close()


@pytest.fixture
def max_cached_workflows() -> int:
    return 100
