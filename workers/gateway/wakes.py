"""Tells the event worker that something was written, without letting any caller wait for it."""

import asyncio
import logging

import orjson
from nats.js import JetStreamContext

from contracts.ids import sortable
from contracts.subjects import WAKE_INBOX, WAKE_ORDERS
from infra.nats import publish

log = logging.getLogger(__name__)
_QUIET_S = 10.0


class Wakes:
    """What is told while a message is on its way goes into the next one. A lost message is healed by the sweep."""

    def __init__(self, js: JetStreamContext) -> None:
        self._js = js
        self._orders = 0
        self._batches: set[str] = set()
        self._urgent = False
        self._something = asyncio.Event()
        self._complained_at = float("-inf")

    def orders(self, number: int) -> None:
        """So many orders were inserted."""
        if number:
            self._orders += number
            self._something.set()

    def inbox(self, batches: set[str], *, urgent: bool = True) -> None:
        """Events were written to the inbox for these batches."""
        if batches:
            self._batches |= batches
            self._urgent |= urgent
            self._something.set()

    async def run(self) -> None:
        while True:
            await self._something.wait()
            await self.publish()

    async def publish(self) -> None:
        """Send what has gathered."""
        self._something.clear()
        orders, self._orders = self._orders, 0
        batches, self._batches = self._batches, set()
        urgent, self._urgent = self._urgent, False
        if orders:
            await self._send(WAKE_ORDERS, {"orders": orders})
        if batches:
            await self._send(WAKE_INBOX, {"batches": sorted(batches), "urgent": urgent})

    async def _send(self, subject: str, content: dict[str, object]) -> None:
        try:
            await publish(self._js, subject, orjson.dumps(content), sortable())
        except Exception as error:
            # Whatever it is, the orders are accepted: the sweep finds them. One line in a while is enough.
            now = asyncio.get_running_loop().time()
            if now - self._complained_at > _QUIET_S:
                self._complained_at = now
                log.warning("could not publish %s, left to the sweep: %s: %s", subject, type(error).__name__, error)
