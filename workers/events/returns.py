"""Starts the workflow of every return, and again of those whose workflow was lost."""

import asyncio
import logging
from datetime import timedelta

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError

from contracts.fulfilment import BELL, TASK_QUEUE
from contracts.returns import ENDED, RETURN_WORKFLOW
from infra.mongo import Mongo

log = logging.getLogger(__name__)
_LOST_AFTER = timedelta(minutes=2)
_AT_ONCE = 100
_ENDED = [str(state) for state in ENDED]


class ReturnStarter:
    """Returns are written by the gateway and by steps of orders; this finds those that nobody follows yet."""

    def __init__(self, mongo: Mongo, temporal: Client, *, every_s: float = 1.0) -> None:
        self._mongo = mongo
        self._temporal = temporal
        self._every = every_s

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            try:
                await self.once()
            except Exception:
                log.exception("returns could not be started; trying again")

    async def once(self) -> None:
        new = {"started": False}
        async for row in self._mongo.returns.find(new, {"_id": 1}).limit(_AT_ONCE):
            if await self._start(row["_id"]):
                await self._mongo.returns.update_one({"_id": row["_id"]}, {"$set": {"started": True}})
        late = {"next_due": {"$lt": self._mongo.clock.now() - _LOST_AFTER}, "state": {"$nin": _ENDED}}
        async for row in self._mongo.returns.find(late, {"_id": 1}).limit(_AT_ONCE):
            await self._start(row["_id"])

    async def _start(self, returned: str) -> bool:
        """One that runs already is only rung."""
        try:
            await self._temporal.start_workflow(
                RETURN_WORKFLOW,
                returned,
                id=returned,
                task_queue=TASK_QUEUE,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                start_signal=BELL,
                static_summary="a return",
            )
        except RPCError as error:
            log.warning("return %s could not be started, trying again: %s", returned, error)
            return False
        return True
