"""OrderFulfilment: carries a batch of orders, one or several hundred, until every one of them has ended."""

import asyncio
from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.fulfilment import (
        ADVANCE,
        ATTENTION,
        BATCH_SIZE,
        BELL,
        BOOK,
        CHANNEL,
        OLDEST_OPEN,
        ORDERS,
        ORDERS_INDEXED,
        REGION,
        SETTLE,
        STAGE,
        WORKFLOW,
        Advance,
        Answered,
        Ask,
        Batch,
        Progress,
    )

from workflows.waiting import UNTIL_IT_WORKS, bell_or_deadline

_STEP_AT_MOST = timedelta(minutes=2)
_SILENT_AT_MOST = timedelta(seconds=10)
"""After this the worker of a step is taken for dead, and the step is tried again. Ten times as long as between two
heartbeats: a machine that has too much to do must not begin everything anew, over and over."""
_KEYWORD_MAX = 200
"""Characters of a keyword that every store of search attributes takes."""
_LOOK_AGAIN = timedelta(hours=6)
"""Longest wait without looking, should a bell ever be lost."""


@workflow.defn(name=WORKFLOW)
class OrderFulfilment:
    """One step is one activity: what arrived is taken in, every order moves as far as it can, and all is written.

    Between the steps the workflow waits for the bell (something arrived) or for the next deadline. It holds no
    order: those are in the database, so that any step may be repeated, reset or taken over.
    """

    @workflow.init
    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._rung = True
        self._cancel_asked = False
        self._shown: tuple[object, ...] = ()

    @workflow.run
    async def run(self, batch: Batch) -> dict[str, int]:
        """Ends with the number of orders by end stage. Cancelling the workflow cancels what has not been shipped."""
        carrying = asyncio.create_task(self._carry())
        while True:
            try:
                return await asyncio.shield(carrying)
            except asyncio.CancelledError:
                if carrying.done():  # Cancelled by a worker that forgets the workflow, and waits for its end.
                    raise
                self._cancel_asked = True
                self._rung = True

    async def _carry(self) -> dict[str, int]:
        while True:
            self._rung = False
            progress = await self._advance()
            if progress.open == 0:
                return progress.stages
            # A cancellation that has come in meanwhile is carried out first: a new run would not know of it.
            if workflow.info().is_continue_as_new_suggested() and not self._cancel_asked:
                workflow.continue_as_new(self._batch)
            outside = []
            if progress.payments_due:
                outside.append(self._ask(SETTLE, "authorise, capture, void and refund what is due"))
            if progress.labels_due:
                outside.append(self._ask(BOOK, "book and void the labels that are due"))
            if outside:
                await asyncio.gather(*outside)
            else:
                await self._bell_or(progress.next_due)

    async def _advance(self) -> Progress:
        cancel, self._cancel_asked = self._cancel_asked, False
        progress: Progress = await workflow.execute_activity(
            ADVANCE,
            Advance(batch=self._batch.id, now=workflow.now(), cancel=cancel, show_all=not self._shown),
            result_type=Progress,
            start_to_close_timeout=_STEP_AT_MOST,
            heartbeat_timeout=_SILENT_AT_MOST,
            retry_policy=UNTIL_IT_WORKS,
            summary=f"advance up to {self._batch.size} orders",
        )
        self._show(progress)
        return progress

    async def _ask(self, activity: str, summary: str) -> None:
        await workflow.execute_activity(
            activity,
            Ask(batch=self._batch.id, now=workflow.now()),
            result_type=Answered,
            start_to_close_timeout=_STEP_AT_MOST,
            heartbeat_timeout=_SILENT_AT_MOST,
            retry_policy=UNTIL_IT_WORKS,
            summary=summary,
        )

    async def _bell_or(self, next_due: datetime | None) -> None:
        wait = _LOOK_AGAIN if next_due is None else min(_LOOK_AGAIN, _on_grid(next_due - workflow.now()))
        await bell_or_deadline(lambda: self._rung, wait, next_due)

    @workflow.signal(name=BELL)
    def bell(self) -> None:
        """Something has arrived in the inbox. Carries nothing, so it may ring once for many events."""
        self._rung = True

    @workflow.query
    def order(self, order_id: str) -> str:
        """The stage of one order of this batch."""
        return self._batch.stages.get(order_id, "not in this batch, or not started")

    def _show(self, progress: Progress) -> None:
        """Keep the Temporal UI telling: a table of stages, and search attributes where they changed."""
        for stage, orders in progress.changed.items():
            for order in orders:
                self._batch.stages[order] = stage
        workflow.set_current_details(_table(progress))
        stages = sorted(progress.stages)
        small = self._batch.size <= ORDERS_INDEXED
        ids = sorted(self._batch.stages) if small else progress.attention[:ORDERS_INDEXED]
        shown = (tuple(stages), tuple(ids), len(progress.attention), progress.oldest_open)
        if shown == self._shown:
            return
        self._shown = shown
        workflow.upsert_search_attributes(
            [
                STAGE.value_set(stages),
                REGION.value_set(progress.regions),
                CHANNEL.value_set(",".join(progress.channels)[:_KEYWORD_MAX]),
                BATCH_SIZE.value_set(self._batch.size),
                ORDERS.value_set(ids),
                ATTENTION.value_set(len(progress.attention)),
                OLDEST_OPEN.value_set(progress.oldest_open) if progress.oldest_open else OLDEST_OPEN.value_unset(),
            ]
        )


def _on_grid(wait: timedelta) -> timedelta:
    """Deadlines that lie close together are met in one step: rounded up to 1 s, far ones to a hundredth of the wait."""
    seconds = max(wait.total_seconds(), 0.0)
    grid = max(1.0, round(seconds / 100))
    return timedelta(seconds=(seconds // grid + 1) * grid)


def _table(progress: Progress) -> str:
    """Markdown for the Temporal UI."""
    rows = [f"| {stage} | {count} |" for stage, count in sorted(progress.stages.items())]
    lines = ["| stage | orders |", "|---|---:|", *rows]
    if progress.attention:
        lines += ["", f"**Needs attention:** {', '.join(progress.attention[:20])}"]
    if progress.next_due:
        lines += ["", f"Next deadline: {progress.next_due:%Y-%m-%d %H:%M:%S} UTC"]
    return "\n".join(lines)
