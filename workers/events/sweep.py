"""Finds what was lost on the way, every few seconds: unstarted batches, unread events, workflows that are gone."""

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Any

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from contracts.fulfilment import WORKFLOW, Batch
from contracts.orders import REOPENS, TERMINAL
from infra.counting import count_refusals
from infra.mongo import Mongo, UpdateOne
from infra.reopening import reopen
from workers.events.bell import Bell
from workers.events.claims import Claims

log = logging.getLogger(__name__)
_LIMIT = 5_000
_QUIET = timedelta(minutes=10)
_QUIET_AT_ONCE = 50


class Sweep:
    """Every loss is healed from MongoDB, which knows what was accepted; each repair may be repeated."""

    def __init__(self, mongo: Mongo, temporal: Client, claims: Claims, bell: Bell, *, every_s: float = 5.0) -> None:
        self._mongo = mongo
        self._temporal = temporal
        self._claims = claims
        self._bell = bell
        self._every = every_s
        self._ended_since = self._mongo.clock.now() - timedelta(hours=24)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            try:
                await self.once()
            except Exception:
                log.exception("sweep failed; trying again")

    async def once(self) -> None:
        now = self._mongo.clock.now()
        for batch in sorted(self._bell.lost):
            self._bell.lost.discard(batch)
            await self._adopt_if_ended(batch)
        await self._start_claimed(now - timedelta(seconds=2 * self._every))
        await self._ring_for_unread(now - timedelta(seconds=self._every))
        await self._adopt_ended(now)
        await self._adopt_overdue(now - timedelta(seconds=max(30.0, 4 * self._every)))
        await self._look_after_the_quiet(now)

    async def _start_claimed(self, before: datetime) -> None:
        found = self._mongo.batches.find({"status": "claimed", "created_at": {"$lt": before}})
        async for row in found.limit(100):
            if not await self._adopt_if_ended(row["_id"]):
                await self._claims.start(Batch(id=row["_id"], size=row["size"]))

    async def _ring_for_unread(self, before: datetime) -> None:
        """Events that lie unread: their order may be in another batch by now, or ended, or the ring got lost."""
        rows = [
            row
            async for row in self._mongo.inbox.find(
                {"drained": None, "received_at": {"$lt": before}, "batch": {"$nin": self._bell.asked()}},
                {"order": 1, "batch": 1, "kind": 1},
            ).limit(_LIMIT)
        ]
        if not rows:
            return
        orders = {
            row["_id"]: row
            async for row in self._mongo.orders.find(
                {"_id": {"$in": list({row["order"] for row in rows})}}, {"batch": 1, "stage": 1, "attention": 1}
            )
        }
        updates, late, again = [], [], set()
        for row in rows:
            order = orders.get(row["order"])
            ended = order is not None and order["stage"] in TERMINAL
            if ended and row["kind"] in REOPENS:
                again.add(row["order"])
                # Wherever it lay: the order is claimed with what belongs to no batch, and would end again without it.
                updates.append(UpdateOne({"_id": row["_id"]}, {"$set": {"batch": None}}))
            elif order is None or ended:
                updates.append(UpdateOne({"_id": row["_id"]}, {"$set": {"drained": self._mongo.clock.now()}}))
                late.append("order_closed")
            elif order["batch"] != row["batch"]:
                updates.append(UpdateOne({"_id": row["_id"]}, {"$set": {"batch": order["batch"]}}))
            if order is not None and order["batch"] and not self._stands_still(order):
                self._bell.ask(order["batch"], urgent=False)
        if updates:
            await self._mongo.inbox.bulk_write(updates, ordered=False)
        if await reopen(self._mongo, again):
            self._claims.wake()
        await count_refusals(self._mongo, "order", late)

    @staticmethod
    def _stands_still(order: dict[str, Any]) -> bool:
        attention = order.get("attention")
        return bool(attention and attention["code"] == "error")

    async def _adopt_ended(self, now: datetime) -> None:
        """Workflows that ended otherwise than by finishing: terminated, failed, timed out."""
        since = self._ended_since - timedelta(seconds=60)
        query = (
            f"WorkflowType = '{WORKFLOW}' AND CloseTime > '{since.isoformat().replace('+00:00', 'Z')}' AND "
            "ExecutionStatus IN ('Terminated', 'Failed', 'TimedOut', 'Canceled')"
        )
        async for execution in self._temporal.list_workflows(query):
            await self._adopt_if_ended(execution.id)
        self._ended_since = now

    async def adopt_all(self) -> None:
        """Every batch that is thought to run: Temporal may have lost them all."""
        async for row in self._mongo.batches.find({"status": "running"}, {"_id": 1}):
            await self._adopt_if_ended(row["_id"])

    async def _adopt_overdue(self, before: datetime) -> None:
        """Batches whose deadline has long passed: their workflow may be lost with its server."""
        found = self._mongo.batches.find({"status": "running", "next_due": {"$lt": before}}, {"_id": 1})
        async for row in found.limit(200):
            if not await self._adopt_if_ended(row["_id"]):
                self._bell.ask(row["_id"], urgent=True)

    async def _look_after_the_quiet(self, now: datetime) -> None:
        """Batches that have made no step for a while, some at a time: Temporal may have lost or forgotten them."""
        quiet = {"status": "running", "stepped_at": {"$lt": now - _QUIET}, "looked_at": {"$not": {"$gt": now - _QUIET}}}
        found = self._mongo.batches.find(quiet, {"_id": 1}).sort("stepped_at", 1)
        async for row in found.limit(_QUIET_AT_ONCE):
            if not await self._adopt_if_ended(row["_id"]):
                await self._mongo.batches.update_one({"_id": row["_id"]}, {"$set": {"looked_at": now}})

    async def _adopt_if_ended(self, batch: str) -> bool:
        """Give the open orders of a batch whose workflow has ended, or is unknown after it ran, back to the queue."""
        known = await self._mongo.batches.find_one({"_id": batch})
        if known is None or known["status"] == "closed":
            return True
        try:
            status = (await self._temporal.get_workflow_handle(batch).describe()).status
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            if known["status"] == "claimed":
                return False
            status = None
        if status is WorkflowExecutionStatus.RUNNING:
            return False
        freed = await self._mongo.orders.update_many(
            {"batch": batch, "stage": {"$nin": list(TERMINAL)}}, {"$set": {"batch": None}}
        )
        # Whoever claims the orders looks for what came for them among what belongs to no batch.
        await self._mongo.inbox.update_many({"batch": batch, "drained": None}, {"$set": {"batch": None}})
        ended = status.name.lower() if status else "lost"
        await self._mongo.batches.update_one({"_id": batch}, {"$set": {"status": "closed", "ended": ended}})
        if freed.modified_count:
            log.warning("workflow of %s %s; %d open orders go to a new batch", batch, ended, freed.modified_count)
            self._claims.wake()
        return True
