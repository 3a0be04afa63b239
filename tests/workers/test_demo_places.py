"""For whom the demo's stores answer."""

from collections.abc import AsyncIterator

import pytest

from infra.demo_network import network
from infra.mongo import Mongo
from workers.demo import demo_places


@pytest.fixture
async def mongo(mongo_url: str, database: str) -> AsyncIterator[Mongo]:
    mongo = Mongo(mongo_url, database)
    yield mongo
    mongo.close()


async def test_the_demos_stores_answer_for_its_own_places_alone(mongo: Mongo) -> None:
    first, second, third, *_ = (place["id"] for place in network().locations)
    rows: list[dict[str, str]] = [
        {"_id": first},
        {"_id": second},
        {"_id": third, "partner": "partner-01kjt3w9x8c4m2p7q5"},
        {"_id": "our-shop", "partner": "partner-01kjt3w9x8c4m2p7q5"},
        {"_id": "registered-by-hand"},
    ]
    assert await demo_places(mongo) == []
    await mongo.locations.insert_many(rows)
    assert await demo_places(mongo) == sorted([first, second])
