"""A partner as the protocol asks for it: it goes by the numbers, and knows an event that it had before."""

from collections import Counter

import orjson
from nats.errors import TimeoutError as NothingThere
from nats.js import JetStreamContext

from contracts.subjects import EVENTS, partner_consumer
from tests.support import eventually


class Follower:
    """`heard` counts how often each number came; `missed` are gaps that were seen when a number came."""

    def __init__(self, partner: str, jetstream: JetStreamContext) -> None:
        self.partner = partner
        self._jetstream = jetstream
        self.heard: Counter[int] = Counter()
        self.ids: dict[int, str] = {}
        self.missed: list[tuple[int, int]] = []
        self._last = 0
        # One for all the time: what comes late for one request is there for the next.
        self._inbox: JetStreamContext.PullSubscription | None = None

    async def listen(self) -> None:
        """Take in and acknowledge all that has come."""
        if self._inbox is None:
            durable = partner_consumer(self.partner)
            self._inbox = await self._jetstream.pull_subscribe_bind(durable=durable, stream=EVENTS)
        while True:
            try:
                messages = await self._inbox.fetch(500, timeout=0.3)
            except (NothingThere, TimeoutError):
                break
            for message in messages:
                self._hear(orjson.loads(message.data))
            for message in messages[:-1]:
                await message.ack()
            await messages[-1].ack_sync(timeout=5)

    def _hear(self, event: dict[str, str]) -> None:
        number = int(event["sequence"])
        assert self.ids.setdefault(number, event["id"]) == event["id"], f"{number} was given to two events"
        if number > self._last + 1:
            self.missed.append((self._last, number))
        self._last = max(self._last, number)
        self.heard[number] += 1

    async def hears_all(self, last: int, timeout: float = 20) -> None:
        """Wait until every number up to `last` was heard, none before the one that precedes it."""

        async def all_of_them() -> bool:
            await self.listen()
            return sorted(self.heard) == list(range(1, last + 1))

        await eventually(all_of_them, timeout=timeout, message=f"{self.partner} does not have all of 1 to {last}")
        assert not self.missed
