"""NATS is set back under those who read by numbers: they hear each number once, as the same event, and miss none."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from infra.direct import BusSilent
from infra.ending import ended
from infra.hearing import Heard, Hearing, acknowledged
from infra.mongo import Mongo
from infra.nats import Connection
from tests.support import eventually
from tests.survival.bus import SetBack
from tests.survival.partners import Follower
from tests.survival.test_nats_set_back import all_sent, asked, relaying, told, write
from workers.lost_replies import KIND


class Reader:
    """Reads on behind the last number it has, as the event stream and the webhooks do."""

    def __init__(self, hearing: Hearing, stream: str) -> None:
        self._hearing = hearing
        self._stream = stream
        self.heard: list[Heard] = []

    async def run(self) -> None:
        async with self._hearing.waiting(self._stream) as bell:
            while True:
                with contextlib.suppress(BusSilent):
                    last = self.heard[-1] if self.heard else None
                    after = last.number if last else 0
                    page = await self._hearing.read(self._stream, after, 7, last)
                    self.heard += page.events
                    if not page.events:
                        await self._hearing.wait(self._stream, bell, after, 5)

    def has(self, last: int) -> bool:
        return bool(self.heard) and self.heard[-1].number == last


@asynccontextmanager
async def reading(nats: Connection, followers: list[Follower]) -> AsyncIterator[list[Reader]]:
    hearing = Hearing(nats)
    readers = [Reader(hearing, follower.partner) for follower in followers]
    tasks = [asyncio.create_task(reader.run()) for reader in readers]
    try:
        yield readers
    finally:
        await ended(tasks)


async def test_readers_go_on_as_if_nothing_had_happened(
    mongo: Mongo, bus: SetBack, nats: Connection, followers: list[Follower]
) -> None:
    async with relaying(mongo, nats), reading(nats, followers) as readers:
        await write(mongo, followers, 40)
        await all_sent(mongo)
        bus.remember()
        await write(mongo, followers, 60)
        await all_sent(mongo)
        await eventually(lambda: all(reader.has(100) for reader in readers), 30, "they do not hear all")
        before = [[event.id for event in reader.heard] for reader in readers]
        await bus.lose()
        await write(mongo, followers, 10)
        for follower in followers:
            await asked(mongo, follower.partner)
        await all_sent(mongo)
        for follower, reader, ids in zip(followers, readers, before, strict=True):
            last = 110 + await told(mongo, follower.partner, KIND)
            await eventually(partial(reader.has, last), 30, "they do not go on")
            assert [event.number for event in reader.heard] == list(range(1, last + 1))
            assert [event.id for event in reader.heard][:100] == ids
            again: list[Heard] = []
            while more := (await Hearing(nats).read(follower.partner, len(again), 50)).events:
                again += more
            assert [(event.number, event.body) for event in again] == [
                (event.number, event.body) for event in reader.heard
            ], "who reads again from the beginning hears the same"


async def test_what_was_acknowledged_is_never_more_than_what_was_told(
    mongo: Mongo, bus: SetBack, nats: Connection, followers: list[Follower]
) -> None:
    """The consumer remembers more than the stream has, until the stream is healed."""
    js = nats.jetstream()
    async with relaying(mongo, nats):
        await write(mongo, followers, 10)
        await all_sent(mongo)
        bus.remember()
        await write(mongo, followers, 10)
        await all_sent(mongo)
        for follower in followers:
            await follower.hears_all(20)
            assert await acknowledged(mongo, js, follower.partner) == 20
        bus.stop()
        await bus.start_with_old_messages()
        for follower in followers:
            await asked(mongo, follower.partner)
        await all_sent(mongo)
        for follower in followers:
            last = 20 + await told(mongo, follower.partner, KIND)
            assert 10 <= await acknowledged(mongo, js, follower.partner) <= last
            await follower.hears_all(last)
            assert await acknowledged(mongo, js, follower.partner) == last
