"""Temporal was set up anew, or lost its database: everything it carried is taken up again from MongoDB."""

import asyncio
import logging

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from contracts.returns import ENDED
from contracts.settlement import Statement, month_before
from contracts.settling import ALL_WORKFLOW, TASK_QUEUE, WORKFLOW, Settle, SettleAll
from infra.mongo import Mongo
from infra.temporal import register_search_attributes, schedule_settlements
from workers.events.sweep import Sweep

log = logging.getLogger(__name__)
_NAMESPACE = "temporal"
"""In `counters`: the id of the namespace that our workflows run in. Every new one has another."""
_OVER = ["carried", "paid"]


class Anew:
    """Orders, returns and statements are in MongoDB; a workflow of theirs that is started again goes on from there."""

    def __init__(self, mongo: Mongo, temporal: Client, sweep: Sweep, *, every_s: float = 5.0) -> None:
        self._mongo = mongo
        self._temporal = temporal
        self._sweep = sweep
        self._every = every_s

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            try:
                await self.once()
            except Exception:
                log.exception("what Temporal lost could not be taken up; trying again")

    async def once(self) -> None:
        """The namespace is noted last: whoever is cut off begins again, and nothing is started twice."""
        asked = DescribeNamespaceRequest(namespace=self._temporal.namespace)
        found = (await self._temporal.workflow_service.describe_namespace(asked)).namespace_info.id
        known = await self._mongo.counters.find_one({"_id": _NAMESPACE})
        if known is not None and known["namespace"] == found:
            return
        if known is not None:
            log.error("Temporal was set up anew: taking up from the database what it carried")
            await self._take_up()
        noted = {"$set": {"namespace": found}}
        await self._mongo.counters.update_one({"_id": _NAMESPACE}, noted, upsert=True)

    async def _take_up(self) -> None:
        await register_search_attributes(self._temporal, self._temporal.namespace)
        await schedule_settlements(self._temporal)
        await self._sweep.adopt_all()
        unended = {"state": {"$nin": [str(state) for state in ENDED]}}
        await self._mongo.returns.update_many(unended, {"$set": {"started": False}})
        async for row in self._mongo.statements.find({"state": {"$nin": _OVER}}):
            await self._go_on(Statement.from_row(row))
        await self._go_on_with_the_month()

    async def _go_on(self, one: Statement) -> None:
        """With its approval as it was asked for; the time in which silence approves begins again."""
        settle = Settle(
            statement=one.id, partner=one.partner, period=one.period, until=one.until, approval=one.approval
        )
        await self._start(WORKFLOW, settle, one.id, f"{one.partner}, {one.period}")

    async def _go_on_with_the_month(self) -> None:
        """Statements of a period that had begun to be settled, and that were not frozen yet."""
        period = month_before(self._mongo.clock.now())
        begun = await self._mongo.statements.find_one({"period": period})
        if begun is not None:
            one = Statement.from_row(begun)
            asked = SettleAll(period=period, until=one.until, approval=one.approval)
            await self._start(ALL_WORKFLOW, asked, f"settlements-again-{period}", period)

    async def _start(self, workflow: str, argument: object, name: str, summary: str) -> None:
        await self._temporal.start_workflow(
            workflow,
            argument,
            id=name,
            task_queue=TASK_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=summary,
        )
