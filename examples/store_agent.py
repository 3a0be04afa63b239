"""A store as an outside program: follows its event stream over NATS and answers what it is asked.

Copy it. It needs nothing but `nats-py`: each location has a durable consumer `p-<location>` on the stream EVENTS, and
answers on `reply.v1.<location>`. An offer is written to a file before it is acknowledged, so that a store that is
stopped or killed goes on with its parcels when it starts again. Events and answers may come twice (same `id`).
An offer with a `service` is packed when its label has come; it is the carrier that reports such a parcel as delivered.

    python examples/store_agent.py --nats nats://127.0.0.1:4222 --creds acme.creds --inbox _INBOX_acme \
        --locations store-hangzhou-1,store-wuhan-2
    python examples/store_agent.py --nats nats://127.0.0.1:4222 --creds trial.creds --inbox _INBOX_trial --all

The credentials of a partner allow its own streams, and an inbox of its own: `_INBOX_` and the partner's id.

Behaviour, as JSON (all keys optional; seconds as [least, most]; rates from 0 to 1; per location under "stores"):

    {"accept_s": [0.2, 2], "ship_s": [0.2, 2], "deliver_s": [0.2, 2], "reject_rate": 0.03, "silent_rate": 0.01,
     "reject_reasons": ["out_of_stock", "too_busy"], "stores": {"store-wuhan-2": {"silent_rate": 1}}}
"""

import argparse
import asyncio
import json
import random
import signal
import sqlite3
import time
import uuid
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

import nats
from nats.errors import TimeoutError as NothingThere
from nats.js import JetStreamContext

STREAM = "EVENTS"
PULL_S = (5.0, 10.0)
"""How long to wait for an event before asking again, by chance: else all who connected together would ask together."""
LOOK_EVERY_S = 10.0
"""How often new locations are looked for, and whether all are still followed."""
LOOK_FOR_LABEL_S = 0.1
KEPT_S = 86_400.0
CLOCKS_APART_S = 60.0
"""Most that this machine's clock may be ahead of the bus's."""
Reply = dict[str, Any]
DEFAULTS: dict[str, Any] = {
    "accept_s": [0.2, 2.0],
    "pack_s": [0.2, 1.0],
    "ship_s": [0.2, 2.0],
    "deliver_s": [0.2, 2.0],
    "label_s": 20.0,
    "reject_rate": 0.0,
    "reject_line_rate": 0.0,
    "reject_reasons": ["out_of_stock"],
    "silent_rate": 0.0,
    "group_s": 0.3,
}


class Memory:
    """The parcels in a store's hands, in a SQLite file; without a file they are forgotten at the end."""

    def __init__(self, path: str) -> None:
        self._sql = sqlite3.connect(path, isolation_level=None)
        self._sql.execute("PRAGMA journal_mode = WAL")
        self._sql.execute("PRAGMA synchronous = NORMAL")
        self._sql.execute("CREATE TABLE IF NOT EXISTS offers (parcel TEXT PRIMARY KEY, location TEXT, offer TEXT)")
        self._sql.execute("CREATE TABLE IF NOT EXISTS labels (parcel TEXT PRIMARY KEY, used INTEGER)")
        self._sql.execute("CREATE TABLE IF NOT EXISTS said (id TEXT PRIMARY KEY, location TEXT, at REAL, reply TEXT)")
        self._sql.execute("CREATE INDEX IF NOT EXISTS said_at ON said (at)")

    def __enter__(self) -> None:
        self._sql.execute("BEGIN")

    def __exit__(self, *_: object) -> None:
        self._sql.execute("COMMIT")

    def keep(self, location: str, offer: dict[str, Any]) -> bool:
        """Whether the offer is new."""
        row = (offer["parcel"], location, json.dumps(offer))
        return self._sql.execute("INSERT OR IGNORE INTO offers VALUES (?, ?, ?)", row).rowcount > 0

    def label(self, parcel: str) -> None:
        """A carrier's label lies ready for the parcel, unless it goes without one already."""
        self._sql.execute("INSERT OR IGNORE INTO labels VALUES (?, 1)", (parcel,))

    def go_without(self, parcel: str) -> None:
        """The store sends the parcel in its own way; a label that comes now is too late."""
        self._sql.execute("INSERT OR IGNORE INTO labels VALUES (?, 0)", (parcel,))

    def labelled(self, parcel: str) -> bool:
        return self._sql.execute("SELECT 1 FROM labels WHERE parcel = ? AND used", (parcel,)).fetchone() is not None

    def said(self, location: str, replies: list[Reply]) -> None:
        """Keep what was answered for a day: the bus may ask for it again."""
        now = time.time()
        rows = [(reply["id"], location, now, json.dumps(reply)) for reply in replies]
        with self:
            self._sql.executemany("INSERT OR REPLACE INTO said VALUES (?, ?, ?, ?)", rows)
            self._sql.execute("DELETE FROM said WHERE at < ?", (now - KEPT_S,))

    def said_since(self, location: str, at: float) -> list[Reply]:
        found = "SELECT reply FROM said WHERE location = ? AND at >= ? ORDER BY at, rowid"
        return [json.loads(reply) for (reply,) in self._sql.execute(found, (location, at))]

    def finish(self, parcel: str) -> None:
        """Nothing is left to do. The id stays, so that the same offer is not taken twice."""
        self._sql.execute("UPDATE offers SET offer = NULL WHERE parcel = ?", (parcel,))

    def unfinished(self, location: str) -> list[dict[str, Any]]:
        found = "SELECT offer FROM offers WHERE location = ? AND offer IS NOT NULL"
        return [json.loads(offer) for (offer,) in self._sql.execute(found, (location,))]


class Store:
    """One location: reads offers, decides by its behaviour, and answers in small groups."""

    def __init__(
        self, location: str, behaviour: dict[str, Any], seed: int, jetstream: JetStreamContext, memory: Memory
    ) -> None:
        self.location = location
        self._behaviour = {**DEFAULTS, **behaviour, **behaviour.get("stores", {}).get(location, {})}
        self._seed = seed
        self._jetstream = jetstream
        self._memory = memory
        self._withdrawn: set[str] = set()
        self._outgoing: list[Reply] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.counts: dict[str, int] = defaultdict(int)

    async def follow(self) -> None:
        """Read the stream from where this store last stopped, for ever."""
        inbox = await self._jetstream.pull_subscribe_bind(durable=f"p-{self.location}", stream=STREAM)
        self._start(self._answer())
        for offer in self._memory.unfinished(self.location):
            self._start(self._handle(offer))
        while True:
            try:
                messages = await inbox.fetch(1, timeout=random.uniform(*PULL_S))
            except (NothingThere, TimeoutError):
                continue
            with self._memory:
                for message in messages:
                    self.hear(json.loads(message.data))
            for message in messages:
                await message.ack()

    def hear(self, event: dict[str, Any]) -> None:
        """Take in one event. The same offer twice is taken once."""
        self.counts[event["type"]] += 1
        if event["type"] == "parcel.offered.v1":
            if self._memory.keep(self.location, event["data"]):
                self._start(self._handle(event["data"]))
        elif event["type"] == "parcel.cancellation_requested.v1":
            self._say(event["data"], "cancellation_accepted")
        elif event["type"] == "parcel.withdrawn.v1":
            self._withdrawn.add(event["data"]["parcel"])
            self._memory.finish(event["data"]["parcel"])
        elif event["type"] == "parcel.labelled.v1":
            self._memory.label(event["data"]["parcel"])
        elif event["type"] == "replies.again.v1":
            since = event["data"].get("since")
            at = datetime.fromisoformat(since).timestamp() - CLOCKS_APART_S if since else 0.0
            self._outgoing += self._memory.said_since(self.location, at)
        elif event["type"] == "reply.refused.v1":
            print(f"{self.location}: {event['data']['code']} for {event['data']['parcel']}: {event['data']['remedy']}")

    async def _handle(self, offer: dict[str, Any]) -> None:
        """Decide about one parcel and see it through. The same seed decides the same way."""
        chance = random.Random(f"{self._seed}:{offer['parcel']}")
        wants = self._behaviour
        if chance.random() < wants["silent_rate"]:
            self._memory.finish(offer["parcel"])
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
            if kind == "packed" and offer.get("service"):
                await self._label(offer["parcel"])
            if kind == "shipped":
                self._memory.go_without(offer["parcel"])
            carried = self._memory.labelled(offer["parcel"])
            if carried and kind == "delivered":
                # Its carrier reports that, to whoever booked it.
                self._memory.finish(offer["parcel"])
                return
            own_number = {"tracking": f"SBX{chance.randrange(10**10):010d}"}
            self._say(offer, kind, **(own_number if kind == "shipped" and not carried else {}))

    async def _label(self, parcel: str) -> None:
        """Wait for the carrier's label a while; a store that waits in vain ships in its own way."""
        for _ in range(int(self._behaviour["label_s"] / LOOK_FOR_LABEL_S)):
            if self._memory.labelled(parcel) or parcel in self._withdrawn:
                return
            await asyncio.sleep(LOOK_FOR_LABEL_S)

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
                self._memory.said(self.location, replies)
                for reply in replies:
                    if reply["kind"] == "delivered" or (reply["kind"] == "rejected" and "lines" not in reply):
                        self._memory.finish(reply["parcel"])

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
    """All locations that have a consumer, but for those of partners that have applied: these hear for themselves, and
    what was acknowledged for them they would never get. For trials on one machine; a real store knows its own name."""
    names: list[str] = []
    while True:
        page = await jetstream.consumers_info(STREAM, offset=len(names))
        names += [info.name for info in page]
        if not page:
            mine = [name.removeprefix("p-") for name in names if name.startswith("p-")]
            return sorted(name for name in mine if name != "retailer" and not name.startswith("partner-"))


async def run(options: argparse.Namespace) -> None:
    behaviour = json.loads(Path(options.behaviour).read_text()) if options.behaviour else {}
    client = await nats.connect(
        options.nats,
        name="store-agent",
        user_credentials=options.creds,
        inbox_prefix=options.inbox,
        max_reconnect_attempts=-1,
    )
    jetstream = client.jetstream()
    memory = Memory(options.memory)
    following: dict[str, asyncio.Task[None]] = {}
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    while not stop.is_set():
        locations = await everybody(jetstream) if options.all else options.locations.split(",")
        for location in locations:
            if location not in following:
                store = Store(location, behaviour, options.seed, jetstream, memory)
                following[location] = asyncio.create_task(store.follow())
        print(f"following {len(following)} locations", flush=True)
        for task in following.values():
            if task.done():
                task.result()
        try:
            await asyncio.wait_for(stop.wait(), LOOK_EVERY_S)
        except TimeoutError:
            continue
    for task in following.values():
        task.cancel()
    await client.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nats", required=True, help="address of the event bus")
    parser.add_argument("--creds", required=True, help="file with the credentials that you were given")
    parser.add_argument("--inbox", required=True, help="prefix of the inbox that they allow")
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--locations", help="comma-separated location ids")
    who.add_argument("--all", action="store_true", help="every location that is registered")
    parser.add_argument("--behaviour", help="JSON file, see above")
    parser.add_argument("--memory", default=":memory:", help="SQLite file for the parcels in hand")
    parser.add_argument("--seed", type=int, default=7)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
