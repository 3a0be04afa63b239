"""Sees that every case is carried: rings for what nobody has taken in, and for cases whose deadline has long passed.

All that is lost is healed from MongoDB: a ring, a process that was never started, and one that is gone.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from temporalio.client import Client
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)

from contracts.cases import BELL, TASK_QUEUE, WORKFLOW, Live
from contracts.fulfilment import REGION
from infra.mongo import Mongo
from workers.servicing.loop import for_ever

_EVERY_S = 0.5
_UNTAKEN = timedelta(seconds=1)
"""Who writes something down looks at once; this is for what was left."""
_OVERDUE = timedelta(seconds=120)
"""Twice the grid of deadlines."""
_NOT_AGAIN = timedelta(seconds=15)
_AT_ONCE = 500


class Ringing:
    """Each ring may be repeated."""

    def __init__(self, mongo: Mongo, temporal: Client, task_queue: str = TASK_QUEUE) -> None:
        self._mongo = mongo
        self._temporal = temporal
        self._task_queue = task_queue
        self._rung: dict[str, datetime] = {}

    async def run(self) -> None:
        await for_ever(self.once, _EVERY_S, "ringing")

    async def once(self) -> int:
        """How many were rung for."""
        now = self._mongo.clock.now()
        self._rung = {case: at for case, at in self._rung.items() if at > now - _NOT_AGAIN}
        waiting = await self._mongo.case_inbox.distinct("case", {"taken": None, "at": {"$lt": now - _UNTAKEN}})
        late = self._mongo.cases.find({"due": {"$lt": now - _OVERDUE}}, {"_id": 1}).sort("due", 1).limit(_AT_ONCE)
        wanted = dict.fromkeys([*waiting[:_AT_ONCE], *[row["_id"] async for row in late]])
        cases = [case for case in wanted if case not in self._rung]
        await self._ring(cases)
        self._rung |= dict.fromkeys(cases, now)
        return len(cases)

    async def _ring(self, cases: Iterable[str]) -> None:
        regions = {
            row["_id"]: row["region"]
            async for row in self._mongo.cases.find({"_id": {"$in": list(cases)}}, {"region": 1})
        }
        for case, region in regions.items():
            await self._temporal.start_workflow(
                WORKFLOW,
                Live(case=case),
                id=case,
                task_queue=self._task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                start_signal=BELL,
                search_attributes=TypedSearchAttributes([SearchAttributePair(REGION, [region] if region else [])]),
            )
