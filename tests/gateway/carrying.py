"""Carries orders as the event worker and the fulfilment worker do: claims them, and makes their steps."""

from datetime import UTC, datetime
from typing import Any

from activities.orders.batch import BatchActivities
from contracts.base import milliseconds
from contracts.fulfilment import Advance
from contracts.ids import new_batch_id
from infra.mongo import Mongo


class Carrier:
    """The batches of a test. A step is the real activity, on the real database."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._activities = BatchActivities(mongo, self._ring)
        self._rung: list[str] = []

    async def _ring(self, batches: set[str]) -> None:
        self._rung += sorted(batches)

    async def claim(self, *orders: str) -> str:
        batch, ids = new_batch_id(), list(orders)
        row = {"_id": batch, "status": "claimed", "size": len(ids), "created_at": datetime.now(UTC)}
        await self._mongo.batches.insert_one(row)
        await self._mongo.orders.update_many({"_id": {"$in": ids}, "batch": None}, {"$set": {"batch": batch}})
        await self._mongo.inbox.update_many({"order": {"$in": ids}, "drained": None}, {"$set": {"batch": batch}})
        await self.step(batch)
        return batch

    async def step(self, batch: str) -> None:
        """And the steps of batches whose bells it rings."""
        self._rung.append(batch)
        while self._rung:
            await self._activities.advance(Advance(batch=self._rung.pop(0), now=milliseconds(datetime.now(UTC))))

    async def reply(self, batch: str, parcel: dict[str, Any], kind: str, **data: Any) -> None:
        """A store's answer, taken in."""
        order = parcel["id"].rsplit(".p", 1)[0]
        row = {
            "_id": f"{kind}:{parcel['id']}",
            "order": order,
            "batch": batch,
            "kind": f"reply.{kind}",
            "received_at": milliseconds(datetime.now(UTC)),
            "by": parcel["location"],
            "parcel": parcel["id"],
            "data": data,
            "drained": None,
        }
        await self._mongo.inbox.insert_one(row)
        await self.step(batch)
