"""An agreement that is being signed, as the workflow sees it that waits for it."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ActivityError, CancelledError, ChildWorkflowError

with workflow.unsafe.imports_passed_through():
    from contracts.agreements import DRAFT, WORKFLOW, Draft, Outcome, Sign, Signed, signing_id

from workflows.waiting import UNTIL_IT_WORKS

_STEP_AT_MOST = timedelta(minutes=10)


class Signing:
    """`draft` makes the document and pins it, `begin` has it signed by a workflow of its own; `outcome` is known when
    that has ended. To draft the same number again gives the same agreement."""

    def __init__(self, application: str, number: int, expires_s: float, renews: str | None = None) -> None:
        self._application = application
        self._number = number
        self._expires_s = expires_s
        self._renews = renews
        self._sign: Sign | None = None
        self._child: workflow.ChildWorkflowHandle[object, Signed] | None = None

    async def draft(self) -> str | None:
        """The agreement's id; None when it cannot be made, whatever is tried."""
        draft = Draft(
            application=self._application,
            number=self._number,
            renews=self._renews,
            expires_s=self._expires_s,
            now=workflow.now(),
        )
        try:
            self._sign = await workflow.execute_activity(
                DRAFT,
                draft,
                result_type=Sign,
                start_to_close_timeout=_STEP_AT_MOST,
                retry_policy=UNTIL_IT_WORKS,
                summary=f"agreement {self._number}",
            )
        except ActivityError as error:
            if isinstance(error.cause, CancelledError):
                raise
            return None
        return self._sign.agreement

    async def begin(self) -> None:
        """One that has ended is taken up again, by what it wrote: its workflow finds itself at the end."""
        assert self._sign is not None
        self._child = await workflow.start_child_workflow(
            WORKFLOW,
            self._sign,
            id=signing_id(self._sign.agreement),
            result_type=Signed,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=self._sign.agreement,
        )

    @property
    def outcome(self) -> Outcome | None:
        """None as long as it is not over. One whose workflow was ended by force counts as cancelled."""
        signed = self.signed
        if signed is not None:
            return signed.outcome
        return "cancelled" if self._child is not None and self._child.done() else None

    @property
    def signed(self) -> Signed | None:
        if self._child is None or not self._child.done() or self._child.cancelled():
            return None
        error = self._child.exception()
        if error is None:
            return self._child.result()
        if not isinstance(error, ChildWorkflowError):
            raise error
        return None

    def give_up(self) -> None:
        """Nobody waits for its outcome any more. It withdraws what is out for signature, and has done so when it is
        `over`: whoever ends before takes its workflow along, and leaves the signers with links that are good."""
        if self._child is not None:
            self._child.cancel()

    @property
    def over(self) -> bool:
        """Whether its workflow has nothing left to do."""
        return self._child is None or self._child.done()
