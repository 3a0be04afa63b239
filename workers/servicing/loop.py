"""Loops that run for ever, whatever happens in a turn."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)


async def for_ever(turn: Callable[[], Awaitable[object]], every_s: float, name: str) -> None:
    while True:
        try:
            await turn()
        except Exception:
            log.exception("%s failed; trying again", name)
        await asyncio.sleep(every_s)
