"""Fixtures that all tests share: real servers, and what keeps tests on them apart.

Each test process has servers of its own: they start in about a second, and names of streams are global on a
server. A server that cannot be started fails the tests that need it.
"""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from pymongo import AsyncMongoClient
from temporalio.testing import WorkflowEnvironment

from infra.embedded import Addresses, embedded_servers
from infra.embedded.ports import HOST, free_port
from infra.embedded.programs import TEMPORAL_TEST_SERVER, path_of
from infra.processes import Process
from infra.settings import EnvironmentSettings, Settings
from infra.temporal import DATA_CONVERTER

_CACHE_GB = 0.5
_START_S = 30.0


@pytest.fixture(scope="session")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Addresses]:
    """MongoDB, NATS and Temporal; TONGQU_MONGO_URL and its like name others to be used instead."""
    data_dir = tmp_path_factory.mktemp("servers")
    settings = EnvironmentSettings(data_dir=data_dir, mongo_cache_gb=_CACHE_GB)
    async with embedded_servers(settings, data_dir) as addresses:
        yield addresses


@pytest.fixture(scope="session")
def mongo_url(servers: Addresses) -> str:
    return servers.mongo_url


@pytest.fixture(scope="session")
def nats_url(servers: Addresses) -> str:
    return servers.nats_url


@pytest.fixture(scope="session")
def temporal_address(servers: Addresses) -> str:
    return servers.temporal_address


@pytest.fixture(scope="session")
async def payment_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The payment sandbox, shared: tests keep apart by the ids of their orders."""
    async with _sandbox("payment_sandbox", tmp_path_factory.mktemp("payment")) as url:
        yield url


@pytest.fixture(scope="session")
async def carrier_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The sandbox carriers, shared; they tell nobody of their scans."""
    async with _sandbox("carrier_sandbox", tmp_path_factory.mktemp("carriers")) as url:
        yield url


@asynccontextmanager
async def _sandbox(module: str, folder: Path) -> AsyncIterator[str]:
    port = free_port()
    url = f"http://{HOST}:{port}"
    arguments = ("--port", str(port), "--db", str(folder / "sandbox.db"))
    sandbox = Process.of_module(module, f"workers.{module}", *arguments, log=folder / "sandbox.log")

    async def healthy() -> bool:
        async with aiohttp.ClientSession() as session, session.get(f"{url}/healthz") as answer:
            return answer.status == 200

    sandbox.start()
    try:
        await sandbox.wait_ready(healthy, _START_S)
        yield url
    finally:
        await sandbox.stop()


@pytest.fixture
async def database(mongo_url: str) -> AsyncIterator[str]:
    """Name of a database that only this test uses."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield name
    async with AsyncMongoClient[dict[str, object]](mongo_url) as client:
        await client.drop_database(name)


@pytest.fixture
def settings(servers: Addresses, database: str, tmp_path: Path) -> Settings:
    """Settings for this test alone, on the shared servers."""
    return Settings(
        data_dir=tmp_path,
        mongo_url=servers.mongo_url,
        mongo_database=database,
        nats_url=servers.nats_url,
        nats_creds=Path(servers.nats_creds),
        nats_keys=Path(servers.nats_keys),
        temporal_address=servers.temporal_address,
        temporal_ui_url=servers.temporal_ui_url or None,
    )


@pytest.fixture(scope="session")
async def time_skipping_env() -> AsyncIterator[WorkflowEnvironment]:
    """A Temporal test server that skips the time in which nothing happens; there is no waiting for timers."""
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(path_of(TEMPORAL_TEST_SERVER)), data_converter=DATA_CONVERTER
    ) as environment:
        yield environment
