"""Orders that are carried on a real database as in production, one step at a time, so that there is a history."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from activities.orders.accept import order_document
from activities.orders.batch import BatchActivities
from activities.stock.booking import book
from contracts.fulfilment import Advance
from contracts.orders import OrderPlacement
from contracts.partners import Location
from contracts.stock import Change, Movement, MovementKind
from infra.mongo import Mongo, Session
from tests.builders import NOW, command, placement, reply


class Recorded:
    """A batch whose steps are called by hand, at the moments that a test says."""

    def __init__(self, mongo: Mongo, now: datetime = NOW) -> None:
        """`now` is when everything happens of which nothing else is said."""
        self.mongo = mongo
        self.now = now
        self.batch = f"batch-{uuid.uuid4().hex[:8]}"
        self._batches = BatchActivities(mongo, self._ring)

    async def _ring(self, batches: set[str]) -> None:
        """Nobody listens here."""

    async def open(self, *locations: Location) -> None:
        """For a database of its own: the counters, and a network."""
        await self.mongo.counters.insert_many([{"_id": name, "version": 1} for name in ("stock", "network")])
        rows = [{"_id": one.id, **one.model_dump(mode="json", exclude={"id"})} for one in locations]
        await self.mongo.locations.insert_many(rows)

    async def receive(self, place: str, goods: Mapping[str, int], at: datetime | None = None) -> None:
        await self.move("received", place, [Change(sku=sku, on_hand=units) for sku, units in goods.items()], at)

    async def move(self, kind: MovementKind, place: str, changes: list[Change], at: datetime | None = None) -> None:
        movement = Movement(id=uuid.uuid4().hex, kind=kind, location=place, changes=changes, at=at or self.now)

        async def work(session: Session) -> None:
            counter = await self.mongo.counters.find_one({"_id": "stock"}, session=session)
            assert counter is not None
            await book(self.mongo, session, [movement], counter["version"])

        await self.mongo.transaction(work)

    async def place(self, order: str, *lines: tuple[str, int], at: datetime | None = None, **placed: Any) -> None:
        await self.accept(placement(*lines, **placed), order, at)

    async def accept(self, placed: OrderPlacement, order: str, at: datetime | None = None) -> None:
        await self.mongo.orders.insert_one({**order_document(placed, order, at or self.now), "batch": self.batch})

    async def claim(self, order: str) -> None:
        """Take an order that was placed over the API."""
        await self.mongo.orders.update_one({"_id": order}, {"$set": {"batch": self.batch}})

    async def step(self, at: datetime | None = None) -> None:
        await self._batches.advance(Advance(batch=self.batch, now=at or self.now))

    async def answer(self, parcel: str, kind: str, by: str, at: datetime | None = None, **more: Any) -> None:
        await self._tell(reply(kind, parcel, by=by, at=at or self.now, **more), at)

    async def cancel(self, order: str, at: datetime | None = None) -> None:
        await self._tell(command("cancel", order, at=at or self.now), at)

    async def _tell(self, event: Any, at: datetime | None) -> None:
        # The builders number events anew in every test; a database that tests share needs more.
        unique = event.model_copy(update={"id": f"{self.batch}:{event.id}"})
        await self.mongo.inbox.insert_one(unique.unread(self.batch))
        await self.step(at)

    async def order(self, order: str) -> dict[str, Any]:
        found = await self.mongo.orders.find_one({"_id": order})
        assert found is not None
        return dict(found)
