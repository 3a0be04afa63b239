"""Replenishment: one run for a region, from demand to proposals; and the ordering of what was approved."""

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    WorkflowAlreadyStartedError,
    is_cancelled_exception,
)
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from contracts.buying import TASK_QUEUE as BUYING_QUEUE
    from contracts.replenishing import (
        CLOSE,
        FORECAST,
        GROUP,
        LEFT_OVER,
        OPEN,
        ORDERED,
        ORDERING_WORKFLOW,
        PROPOSE,
        TRANSFERS,
        WORKFLOW,
        Closed,
        CloseRun,
        Group,
        LeftOver,
        LookForLeftOver,
        Made,
        Opened,
        OpenRun,
        OrderDecision,
        OrderedAs,
        Orders,
        Progress,
        Replenish,
        RunStep,
        ordering_id,
        run_id,
    )
    from contracts.supply import ORDER, OrderAsked, RunState
    from contracts.transfers import OPEN as OPEN_TRANSFER
    from contracts.transfers import WORKFLOW as TRANSFER_WORKFLOW
    from contracts.transfers import OpenTransfer, Standing

from workflows.showing import show
from workflows.waiting import UNTIL_IT_WORKS

_STEP_AT_MOST = timedelta(minutes=30)
_SILENT_AT_MOST = timedelta(seconds=30)
"""A step says every second that it works; on a machine with more to do than it can, some words are late."""
_CHUNKS_AT_ONCE = 2
_ORDERS_AT_ONCE = 20


@workflow.defn(name=WORKFLOW)
class Replenishment:
    """Forecast and target of every series, in chunks; then transfers, then purchases besides, as proposals that people
    decide on; what their policy asks nobody about is ordered at once. Each step writes what it made before the next
    one reads it, and may be repeated, so that a run goes on wherever it was cut off."""

    @workflow.init
    def __init__(self, start: Replenish) -> None:
        self._start = start
        self._run = run_id(workflow.info().workflow_id)
        self._progress = Progress(run=self._run, region=start.region)

    @workflow.run
    async def run(self, start: Replenish) -> Progress:
        """Ends with what was made. A run that fails, or is cancelled, proposes nothing."""
        try:
            await self._make()
        except (ActivityError, ApplicationError, CancelledError) as error:
            if self._progress.phase != "opening":
                state: RunState = "cancelled" if is_cancelled_exception(error) else "failed"
                await asyncio.shield(self._close(state, _words(error)))
            raise
        return self._progress

    async def _make(self) -> None:
        self._show()
        opening = OpenRun(**self._step(), workflow=workflow.info().workflow_id, by=self._start.by)
        opened: Opened = await self._do(OPEN, opening, Opened, f"series of {self._start.region}")
        self._progress.series, self._progress.chunks = opened.series, opened.chunks
        await self._all(FORECAST, range(opened.chunks), "forecasting")
        self._progress.phase = "transfers"
        self._show()
        moved: Made = await self._do(TRANSFERS, RunStep(**self._step()), Made, "what is moved")
        self._progress.transfers, self._progress.value = moved.made, moved.value
        # Those of the whole region come last: what its locations buy themselves counts for them.
        await self._all(PROPOSE, range(opened.chunks - opened.regional), "proposing")
        await self._all(PROPOSE, range(opened.chunks - opened.regional, opened.chunks), "proposing")
        closed = await self._close("done", None)
        self._progress.phase, self._progress.approved = "ordering", closed.approved
        self._show()
        left: LeftOver = await self._do(
            LEFT_OVER, LookForLeftOver(region=self._start.region, now=workflow.now()), LeftOver, "was all ordered?"
        )
        decisions = ([closed.decision] if closed.decision else []) + left.decisions
        for decision in dict.fromkeys(decisions):
            await _order(decision)
        self._progress.phase = "done"
        self._show()

    async def _all(self, activity: str, chunks: range, phase: Any) -> None:
        """Some at a time: while one reads and writes, another one reckons."""
        self._progress.phase = phase
        self._show()
        limit = asyncio.Semaphore(_CHUNKS_AT_ONCE)

        async def one(chunk: int) -> None:
            async with limit:
                step = RunStep(**self._step(), chunk=chunk)
                made: Made = await self._do(activity, step, Made, f"chunk {chunk + 1} of {self._progress.chunks}")
            if activity == FORECAST:
                self._progress.chunks_forecast += 1
                self._progress.forecast += made.made
            else:
                self._progress.chunks_proposed += 1
                self._progress.purchases += made.made
                self._progress.value += made.value
            self._show()

        await asyncio.gather(*(one(chunk) for chunk in chunks))

    async def _close(self, state: RunState, why: str | None) -> Closed:
        self._progress.phase = "closing"
        asked = CloseRun(**self._step(), state=state, progress=self._progress, why=why)
        closed: Closed = await self._do(CLOSE, asked, Closed, state)
        return closed

    def _step(self) -> dict[str, Any]:
        return {"run": self._run, "region": self._start.region, "now": workflow.now()}

    async def _do(self, activity: str, argument: object, result: type[Any], summary: str) -> Any:
        return await workflow.execute_activity(
            activity,
            argument,
            result_type=result,
            start_to_close_timeout=_STEP_AT_MOST,
            heartbeat_timeout=_SILENT_AT_MOST,
            retry_policy=UNTIL_IT_WORKS,
            summary=summary,
        )

    @workflow.query
    def progress(self) -> Progress:
        return self._progress

    def _show(self) -> None:
        """Keep the Temporal UI telling, with a bar."""
        done = self._progress
        full = round(done.share * 20)
        rows = [
            ("region", done.region),
            ("progress", f"{'█' * full}{'░' * (20 - full)} {done.share:.0%}"),
            ("series", done.series),
            ("chunks forecast", f"{done.chunks_forecast} of {done.chunks}"),
            ("chunks proposed", f"{done.chunks_proposed} of {done.chunks}"),
            ("transfers proposed", done.transfers),
            ("purchases proposed", done.purchases),
            ("approved by policy", done.approved),
        ]
        show(rows, done.phase)


def _words(error: BaseException) -> str:
    cause = error.cause if isinstance(error, ActivityError) else error
    return cause.message if isinstance(cause, ApplicationError) else str(error)


async def _order(decision: str) -> None:
    """Whoever orders it already, or has done so, goes on; orders are named after the decision, and come once."""
    try:
        await workflow.start_child_workflow(
            ORDERING_WORKFLOW,
            OrderDecision(decision=decision),
            id=ordering_id(decision),
            parent_close_policy=ParentClosePolicy.ABANDON,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=f"order what was approved: {decision}"[:200],
        )
    except WorkflowAlreadyStartedError:
        pass


@workflow.defn(name=ORDERING_WORKFLOW)
class SupplyOrdering:
    """Orders what was approved under one decision: a purchase order for each supplier and location, a transfer for each
    pair of locations. Started again it orders what is not ordered yet."""

    @workflow.run
    async def run(self, asked: OrderDecision) -> int:
        """Ends with how many orders and transfers this run made."""
        made = 0
        while True:
            orders: Orders = await self._do(GROUP, Group(decision=asked.decision, now=workflow.now()), Orders, "group")
            purchases, transfers = orders.purchases, orders.transfers
            if not purchases and not transfers:
                show([("decision", asked.decision), ("ordered", made)], "nothing any more")
                return made
            whole = len(purchases) + len(transfers) + orders.left
            show([("decision", asked.decision), ("ordered", made), ("to order", whole)], "purchase orders, transfers")
            limit = asyncio.Semaphore(_ORDERS_AT_ONCE)
            await asyncio.gather(*(self._buy(one, limit) for one in purchases))
            await asyncio.gather(*(self._move(one, limit) for one in transfers))
            made += len(purchases) + len(transfers)
            if orders.left:
                workflow.continue_as_new(asked)

    async def _buy(self, asked: OrderAsked, limit: asyncio.Semaphore) -> None:
        async with limit:
            order: str = await self._do(ORDER, asked, str, f"{asked.supplier} for {asked.location}", BUYING_QUEUE)
            await self._mark(order, [line.proposal for line in asked.lines])

    async def _move(self, asked: OpenTransfer, limit: asyncio.Semaphore) -> None:
        async with limit:
            # Before its proposals are marked: at no moment is something neither approved nor under way.
            await self._do(OPEN_TRANSFER, asked, Standing, f"{asked.source} to {asked.destination}")
            try:
                await workflow.start_child_workflow(
                    TRANSFER_WORKFLOW,
                    asked,
                    id=asked.id,
                    parent_close_policy=ParentClosePolicy.ABANDON,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                    static_summary=f"{asked.source} to {asked.destination}",
                )
            except WorkflowAlreadyStartedError:
                pass
            await self._mark(asked.id, [one for line in asked.lines for one in line.proposals])

    async def _mark(self, order: str, proposals: list[str]) -> None:
        done = OrderedAs(order=order, proposals=proposals, now=workflow.now())
        await self._do(ORDERED, done, int, order)

    async def _do(
        self, activity: str, argument: object, result: type[Any], summary: str, queue: str | None = None
    ) -> Any:
        return await workflow.execute_activity(
            activity,
            argument,
            task_queue=queue,
            result_type=result,
            start_to_close_timeout=_STEP_AT_MOST,
            heartbeat_timeout=_SILENT_AT_MOST,
            retry_policy=UNTIL_IT_WORKS,
            summary=summary[:200],
        )
