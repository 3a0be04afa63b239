"""Claims waiting orders into batches and starts the workflow that carries each batch."""

import asyncio
import logging
import time

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from contracts.fulfilment import TASK_QUEUE, WORKFLOW, Batch
from contracts.ids import new_batch_id
from infra.mongo import Mongo
from workers.events.bell import Bell

log = logging.getLogger(__name__)
_LOOK_EVERY_S = 0.25
_CROWDED_S = 0.02
_GATHERS_S = 0.5
"""Longest that orders wait for a batch before theirs, whose worker may be gone."""


class Claims:
    """Batches grow by themselves: while a batch waits for its first step, orders gather for the next one, half a second
    at most. Of full batches, and of those that waited so long, `starting` begin at once.

    At night every order is a batch of one at once; under load a batch holds whatever came in while the last ones were
    starting, up to `batch_max`.
    """

    def __init__(self, mongo: Mongo, temporal: Client, bell: Bell, *, batch_max: int, starting: int) -> None:
        self._mongo = mongo
        self._bell = bell
        self._temporal = temporal
        self._batch_max = batch_max
        self._starting = starting
        self._gathers_until = 0.0
        self._woken = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await self._woken.wait()
            except TimeoutError:
                pass
            self._woken.clear()
            try:
                await self._claim_all()
            except Exception:
                log.exception("claiming failed; trying again")
                await asyncio.sleep(1)

    async def _claim_all(self) -> None:
        while ids := await self._waiting():
            while not await self._place_for(len(ids)):
                await asyncio.sleep(_CROWDED_S)
                if len(ids) < self._batch_max:
                    ids = await self._waiting()
            self._gathers_until = time.monotonic() + _GATHERS_S
            batch = await self._claim(ids)
            if batch is not None:
                task = asyncio.create_task(self.start(batch))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _place_for(self, orders: int) -> bool:
        """Whether a batch of so many may begin."""
        begun = await self._mongo.batches.count_documents({"status": "claimed"})
        if begun >= self._starting:
            self._bell.rush()
            return False
        return begun == 0 or orders == self._batch_max or time.monotonic() >= self._gathers_until

    async def _waiting(self) -> list[str]:
        found = self._mongo.orders.find({"batch": None}, {"_id": 1}).sort("placed_at", 1).limit(self._batch_max)
        return [row["_id"] async for row in found]

    async def _claim(self, ids: list[str]) -> Batch | None:
        """The batch is written before its orders point to it, so that an order never points nowhere."""
        batch = new_batch_id()
        row = {"_id": batch, "status": "claimed", "size": len(ids), "created_at": self._mongo.clock.now()}
        await self._mongo.batches.insert_one(row)
        claimed = await self._mongo.orders.update_many({"_id": {"$in": ids}, "batch": None}, {"$set": {"batch": batch}})
        if claimed.modified_count == 0:
            await self._mongo.batches.delete_one({"_id": batch})
            return None
        if claimed.modified_count < len(ids):  # Another event worker has taken the others.
            mine = self._mongo.orders.find({"_id": {"$in": ids}, "batch": batch}, {"_id": 1})
            ids = [row["_id"] async for row in mine]
        waiting = {"batch": None, "drained": None, "order": {"$in": ids}}
        await self._mongo.inbox.update_many(waiting, {"$set": {"batch": batch}})
        return Batch(id=batch, size=claimed.modified_count)

    async def start(self, batch: Batch) -> None:
        """Start the workflow of a batch. Started before is as good; a failure is left to the sweep."""
        try:
            await self._temporal.start_workflow(
                WORKFLOW,
                batch,
                id=batch.id,
                task_queue=TASK_QUEUE,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                static_summary=f"{batch.size} order{'s' if batch.size > 1 else ''}",
            )
        except WorkflowAlreadyStartedError:
            pass
        except RPCError as error:
            log.warning("batch %s could not be started, the sweep will: %s", batch.id, error)
