"""A step that is cancelled under way, as it is when its heartbeats are late: its work is done all the same."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from activities.orders.batch import BatchActivities
from contracts.base import milliseconds
from contracts.fulfilment import Advance
from contracts.ids import new_batch_id
from infra.mongo import Mongo
from tests.gateway.running import Api
from tests.support import eventually


async def test_a_step_that_is_cancelled_again_and_again_is_done_once(api: Api, mongo: Mongo) -> None:
    order = (await api.place())["id"]
    batch = new_batch_id()
    row = {"_id": batch, "status": "claimed", "size": 1, "created_at": datetime.now(UTC)}
    await mongo.batches.insert_one(row)
    await mongo.orders.update_one({"_id": order}, {"$set": {"batch": batch}})
    activities = BatchActivities(mongo, _nobody)
    step = Advance(batch=batch, now=milliseconds(datetime.now(UTC)))
    for _ in range(5):
        cut_off = asyncio.create_task(activities.advance(step))
        await asyncio.sleep(0)
        cut_off.cancel()
        await asyncio.wait({cut_off})
        assert cut_off.cancelled()

    async def moved() -> dict[str, Any] | None:
        return await mongo.orders.find_one({"_id": order, "stage": {"$ne": "placed"}})

    assert (await eventually(moved, message="the cancelled step left nothing behind") or {})["attempt"] == 1
    assert (await activities.advance(step)).open == 1
    assert await mongo.ledger.count_documents({"order": order, "kind": "reserved"}) == 1


async def _nobody(batches: set[str]) -> None:
    """No bell: nothing waits."""
