"""The Temporal worker that carries purchase orders and objections to scores, and what starts and wakes their
workflows."""

import asyncio
import logging
from datetime import datetime, timedelta

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError
from temporalio.worker import Worker, WorkerDeploymentConfig, WorkflowRunner

from activities.buying.carrying import BuyingActivities, DisputeActivities, Ring
from activities.heartbeat import EVERY_S
from contracts import disputing
from contracts.base import Document
from contracts.buying import ENDED, TASK_QUEUE, WORKFLOW
from contracts.fulfilment import BELL
from contracts.purchasing import Buy
from infra.mongo import Mongo
from infra.temporal import sandbox
from workflows.catalogue import BUYING_WORKFLOWS

log = logging.getLogger(__name__)
_AT_ONCE = 200
_LOST_AFTER = timedelta(minutes=2)


def buying_worker(
    temporal: Client,
    mongo: Mongo,
    ring: Ring,
    task_queue: str = TASK_QUEUE,
    deployment: WorkerDeploymentConfig | None = None,
    runner: WorkflowRunner | None = None,
    max_cached_workflows: int = 1000,
) -> Worker:
    """On a queue of its own, so that a night's forecasts keep no supplier waiting."""
    buying, disputes = BuyingActivities(mongo, ring), DisputeActivities(mongo)
    return Worker(
        temporal,
        task_queue=task_queue,
        workflows=BUYING_WORKFLOWS,
        activities=[
            *(buying.order, buying.stand, buying.hear, buying.time, buying.carry_out),
            *(disputes.stand, disputes.time, disputes.answer),
        ],
        workflow_runner=runner or sandbox(),
        deployment_config=deployment,
        max_concurrent_activities=20,
        max_cached_workflows=max_cached_workflows,
        max_heartbeat_throttle_interval=timedelta(seconds=EVERY_S),
        graceful_shutdown_timeout=timedelta(seconds=10),
    )


class PurchaseStarter:
    """Orders, suppliers' answers and objections are written to the database first; this finds orders and objections
    that nobody carries yet, and rings for answers that nobody has read. A ring too many does no harm."""

    def __init__(self, mongo: Mongo, temporal: Client, *, every_s: float = 1.0, task_queue: str = TASK_QUEUE) -> None:
        self._mongo = mongo
        self._temporal = temporal
        self._every = every_s
        self._queue = task_queue

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            try:
                await self.once()
            except Exception:
                log.exception("purchase orders could not be started; trying again")

    async def once(self) -> None:
        orders = self._mongo.purchase_orders
        async for row in orders.find({"started": False}, {"_id": 1}).limit(_AT_ONCE):
            if await self._start(row["_id"]):
                await orders.update_one({"_id": row["_id"]}, {"$set": {"started": True}})
        unread = {"drained": None}
        for order in (await self._mongo.purchase_inbox.distinct("order", unread))[:_AT_ONCE]:
            await self._start(order)
        lost = self._mongo.clock.now() - _LOST_AFTER
        late = {"next_at": {"$lt": lost}, "state": {"$nin": sorted(ENDED)}}
        async for row in orders.find(late, {"_id": 1}).limit(_AT_ONCE):
            await self._start(row["_id"])
        await self._disputes(lost)

    async def _disputes(self, lost: datetime) -> None:
        """Also those that were made before objections had a time limit."""
        disputes = self._mongo.score_disputes
        alone = {"state": "open", "$or": [{"started": {"$ne": True}}, {"next_at": {"$lt": lost}}]}
        async for row in disputes.find(alone, {"_id": 1}).limit(_AT_ONCE):
            if await self._judge(row["_id"]):
                await disputes.update_one({"_id": row["_id"]}, {"$set": {"started": True}})

    async def _start(self, order: str) -> bool:
        """One that runs already is only rung."""
        return await self._begin(order, WORKFLOW, Buy(order=order), "a purchase order", BELL)

    async def _judge(self, dispute: str) -> bool:
        start, name = disputing.Judge(dispute=dispute), disputing.workflow_id(dispute)
        return await self._begin(name, disputing.WORKFLOW, start, "an objection to a line of a score")

    async def _begin(self, name: str, workflow: str, start: Document, summary: str, signal: str | None = None) -> bool:
        try:
            await self._temporal.start_workflow(
                workflow,
                start,
                id=name,
                task_queue=self._queue,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                start_signal=signal,
                static_summary=summary,
            )
        except RPCError as error:
            log.warning("%s could not be started, trying again: %s", name, error)
            return False
        return True
