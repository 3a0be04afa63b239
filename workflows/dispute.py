"""An objection of a supplier to a line of its score, until it is answered or silence has answered it."""

from collections import deque
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from contracts.disputing import (
        ANSWER,
        STAND,
        TIME,
        WORKFLOW,
        CarryOut,
        Command,
        Judge,
        Standing,
        Step,
        refuse,
    )
    from contracts.failures import failure_of
    from contracts.fulfilment import STAGE
    from contracts.refusals import Refusal

from workflows.asking import Asked, answer_all, ask
from workflows.showing import show
from workflows.waiting import UNTIL_IT_WORKS

_STEP_AT_MOST = timedelta(minutes=10)
_SILENT_AT_MOST = timedelta(seconds=20)


@workflow.defn(name=WORKFLOW)
class ScoreDispute:
    """Waits for whoever is to answer, or for the moment at which they are reminded, the next role has it, or nobody has
    answered. What it knows it has from the database, so that it may be started again at any point."""

    @workflow.init
    def __init__(self, start: Judge) -> None:
        self._start = start
        self._standing: Standing | None = None
        self._asked: deque[Asked[Command]] = deque()
        self._idle = False
        self._shown: str | None = None

    @workflow.run
    async def run(self, start: Judge) -> str:
        """Ends with accepted or rejected."""
        self._standing = await self._do(STAND, self._step(), "find the objection")
        while self._known.state == "open":
            await self._wait()
        self._show("nothing any more")
        await answer_all(self._asked, self._take)
        return self._known.state

    @property
    def _known(self) -> Standing:
        assert self._standing is not None
        return self._standing

    async def _wait(self) -> None:
        """One answer, or a moment that has come; one that was never told is now."""
        standing = self._known
        left = timedelta(0) if standing.next_at is None else max(standing.next_at - workflow.now(), timedelta(0))
        self._show(standing.waits)
        self._idle = True
        try:
            await workflow.wait_condition(lambda: bool(self._asked), timeout=left, timeout_summary=standing.waits[:200])
        except TimeoutError:
            self._idle = False
            self._standing = await self._do(TIME, self._step(), standing.waits[:200])
            return
        self._idle = False
        await self._take(self._asked.popleft())

    async def _take(self, asked: Asked[Command]) -> None:
        try:
            refuse(self._start.dispute, self._known.state)
            step = CarryOut(**self._fields(), command=asked.command)
            self._standing = await self._do(ANSWER, step, f"answered by {asked.command.by}"[:200])
        except Refusal as refusal:
            asked.refused = failure_of(refusal)
        except ActivityError as error:
            if not isinstance(error.cause, ApplicationError):
                raise
            asked.refused = error.cause
            # It stands otherwise than was thought here, or it is not theirs to answer: look at it anew.
            self._standing = await self._do(STAND, self._step(), "look again")
        asked.done = True

    def _fields(self) -> dict[str, Any]:
        number = self._standing.step + 1 if self._standing is not None else 0
        return {"dispute": self._start.dispute, "number": number, "now": workflow.now()}

    def _step(self) -> Step:
        return Step(**self._fields())

    async def _do(self, name: str, step: Step, summary: str) -> Standing:
        standing: Standing = await workflow.execute_activity(
            name,
            step,
            result_type=Standing,
            start_to_close_timeout=_STEP_AT_MOST,
            heartbeat_timeout=_SILENT_AT_MOST,
            retry_policy=UNTIL_IT_WORKS,
            summary=summary,
        )
        return standing

    @workflow.update
    async def command(self, command: Command) -> Standing:
        """Somebody answers."""
        await ask(self._asked, command)
        return self._known

    @command.validator
    def _may_be(self, command: Command) -> None:
        """Refuse at once what cannot be; while a step is under way it is looked at after that."""
        try:
            if self._idle:
                refuse(self._start.dispute, self._known.state)
        except Refusal as refusal:
            raise failure_of(refusal) from refusal

    @workflow.query
    def standing(self) -> Standing | None:
        return self._standing

    def _show(self, waits: str) -> None:
        """Keep the Temporal UI telling, and its lists."""
        standing = self._known
        rows: list[tuple[str, object]] = [
            ("supplier", standing.supplier),
            ("line", f"{standing.line} of {standing.order}"),
            ("state", standing.state),
            ("whose turn", standing.role or "nobody's"),
            ("reminded", standing.reminders),
            ("given to the next role", standing.escalated),
        ]
        show(rows, waits)
        if self._shown != standing.state:
            self._shown = standing.state
            workflow.upsert_search_attributes([STAGE.value_set([standing.state])])
