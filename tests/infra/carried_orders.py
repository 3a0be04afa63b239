"""Three orders on the real database and the real stream, to be broken by hand."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from nats.js import JetStreamContext

from activities.orders.accept import order_document
from activities.orders.batch import BatchActivities
from activities.stock.booking import book
from contracts.fulfilment import Advance
from contracts.stock import Change, Movement
from contracts.subjects import event_subject
from infra.invariants import Finding, check, violations
from infra.mongo import Mongo, Session
from tests.builders import location, placement, reply

BATCH = "batch-1"


class CarriedOrders:
    """One order is delivered, one accepted, and one waits for a batch."""

    def __init__(self, mongo: Mongo, js: JetStreamContext) -> None:
        self.mongo = mongo
        self.js = js
        self._batches = BatchActivities(mongo, self._ring)
        self._now = datetime.now(UTC).replace(microsecond=0)
        # The server knows an event's id for a while, also after the stream was emptied for the next test.
        tag = uuid.uuid4().hex[:8]
        self.delivered, self.accepted, self.waiting = (f"{tag}-{stage}" for stage in ("done", "taken", "new"))

    async def _ring(self, batches: set[str]) -> None:
        """Nobody listens here: `step` is called by hand."""

    async def open(self) -> None:
        await self.mongo.counters.insert_many([{"_id": name, "version": 0} for name in ("stock", "network")])
        store = location("near").model_dump(exclude={"id"})
        await self.mongo.locations.insert_one({"_id": "near", **store})
        await self.mongo.counters.update_one({"_id": "network"}, {"$inc": {"version": 1}})
        await self.book("received", Change(sku="tea", on_hand=10), Change(sku="cup", on_hand=5))
        await self.mongo.batches.insert_one({"_id": BATCH, "status": "claimed", "size": 2})
        for order_id, batch in ((self.delivered, BATCH), (self.accepted, BATCH), (self.waiting, None)):
            document = order_document(placement(("tea", 2), ("cup", 1)), order_id, self._now)
            await self.mongo.orders.insert_one({**document, "batch": batch})
        await self.step()
        await self.answer(self.delivered, "accepted", "shipped", "delivered")
        await self.answer(self.accepted, "accepted")
        await self.relay()

    async def book(self, kind: str, *changes: Change) -> None:
        async def work(session: Session) -> None:
            counter = await self.mongo.counters.find_one({"_id": "stock"}, session=session)
            assert counter is not None
            row = {
                "id": uuid.uuid4().hex,
                "kind": kind,
                "location": "near",
                "changes": changes,
                "at": self._now,
            }
            await book(self.mongo, session, [Movement.model_validate(row)], counter["version"])

        await self.mongo.transaction(work)

    async def step(self) -> None:
        await self._batches.advance(Advance(batch=BATCH, now=self._now))

    async def answer(self, order_id: str, *kinds: str) -> None:
        for kind in kinds:
            event = reply(kind, f"{order_id}.p1", by="near", at=self._now)
            row = {**event.model_dump(exclude={"id"}), "_id": event.id, "batch": BATCH, "drained": None}
            await self.mongo.inbox.insert_one(row)
            await self.step()

    async def relay(self) -> None:
        """Number what is pending, partner by partner, and publish it, as the relay does."""
        last: dict[str, int] = {}
        async for row in self.mongo.outbox.find({"status": "sent"}):
            for event in row["events"]:
                last[event["partner"]] = last.get(event["partner"], 0) + 1
        async for row in self.mongo.outbox.find({"status": "pending"}).sort([("at", 1), ("key", 1)]):
            numbers = []
            for event in row["events"]:
                last[event["partner"]] = last.get(event["partner"], 0) + 1
                numbers.append(last[event["partner"]])
                await self.publish(event_subject(event["partner"], event["type"]), event["id"])
            sent = {"status": "sent", "numbers": numbers, "sent_at": datetime.now(UTC)}
            await self.mongo.outbox.update_one({"_id": row["_id"]}, {"$set": sent})

    async def row_of(self, partner: str, number: int) -> tuple[str, int]:
        """The outbox row that holds a partner's event of this number, and its place in the row."""
        async for row in self.mongo.outbox.find({"events.partner": partner}):
            for place, event in enumerate(row["events"]):
                if (event["partner"], row["numbers"][place]) == (partner, number):
                    return row["_id"], place
        raise LookupError(f"{partner} has no event {number}")

    async def renumber(self, partner: str, changes: Mapping[int, int]) -> None:
        """Give a partner's events other numbers, all at once."""
        found = {number: await self.row_of(partner, number) for number in changes}
        for number, (row, place) in found.items():
            await self.mongo.outbox.update_one({"_id": row}, {"$set": {f"numbers.{place}": changes[number]}})

    async def publish(self, subject: str, event_id: str | None) -> None:
        await self.js.publish(subject, b"{}", headers={"Nats-Msg-Id": event_id} if event_id else None)

    async def check(self) -> dict[str, Finding]:
        return {finding.invariant: finding for finding in await check(self.mongo, self.js)}

    async def broken(self) -> set[str]:
        return {finding.invariant for finding in violations(list((await self.check()).values()))}

    async def change(self, order_id: str, **changes: Any) -> None:
        changed = await self.mongo.orders.update_one({"_id": order_id}, {"$set": changes})
        assert changed.modified_count == 1
