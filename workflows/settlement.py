"""Settlement: one partner's statement of one period, from taking its entries in until it is paid."""

import asyncio
from collections import deque
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from contracts.settlement import statement_id
    from contracts.settling import (
        ALL_WORKFLOW,
        CARRIED,
        CARRY_OUT,
        FREEZE,
        PARTNERS,
        PUBLISH,
        REMIND,
        WORKFLOW,
        Approve,
        CarryOut,
        Command,
        FindPartners,
        Found,
        Freeze,
        Publish,
        Remind,
        Settle,
        SettleAll,
        Standing,
        refuse,
    )

from workflows.asking import Asked, answer_all, ask
from workflows.showing import show
from workflows.stepping import answering, refusing, stepping
from workflows.waiting import UNTIL_IT_WORKS

_STEP_AT_MOST = timedelta(minutes=30)
_SILENT_AT_MOST = timedelta(seconds=6)
_do = stepping(Standing, at_most=_STEP_AT_MOST, silent=_SILENT_AT_MOST)
_LOOK_AGAIN = timedelta(minutes=10)
"""While the statement before this one is not closed."""
_STARTED_PER_RUN = 500
"""Settlements that one run of `Settlements` starts, so that its history stays small."""
_OVER = ("paid", "carried")
SILENCE = "silence"


@workflow.defn(name=WORKFLOW)
class Settlement:
    """Takes the entries of the period in, makes the statement, and waits: for approval, or for the time in which
    nobody says anything; for answers to objections; for payment. What it knows it has from the database, so that it
    may be started again at any point."""

    @workflow.init
    def __init__(self, start: Settle) -> None:
        self._start = start
        self._standing = Standing()
        self._asked: deque[Asked[Command]] = deque()
        self._since = workflow.now()
        self._reminders = 0
        self._carried_by: str | None = None
        self._idle = False

    @workflow.run
    async def run(self, start: Settle) -> str:
        """Ends with how the statement stands: paid, carried (a later statement has its balance), or closed at zero."""
        await self._freeze()
        if self._standing.unpublished:
            await self._publish()
        while not self._over:
            await self._next()
        self._show("nothing any more")
        await answer_all(self._asked, self._take)
        return self._standing.state

    @property
    def _over(self) -> bool:
        standing = self._standing
        return standing.state in _OVER or (standing.state == "closed" and not standing.payable)

    async def _freeze(self) -> None:
        while True:
            freeze = Freeze(**self._start.model_dump(), now=workflow.now())
            self._standing = await _do(FREEZE, freeze, f"take in the entries of {self._start.partner}")
            if self._standing.waits_for is None:
                break
            self._show(f"{self._standing.waits_for} to be closed; looks again at {_at(workflow.now() + _LOOK_AGAIN)}")
            await workflow.sleep(_LOOK_AGAIN, summary=f"until {self._standing.waits_for} is closed")
            if workflow.info().is_continue_as_new_suggested():
                await answer_all(self._asked, self._take)
                workflow.continue_as_new(self._start)
        if self._standing.previous is not None and self._standing.state == "frozen":
            before = workflow.get_external_workflow_handle(self._standing.previous)
            try:
                await before.signal(CARRIED, self._start.statement)
            except FailureError:
                pass  # It has ended: it was paid, or there was nothing to pay.

    async def _publish(self) -> None:
        self._since, self._reminders = workflow.now(), 0
        step = Publish(**self._step(), answer_by=self._silence_ends)
        self._standing = await _do(PUBLISH, step, f"revision {self._standing.revision + 1}: JSON and PDF")

    async def _next(self) -> None:
        """One command, or one moment that has come."""
        until, waits = self._moment()
        self._show(waits)
        left = None if until is None else max(until - workflow.now(), timedelta(0))
        self._idle = True
        try:
            await workflow.wait_condition(
                lambda: bool(self._asked) or self._is_carried, timeout=left, timeout_summary=waits[:200]
            )
        except TimeoutError:
            self._idle = False
            await self._time_has_come()
            return
        self._idle = False
        if self._asked:
            await self._take(self._asked.popleft())
        else:
            self._standing.state = "carried"

    @property
    def _is_carried(self) -> bool:
        return self._carried_by is not None and self._standing.state == "closed"

    def _moment(self) -> tuple[datetime | None, str]:
        """What is waited for, and until when."""
        if self._standing.state == "closed":
            return None, "payment: update `paid`, with its reference"
        remind = self._since + timedelta(seconds=self._start.approval.remind_after_s) * (self._reminders + 1)
        if self._standing.open_disputes:
            lines = ", ".join(str(line) for line in self._standing.open_disputes[:20])
            return remind, f"answers to the objections to lines {lines}; the retailer is reminded at {_at(remind)}"
        ends = self._silence_ends
        words = f"approval or objections until {_at(ends)}; silence approves"
        return min(remind, ends), words if remind >= ends else f"{words}; the partner is reminded at {_at(remind)}"

    @property
    def _silence_ends(self) -> datetime:
        return self._since + timedelta(seconds=self._start.approval.auto_approve_after_s)

    async def _time_has_come(self) -> None:
        if not self._standing.open_disputes and workflow.now() >= self._silence_ends:
            await self._take(Asked(Command(by=SILENCE, approve=Approve())))
            return
        self._reminders += 1
        step = Remind(**self._step(), answer_by=self._silence_ends, reminder=self._reminders)
        self._standing = await _do(REMIND, step, f"reminder {self._reminders}")

    async def _take(self, asked: Asked[Command]) -> None:
        """Carry a command out, and make a new revision when it was the last answer and something was corrected."""
        disputed = bool(self._standing.open_disputes)
        async with answering(asked, self._freeze):
            refuse(self._standing, asked.command)
            step = CarryOut(**self._step(), command=asked.command)
            self._standing = await _do(CARRY_OUT, step, f"by {asked.command.by}")
        if self._standing.unpublished:
            await self._publish()
        elif disputed != bool(self._standing.open_disputes):
            self._since, self._reminders = workflow.now(), 0
        asked.done = True

    def _step(self) -> dict[str, Any]:
        return {
            "statement": self._start.statement,
            "number": self._standing.step + 1,
            "now": workflow.now(),
        }

    async def _ask(self, command: Command) -> Standing:
        await ask(self._asked, command)
        return self._standing

    def _look(self, command: Command) -> None:
        """Refuse at once what cannot be; while a step is under way it is looked at after that."""
        with refusing():
            if self._idle or self._standing.waits_for is not None:
                refuse(self._standing, command)

    @workflow.update
    async def approve(self, command: Command) -> Standing:
        """The partner, or somebody for it, finds the statement right."""
        return await self._ask(command)

    @workflow.update
    async def dispute(self, command: Command) -> Standing:
        """The partner objects to lines, each with a reason."""
        return await self._ask(command)

    @workflow.update
    async def answer_dispute(self, command: Command) -> Standing:
        """The retailer corrects a line, or says why it stands."""
        return await self._ask(command)

    @workflow.update
    async def paid(self, command: Command) -> Standing:
        """The balance was paid outside of this system."""
        return await self._ask(command)

    @approve.validator
    def _may_be_approved(self, command: Command) -> None:
        self._look(command)

    @dispute.validator
    def _may_be_disputed(self, command: Command) -> None:
        self._look(command)

    @answer_dispute.validator
    def _may_be_answered(self, command: Command) -> None:
        self._look(command)

    @paid.validator
    def _may_be_paid(self, command: Command) -> None:
        self._look(command)

    @workflow.signal(name=CARRIED)
    def carried(self, by: str) -> None:
        """A later statement has taken the balance over: there is nothing left to pay here."""
        self._carried_by = by

    @workflow.query
    def standing(self) -> Standing:
        return self._standing

    def _show(self, waits: str) -> None:
        """Keep the Temporal UI telling."""
        standing = self._standing
        rows = [
            ("partner", self._start.partner),
            ("period", self._start.period),
            ("state", standing.state),
            ("revision", standing.revision),
            ("lines", standing.lines),
            ("closing balance", ", ".join(standing.balances) or "0"),
            ("objections", f"{len(standing.disputes)}, open: {len(standing.open_disputes)}"),
        ]
        show(rows, waits)


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


@workflow.defn(name=ALL_WORKFLOW)
class Settlements:
    """Starts the settlements of a period: of all partners that have entries, or of those that are named."""

    @workflow.run
    async def run(self, asked: SettleAll) -> int:
        """Ends with the number that were started; those that had been started before are left alone."""
        found: Found = await workflow.execute_activity(
            PARTNERS,
            FindPartners(period=asked.period, until=asked.until, partners=asked.partners, now=workflow.now()),
            result_type=Found,
            start_to_close_timeout=_STEP_AT_MOST,
            heartbeat_timeout=_SILENT_AT_MOST,
            retry_policy=UNTIL_IT_WORKS,
            summary="find the partners to settle with",
        )
        now, later = found.partners[:_STARTED_PER_RUN], found.partners[_STARTED_PER_RUN:]
        workflow.set_current_details(f"Starts settlements of {found.period}: {len(found.partners)} to go")
        started = asked.started + sum(await asyncio.gather(*(_start(found, partner, asked) for partner in now)))
        if later:
            rest = {"period": found.period, "until": found.until, "partners": later, "started": started}
            workflow.continue_as_new(asked.model_copy(update=rest))
        workflow.set_current_details(f"Settlements of {found.period}: {started} started")
        return started


async def _start(found: Found, partner: str, asked: SettleAll) -> bool:
    statement = statement_id(partner, found.period)
    settle = Settle(
        statement=statement, partner=partner, period=found.period, until=found.until, approval=asked.approval
    )
    try:
        await workflow.start_child_workflow(
            WORKFLOW,
            settle,
            id=statement,
            parent_close_policy=ParentClosePolicy.ABANDON,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
            static_summary=f"{partner}, {found.period}",
        )
    except WorkflowAlreadyStartedError:
        return False
    return True
