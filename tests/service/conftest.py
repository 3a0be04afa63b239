"""The world of service on the time-skipping server: the real database, a worker, teams that are on duty."""

import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.service.carrying import CaseActivities
from infra.cases import Cases
from infra.embedded.timeskipping import time_skipping
from infra.keyring import keyring
from infra.order_api import HttpOrderDesk
from infra.sealing import Sealing
from infra.settings import Settings
from infra.temporal import register_search_attributes, strict_sandbox
from tests.databases import Databases
from tests.service.casemaking import MONDAY
from tests.service.world import Floor
from workflows.catalogue import SERVICE_WORKFLOWS


@pytest.fixture
async def time_skipping_env() -> AsyncIterator[WorkflowEnvironment]:
    """A server for each test: one on which a workflow was ended by force does not skip time any more. It begins on a
    Monday at ten in Shanghai, whenever the tests run: what hours of service make of a span depends on the hour."""
    async with await time_skipping() as environment:
        now = await environment.get_current_time()
        await environment.sleep((MONDAY - now) % timedelta(days=7))
        yield environment


@pytest.fixture
async def floor(databases: Databases, time_skipping_env: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[Floor]:
    """Nobody answers at the address of the API: what an order is asked for is asked again later."""
    name = f"service_{uuid.uuid4().hex[:8]}"
    await register_search_attributes(time_skipping_env.client, "default")
    async with databases.lent() as mongo:
        cases = Cases(mongo, Sealing(keyring(Settings(data_dir=tmp_path))))
        async with (
            HttpOrderDesk("http://127.0.0.1:9", "tq_none") as desk,
            Worker(
                time_skipping_env.client,
                task_queue=name,
                workflows=SERVICE_WORKFLOWS,
                activities=[CaseActivities(cases, desk).carry],
                workflow_runner=strict_sandbox(),
            ),
        ):
            yield Floor(cases, time_skipping_env, name)
