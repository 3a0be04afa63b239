"""A small world for workflow tests: the real database, the real payment sandbox and the time-skipping server."""

import asyncio
import itertools
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from activities.orders.accept import order_document
from activities.stock.booking import book
from contracts.fulfilment import BELL, TASK_QUEUE, WORKFLOW, Batch
from contracts.geo import Point
from contracts.orders import OrderPlacement
from contracts.partners import LocationUpsert
from contracts.returns import RETURN_WORKFLOW
from contracts.stock import Change, Movement
from infra.mongo import Mongo, Session
from infra.reopening import reopen

HANGZHOU = Point(lat=30.27, lon=120.15, datum="WGS84")
_FAR = {"near": 0.0, "mid": 1.0, "far": 3.0}


class World:
    """Places orders, lets stores answer and lets time pass. Locations: near, mid, far (0, 111, 333 km away)."""

    def __init__(self, mongo: Mongo, env: WorkflowEnvironment, task_queue: str = TASK_QUEUE) -> None:
        self.mongo = mongo
        self.env = env
        self._task_queue = task_queue
        self._numbers = itertools.count(1)
        self._batches = itertools.count(1)
        self.prefix = f"flow-{uuid.uuid4().hex[:8]}"

    async def open_stores(self, stock: dict[str, dict[str, int]], **settings: Any) -> None:
        """`stock`: units by location and SKU."""
        for location in stock:
            upsert = LocationUpsert(
                id=location,
                name=location,
                division="330100",
                point=Point(lat=HANGZHOU.lat + _FAR[location], lon=HANGZHOU.lon, datum="WGS84"),
                **{"accept_within_s": 1800, "ship_within_s": 86400, **settings},
            )
            row = upsert.model_dump(exclude={"id", "point"})
            assert upsert.point is not None
            await self.mongo.locations.insert_one(
                {"_id": location, **row, "lat": upsert.point.lat, "lon": upsert.point.lon, "version": 1}
            )
        await self.mongo.counters.update_one({"_id": "network"}, {"$inc": {"version": 1}}, upsert=True)
        for location, units in stock.items():
            for sku, quantity in units.items():
                await self.receive(location, sku, quantity)

    async def receive(self, location: str, sku: str, quantity: int) -> None:
        async def work(session: Session) -> None:
            counter = await self.mongo.counters.find_one({"_id": "stock"}, session=session)
            assert counter is not None
            movement = Movement(
                id=f"received:{next(self._numbers)}",
                kind="received",
                location=location,
                changes=[Change(sku=sku, on_hand=quantity)],
                at=await self.now(),
            )
            await book(self.mongo, session, [movement], counter["version"])

        await self.mongo.transaction(work)

    async def now(self) -> Any:
        return await self.env.get_current_time()

    async def place(self, *lines: tuple[str, int], **changes: Any) -> str:
        """Place an order of (SKU, quantity) lines at 10 yuan a unit; not yet in a batch."""
        order = changes.pop("id", None) or f"{self.prefix}-{next(self._numbers)}"
        body: dict[str, Any] = {
            "id": order,
            "lines": [
                {"line": i, "sku": sku, "quantity": quantity, "unit_price": 1000}
                for i, (sku, quantity) in enumerate(lines, 1)
            ],
            "total": 1000 * sum(quantity for _, quantity in lines),
            "ship_to": {"division": "330100", "point": HANGZHOU.model_dump()},
            **changes,
        }
        placement = OrderPlacement.model_validate(body)
        await self.mongo.orders.insert_one(order_document(placement, order, await self.now()))
        return order

    async def start(self, *orders: str) -> WorkflowHandle[Any, Any]:
        """Put orders into a batch and start its workflow."""
        batch = Batch(id=f"batch-{self.prefix}-{next(self._batches)}", size=len(orders))
        await self.mongo.batches.insert_one({"_id": batch.id, "status": "claimed", "size": batch.size})
        await self.mongo.orders.update_many({"_id": {"$in": list(orders)}}, {"$set": {"batch": batch.id}})
        unread = {"order": {"$in": list(orders)}, "drained": None}
        await self.mongo.inbox.update_many(unread, {"$set": {"batch": batch.id}})
        return await self.env.client.start_workflow(
            WORKFLOW, batch, id=batch.id, task_queue=self._task_queue, result_type=dict[str, int]
        )

    async def begin(self, *lines: tuple[str, int], **changes: Any) -> tuple[str, WorkflowHandle[Any, Any]]:
        """Place one order and start it."""
        order = await self.place(*lines, **changes)
        return order, await self.start(order)

    async def carry_again(self, order: str) -> WorkflowHandle[Any, Any]:
        """Claim an order that had ended and was reopened, as the event worker does."""
        await self.until(order, lambda row: row["batch"] is None, "reopened")
        return await self.start(order)

    async def follow(self, returned: str) -> WorkflowHandle[Any, Any]:
        """Start the workflow of a return, as the event worker does."""
        return await self.env.client.start_workflow(
            RETURN_WORKFLOW, returned, id=returned, task_queue=self._task_queue, result_type=str
        )

    async def say_of_return(self, returned: str, kind: str, **data: Any) -> None:
        """Tell a return something, as the gateway does."""
        event = {"id": f"{kind}:{next(self._numbers)}", "kind": kind, "at": await self.now(), "by": "tester"}
        said = {"$push": {"unread": {**event, "data": data}}, "$inc": {"version": 1}}
        await self.mongo.returns.update_one({"_id": returned}, said)
        await self.ring({returned})

    async def return_is(self, returned: str, state: str) -> dict[str, Any]:
        """Wait, in real time, until a return is in a state."""
        row: dict[str, Any] | None = None
        for _ in range(400):
            row = await self.mongo.returns.find_one({"_id": returned})
            if row is not None and row["state"] == state:
                return row
            await asyncio.sleep(0.025)
        raise AssertionError(f"{returned} never came to be {state}: {row}")

    async def order(self, order: str) -> dict[str, Any]:
        found = await self.mongo.orders.find_one({"_id": order})
        assert found is not None
        return found

    async def until(self, order: str, condition: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """Wait, in real time, until an order fulfils a condition."""
        for _ in range(400):
            row = await self.order(order)
            if condition(row):
                return row
            await asyncio.sleep(0.025)
        raise AssertionError(f"{order} never came to be {what}; it is {row['stage']}: {row['timeline']}")

    async def reaches(self, order: str, stage: str) -> dict[str, Any]:
        return await self.until(order, lambda row: row["stage"] == stage, stage)

    async def offered_to(self, order: str, location: str) -> str:
        """Wait until a parcel is offered to a location; its id."""

        def offered(row: dict[str, Any]) -> bool:
            return any(p["location"] == location and p["state"] == "offered" for p in row["parcels"])

        row = await self.until(order, offered, f"offered to {location}")
        return str(next(p["id"] for p in row["parcels"] if p["location"] == location and p["state"] == "offered"))

    async def say(self, order: str, kind: str, **more: Any) -> str:
        """Write an event to the inbox and ring the bell. Its id, so that it can be said again."""
        written, batch = await self._write(order, kind, **more)
        await self.ring({batch})
        return written

    async def say_of_ended(self, order: str, kind: str, **more: Any) -> None:
        """Write an event for an order that has ended, and have it carried again."""
        await self._write(order, kind, **more)
        await reopen(self.mongo, [order])

    async def _write(self, order: str, kind: str, **more: Any) -> tuple[str, str]:
        row = await self.order(order)
        event = {
            "_id": more.pop("id", f"{order}:{kind}:{next(self._numbers)}"),
            "order": order,
            "batch": row["batch"],
            "kind": kind,
            "received_at": more.pop("at", None) or await self.now(),
            "by": more.pop("by", "tester"),
            "parcel": more.pop("parcel", None),
            "data": more,
            "drained": None,
        }
        await self.mongo.inbox.insert_one(event)
        return str(event["_id"]), row["batch"]

    async def answer(self, order: str, parcel: str, *kinds: str, **more: Any) -> None:
        """The store that a parcel was offered to answers for it."""
        row = await self.order(order)
        store = next(p["location"] for p in row["parcels"] if p["id"] == parcel)
        for kind in kinds:
            await self.say(order, f"reply.{kind}", parcel=parcel, by=store, **more)

    async def ring(self, batches: set[str]) -> None:
        for batch in batches:
            await self.env.client.get_workflow_handle(batch).signal(BELL)

    async def pass_time(self, **span: float) -> None:
        await self.env.sleep(timedelta(**span))

    async def levels(self) -> dict[str, tuple[int, int]]:
        """(on hand, reserved) by `location/sku`."""
        return {row["_id"]: (row["on_hand"], row["reserved"]) async for row in self.mongo.stock.find()}

    async def told(self, partner: str) -> list[str]:
        """Types of the events for a partner, in order."""
        rows = self.mongo.outbox.find({"events.partner": partner}).sort([("at", 1), ("key", 1)])
        return [event["type"] async for row in rows for event in row["events"] if event["partner"] == partner]
