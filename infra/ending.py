"""Tasks ended for certain."""

import asyncio
from collections.abc import Iterable
from typing import Any

_AGAIN_S = 1.0


async def ended(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel the tasks and return when all have ended, whatever with.

    `asyncio.wait_for`, by which the NATS client waits, forgets a cancellation that comes in the moment of its answer
    (python/cpython#86296, until 3.12); a task that goes on is cancelled again.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_AGAIN_S)
