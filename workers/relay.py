"""`python -m workers.relay`: carries events from the outbox to the stream, numbered by partner, each exactly once."""

import asyncio
import logging
from collections.abc import Sequence

import nats.errors
from nats.aio.client import Client

from infra import outbox
from infra.mongo import Mongo, PyMongoError
from infra.nats import Chain
from infra.outbox import CHUNK, LEASE_S, Lease, LeaseLost, Stamped

log = logging.getLogger(__name__)

_BUSY_S = 0.005
_IDLE_S = 0.1
_TRY_AGAIN_S = 1.0


class Relay:
    """One relay works at a time; others wait for its lease. `owner` names this one in the database.

    An event is numbered in MongoDB first and published afterwards, and the stream itself refuses a message that
    does not follow the last one this relay knows of. So whoever takes over finds in the stream what was done.
    """

    def __init__(self, mongo: Mongo, nats: Client, *, owner: str, lease_s: float = LEASE_S) -> None:
        self._mongo = mongo
        self._js = nats.jetstream()
        self._chain = Chain(nats)
        self._owner = owner
        self._lease_s = lease_s
        self._stop = asyncio.Event()
        self._last = 0

    def stop(self) -> None:
        """Finish what is numbered already, give the lease back, and end `run`."""
        self._stop.set()

    async def run(self) -> None:
        """Relay until stopped. Servers that are away are waited for."""
        while not self._stop.is_set():
            try:
                lease = await Lease.take(self._mongo, self._owner, self._lease_s)
                if lease is None:
                    await self._pause(self._lease_s / 6)
                else:
                    await self._relay(lease)
            except (PyMongoError, nats.errors.Error, TimeoutError) as error:
                log.warning("trying again in %g s: %s: %s", _TRY_AGAIN_S, type(error).__name__, error)
                await self._pause(_TRY_AGAIN_S)

    async def _relay(self, lease: Lease) -> None:
        log.info("relaying, with token %d", lease.token)
        try:
            await self._take_up(lease)
            await self._work(lease)
            await lease.give_back()
        except LeaseLost:
            log.warning("another relay has taken over from token %d", lease.token)

    async def _work(self, lease: Lease) -> None:
        idle_s = _BUSY_S
        while not self._stop.is_set():
            events = await outbox.stamp(self._mongo, lease)
            if events:
                await self._send(lease, events)
            else:
                await lease.keep()
            idle_s = _BUSY_S if events else min(idle_s * 2, _IDLE_S)
            if len(events) < CHUNK:
                await self._pause(idle_s)

    async def _take_up(self, lease: Lease) -> None:
        """Finish what another relay, or this one before an error, has left."""
        self._last = await self._stream_end()
        if self._last < lease.published:
            await self._heal(lease)
        await self._send(lease, await outbox.unfinished(self._mongo))

    async def _heal(self, lease: Lease) -> None:
        """Publish again, under their old numbers, the events that the stream has lost."""
        log.error("the stream ends at %d but was at %d: publishing what it has lost", self._last, lease.published)
        given = await outbox.partners(self._mongo)
        kept = await self._numbers(given)
        for partner in sorted(partner for partner, number in given.items() if kept[partner] < number):
            await self._send(lease, await outbox.numbered_after(self._mongo, partner, kept[partner]))
        lease.published = self._last

    async def _send(self, lease: Lease, events: Sequence[Stamped]) -> None:
        for start in range(0, len(events), CHUNK):
            chunk = events[start : start + CHUNK]
            await self._publish(lease, await self._missing(chunk) if first_time_seen else chunk)
            await outbox.mark_sent(self._mongo, chunk)
