"""An agreement on its way to its last signature: weeks of waiting and reminding, and a file that is verified."""

import asyncio
from collections import deque
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from contracts.agreements import (
        CARRY_OUT,
        ENDED,
        EXPIRE,
        LOOK,
        REMIND,
        SEND,
        STAND,
        STORE,
        WAKE,
        WORKFLOW,
        Cancel,
        CarryOut,
        Command,
        Remind,
        Send,
        Sign,
        Signed,
        Standing,
        Step,
        look_after,
        refuse,
    )
    from contracts.failures import failure_of
    from contracts.refusals import Refusal

from workflows.asking import Asked, answer_all, ask
from workflows.showing import show
from workflows.stepping import refusing
from workflows.waiting import UNTIL_IT_WORKS

_STEP_AT_MOST = timedelta(minutes=10)
_SILENT_AT_MOST = timedelta(seconds=6)
A_FEW_TIMES = RetryPolicy(initial_interval=timedelta(milliseconds=200), backoff_coefficient=4, maximum_attempts=5)
GIVEN_UP = "onboarding"
"""Who cancels an agreement for which nobody waits any more."""


@workflow.defn(name=WORKFLOW)
class AgreementSigning:
    """Asks the signers in their order, reminds them, and ends when all have signed and the file was verified, or when
    one declined, the time was over, or the retailer withdrew it.

    What it knows it has from the database, and that from the provider, which is asked when it has called back, and now
    and then without. So it may be started again at any point. When it is cancelled, so is the agreement.
    """

    @workflow.init
    def __init__(self, start: Sign) -> None:
        self._start = start
        self._standing = Standing(agreement=start.agreement, digest=start.digest)
        self._asked: deque[Asked[Command]] = deque()
        self._idle = False
        self._woken = False
        self._quiet = 0
        self._looked = workflow.now()
        self._told = workflow.now()
        """When those whose turn it is heard of it last."""
        self._reminders = 0

    @workflow.run
    async def run(self, start: Sign) -> Signed:
        try:
            await self._stand()
            while self._standing.state not in ENDED:
                if workflow.info().is_continue_as_new_suggested():
                    await answer_all(self._asked, self._take)
                    workflow.continue_as_new(start)
                await self._next()
        except (asyncio.CancelledError, ActivityError) as error:
            if not is_cancelled_exception(error):
                raise
            await self._give_up()
        self._show("nothing any more")
        await answer_all(self._asked, self._take)
        return self._ended()

    async def _next(self) -> None:
        """One step: what is to be done at once, else one command, or one moment that has come."""
        if self._asked:
            await self._take(self._asked.popleft())
        elif self._standing.turn:
            who = ", ".join(signer.id for signer in self._standing.turn)
            step = Send(**self._step(), expires_s=self._start.expires_s)
            await self._do(SEND, step, f"ask {who}")
            self._told, self._reminders, self._quiet, self._looked = workflow.now(), 0, 0, workflow.now()
        elif self._standing.state == "complete":
            await self._do(STORE, Step(**self._step()), "fetch, verify and keep the signed PDF")
            self._quiet, self._looked = 0, workflow.now()
        else:
            await self._wait()

    async def _wait(self) -> None:
        moment, waits = self._moment()
        self._show(waits)
        self._idle = True
        try:
            await workflow.wait_condition(
                lambda: bool(self._asked) or self._woken,
                timeout=max(moment - workflow.now(), timedelta(0)),
                timeout_summary=waits[:200],
            )
        except TimeoutError:
            pass
        finally:
            self._idle = False
        if self._asked:
            return
        now = workflow.now()
        if self._standing.state == "doubtful":
            self._woken = False
            await self._again(STORE, "verify the signed PDF again")
        elif self._expires <= now:
            await self._do(EXPIRE, Step(**self._step()), "the time to sign is over")
        elif self._remind_at <= now:
            self._reminders += 1
            self._told = now
            step = Remind(**self._step(), reminder=self._standing.step + 1)
            await self._try(REMIND, step, f"reminder {self._reminders}")
        else:
            self._woken = False
            await self._again(LOOK, "look at the provider")

    async def _again(self, activity: str, summary: str) -> None:
        """Look, and the later next time the less there was to see."""
        before = self._standing
        await self._try(activity, Step(**self._step()), summary)
        self._looked = workflow.now()
        if [s.state for s in before.signers] != [s.state for s in self._standing.signers]:
            self._quiet = 0
        else:
            self._quiet += 1

    @property
    def _expires(self) -> datetime:
        return self._standing.expires_at or workflow.now() + timedelta(seconds=self._start.expires_s)

    @property
    def _remind_at(self) -> datetime:
        return self._told + timedelta(seconds=self._start.remind_after_s)

    def _moment(self) -> tuple[datetime, str]:
        """When something is to be done without a word from anybody, and what is waited for."""
        look = self._looked + look_after(self._quiet)
        if self._standing.state == "doubtful":
            return look, f"a signed file that can be verified, or update `cancel`; looks again at {_at(look)}"
        who = ", ".join(signer.id for signer in self._standing.asked) or "the retailer's seal"
        words = f"the signature of {who} until {_at(self._expires)}; reminder at {_at(self._remind_at)}"
        return min(look, self._expires, self._remind_at), words

    async def _take(self, asked: Asked[Command]) -> None:
        try:
            refuse(self._standing, asked.command)
            step = CarryOut(**self._step(), command=asked.command)
            await self._do(CARRY_OUT, step, f"by {asked.command.by}"[:200])
            if asked.command.resend is not None:
                self._told, self._quiet, self._looked = workflow.now(), 0, workflow.now()
        except Refusal as refusal:
            asked.refused = failure_of(refusal)
        except ActivityError as error:
            if not isinstance(error.cause, ApplicationError):
                asked.refused = ApplicationError("the agreement is being withdrawn", type="agreement_withdrawn")
                raise
            asked.refused = error.cause
            # Something has happened that is not known here.
            self._woken = True
        finally:
            asked.done = True

    async def _give_up(self) -> None:
        """Nobody waits for the agreement any more. What all have signed is kept; else it is withdrawn."""
        command = Command(by=GIVEN_UP, cancel=Cancel(reason="withdrawn"))
        await self._stand()
        while self._standing.state not in ENDED:
            if self._standing.state == "complete":
                await self._do(STORE, Step(**self._step()), "fetch, verify and keep the signed PDF")
                continue
            asked = Asked(command)
            await self._take(asked)
            await self._stand()

    def _ended(self) -> Signed:
        standing = self._standing
        return Signed.model_validate(standing.model_dump() | {"outcome": standing.state})

    def _step(self) -> dict[str, Any]:
        return {"agreement": self._start.agreement, "number": self._standing.step + 1, "now": workflow.now()}

    async def _stand(self) -> None:
        await self._do(STAND, self._start.agreement, "how it stands")

    async def _try(self, activity: str, argument: object, summary: str) -> None:
        """A few times: a provider that does not answer must not keep those waiting who want to withdraw."""
        try:
            await self._do(activity, argument, summary, A_FEW_TIMES)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.warning("%s failed; it is tried again later", activity)

    async def _do(
        self, activity: str, argument: object, summary: str, retry_policy: RetryPolicy = UNTIL_IT_WORKS
    ) -> None:
        self._standing = await workflow.execute_activity(
            activity,
            argument,
            result_type=Standing,
            start_to_close_timeout=_STEP_AT_MOST,
            heartbeat_timeout=_SILENT_AT_MOST,
            retry_policy=retry_policy,
            summary=summary,
        )

    async def _ask(self, command: Command) -> Standing:
        await ask(self._asked, command)
        return self._standing

    def _look(self, command: Command) -> None:
        """Refuse at once what cannot be; while a step is under way it is looked at after that."""
        with refusing():
            if self._idle:
                refuse(self._standing, command)

    @workflow.update
    async def resend(self, command: Command) -> Standing:
        """A new link for a signer; the old one is dead."""
        return await self._ask(command)

    @workflow.update
    async def cancel(self, command: Command) -> Standing:
        """The retailer withdraws the agreement."""
        return await self._ask(command)

    @resend.validator
    def _may_be_resent(self, command: Command) -> None:
        self._look(command)

    @cancel.validator
    def _may_be_cancelled(self, command: Command) -> None:
        self._look(command)

    @workflow.signal(name=WAKE)
    def wake(self) -> None:
        """The provider has called back."""
        self._woken = True

    @workflow.query
    def standing(self) -> Standing:
        return self._standing

    def _show(self, waits: str) -> None:
        """Keep the Temporal UI telling."""
        standing = self._standing
        rows = [
            ("application", self._start.application),
            ("template", self._start.template),
            ("SHA-256", self._start.digest),
            ("state", standing.state),
            *((signer.id, f"{signer.role}: {signer.state}") for signer in standing.signers),
        ]
        show(rows, waits)


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
