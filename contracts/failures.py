"""A refusal on its way through Temporal: as an error of a workflow or an activity, and back."""

from temporalio.exceptions import ApplicationError

from contracts.refusals import Refusal


def failure_of(refusal: Refusal) -> ApplicationError:
    """Not tried again. The code is its type, its details are remedy, field and status."""
    return ApplicationError(
        refusal.detail, refusal.remedy, refusal.field, refusal.status, type=refusal.code, non_retryable=True
    )


def refusal_of(cause: BaseException | None) -> Refusal | None:
    """None for any other error."""
    if not isinstance(cause, ApplicationError) or cause.type is None or len(cause.details) != 3:
        return None
    remedy, field, status = cause.details
    return Refusal(cause.type, cause.message, remedy=remedy, field=field, status=status)
