"""Onboarding: one applicant's way from the first word to the first order, over weeks."""

from collections import deque
from datetime import datetime, timedelta
from typing import Any, Literal

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.deciding import refuse
    from contracts.failures import failure_of
    from contracts.fulfilment import REGION, STAGE
    from contracts.onboarding import (
        CARRY_OUT,
        CHECK,
        DEPOSIT,
        ENDED,
        MOVE,
        OPEN,
        REMIND,
        WORKFLOW,
        Apply,
        CarryOut,
        Command,
        Move,
        Remind,
        Stage,
        Standing,
        Step,
        Turn,
        partner_of,
    )
    from contracts.refusals import Refusal
    from contracts.turns import TURNS, ends_when_due, facts_of, next_moment, waits_for, why_expired

from workflows.acknowledging import Looking, send_test
from workflows.asking import Asked, answer_all, ask
from workflows.provisioning import begin_life, provision, take_back
from workflows.showing import show
from workflows.signing import Signing
from workflows.stepping import answering, refusing, stepping

_do = stepping(Standing, at_most=timedelta(minutes=10), silent=timedelta(seconds=20))


@workflow.defn(name=WORKFLOW)
class PartnerOnboarding:
    """Waits for the applicant, checks, waits for reviewers and signers, makes the partner, and waits for its systems to
    hear. What it knows it has from the database, so that it may be started again at any point."""

    @workflow.init
    def __init__(self, start: Apply) -> None:
        self._start = start
        self._standing = Standing(application=start.application)
        self._opened = False
        self._asked: deque[Asked[Command]] = deque()
        self._idle = False
        self._signing: Signing | None = None
        self._given_up: Signing | None = None
        self._look: Looking | None = None
        self._shown: Stage | None = None

    @workflow.run
    async def run(self, start: Apply) -> str:
        """Ends with how the application stands: active, rejected, withdrawn or expired."""
        self._standing = await _do(OPEN, self._step(), "find the application")
        self._opened = True
        while self._standing.stage not in ENDED:
            await self._go_on()
            # Not while a signing belongs to this run.
            between = self._signing is None and self._standing.stage not in ("agreement", "provisioning")
            if between and workflow.info().is_continue_as_new_suggested():
                await answer_all(self._asked, self._take)
                if self._standing.stage not in ENDED:
                    workflow.continue_as_new(start)
        await self._end()
        return self._standing.stage

    async def _go_on(self) -> None:
        """One step that is due, one command, or one moment that has come."""
        stage = self._standing.stage
        if stage in TURNS and self._standing.turn is None and (stage != "agreement" or self._signing is not None):
            await self._remind("turn")
        elif stage == "checking":
            self._show("checks by machine")
            self._standing = await _do(CHECK, self._step(), f"revision {self._standing.revision}")
            if self._standing.stage == "bank":
                self._standing = await _do(DEPOSIT, self._step(), "a deposit of a few fen")
        elif stage == "agreement" and self._signing is None:
            await self._draft()
        elif stage == "provisioning":
            await self._provision()
        else:
            await self._wait()

    async def _wait(self) -> None:
        turn = self._standing.turn
        assert turn is not None
        # Signers' time is the signing's own, which ends it and says so.
        until = None if turn.who == "signers" else next_moment(turn)
        if until is None or workflow.now() < until:
            self._look_for_test()
        elif self._look is not None:
            # It looks once more before the time counts as over.
            until = None
        waits = waits_for(self._standing)
        self._show(waits)
        if not await self._something_comes(until, waits):
            await self._time_has_come(turn)
        elif self._asked:
            await self._take(self._asked.popleft())
        elif self._signing is not None and self._signing.outcome is not None:
            await self._signed()
        elif self._look is not None:
            await self._looked()

    async def _something_comes(self, until: datetime | None, waits: str) -> bool:
        """False when the moment has come before."""
        if self._something_came:
            return True
        left = None if until is None else until - workflow.now()
        if left is not None and left <= timedelta(0):
            return False
        self._idle = True
        try:
            await workflow.wait_condition(lambda: self._something_came, timeout=left, timeout_summary=waits[:200])
        except TimeoutError:
            return False
        finally:
            self._idle = False
        return True

    @property
    def _something_came(self) -> bool:
        if self._asked or (self._signing is not None and self._signing.outcome is not None):
            return True
        return self._look is not None and self._look.done

    async def _time_has_come(self, turn: Turn) -> None:
        if turn.remind_at is not None and turn.remind_at < turn.due:
            await self._remind("reminder")
        elif ends_when_due(turn):
            await self._move("expired", reasons=[why_expired(self._standing.stage)])
        else:
            await self._remind("escalation")

    async def _take(self, asked: Asked[Command]) -> None:
        """Carry a command out, on how the application stands by now."""
        before = self._standing.stage
        async with answering(asked, self._look_again):
            refuse(self._standing, asked.command)
            step = CarryOut(**self._fields(), command=asked.command)
            self._standing = await _do(CARRY_OUT, step, f"by {asked.command.by}")
        if before == "agreement" and self._standing.stage != "agreement" and self._signing is not None:
            self._signing.give_up()
            self._signing, self._given_up = None, self._signing
        asked.done = True

    async def _draft(self) -> None:
        self._show("an agreement to be drafted")
        standing = self._standing
        going_on = standing.agreement is not None
        number = standing.agreements if going_on else standing.agreements + 1
        signing = Signing(standing.application, number, self._start.deadlines.agreement_s)
        agreement = await signing.draft()
        if agreement is None:
            await self._move("review", reasons=["agreement_not_drafted"])
            return
        if not going_on:
            await self._move("agreement", agreement=agreement)
        await signing.begin()
        self._signing = signing

    async def _signed(self) -> None:
        signing, self._signing = self._signing, None
        assert signing is not None and signing.outcome is not None
        if signing.outcome == "signed":
            assert signing.signed is not None
            await self._move("provisioning", signed=True, agreement_until=signing.signed.effective_until)
        else:
            await self._move("review", reasons=[f"agreement_{signing.outcome}"])

    async def _provision(self) -> None:
        failed = await provision(self._standing.application, self._show)
        if failed is None:
            await self._move("testing")
        else:
            await self._move("review", reasons=[f"provisioning_failed:{failed}"])

    def _look_for_test(self) -> None:
        """Have somebody look for the acknowledgement, as long as it is waited for."""
        if self._standing.stage == "testing" and self._look is None:
            self._look = Looking(self._standing.application, self._start.deadlines.look_s)

    async def _looked(self) -> None:
        assert self._look is not None
        seen = await self._look.seen()
        self._look = None
        if seen:
            await self._move("active")
        elif self._start.deadlines.look_again_s and self._standing.turn is not None:
            until = workflow.now() + timedelta(seconds=self._start.deadlines.look_again_s)
            waits = f"until it is looked again; {waits_for(self._standing)}"
            await self._something_comes(min(until, next_moment(self._standing.turn)), waits)

    async def _move(self, to: Stage, **known: Any) -> None:
        step = Move(**self._fields(), to=to, **known)
        self._standing = await _do(MOVE, step, f"{self._standing.stage} to {to}")

    async def _remind(self, what: Literal["turn", "reminder", "escalation"]) -> None:
        if what != "reminder" and self._standing.stage == "testing":
            await send_test(self._step())
        step = Remind(**self._fields(), what=what, deadlines=self._start.deadlines)
        self._standing = await _do(REMIND, step, what)

    async def _end(self) -> None:
        """What was made for an applicant that does not become a partner is taken back; a partner begins its life."""
        if self._look is not None:
            self._look.give_up()
            self._look = None
        if self._standing.stage == "active":
            await begin_life(partner_of(self._standing.application))
        elif self._standing.partner is not None:
            self._show("what was made to be taken back")
            await take_back(self._standing.application)
        given_up = self._given_up
        self._show("nothing any more" if given_up is None else "the agreement to be withdrawn")
        await answer_all(self._asked, self._take)
        self._idle = True
        await workflow.wait_condition(lambda: given_up is None or given_up.over)

    async def _look_again(self) -> None:
        self._standing = await _do(OPEN, self._step(), "look again")

    def _fields(self) -> dict[str, Any]:
        number = self._standing.step + 1
        return {"application": self._start.application, "number": number, "now": workflow.now()}

    def _step(self) -> Step:
        return Step(**self._fields())

    async def _ask(self, command: Command) -> Standing:
        await ask(self._asked, command)
        return self._standing

    def _look_at(self, command: Command) -> None:
        """Refuse at once what cannot be; while a step is under way it is looked at after that."""
        with refusing():
            if self._idle:
                refuse(self._standing, command)

    @workflow.update
    async def apply(self, start: Apply) -> Standing:
        """The application is being carried. Sent together with the start of the workflow."""
        await workflow.wait_condition(lambda: self._opened)
        return self._standing

    @workflow.update
    async def submit(self, command: Command) -> Standing:
        """The applicant says that everything is there."""
        return await self._ask(command)

    @workflow.update
    async def withdraw(self, command: Command) -> Standing:
        """The applicant does not want to go on; what was made for it is undone."""
        return await self._ask(command)

    @workflow.update
    async def confirm_deposit(self, command: Command) -> Standing:
        """The applicant says how much came to its account."""
        return await self._ask(command)

    @workflow.update
    async def review(self, command: Command) -> Standing:
        """A reviewer decides about one item."""
        return await self._ask(command)

    @workflow.update
    async def decide(self, command: Command) -> Standing:
        """A reviewer decides about the whole."""
        return await self._ask(command)

    @apply.validator
    def _may_be_applied(self, start: Apply) -> None:
        if start.application != self._start.application:
            raise failure_of(
                Refusal(
                    "other_application",
                    f"This workflow carries {self._start.application}.",
                    remedy="Send the update to the workflow of the application.",
                    field="application",
                )
            )

    @submit.validator
    def _may_be_submitted(self, command: Command) -> None:
        self._look_at(command)

    @withdraw.validator
    def _may_be_withdrawn(self, command: Command) -> None:
        self._look_at(command)

    @confirm_deposit.validator
    def _may_be_confirmed(self, command: Command) -> None:
        self._look_at(command)

    @review.validator
    def _may_be_reviewed(self, command: Command) -> None:
        self._look_at(command)

    @decide.validator
    def _may_be_decided(self, command: Command) -> None:
        self._look_at(command)

    @workflow.query
    def standing(self) -> Standing:
        return self._standing

    def _show(self, waits: str) -> None:
        """Keep the Temporal UI telling, and its lists."""
        show(facts_of(self._start, self._standing), waits)
        if self._shown != self._standing.stage:
            self._shown = self._standing.stage
            workflow.upsert_search_attributes(
                [STAGE.value_set([self._standing.stage]), REGION.value_set([self._start.region])]
            )
