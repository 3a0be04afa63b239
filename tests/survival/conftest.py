"""Servers of each test's own: they are copied, set back, killed and forgotten here."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.js import JetStreamContext

from infra.embedded import Servers
from infra.indexes import make_indexes
from infra.mongo import Mongo
from infra.nats import Connection, connect
from infra.settings import Settings
from infra.streams import provision_partners, provision_streams
from tests.survival.bus import SetBack
from tests.survival.partners import Follower


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[SetBack]:
    """Never a server that a setting names."""
    settings = Settings(data_dir=tmp_path, nats_url=None)
    async with Servers(settings, tmp_path, temporal=False, mongo=False) as servers:
        yield SetBack(servers, tmp_path)


@pytest.fixture
async def nats(bus: SetBack) -> AsyncIterator[Connection]:
    connection = await connect(bus.servers.addresses.nats_url, bus.servers.addresses.nats_creds, "test")
    await provision_streams(connection.jetstream())
    yield connection
    await connection.close()


@pytest.fixture
async def mongo(mongo_url: str, database: str) -> AsyncIterator[Mongo]:
    mongo = Mongo(mongo_url, database)
    await make_indexes(mongo)
    yield mongo
    mongo.close()


@pytest.fixture
async def followers(nats: Connection) -> list[Follower]:
    """Three partners with their consumers."""
    js: JetStreamContext = nats.jetstream()
    names = [f"store-{uuid.uuid4().hex[:8]}" for _ in range(3)]
    await provision_partners(js, names)
    return [Follower(name, js) for name in names]
