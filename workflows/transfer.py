"""A stock transfer: approved, shipped, received; each move of stock is one of its steps."""

from collections import deque
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.transfers import (
        CARRY_OUT,
        OPEN,
        REMIND,
        REMIND_AFTER_DAYS,
        STAND,
        WORKFLOW,
        CarryOut,
        Command,
        OpenTransfer,
        Remind,
        Standing,
        Step,
        known_receipt,
        refuse,
    )

from workflows.asking import Asked, answer_all, ask
from workflows.showing import show
from workflows.stepping import answering, refusing, stepping

_do = stepping(Standing, at_most=timedelta(minutes=5), silent=timedelta(seconds=30))
_REMINDED_AT_MOST = 30
_NOT_OF_THE_PAST = "no-reminders-of-the-past"


@workflow.defn(name=WORKFLOW)
class StockTransfer:
    """Reserves at the source, waits until somebody says that the goods have left, then until all of them have come or
    are lost. Everything it knows it has from the database, so that it may be started again at any point."""

    @workflow.init
    def __init__(self, start: OpenTransfer) -> None:
        self._start = start
        self._standing = Standing()
        self._asked: deque[Asked[Command]] = deque()
        self._reminders = 0
        self._idle = False

    @workflow.run
    async def run(self, start: OpenTransfer) -> str:
        """Ends with received or cancelled."""
        self._standing = await _do(OPEN, start, f"{start.source} to {start.destination}")
        self._reminders = self._reminded()
        while not self._standing.over:
            await self._next()
            if workflow.info().is_continue_as_new_suggested():
                await answer_all(self._asked, self._take)
                if not self._standing.over:
                    workflow.continue_as_new(start)
        self._show("nothing any more")
        await answer_all(self._asked, self._take)
        return self._standing.state

    async def _next(self) -> None:
        """One command, or a reminder when goods should have moved."""
        until, waits = self._moment()
        self._show(waits)
        left = None if until is None else max(until - workflow.now(), timedelta(0))
        self._idle = True
        try:
            await workflow.wait_condition(lambda: bool(self._asked), timeout=left, timeout_summary=waits[:200])
        except TimeoutError:
            self._idle = False
            self._reminders += 1
            step = Remind(**self._step(), reminder=self._reminders)
            self._standing = await _do(REMIND, step, f"reminder {self._reminders}")
            return
        self._idle = False
        await self._take(self._asked.popleft())

    @property
    def _due(self) -> datetime:
        return self._start.ship_by if self._standing.state == "approved" else self._start.arrive_by

    def _reminded(self) -> int:
        """How often a reminder was due before now: of that nobody is reminded any more."""
        every = timedelta(days=REMIND_AFTER_DAYS)
        return min(max((workflow.now() - self._due) // every, 0), _REMINDED_AT_MOST)

    def _moment(self) -> tuple[datetime | None, str]:
        waiting = self._standing.state == "approved"
        due = self._due
        who = f"{self._start.source} to ship" if waiting else f"{self._start.destination} to receive"
        if self._reminders >= _REMINDED_AT_MOST:
            return None, who
        remind = due + timedelta(days=REMIND_AFTER_DAYS) * (self._reminders + 1)
        return remind, f"{who} by {due:%Y-%m-%d %H:%M} UTC; reminder at {remind:%Y-%m-%d %H:%M} UTC"

    async def _take(self, asked: Asked[Command]) -> None:
        before = self._standing.state
        async with answering(asked, self._look_again):
            refuse(self._standing, asked.command)
            if not known_receipt(self._standing, asked.command):
                step = CarryOut(**self._step(), command=asked.command)
                self._standing = await _do(CARRY_OUT, step, f"by {asked.command.by}")
        if self._standing.state != before:
            # Goods that leave late are not reminded of as if they had been under way since they should have left.
            self._reminders = self._reminded() if workflow.patched(_NOT_OF_THE_PAST) else 0
        asked.done = True

    async def _look_again(self) -> None:
        self._standing = await _do(STAND, Step(**self._step()), "look again")

    def _step(self) -> dict[str, Any]:
        return {"transfer": self._start.id, "number": self._standing.step + 1, "now": workflow.now()}

    @workflow.update
    async def command(self, command: Command) -> Standing:
        """Ship, receive, cancel, or say that the rest is lost."""
        await ask(self._asked, command)
        return self._standing

    @command.validator
    def _may_be(self, command: Command) -> None:
        """Refuse at once what cannot be; while a step is under way it is looked at after that."""
        with refusing():
            if self._idle:
                refuse(self._standing, command)

    @workflow.query
    def standing(self) -> Standing:
        return self._standing

    def _show(self, waits: str) -> None:
        start, standing = self._start, self._standing
        rows = [
            ("from", start.source),
            ("to", start.destination),
            ("state", standing.state),
            ("held", sum(standing.held.values())),
            ("under way", sum(standing.under_way.values())),
        ]
        show(rows, waits)
