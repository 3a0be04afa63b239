"""An objection of a supplier to a line of its score, until it is answered or silence has answered it."""

from collections import deque
from datetime import timedelta
from typing import Any

from temporalio import workflow

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
    from contracts.fulfilment import STAGE

from workflows.asking import Asked, answer_all, ask
from workflows.showing import show
from workflows.stepping import answering, refusing, stepping

_do = stepping(Standing, at_most=timedelta(minutes=10), silent=timedelta(seconds=20))


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
        self._standing = await _do(STAND, self._step(), "find the objection")
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
            self._standing = await _do(TIME, self._step(), standing.waits)
            return
        self._idle = False
        await self._take(self._asked.popleft())

    async def _take(self, asked: Asked[Command]) -> None:
        async with answering(asked, self._look_again):
            refuse(self._start.dispute, self._known.state)
            step = CarryOut(**self._fields(), command=asked.command)
            self._standing = await _do(ANSWER, step, f"answered by {asked.command.by}")
        asked.done = True

    async def _look_again(self) -> None:
        self._standing = await _do(STAND, self._step(), "look again")

    def _fields(self) -> dict[str, Any]:
        number = self._standing.step + 1 if self._standing is not None else 0
        return {"dispute": self._start.dispute, "number": number, "now": workflow.now()}

    def _step(self) -> Step:
        return Step(**self._fields())

    @workflow.update
    async def command(self, command: Command) -> Standing:
        """Somebody answers."""
        await ask(self._asked, command)
        return self._known

    @command.validator
    def _may_be(self, command: Command) -> None:
        """Refuse at once what cannot be; while a step is under way it is looked at after that."""
        with refusing():
            if self._idle:
                refuse(self._start.dispute, self._known.state)

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
