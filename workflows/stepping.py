"""How a process that people command takes its steps."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from contracts.failures import failure_of
    from contracts.refusals import Refusal

from workflows.asking import Asked
from workflows.waiting import UNTIL_IT_WORKS

_SUMMARY_MOST = 200

Standing = TypeVar("Standing")
Known = TypeVar("Known", covariant=True)


class Do(Protocol[Known]):
    """Have an activity do a step and return how things stand after it."""

    async def __call__(
        self, activity: str, argument: object, summary: str, retry_policy: RetryPolicy = UNTIL_IT_WORKS
    ) -> Known: ...


def stepping(standing: type[Standing], *, at_most: timedelta, silent: timedelta) -> Do[Standing]:
    """A step ends `at_most` so long after its start and is never silent longer than `silent`, or it is done anew."""

    async def do(activity: str, argument: object, summary: str, retry_policy: RetryPolicy = UNTIL_IT_WORKS) -> Standing:
        known: Standing = await workflow.execute_activity(
            activity,
            argument,
            result_type=standing,
            start_to_close_timeout=at_most,
            heartbeat_timeout=silent,
            retry_policy=retry_policy,
            summary=summary[:_SUMMARY_MOST],
        )
        return known

    return do


@asynccontextmanager
async def answering(asked: Asked[Any], look_again: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """A command is carried out within; where it is refused, whoever asked hears why.

    `look_again`: the step found things otherwise than they were thought to stand here.
    """
    try:
        yield
    except Refusal as refusal:
        asked.refused = failure_of(refusal)
    except ActivityError as error:
        if not isinstance(error.cause, ApplicationError):
            raise
        asked.refused = error.cause
        await look_again()


@contextmanager
def refusing() -> Iterator[None]:
    """In a validator: a refusal as the error that Temporal hands to whoever asked."""
    try:
        yield
    except Refusal as refusal:
        raise failure_of(refusal) from refusal
