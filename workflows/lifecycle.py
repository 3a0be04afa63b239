"""A partner's life after signing: what ends, what is renewed, and how the partner goes."""

from collections import deque
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.fulfilment import STAGE
    from contracts.lifecycle import (
        CARRY_OUT,
        EXPIRE,
        LEAVE,
        REMIND,
        RENEWED,
        STAND,
        URGE,
        WORKFLOW,
        CarryOut,
        Command,
        Live,
        Remind,
        Renewed,
        Standing,
        Step,
        Urge,
    )
    from contracts.living import Due, next_due, refuse, waits_for

from workflows.asking import Asked, answer_all, ask
from workflows.showing import show
from workflows.signing import Signing
from workflows.stepping import answering, refusing, stepping

_do = stepping(Standing, at_most=timedelta(minutes=10), silent=timedelta(seconds=20))
_FAILED = "failed"


@workflow.defn(name=WORKFLOW)
class PartnerLifecycle:
    """Waits for what comes next: the end of a document or of the agreement and the reminders before it, reviewers,
    signers, or that nothing is open any more. What it knows it has from the database, so that it may be started again
    at any point."""

    @workflow.init
    def __init__(self, start: Live) -> None:
        self._start = start
        self._standing: Standing | None = None
        self._asked: deque[Asked[Command]] = deque()
        self._idle = False
        self._signing: Signing | None = None
        self._given_up: Signing | None = None
        self._left_at: datetime | None = None
        self._shown = ""

    @workflow.run
    async def run(self, start: Live) -> str:
        """Ends with `terminated`."""
        self._standing = await _do(STAND, self._step(), "find the partner")
        while not self._gone:
            await self._go_on()
            if workflow.info().is_continue_as_new_suggested() and not self._is_bound:
                await answer_all(self._asked, self._take)
                if not self._gone:
                    workflow.continue_as_new(start)
        if self._known.terminating:
            # Also when this was cut off after it was written: its access ends with it.
            await self._leave()
        self._show("the agreement to be withdrawn" if self._is_bound else "nothing any more")
        await answer_all(self._asked, self._take)
        self._idle = True
        await workflow.wait_condition(lambda: not self._is_bound)
        return self._known.state

    @property
    def _is_bound(self) -> bool:
        """Whether a signing belongs to this run, which would end with it."""
        return self._signing is not None or (self._given_up is not None and not self._given_up.over)

    @property
    def _gone(self) -> bool:
        return self._known.state == "terminated"

    @property
    def _known(self) -> Standing:
        assert self._standing is not None
        return self._standing

    async def _go_on(self) -> None:
        standing = self._known
        if standing.renewing is not None and self._signing is None:
            await self._renew()
            return
        if standing.terminating and self._left_at is None:
            await self._leave()
            return
        await self._wait()

    async def _wait(self) -> None:
        now = workflow.now()
        due = next_due(self._known, self._start.pace, now)
        waits = waits_for(self._known, due)
        self._show(waits)
        self._idle = True
        try:
            await workflow.wait_condition(
                lambda: bool(self._asked) or self._is_signed,
                timeout=None if due is None else max(due.at - now, timedelta(0)),
                timeout_summary=waits[:200],
            )
        except TimeoutError:
            self._idle = False
            assert due is not None
            await self._time_has_come(due)
            return
        self._idle = False
        if self._asked:
            await self._take(self._asked.popleft())
        else:
            await self._renewed()

    @property
    def _is_signed(self) -> bool:
        return self._signing is not None and self._signing.outcome is not None

    async def _time_has_come(self, due: Due) -> None:
        if due.kind == "remind":
            remind = Remind(**self._fields(), what=due.what, days=due.days)
            self._standing = await _do(REMIND, remind, f"{due.what} ends within {due.days} days")
        elif due.kind == "expire":
            self._standing = await _do(EXPIRE, self._step(), f"{due.what} has ended")
        elif due.kind == "urge":
            urge = Urge(**self._fields(), requirement=due.what, deadlines=self._start.pace.deadlines)
            self._standing = await _do(URGE, urge, f"nobody has looked at {due.what}")
        else:
            await self._leave()

    async def _leave(self) -> None:
        self._left_at = workflow.now()
        self._standing = await _do(LEAVE, self._step(), "is anything open?")

    async def _renew(self) -> None:
        """Draft the agreement that is wanted, and have it signed."""
        standing = self._known
        assert standing.renewing is not None
        self._show(f"the agreement {standing.renewing} to be drafted")
        expires_s = self._start.pace.deadlines.agreement_s
        signing = Signing(standing.application, standing.agreements, expires_s, renews=standing.agreement)
        if await signing.draft() is None:
            await self._conclude(standing.renewing, _FAILED, None)
            return
        await signing.begin()
        self._signing = signing

    async def _renewed(self) -> None:
        signing, self._signing = self._signing, None
        assert signing is not None and signing.outcome is not None
        agreement = self._known.renewing
        if agreement is not None:
            until = signing.signed.effective_until if signing.signed is not None else None
            await self._conclude(agreement, signing.outcome, until)

    async def _conclude(self, agreement: str, outcome: str, until: datetime | None) -> None:
        step = Renewed(**self._fields(), agreement=agreement, outcome=outcome, until=until)
        self._standing = await _do(RENEWED, step, f"{agreement}: {outcome}")

    async def _take(self, asked: Asked[Command]) -> None:
        """Carry a command out, on how the partner stands by now; one that goes goes at once where nothing is open."""
        async with answering(asked, self._look_again):
            refuse(self._known, asked.command)
            step = CarryOut(**self._fields(), command=asked.command, deadlines=self._start.pace.deadlines)
            self._standing = await _do(CARRY_OUT, step, f"by {asked.command.by}")
            if asked.command.terminate is not None:
                await self._leave()
                self._give_up_signing()
        asked.done = True

    def _give_up_signing(self) -> None:
        if self._signing is not None:
            self._signing.give_up()
            self._signing, self._given_up = None, self._signing

    async def _look_again(self) -> None:
        self._standing = await _do(STAND, self._step(), "look again")

    def _fields(self) -> dict[str, Any]:
        number = self._standing.step + 1 if self._standing is not None else 0
        return {"partner": self._start.partner, "number": number, "now": workflow.now()}

    def _step(self) -> Step:
        return Step(**self._fields())

    async def _ask(self, command: Command) -> Standing:
        await ask(self._asked, command)
        return self._known

    def _look_at(self, command: Command) -> None:
        """Refuse at once what cannot be; while a step is under way it is looked at after that."""
        with refusing():
            if self._idle:
                refuse(self._known, command)

    @workflow.update
    async def suspend(self, command: Command) -> Standing:
        """No new orders; open ones finish."""
        return await self._ask(command)

    @workflow.update
    async def resume(self, command: Command) -> Standing:
        """A suspension by an operator ends."""
        return await self._ask(command)

    @workflow.update
    async def terminate(self, command: Command) -> Standing:
        """The partner goes: at once, or when nothing is open any more."""
        return await self._ask(command)

    @workflow.update
    async def renew(self, command: Command) -> Standing:
        """Have the next agreement signed."""
        return await self._ask(command)

    @workflow.update
    async def offer(self, command: Command) -> Standing:
        """A new document in place of one that ends."""
        return await self._ask(command)

    @workflow.update
    async def review(self, command: Command) -> Standing:
        """A reviewer decides about a new document."""
        return await self._ask(command)

    @suspend.validator
    def _may_be_suspended(self, command: Command) -> None:
        self._look_at(command)

    @resume.validator
    def _may_be_resumed(self, command: Command) -> None:
        self._look_at(command)

    @terminate.validator
    def _may_be_terminated(self, command: Command) -> None:
        self._look_at(command)

    @renew.validator
    def _may_be_renewed(self, command: Command) -> None:
        self._look_at(command)

    @offer.validator
    def _may_be_offered(self, command: Command) -> None:
        self._look_at(command)

    @review.validator
    def _may_be_reviewed(self, command: Command) -> None:
        self._look_at(command)

    @workflow.query
    def standing(self) -> Standing | None:
        return self._standing

    def _show(self, waits: str) -> None:
        """Keep the Temporal UI telling, and its lists."""
        standing = self._known
        ends = ", ".join(f"{one.what} {one.until:%Y-%m-%d}" for one in standing.endings)
        rows = [
            ("partner", standing.partner),
            ("state", f"{standing.state}{', leaving' if standing.terminating else ''}"),
            ("suspended for", ", ".join(standing.suspended_for) or "nothing"),
            ("ends", ends),
            ("new documents", ", ".join(one.requirement for one in standing.offered) or "none"),
            ("agreement", standing.agreement),
            ("renewal", standing.renewing or "none"),
        ]
        show(rows, waits)
        if self._shown != standing.state:
            self._shown = standing.state
            workflow.upsert_search_attributes([STAGE.value_set([standing.state])])
