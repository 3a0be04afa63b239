"""The gateway on real servers: in this process on a port of its own, with keys, locations and stock to work with."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from infra.embedded import Addresses
from infra.indexes import make_indexes
from infra.keys import Scope, create_key
from infra.mongo import Mongo
from infra.nats import connect
from infra.settings import Settings
from infra.streams import provision_streams
from tests.gateway.running import Api, running

SKUS = ("tea", "cup", "pot")
STORES = ("near", "far")


@pytest.fixture(scope="session")
async def gateway_settings(servers: Addresses, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A provisioned database that the tests of the gateway share; they keep apart by ids of their own."""
    settings = Settings(
        data_dir=Path(tmp_path_factory.mktemp("gateway")),
        mongo_url=servers.mongo_url,
        mongo_database=f"test_gateway_{uuid.uuid4().hex[:8]}",
        nats_url=servers.nats_url,
        nats_creds=Path(servers.nats_creds),
        nats_keys=Path(servers.nats_keys),
        temporal_address=servers.temporal_address,
        temporal_ui_url="http://temporal.example:8233",
        # All that need no key call from one address here.
        keyless_calls_per_s=1_000,
        keyless_calls_burst=1_000,
    )
    nats = await connect(servers.nats_url, servers.nats_creds, "tests")
    await provision_streams(nats.jetstream())
    await nats.close()
    return settings


@pytest.fixture(scope="session")
async def mongo(gateway_settings: Settings) -> AsyncIterator[Mongo]:
    mongo = Mongo(gateway_settings.require("mongo_url"), gateway_settings.mongo_database)
    await make_indexes(mongo)
    yield mongo
    await mongo.client.drop_database(gateway_settings.mongo_database)
    mongo.close()


@pytest.fixture(scope="session")
async def key(mongo: Mongo) -> str:
    """A key that may do everything."""
    return await create_key(mongo, "tests", Scope)


@pytest.fixture(scope="session")
async def api(gateway_settings: Settings, key: str) -> AsyncIterator[Api]:
    """The gateway, with two stores near and far that each hold plenty of three SKUs."""
    async with running(gateway_settings, key) as api:
        near = {"lat": 30.0, "lon": 120.0, "datum": "WGS84"}
        far = {"lat": 39.9, "lon": 116.4, "datum": "WGS84"}
        stores = [
            {"id": "near", "name": "Near", "division": "330106", "point": near},
            {"id": "far", "name": "Far", "division": "110101", "point": far},
        ]
        levels = [{"location": place, "sku": sku, "quantity": 1_000_000} for place in STORES for sku in SKUS]
        await api.put("/v1/locations", {"locations": stores}, status=200)
        await api.put("/v1/stock", {"items": levels}, status=200)
        yield api
