"""`python -m bench.stores`: every store of a benchmark in one process, answering in lists after a short while."""

import argparse
import asyncio
import heapq
import itertools
import random
import signal
import time
from collections import defaultdict
from typing import Any

import orjson
from nats.errors import TimeoutError as NothingThere
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from contracts.events import REPLY_TYPE
from contracts.subjects import EVENTS, reply_subject
from infra.nats import connect

_DURABLE = "bench-stores"
_LIFE = ("accepted", "shipped", "delivered")


async def run(nats_url: str, least_s: float, most_s: float, group_s: float) -> None:
    client = await connect(nats_url, "bench-stores")
    jetstream = client.jetstream(publish_async_max_pending=4000)
    await jetstream.add_consumer(
        EVENTS,
        ConsumerConfig(
            durable_name=_DURABLE,
            filter_subject="evt.v1.*.parcel.offered",
            ack_policy=AckPolicy.ALL,
            deliver_policy=DeliverPolicy.ALL,
            max_ack_pending=20_000,
        ),
    )
    offers = await jetstream.pull_subscribe_bind(durable=_DURABLE, stream=EVENTS)
    agenda: list[tuple[float, int, str, str, int]] = []
    numbers = itertools.count()
    chance = random.Random(7)

    async def listen() -> None:
        while True:
            try:
                messages = await offers.fetch(500, timeout=1)
            except (NothingThere, TimeoutError):
                continue
            now = time.monotonic()
            for message in messages:
                store, parcel = message.subject.split(".")[2], orjson.loads(message.data)["data"]["parcel"]
                heapq.heappush(agenda, (now + chance.uniform(least_s, most_s), next(numbers), store, parcel, 0))
            if messages:
                await messages[-1].ack()

    async def answer() -> None:
        while True:
            await asyncio.sleep(group_s)
            now = time.monotonic()
            due: dict[str, list[dict[str, Any]]] = defaultdict(list)
            while agenda and agenda[0][0] <= now:
                _, _, store, parcel, step = heapq.heappop(agenda)
                kind = _LIFE[step]
                due[store].append({"id": f"{parcel}:{kind}", "parcel": parcel, "kind": kind})
                if step + 1 < len(_LIFE):
                    later = now + chance.uniform(least_s, most_s)
                    heapq.heappush(agenda, (later, next(numbers), store, parcel, step + 1))
            for store, replies in due.items():
                for start in range(0, len(replies), 500):
                    event = _event(f"bench-{next(numbers)}", store, replies[start : start + 500])
                    await jetstream.publish_async(reply_subject(store), orjson.dumps(event))

    work = asyncio.gather(listen(), answer())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        pass
    await client.close()


def _event(event_id: str, store: str, replies: list[dict[str, Any]]) -> dict[str, Any]:
    data = {"replies": replies}
    return {"specversion": "1.0", "id": event_id, "source": store, "type": REPLY_TYPE, "data": data}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nats", required=True)
    parser.add_argument("--delay-s", nargs=2, type=float, default=(0.5, 2.0))
    parser.add_argument("--group-s", type=float, default=0.3)
    options = parser.parse_args()
    least_s, most_s = options.delay_s
    asyncio.run(run(options.nats, least_s, most_s, options.group_s))


if __name__ == "__main__":
    main()
