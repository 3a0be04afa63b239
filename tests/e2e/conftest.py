"""The whole system, as `tongqu up` starts it, with the demo's network; shared by the tests of this folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.js import JetStreamContext

from contracts.routing import Policy
from infra.demo_network import network
from infra.mongo import Mongo
from infra.nats import connect_by
from infra.settings import EnvironmentSettings
from tests.e2e.places import Places
from workers.shop import Shop
from workers.system import System

QUICK = Policy(version=2, backorder_retry_s=2, backorder_limit_s=8)


@pytest.fixture(scope="session")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    data_dir: Path = tmp_path_factory.mktemp("system")
    settings = EnvironmentSettings(
        data_dir=data_dir, mongo_cache_gb=0.5, bell_progress_ms=300, carrier_day_s=2, webhook_private=True
    )
    async with System(settings, data_dir) as system:
        mongo = Mongo(system.settings.require("mongo_url"), system.settings.mongo_database)
        await mongo.policies.insert_one(QUICK.model_dump())
        mongo.close()
        places = network()
        async with Shop(system.settings.require("gateway_url"), system.settings.require("operator_key")) as shop:
            await shop.put_locations(places.locations)
            await shop.put_stock(places.stock)
        yield system


@pytest.fixture
async def mongo(system: System) -> AsyncIterator[Mongo]:
    mongo = Mongo(system.settings.require("mongo_url"), system.settings.mongo_database)
    yield mongo
    mongo.close()


@pytest.fixture
async def shop(system: System) -> AsyncIterator[Shop]:
    async with Shop(system.settings.require("gateway_url"), system.settings.require("operator_key")) as shop:
        yield shop


@pytest.fixture
async def jetstream(system: System) -> AsyncIterator[JetStreamContext]:
    client = await connect_by(system.settings, "test")
    yield client.jetstream()
    await client.close()


@pytest.fixture
async def places(shop: Shop, jetstream: JetStreamContext) -> Places:
    """Two stores of this test alone, far out at sea where no other location is nearest, with ten of one SKU each."""
    return await Places.open(shop, jetstream)
