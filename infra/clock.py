"""One clock for all machines: the database's."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from contracts.base import milliseconds

log = logging.getLogger(__name__)
_AGAIN_S = 60.0
_AT_START_S = 3.0


class Clock:
    """The database's time, carried on by this machine's monotonic clock.

    What one process writes down another one compares (when a claim was made, since when an event lies unread), so all
    must take the time from one place; and a wall clock may be set at any moment, the monotonic one never.
    Until the database has answered for the first time it is this machine's time.
    """

    def __init__(self, ask: Callable[[], Awaitable[datetime]]) -> None:
        self._ask = ask
        self._then, self._at = datetime.now(UTC), time.monotonic()

    def now(self) -> datetime:
        """To the millisecond, as the database keeps it."""
        return milliseconds(self._then + timedelta(seconds=time.monotonic() - self._at))

    async def set(self) -> None:
        """Ask the database. Raises what it raises."""
        before = time.monotonic()
        then = await self._ask()
        self._then, self._at = then, (before + time.monotonic()) / 2

    async def start(self) -> None:
        """Before anything is written. A database that is away keeps nobody from starting."""
        try:
            async with asyncio.timeout(_AT_START_S):
                await self.set()
        except Exception as error:
            log.warning("the database did not tell the time: %s: %s", type(error).__name__, error)

    async def run(self) -> None:
        """Ask again every minute, for ever: monotonic clocks go a little fast or slow."""
        while True:
            await self.start()
            await asyncio.sleep(_AGAIN_S)
