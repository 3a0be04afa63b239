"""An event bus for this folder alone: streams are global on a server, and these tests change, lose and kill them."""

from collections.abc import AsyncIterator

import pytest
from nats.js import JetStreamContext

from infra.embedded import Servers
from infra.mongo import Mongo
from infra.nats import Connection, connect
from infra.settings import Settings
from infra.streams import provision_streams


@pytest.fixture(scope="module")
async def bus(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Servers]:
    """A NATS server that may be killed and started again. Never one that a setting names."""
    data_dir = tmp_path_factory.mktemp("bus")
    async with Servers(Settings(data_dir=data_dir, nats_url=None), data_dir, temporal=False, mongo=False) as servers:
        yield servers
        # A server with more than a thousand consumers takes its time to end, and nothing in it is wanted any more.
        servers.processes["nats"].kill()


@pytest.fixture
async def nats(bus: Servers) -> AsyncIterator[Connection]:
    connection = await connect(bus.addresses.nats_url, bus.addresses.nats_creds, "test")
    await provision_streams(connection.jetstream())
    yield connection
    await connection.close()


@pytest.fixture
def js(nats: Connection) -> JetStreamContext:
    return nats.jetstream()


@pytest.fixture
async def mongo(mongo_url: str, database: str) -> AsyncIterator[Mongo]:
    mongo = Mongo(mongo_url, database)
    yield mongo
    mongo.close()
