"""A running system with an operator at a terminal."""

from collections.abc import AsyncIterator

import pytest

from infra.mongo import Mongo
from infra.settings import EnvironmentSettings
from tests.workers.desk import FAR, HOME, NEAR, Desk
from workers.shop import Shop
from workers.system import System


@pytest.fixture(scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    """A system with two stores in Hangzhou and Beijing, where nobody answers for the stores."""
    data_dir = tmp_path_factory.mktemp("desk")
    settings = EnvironmentSettings(data_dir=data_dir, mongo_cache_gb=0.5)
    async with System(settings, data_dir) as system:
        mongo = Mongo(system.settings.require("mongo_url"), system.settings.mongo_database)
        async with Shop(system.settings.require("gateway_url"), system.settings.require("operator_key")) as shop:
            await shop.put_locations(
                [
                    {"id": NEAR, "name": "Hangzhou", "division": "330106", "point": HOME},
                    {"id": FAR, "name": "Beijing", "division": "110101", "point": {**HOME, "lat": 39.9, "lon": 116.4}},
                ]
            )
            await shop.put_stock([{"location": place, "sku": "tea", "quantity": 100} for place in (NEAR, FAR)])
            yield Desk(system, shop, mongo)
        mongo.close()
