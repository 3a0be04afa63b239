"""Sees that every case is carried: rings for what nobody has taken in, and for cases whose deadline has long passed.

All that is lost is healed from MongoDB: a ring, a process that was never started, and one that is gone.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

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

_Late = tuple[datetime, str]
"""When a case was due, and its id."""


class Ringing:
    """Each ring may be repeated."""

    def __init__(self, mongo: Mongo, temporal: Client, task_queue: str = TASK_QUEUE, at_once: int = _AT_ONCE) -> None:
        self._mongo = mongo
        self._temporal = temporal
        self._task_queue = task_queue
        self._at_once = at_once
        self._rung: dict[str, datetime] = {}
        self._heard_to = ""
        self._late_to: _Late | None = None

    async def run(self) -> None:
        await for_ever(self.once, _EVERY_S, "ringing")

    async def once(self) -> int:
        """How many were rung for."""
        now = self._mongo.clock.now()
        self._rung = {case: at for case, at in self._rung.items() if at > now - _NOT_AGAIN}
        wanted = dict.fromkeys([*await self._waiting(now - _UNTAKEN), *await self._overdue(now - _OVERDUE)])
        cases = [case for case in wanted if case not in self._rung]
        await self._ring(cases)
        self._rung |= dict.fromkeys(cases, now)
        return len(cases)

    async def _waiting(self, since: datetime) -> list[str]:
        """The next of those for which something has come in: a turn goes on where the last one ended, and after the
        last of all from the beginning, so that those whose rings come to nothing keep nobody waiting."""
        untaken = {"taken": None, "at": {"$lt": since}, "case": {"$gt": self._heard_to}}
        by_case: list[dict[str, Any]] = [
            {"$match": untaken},
            {"$group": {"_id": "$case"}},
            {"$sort": {"_id": 1}},
            {"$limit": self._at_once},
        ]
        found = [str(row["_id"]) async for row in self._mongo.case_inbox.aggregate(by_case)]
        self._heard_to = found[-1] if len(found) == self._at_once else ""
        return found

    async def _overdue(self, since: datetime) -> list[str]:
        """The next of those that are late, in the same way; the latest first."""
        wanted: dict[str, Any] = {"due": {"$lt": since}}
        if self._late_to is not None:
            due, last = self._late_to
            wanted["$or"] = [{"due": {"$gt": due}}, {"due": due, "_id": {"$gt": last}}]
        found = self._mongo.cases.find(wanted, {"due": 1}).sort([("due", 1), ("_id", 1)]).limit(self._at_once)
        late = [(row["due"], str(row["_id"])) async for row in found]
        self._late_to = late[-1] if len(late) == self._at_once else None
        return [case for _, case in late]

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
