"""A store as an outside program: follows its event stream over NATS and answers what it is asked.

Copy it. It needs nothing but `nats-py`: each location has a durable consumer `p-<location>` on the stream EVENTS, and
answers on `reply.v1.<location>`. Events may come twice (same `id`), so what was answered is remembered.

    python examples/store_agent.py --nats nats://127.0.0.1:4222 --locations store-hangzhou-1,store-wuhan-2
    python examples/store_agent.py --nats nats://127.0.0.1:4222 --all --behaviour behaviour.json

Behaviour, as JSON (all keys optional; seconds as [least, most]; rates from 0 to 1; per location under "stores"):

    {"accept_s": [0.2, 2], "ship_s": [0.2, 2], "deliver_s": [0.2, 2], "reject_rate": 0.03, "silent_rate": 0.01,
     "reject_reasons": ["out_of_stock", "too_busy"], "stores": {"store-wuhan-2": {"silent_rate": 1}}}
"""

import argparse
import asyncio
import json
import random
import signal
import uuid
from collections import defaultdict
from pathlib import Path
from typing import Any

import nats
from nats.errors import TimeoutError as NothingThere
from nats.js import JetStreamContext

STREAM = "EVENTS"
Reply = dict[str, Any]
DEFAULTS: dict[str, Any] = {
    "accept_s": [0.2, 2.0],
    "pack_s": [0.2, 1.0],
    "ship_s": [0.2, 2.0],
    "deliver_s": [0.2, 2.0],
    "reject_rate": 0.0,
    "reject_line_rate": 0.0,
    "reject_reasons": ["out_of_stock"],
    "silent_rate": 0.0,
    "group_s": 0.3,
}


class Store:
    """One location: reads offers, decides by its behaviour, and answers in small groups."""

    def __init__(self, location: str, behaviour: dict[str, Any], seed: int, jetstream: JetStreamContext) -> None:
        self.location = location
        self._behaviour = {**DEFAULTS, **behaviour, **behaviour.get("stores", {}).get(location, {})}
        self._seed = seed
        self._jetstream = jetstream
        self._known: set[str] = set()
        self._withdrawn: set[str] = set()
        self._outgoing: list[Reply] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.counts: dict[str, int] = defaultdict(int)

    async def follow(self) -> None:
        """Read the stream from where this store last stopped, for ever."""
        inbox = await self._jetstream.pull_subscribe_bind(durable=f"p-{self.location}", stream=STREAM)
        self._start(self._answer())
        while True:
            try:
                messages = await inbox.fetch(1, timeout=30)
            except (NothingThere, TimeoutError):
                continue
            for message in messages:
                self.hear(json.loads(message.data))
                await message.ack()

    def hear(self, event: dict[str, Any]) -> None:
        """Take in one event. The same event twice is heard once."""
        if event["id"] in self._known:
            return
        self._known.add(event["id"])
        self.counts[event["type"]] += 1
        if event["type"] == "parcel.offered.v1":
            self._start(self._handle(event["data"]))
        elif event["type"] == "parcel.withdrawn.v1":
            self._withdrawn.add(event["data"]["parcel"])
        elif event["type"] == "reply.refused.v1":
            print(f"{self.location}: {event['data']['code']} for {event['data']['parcel']}: {event['data']['remedy']}")

    async def _handle(self, offer: dict[str, Any]) -> None:
        """Decide about one parcel and see it through. The same seed decides the same way."""
        chance = random.Random(f"{self._seed}:{offer['parcel']}")
        wants = self._behaviour
        if chance.random() < wants["silent_rate"]:
            return
        await self._pause(chance, "accept_s")
        if chance.random() < wants["reject_rate"]:
            self._say(offer, "rejected", reason=chance.choice(wants["reject_reasons"]))
            return
        if len(offer["items"]) > 1 and chance.random() < wants["reject_line_rate"]:
            line = chance.choice(offer["items"])["line"]
            self._say(offer, "rejected", reason=chance.choice(wants["reject_reasons"]), lines=[line])
        else:
            self._say(offer, "accepted")
        for kind, pause in (("packed", "pack_s"), ("shipped", "ship_s"), ("delivered", "deliver_s")):
            await self._pause(chance, pause)
            if offer["parcel"] in self._withdrawn:
                return
            more = {"tracking": f"SBX{chance.randrange(10**10):010d}"} if kind == "shipped" else {}
            self._say(offer, kind, **more)

    async def _pause(self, chance: random.Random, name: str) -> None:
        least, most = self._behaviour[name]
        await asyncio.sleep(chance.uniform(least, most))

    def _say(self, offer: dict[str, Any], kind: str, **more: Any) -> None:
        self.counts[kind] += 1
        reply = {"id": f"{offer['parcel']}:{kind}", "parcel": offer["parcel"], "kind": kind, **more}
        self._outgoing.append(reply)

    async def _answer(self) -> None:
        """Send what has gathered, up to 500 replies in one event; the bus keeps it once even if it is sent twice."""
        while True:
            await asyncio.sleep(self._behaviour["group_s"])
            while self._outgoing:
                replies, self._outgoing = self._outgoing[:500], self._outgoing[500:]
                event = {
                    "specversion": "1.0",
                    "id": str(uuid.uuid4()),
                    "source": self.location,
                    "type": "parcel.replies.v1",
                    "data": {"replies": replies},
                }
                await self._send(event)

    async def _send(self, event: dict[str, Any]) -> None:
        body = json.dumps(event).encode()
        while True:
            try:
                await self._jetstream.publish(
                    f"reply.v1.{self.location}", body, timeout=5, headers={"Nats-Msg-Id": event["id"]}
                )
                return
            except Exception as error:
                print(f"{self.location}: not sent yet, trying again: {error}")
                await asyncio.sleep(1)

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def everybody(jetstream: JetStreamContext) -> list[str]:
    """All locations that have a consumer. For trials on one machine; a real store knows its own name."""
    names: list[str] = []
    while True:
        page = await jetstream.consumers_info(STREAM, offset=len(names))
        names += [info.name for info in page]
        if not page:
            return sorted(name.removeprefix("p-") for name in names if name.startswith("p-") and name != "p-retailer")


async def run(options: argparse.Namespace) -> None:
    behaviour = json.loads(Path(options.behaviour).read_text()) if options.behaviour else {}
    client = await nats.connect(options.nats, name="store-agent", max_reconnect_attempts=-1)
    jetstream = client.jetstream()
    locations = await everybody(jetstream) if options.all else options.locations.split(",")
    stores = [Store(location, behaviour, options.seed, jetstream) for location in locations]
    following = asyncio.gather(*(store.follow() for store in stores))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, following.cancel)
    print(f"following {len(stores)} locations", flush=True)
    try:
        await following
    except asyncio.CancelledError:
        pass
    await client.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nats", required=True, help="address of the event bus")
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--locations", help="comma-separated location ids")
    who.add_argument("--all", action="store_true", help="every location that is registered")
    parser.add_argument("--behaviour", help="JSON file, see above")
    parser.add_argument("--seed", type=int, default=7)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
