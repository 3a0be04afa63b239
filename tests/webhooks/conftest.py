"""Endpoints of partners that are real HTTP servers, and the process's worker on real servers."""

import uuid
from collections.abc import AsyncIterator

import pytest

from infra.embedded import Addresses
from infra.hearing import Hearing
from infra.indexes import make_indexes
from infra.mongo import Mongo
from infra.nats import Connection, connect
from infra.streams import provision_streams
from tests.told import Told


@pytest.fixture(scope="module")
async def nats(servers: Addresses) -> AsyncIterator[Connection]:
    connection = await connect(servers.nats_url, "test")
    await provision_streams(connection.jetstream())
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def mongo(mongo_url: str) -> AsyncIterator[Mongo]:
    name = f"test_webhooks_{uuid.uuid4().hex[:8]}"
    mongo = Mongo(mongo_url, name)
    await make_indexes(mongo)
    yield mongo
    await mongo.client.drop_database(name)
    mongo.close()


@pytest.fixture
def told(nats: Connection) -> Told:
    return Told(nats.jetstream())


@pytest.fixture
def hearing(nats: Connection) -> Hearing:
    return Hearing(nats)
