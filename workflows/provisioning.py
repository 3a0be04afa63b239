"""Making a partner step by step; when one step fails for good, what was made is taken back in the reverse order."""

from collections.abc import Callable, Iterable
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, CancelledError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from contracts.lifecycle import WORKFLOW as LIFECYCLE
    from contracts.lifecycle import Live, lifecycle_id
    from contracts.onboarding import (
        PROVISION,
        PROVISION_STEPS,
        UNDO,
        Provide,
        ProvisionStep,
        partner_of,
    )

from workflows.waiting import UNTIL_IT_WORKS

_TRIED_FOR = timedelta(hours=6)
"""A server may be away for so long before a step counts as failed for good."""
_STEP_AT_MOST = timedelta(minutes=2)


async def provision(application: str, show: Callable[[str], None]) -> ProvisionStep | None:
    """None when the partner is made, else the step that failed; nothing is left of it then. `show` is told what is
    being done, for those who look."""
    made: list[ProvisionStep] = []
    for step in PROVISION_STEPS:
        # Before it is tried: of one that fails something may be made.
        made.append(step)
        until = workflow.now() + _TRIED_FOR
        show(f"{step} of the partner to be made; tried until {until:%Y-%m-%d %H:%M} UTC, then all of it is taken back")
        try:
            await workflow.execute_activity(
                PROVISION,
                _provide(application, step),
                start_to_close_timeout=_STEP_AT_MOST,
                schedule_to_close_timeout=_TRIED_FOR,
                retry_policy=UNTIL_IT_WORKS,
                summary=step,
            )
        except ActivityError as error:
            if isinstance(error.cause, CancelledError):
                raise
            show(f"what was made of the partner to be taken back, as {step} could not be made")
            await take_back(application, made)
            return step
    return None


async def take_back(application: str, made: Iterable[ProvisionStep] = PROVISION_STEPS) -> None:
    """Undo steps, the last one first. One that cannot be undone is left to people, and keeps no other from it."""
    for step in reversed(list(made)):
        try:
            await workflow.execute_activity(
                UNDO,
                _provide(application, step),
                start_to_close_timeout=_STEP_AT_MOST,
                retry_policy=UNTIL_IT_WORKS,
                summary=f"undo {step}",
            )
        except ActivityError as error:
            if isinstance(error.cause, CancelledError):
                raise
            workflow.logger.error("%s of %s could not be undone", step, application)


def _provide(application: str, step: ProvisionStep) -> Provide:
    return Provide(application=application, partner=partner_of(application), step=step, now=workflow.now())


async def begin_life(partner: str) -> None:
    """Of an active partner; one that an earlier run has begun is left as it is."""
    try:
        await workflow.start_child_workflow(
            LIFECYCLE,
            Live(partner=partner),
            id=lifecycle_id(partner),
            parent_close_policy=ParentClosePolicy.ABANDON,
            static_summary=partner,
        )
    except WorkflowAlreadyStartedError:
        pass
