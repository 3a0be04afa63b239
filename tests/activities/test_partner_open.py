"""What a partner still has open is found among what is open, not among everything that ever was."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from activities.partners.open import what_is_open
from contracts.orders import Stage
from contracts.parcels import ParcelState
from contracts.partnership import PartnerRecord
from contracts.returns import ReturnState
from infra.mongo import Mongo
from tests.databases import Databases

NOW = datetime(2026, 11, 3, tzinfo=UTC)
CLOSED = 200
PARTNER = PartnerRecord(
    id="chain",
    kind="franchise",
    state="active",
    name="chain",
    credit_code="91330100799655058B",
    locations=["near", "far"],
    application="app-1",
    agreement="app-1-a1",
    agreement_until=NOW,
)


@pytest.fixture
async def mongo(databases: Databases) -> AsyncIterator[Mongo]:
    async with databases.lent() as mongo:
        yield mongo


def order(name: str, stage: Stage, location: str, state: ParcelState) -> dict[str, Any]:
    return {"_id": name, "stage": stage, "placed_at": NOW, "parcels": [{"location": location, "state": state}]}


async def fill(mongo: Mongo) -> None:
    past = [order(f"a{n}", Stage.CLOSED, "near", ParcelState.DELIVERED) for n in range(CLOSED)]
    ours = [order(f"b{n:02d}", Stage.SHIPPED, ("near", "far")[n % 2], ParcelState.SHIPPED) for n in range(25)]
    others = [
        order("c1", Stage.ACCEPTED, "elsewhere", ParcelState.ACCEPTED),
        order("c2", Stage.DISPATCHED, "near", ParcelState.REJECTED),
    ]
    await mongo.orders.insert_many(past + ours + others)
    back = [{"_id": f"r{n}", "location": "near", "state": ReturnState.CLOSED, "order": "o"} for n in range(CLOSED)]
    back += [{"_id": f"s{state}", "location": "far", "state": state, "order": "o"} for state in ReturnState]
    await mongo.returns.insert_many(back)


async def test_all_that_is_open_is_counted_and_the_first_are_named(mongo: Mongo) -> None:
    assert (await what_is_open(mongo, PARTNER)).nothing
    await fill(mongo)
    found = await what_is_open(mongo, PARTNER)
    assert (found.order_count, found.orders) == (25, [f"b{n:02d}" for n in range(20)])
    assert found.returns == len(ReturnState) - 2


async def test_what_has_ended_is_not_looked_at(mongo: Mongo) -> None:
    await fill(mongo)
    await mongo.db.command("profile", 2)
    await what_is_open(mongo, PARTNER)
    await mongo.db.command("profile", 0)
    seen = {
        row["ns"].rpartition(".")[2]: row["docsExamined"]
        async for row in mongo.db["system.profile"].find({"docsExamined": {"$exists": True}})
    }
    assert seen["orders"] == 27
    assert seen["returns"] <= len(ReturnState) - 2
