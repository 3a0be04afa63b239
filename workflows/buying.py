"""Buying: one purchase order, from the first word until goods and invoices match."""

from collections import deque
from datetime import timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.buying import ENDED, WORKFLOW
    from contracts.fulfilment import BELL, STAGE
    from contracts.purchasing import (
        CARRY_OUT,
        HEAR,
        STAND,
        TIME,
        Buy,
        CarryOut,
        Command,
        Standing,
        Step,
        doing,
        refuse,
    )

from workflows.asking import Asked, answer_all, ask
from workflows.showing import show
from workflows.stepping import answering, refusing, stepping

_do = stepping(Standing, at_most=timedelta(minutes=10), silent=timedelta(seconds=6))


@workflow.defn(name=WORKFLOW)
class PurchaseOrder:
    """Waits for whoever is next: who approves, the supplier, goods, an invoice. What it knows it has from the database,
    so that it may be started again at any point."""

    @workflow.init
    def __init__(self, start: Buy) -> None:
        self._start = start
        self._standing: Standing | None = None
        self._asked: deque[Asked[Command]] = deque()
        self._rung = False
        self._idle = False
        self._shown: str | None = None

    @workflow.run
    async def run(self, start: Buy) -> str:
        """Ends with how the order stands: closed, cancelled, rejected, expired, declined or silent."""
        self._standing = await _do(STAND, self._step(), "find the order")
        while not self._over:
            await self._go_on()
            if workflow.info().is_continue_as_new_suggested():
                await answer_all(self._asked, self._take)
                if not self._over:
                    workflow.continue_as_new(start)
        self._show("nothing any more")
        await answer_all(self._asked, self._take)
        return self._known.state

    @property
    def _known(self) -> Standing:
        assert self._standing is not None
        return self._standing

    @property
    def _over(self) -> bool:
        """What the supplier still says of an order that has ended is to be answered."""
        return self._known.state in ENDED and not self._known.unheard and not self._rung

    async def _go_on(self) -> None:
        """News of the supplier, one command, or a moment that has come."""
        if self._rung or self._known.unheard:
            self._rung = False
            self._standing = await _do(HEAR, self._step(), f"what {self._known.supplier} says")
            return
        await self._wait()

    async def _wait(self) -> None:
        standing = self._known
        left = None if standing.next_at is None else max(standing.next_at - workflow.now(), timedelta(0))
        self._show(standing.waits)
        self._idle = True
        try:
            await workflow.wait_condition(
                lambda: bool(self._asked) or self._rung, timeout=left, timeout_summary=standing.waits[:200]
            )
        except TimeoutError:
            self._idle = False
            self._standing = await _do(TIME, self._step(), standing.waits)
            return
        self._idle = False
        if self._asked:
            await self._take(self._asked.popleft())

    async def _take(self, asked: Asked[Command]) -> None:
        async with answering(asked, self._look_again):
            refuse(self._start.order, self._known.state, doing(asked.command))
            step = CarryOut(**self._fields(), command=asked.command)
            what = f"{doing(asked.command)}, by {asked.command.by}"
            self._standing = await _do(CARRY_OUT, step, what)
        asked.done = True

    async def _look_again(self) -> None:
        self._standing = await _do(STAND, self._step(), "look again")

    def _fields(self) -> dict[str, Any]:
        number = self._standing.step + 1 if self._standing is not None else 0
        return {"order": self._start.order, "number": number, "now": workflow.now()}

    def _step(self) -> Step:
        return Step(**self._fields())

    async def _ask(self, command: Command) -> Standing:
        await ask(self._asked, command)
        return self._known

    @workflow.update
    async def command(self, command: Command) -> Standing:
        """Somebody approves, rejects, answers, receives, invoices, decides or cancels."""
        return await self._ask(command)

    @command.validator
    def _may_be(self, command: Command) -> None:
        """Refuse at once what cannot be; while a step is under way it is looked at after that."""
        with refusing():
            if self._idle:
                refuse(self._start.order, self._known.state, doing(command))

    @workflow.signal(name=BELL)
    def bell(self) -> None:
        """The supplier has said something."""
        self._rung = True

    @workflow.query
    def standing(self) -> Standing | None:
        return self._standing

    def _show(self, waits: str) -> None:
        """Keep the Temporal UI telling, and its lists."""
        standing = self._known
        rows: list[tuple[str, object]] = [
            ("supplier", standing.supplier),
            ("location", standing.location),
            ("state", standing.state),
            ("value", standing.value),
            ("units open", standing.open_units),
            ("elsewhere", ", ".join(standing.successors) or "nothing"),
        ]
        show(rows, waits)
        if self._shown != standing.state:
            self._shown = standing.state
            workflow.upsert_search_attributes([STAGE.value_set([standing.state])])
