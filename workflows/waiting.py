"""What the processes that wait for a bell have in common."""

from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

UNTIL_IT_WORKS = RetryPolicy(
    initial_interval=timedelta(milliseconds=200), backoff_coefficient=2, maximum_interval=timedelta(seconds=30)
)


async def bell_or_deadline(rung: Callable[[], bool], wait: timedelta, next_due: datetime | None) -> None:
    """Return when the bell has rung, after `wait` at the latest. `next_due` is shown to those who look."""
    waits_for = "the bell"
    if next_due is not None:
        waits_for = f"the bell, or the deadline at {next_due:%Y-%m-%d %H:%M:%S} UTC"
    try:
        await workflow.wait_condition(rung, timeout=wait, timeout_summary=waits_for)
    except TimeoutError:
        pass
