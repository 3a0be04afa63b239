"""Heartbeats while an activity works, so that the server notices a killed worker in seconds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio import activity

EVERY_S = 1.0


@asynccontextmanager
async def heartbeats() -> AsyncIterator[None]:
    """Say every second that this activity still works; short ones never come to it, and those that are carried within
    the task of their workflow have nobody who listens."""
    if not activity.in_activity() or activity.info().is_local:
        yield
        return

    async def beat() -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            activity.heartbeat()

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()
