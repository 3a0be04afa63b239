"""OrderReturn: follows goods that come back, or were lost, until their money is paid back."""

from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.fulfilment import BELL, ORDERS, STAGE
    from contracts.returns import RETURN_ADVANCE, RETURN_WORKFLOW, ReturnProgress, ReturnStep

from workflows.waiting import UNTIL_IT_WORKS, bell_or_deadline

_STEP_AT_MOST = timedelta(minutes=1)
_SILENT_AT_MOST = timedelta(seconds=10)
"""After this the worker of a step is taken for dead, and the step is tried again. Ten times as long as between two
heartbeats: a machine that has too much to do must not begin everything anew, over and over."""
_LOOK_AGAIN = timedelta(hours=24)
"""Longest wait without looking, should a bell ever be lost."""
_SEARCHABLE = "returns-are-searchable"
"""Since this change a return tells its state and its order to the search. Those that had begun before go on without."""


@workflow.defn(name=RETURN_WORKFLOW)
class OrderReturn:
    """One step is one activity; between the steps it waits for the bell or for the next deadline. The return itself is
    in the database."""

    @workflow.init
    def __init__(self, return_id: str) -> None:
        self._rung = True
        self._state = "not looked at yet"

    @workflow.run
    async def run(self, return_id: str) -> str:
        """Ends with the state in which the return has ended."""
        while True:
            self._rung = False
            progress: ReturnProgress = await workflow.execute_activity(
                RETURN_ADVANCE,
                ReturnStep(id=return_id, now=workflow.now()),
                result_type=ReturnProgress,
                start_to_close_timeout=_STEP_AT_MOST,
                heartbeat_timeout=_SILENT_AT_MOST,
                retry_policy=UNTIL_IT_WORKS,
            )
            self._show(progress)
            if not progress.open:
                return progress.state
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(return_id)
            await self._bell_or(progress.next_due)

    def _show(self, progress: ReturnProgress) -> None:
        """Keep the Temporal UI telling: details, and search attributes where they changed."""
        changed = progress.state != self._state
        self._state = progress.state
        workflow.set_current_details(f"**{progress.state}**")
        if changed and progress.order is not None and workflow.patched(_SEARCHABLE):
            workflow.upsert_search_attributes([STAGE.value_set([progress.state]), ORDERS.value_set([progress.order])])

    async def _bell_or(self, next_due: datetime | None) -> None:
        wait = _LOOK_AGAIN
        if next_due is not None:
            wait = min(wait, max(next_due - workflow.now(), timedelta(seconds=1)))
        await bell_or_deadline(lambda: self._rung, wait, next_due)

    @workflow.signal(name=BELL)
    def bell(self) -> None:
        """Something was said about the return."""
        self._rung = True

    @workflow.query
    def state(self) -> str:
        return self._state
