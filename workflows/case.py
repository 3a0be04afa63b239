"""A service case: carried when something comes in and when a deadline comes, until it is closed for good."""

from datetime import UTC, datetime, timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from contracts.cases import BELL, CARRY, LOOK, WORKFLOW, Carry, Live, Standing
    from contracts.fulfilment import ATTENTION, STAGE

from workflows.showing import show
from workflows.waiting import UNTIL_IT_WORKS

_STEP_AT_MOST = timedelta(minutes=5)
_SILENT_AT_MOST = timedelta(seconds=20)
_HERE_AT_MOST = timedelta(seconds=3)
"""A third of the time that a task of a workflow may take."""
_ONCE = RetryPolicy(maximum_attempts=1)
_WITHIN = "steps-within-the-task"


@workflow.defn(name=WORKFLOW)
class ServiceCase:
    """One activity does all there is to do; here it is decided when. All that is known is in the database, so that a
    case may be started again at any point, also a closed one: it looks at what has come in, and ends."""

    @workflow.init
    def __init__(self, start: Live) -> None:
        self._start = start
        self._standing: Standing | None = None
        self._asked = 0
        self._seen = 0
        self._going = False
        self._shown: tuple[str, int] = ("", 0)

    @workflow.run
    async def run(self, start: Live) -> str:
        """Ends with `closed`."""
        while True:
            await self._carry()
            if workflow.info().is_continue_as_new_suggested():
                await self._go_on()
            if self._asked > self._seen or self._known.busy:
                continue
            if self._known.state == "closed" and self._known.until is None:
                await workflow.wait_condition(workflow.all_handlers_finished)
                if self._asked == self._seen:
                    return self._known.state
                continue
            await self._wait()

    async def _go_on(self) -> None:
        """As a new run, also when something comes in without pause: that run takes it in first of all. Those who wait
        are let go now, as there need be no moment in which nobody waits."""
        self._going = True
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(self._start)

    @property
    def _known(self) -> Standing:
        assert self._standing is not None
        return self._standing

    async def _carry(self) -> None:
        asked = self._asked
        self._standing = await self._step(Carry(case=self._start.case, now=workflow.now()))
        self._seen = asked
        self._show()

    async def _step(self, carry: Carry) -> Standing:
        """Nearly all are short, and are carried within the workflow's own task, which is half of the events. What does
        not come to its end in that way is an activity that is tried until it works, and shown with its failures. So is
        the last step of a run: a new one can begin only with a task in which nothing comes in, a short one."""
        if workflow.patched(_WITHIN) and not workflow.info().is_continue_as_new_suggested():
            try:
                here: Standing = await workflow.execute_local_activity(
                    CARRY, carry, result_type=Standing, start_to_close_timeout=_HERE_AT_MOST, retry_policy=_ONCE
                )
                return here
            except FailureError as error:
                if is_cancelled_exception(error):
                    raise
        apart: Standing = await workflow.execute_activity(
            CARRY,
            carry,
            result_type=Standing,
            start_to_close_timeout=_STEP_AT_MOST,
            heartbeat_timeout=_SILENT_AT_MOST,
            retry_policy=UNTIL_IT_WORKS,
        )
        return apart

    async def _wait(self) -> None:
        """Until something comes in, or the next deadline. Deadlines are rounded up to the grid: those that fall
        together are one timer and one step; what is written of them is the exact moment."""
        timeout = None
        if self._known.until is not None:
            until = on_grid(self._known.until, self._start.grid_s)
            timeout = max(until - workflow.now(), timedelta(0))
        try:
            await workflow.wait_condition(
                lambda: self._asked > self._seen, timeout=timeout, timeout_summary=self._known.waits[:200] or None
            )
        except TimeoutError:
            return

    @workflow.update(name=LOOK)
    async def look(self) -> None:
        """Something has come in; returns when it was taken, or when a new run begins, which takes it: who must know
        looks whether it was taken, and asks again."""
        self._asked += 1
        mine = self._asked
        await workflow.wait_condition(lambda: self._seen >= mine or self._going)

    @workflow.signal(name=BELL)
    def bell(self) -> None:
        """The same, for those who do not wait."""
        self._asked += 1

    @workflow.query
    def standing(self) -> Standing | None:
        return self._standing

    def _show(self) -> None:
        """Keep the Temporal UI telling, and its lists."""
        known = self._known
        clocks = "; ".join(
            f"{kind} {f'until {due:%Y-%m-%d %H:%M} UTC' if due else 'stands'}{' (breached)' if breached else ''}"
            for kind, due, breached in known.clocks
        )
        rows = [
            ("case", known.case),
            ("about", known.kind),
            ("state", known.state),
            ("priority", known.priority),
            ("region", known.region),
            ("order", known.order or "none"),
            ("partner", known.partner or "none"),
            ("level", known.level),
            ("team", known.team or "none"),
            ("assignee", known.assignee or "nobody"),
            ("clocks", clocks or "none run"),
        ]
        show(rows, known.waits)
        breached = sum(broken for _, _, broken in known.clocks)
        if self._shown != (known.state, breached):
            self._shown = (known.state, breached)
            workflow.upsert_search_attributes([STAGE.value_set([known.state]), ATTENTION.value_set(breached)])


def on_grid(moment: datetime, grid_s: int) -> datetime:
    """The next moment that is a multiple of the grid, or the moment itself."""
    seconds = -(-moment.timestamp() // grid_s) * grid_s
    return datetime.fromtimestamp(seconds, UTC)
