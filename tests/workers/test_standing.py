"""Who is behind, by all ways in which events are taken in."""

from collections.abc import AsyncIterator

import pytest

from infra.mongo import Mongo
from workers.cli.standing import behind, read_left


@pytest.fixture
async def mongo(mongo_url: str, database: str) -> AsyncIterator[Mongo]:
    mongo = Mongo(mongo_url, database)
    yield mongo
    mongo.close()


async def test_who_listens_by_http_or_webhook_is_not_behind(mongo: Mongo) -> None:
    """By NATS alone nobody of them would have taken in anything."""
    names = ("nats", "http", "hooked", "slow", "made-only")
    await mongo.partner_sequences.insert_many([{"_id": name, "last": 10} for name in names])
    await mongo.positions.insert_many(
        [
            {"_id": "http", "acknowledged": 10},
            {"_id": "slow", "acknowledged": 4, "over_nats": 7},
            {"_id": "made-only", "webhooks_made": 1},
        ]
    )
    hooks = {"hooked": (10, 3), "slow": (2,), "made-only": (0,)}
    await mongo.webhooks.insert_many(
        [{"stream": name, "acknowledged": number} for name, numbers in hooks.items() for number in numbers]
    )
    left = await read_left(mongo)
    assert left == {"http": 0, "hooked": 0, "slow": 3}
    pending = {**{f"p-{name}": 10 for name in names}, "p-idle": 0}
    assert behind(pending, left) == {"p-nats": 10, "p-made-only": 10, "p-slow": 3}
    assert behind({"p-slow": 2}, left) == {"p-slow": 2}, "it has gone further over NATS"
