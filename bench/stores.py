"""`python -m bench.stores`: every store of a benchmark in one process, answering in lists after a while.

How they behave may be changed while they run, by a JSON object sent to the subject `bench.stores`: `delay_s` (least
and most seconds before each of accepted, shipped, delivered), `group_s` (every store sends what it has to say once in
so many seconds; 0: each answer in a message of its own), `hold` (say nothing until told otherwise).
"""

import argparse
import asyncio
import heapq
import itertools
import math
import random
import signal
import time
import zlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NothingThere
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from bench.seen import OFFERED
from contracts.events import REPLY_TYPE
from contracts.subjects import EVENTS, reply_subject
from infra.nats import connect
from infra.runtime import prepare

CONTROL = "bench.stores"
_DURABLE = "bench-stores"
_LIFE = ("accepted", "shipped", "delivered")
_TICK_S = 0.05
_IN_ONE_MESSAGE = 500
_UNANSWERED = 4_000

Step = tuple[float, int, str, str, int]
"""When it is due, a number of its own, store, parcel, and the place in its life."""


@dataclass(slots=True)
class Stores:
    """What the stores have to say, and when."""

    jetstream: JetStreamContext
    delay_s: tuple[float, float]
    group_s: float
    hold: bool = False
    agenda: list[Step] = field(default_factory=list)
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    async def listen(self) -> None:
        """Take offers from the stream, as one consumer for all stores."""
        config = ConsumerConfig(
            durable_name=_DURABLE,
            filter_subject=OFFERED,
            ack_policy=AckPolicy.ALL,
            deliver_policy=DeliverPolicy.ALL,
            max_ack_pending=20_000,
        )
        await self.jetstream.add_consumer(EVENTS, config)
        offers = await self.jetstream.pull_subscribe_bind(durable=_DURABLE, stream=EVENTS)
        while True:
            try:
                messages = await offers.fetch(500, timeout=1)
            except (NothingThere, TimeoutError):
                continue
            for message in messages:
                store, parcel = message.subject.split(".")[2], orjson.loads(message.data)["data"]["parcel"]
                self._plan(store, parcel, 0)
            if messages:
                await messages[-1].ack()

    async def answer(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            if not self.hold:
                for store, replies in self._due(time.monotonic()).items():
                    await self._say(store, replies)

    async def told(self, message: Msg) -> None:
        """Behave otherwise from now on; what is planned for later than the new delay allows comes sooner."""
        asked = orjson.loads(message.data)
        self.hold = bool(asked.get("hold", self.hold))
        self.group_s = float(asked.get("group_s", self.group_s))
        if "delay_s" in asked:
            least, most = asked["delay_s"]
            self.delay_s = (float(least), float(most))
            now = time.monotonic()
            self.agenda = [(min(step[0], now + self.chance.uniform(least, most)), *step[1:]) for step in self.agenda]
            heapq.heapify(self.agenda)
        await message.respond(orjson.dumps({"planned": len(self.agenda)}))

    def _plan(self, store: str, parcel: str, step: int) -> None:
        due = time.monotonic() + self.chance.uniform(*self.delay_s)
        if self.group_s:
            phase = zlib.crc32(store.encode()) % 1_000 / 1_000
            due = (math.ceil(due / self.group_s - phase) + phase) * self.group_s
        heapq.heappush(self.agenda, (due, next(self.numbers), store, parcel, step))

    def _due(self, now: float) -> dict[str, list[dict[str, Any]]]:
        due: dict[str, list[dict[str, Any]]] = defaultdict(list)
        while self.agenda and self.agenda[0][0] <= now:
            _, _, store, parcel, step = heapq.heappop(self.agenda)
            kind = _LIFE[step]
            due[store].append({"id": f"{parcel}:{kind}", "parcel": parcel, "kind": kind})
            if step + 1 < len(_LIFE):
                self._plan(store, parcel, step + 1)
        return due

    async def _say(self, store: str, replies: list[dict[str, Any]]) -> None:
        together = _IN_ONE_MESSAGE if self.group_s else 1
        for start in range(0, len(replies), together):
            event = _event(f"bench-{next(self.numbers)}", store, replies[start : start + together])
            await self.jetstream.publish_async(reply_subject(store), orjson.dumps(event))


def _event(event_id: str, store: str, replies: list[dict[str, Any]]) -> dict[str, Any]:
    data = {"replies": replies}
    return {"specversion": "1.0", "id": event_id, "source": store, "type": REPLY_TYPE, "data": data}


async def tell_stores(client: Client, **behaviour: Any) -> int:
    """Change how they behave; returns how many answers are planned."""
    answer = await client.request(CONTROL, orjson.dumps(behaviour), timeout=10)
    return int(orjson.loads(answer.data)["planned"])


async def run(nats_url: str, creds: str, delay_s: tuple[float, float], group_s: float) -> None:
    client = await connect(nats_url, creds, "bench-stores")
    jetstream = client.jetstream(publish_async_max_pending=_UNANSWERED)
    stores = Stores(jetstream, delay_s, group_s)
    await client.subscribe(CONTROL, cb=stores.told)
    work = asyncio.gather(stores.listen(), stores.answer())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        pass
    await client.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nats", required=True)
    parser.add_argument("--creds", required=True)
    parser.add_argument("--delay-s", nargs=2, type=float, default=(0.5, 2.0))
    parser.add_argument("--group-s", type=float, default=0.3)
    options = parser.parse_args()
    prepare()
    asyncio.run(run(options.nats, options.creds, tuple(options.delay_s), options.group_s))


if __name__ == "__main__":
    main()
