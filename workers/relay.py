"""`python -m workers.relay`: carries events from the outbox to the stream, numbered by partner, each exactly once."""

import asyncio
import logging
import os
import secrets
import signal
import socket
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

import nats.errors
import orjson
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from contracts.subjects import EVENTS, partner_filter
from infra import outbox
from infra.lease import LEASE_S, Lease, LeaseLost
from infra.mongo import Mongo, PyMongoError
from infra.nats import Chain, ChainBroken, Message, connect_by
from infra.outbox import CHUNK, Numbers, Stamped, Turn
from infra.runtime import prepare
from infra.settings import Settings
from infra.streams import AT_ONCE, provision_partners, provision_streams
from workers.lost_replies import ask_again

log = logging.getLogger(__name__)

_BUSY_S = 0.005
_IDLE_S = 0.1
_TRY_AGAIN_S = 1.0


class StreamLost(Exception):
    """The stream ends before what it had acknowledged."""


class Relay:
    """One relay works at a time; others wait for its lease. `owner` names this one in the database.

    An event gets its number in MongoDB first and is published afterwards, and the stream refuses every message
    that does not follow the last one this relay knows of. So whoever takes over finds in the stream what was done.
    """

    def __init__(self, mongo: Mongo, nats: Client, *, owner: str, lease_s: float = LEASE_S) -> None:
        self._mongo = mongo
        self._js = nats.jetstream()
        self._chain = Chain(nats)
        self._owner = owner
        self._lease_s = lease_s
        self._stop = asyncio.Event()
        self._end = 0
        """The sequence at which the stream stands, as far as this relay knows."""

    def stop(self) -> None:
        """Finish what has its number already, give the lease back, and end `run`."""
        self._stop.set()

    async def run(self) -> None:
        """Relay until stopped. A server that is away is waited for."""
        while not self._stop.is_set():
            try:
                lease = await Lease.take(self._mongo, self._owner, self._lease_s)
                if lease is None:
                    await self._pause(self._lease_s / 6)
                else:
                    await self._relay(lease)
            except (PyMongoError, nats.errors.Error, TimeoutError, ChainBroken, StreamLost) as error:
                log.warning("trying again in %g s: %s: %s", _TRY_AGAIN_S, type(error).__name__, error)
                await self._pause(_TRY_AGAIN_S)

    async def _relay(self, lease: Lease) -> None:
        log.info("relaying, with token %d", lease.token)
        try:
            numbers = await self._take_up(lease)
            await self._work(lease, numbers)
        except LeaseLost:
            log.warning("another relay has taken over from token %d", lease.token)
        finally:
            await lease.give_back()

    async def _take_up(self, lease: Lease) -> Numbers:
        """Finish what another relay has left, or this one before an error."""
        numbers = await Numbers.read(self._mongo, lease)
        self._end = await self._stream_end()
        if self._end < lease.published:
            await self._heal(lease, numbers)
        elif self._end > lease.published:
            await self._catch_up(numbers)
        left = await outbox.unfinished(self._mongo)
        await self._publish(lease, await self._missing(left.events))
        await self._finish(lease, left)
        return numbers

    async def _heal(self, lease: Lease, numbers: Numbers) -> None:
        """Publish again, under their old numbers, the events that the stream has lost.

        Consumers that were made in the lost time are made again, and partners are asked for what they answered in it.
        Events go out in their first order, so whoever takes over in the middle goes on from where the stream ends.
        """
        log.error("the stream was at %d and ends at %d: sending again what it lost", lease.published, self._end)
        await provision_streams(self._js)
        await provision_partners(self._js, numbers.last)
        await ask_again(self._mongo, await self._last_kept(), numbers.last, lease.token)
        kept = await self._numbers(numbers.last)
        first = await outbox.lost_since(self._mongo, kept)
        if first is None:
            return
        async for turn in outbox.from_row_on(self._mongo, first):
            lost = [event for event in turn.events if event.number > kept.get(event.partner, 0)]
            log.error("%d events from turn %d on", len(lost), first["turn"])
            await self._publish(lease, lost)

    async def _last_kept(self) -> datetime | None:
        """When the stream took the last event that it still has."""
        try:
            message = await self._js.get_last_msg(EVENTS, partner_filter("*"))
        except NotFoundError:
            return None
        return message.time.astimezone(UTC) if message.time else None

    async def _catch_up(self, numbers: Numbers) -> None:
        """Where the stream is ahead of a database that was set back, go on with its numbers: none is given twice."""
        subjects = (await self._js.stream_info(EVENTS, subjects_filter=partner_filter("*"))).state.subjects
        kept = await self._numbers({_partner_of(subject) for subject in subjects or ()})
        ahead = {partner: number for partner, number in kept.items() if number > numbers.last.get(partner, 0)}
        if ahead:
            log.error("the database knows less than the stream about %d partners: %.500s", len(ahead), ahead)
            await numbers.give_none_up_to(ahead)

    async def _work(self, lease: Lease, numbers: Numbers) -> None:
        idle_s = _BUSY_S
        while not self._stop.is_set():
            turn = await numbers.stamp()
            if turn.events:
                await self._publish(lease, turn.events)
                await self._finish(lease, turn)
                idle_s = _BUSY_S
            else:
                if await lease.keep():
                    await self._look_whether_lost()
                    await numbers.fold()
                idle_s = min(idle_s * 2, _IDLE_S)
            if len(turn.events) < CHUNK:
                await self._pause(idle_s)
        await numbers.fold()

    async def _look_whether_lost(self) -> None:
        """A server that was set back says nothing of it, and with nothing to publish nobody would notice."""
        end = await self._stream_end()
        if end < self._end:
            raise StreamLost(f"{EVENTS} was at {self._end} and ends at {end}")

    async def _publish(self, lease: Lease, events: Sequence[Stamped]) -> None:
        for left in _chunks(events):
            while left:
                await lease.keep()
                messages = [Message(event.id, event.subject, event.body()) for event in left]
                try:
                    self._end = await self._chain.publish(messages, self._end)
                    break
                except ChainBroken as broken:
                    if self._stop.is_set():
                        raise
                    log.warning("%d of %d events published: %s", broken.taken, len(left), broken)
                    left = await self._resume(left[broken.taken :])

    async def _resume(self, events: Sequence[Stamped]) -> Sequence[Stamped]:
        """Which of them to publish, after an unclear end."""
        end = await self._stream_end()
        if end < self._end:
            raise StreamLost(f"{EVENTS} was at {self._end} and ends at {end}")
        if end == self._end:
            await self._pause(_TRY_AGAIN_S)
        self._end = end
        return await self._missing(events)

    async def _finish(self, lease: Lease, turn: Turn) -> None:
        """Note where the stream stands first: nobody would miss what it loses after its events are marked."""
        lease.published = self._end
        await lease.renew()
        await outbox.mark_sent(self._mongo, turn.rows)

    async def _missing(self, events: Sequence[Stamped]) -> list[Stamped]:
        """Those that the stream does not have. Its own memory of ids is short, its last number is not."""
        kept = await self._numbers({event.partner for event in events})
        return [event for event in events if event.number > kept[event.partner]]

    async def _numbers(self, partners: Iterable[str]) -> dict[str, int]:
        """The number of each partner's last event in the stream, 0 where it has none."""
        free = asyncio.Semaphore(AT_ONCE)

        async def ask(partner: str) -> tuple[str, int]:
            async with free:
                return partner, await self._number(partner)

        return dict(await asyncio.gather(*(ask(partner) for partner in partners)))

    async def _number(self, partner: str) -> int:
        try:
            message = await self._js.get_last_msg(EVENTS, partner_filter(partner))
        except NotFoundError:
            return 0
        try:
            return int(orjson.loads(message.data or b"")["sequence"])
        except (ValueError, KeyError, TypeError):
            log.error("%s: message %s is not from here; perhaps an event will come twice", partner, message.seq)
            return 0

    async def _stream_end(self) -> int:
        return (await self._js.stream_info(EVENTS)).state.last_seq

    async def _pause(self, seconds: float) -> None:
        """Shorter when stopped."""
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            pass


def _partner_of(subject: str) -> str:
    """The other way round than `event_subject`."""
    return subject.split(".")[2]


def _chunks(events: Sequence[Stamped]) -> Iterator[Sequence[Stamped]]:
    for start in range(0, len(events), CHUNK):
        yield events[start : start + CHUNK]


async def run(settings: Settings) -> None:
    """Run until told to stop."""
    mongo = Mongo(settings.require("mongo_url"), settings.mongo_database)
    await mongo.clock.start()
    bus = await connect_by(settings, "relay")
    relay = Relay(mongo, bus, owner=f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}")
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, relay.stop)
    told = asyncio.create_task(mongo.clock.run())
    await relay.run()
    told.cancel()
    await bus.close()
    mongo.close()


def main() -> None:
    prepare()
    asyncio.run(run(Settings()))


if __name__ == "__main__":
    main()
