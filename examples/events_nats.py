"""A partner's events over NATS JetStream, with the credentials that it was given.

Copy it. It needs nothing but `nats-py` and `nkeys`. Your stream has a durable consumer `p-<stream>` on EVENTS, which
was made for you: bind to it, never make one. Your inbox is private and must be named: `_INBOX_<partner>`. Every event
is written to a SQLite file before it is acknowledged; it comes again until it is. Events are numbered for you
(`sequence`): a number that is known is the same event again, and one that is left out means that something is missing:
then the consumer is set back, over HTTP, to the first number that is.

    python examples/events_nats.py --nats nats://127.0.0.1:4222 --creds partner.creds --partner shop-1 \\
        --journal events.sqlite --gateway http://127.0.0.1:8000          # TONGQU_KEY for replays
    python examples/events_nats.py … --replay-from 17

`--stream` names one of your locations; without it you hear the stream of your own id. `--until N` ends at number N.
"""

import argparse
import asyncio
import json
import os
import random
import sqlite3
import sys
import urllib.parse
import urllib.request
from typing import Any

import nats
from nats.aio.client import Client
from nats.errors import TimeoutError as NothingThere

STREAM = "EVENTS"
PULL_S = (5.0, 10.0)
"""How long to wait for an event before asking again, by chance: else all who connected together would ask together."""
Event = dict[str, Any]


class Gap(Exception):
    """An event came whose number does not follow. `first` is the first that is missing."""

    def __init__(self, first: int, came: int) -> None:
        super().__init__(f"{first} is missing: {came} came")
        self.first = first


class Journal:
    """What was heard, in a SQLite file. Do your own work in the same transaction, and each event counts once."""

    def __init__(self, path: str) -> None:
        self._sql = sqlite3.connect(path, isolation_level=None)
        self._sql.execute("PRAGMA journal_mode = WAL")
        self._sql.execute("CREATE TABLE IF NOT EXISTS events (sequence INTEGER PRIMARY KEY, id TEXT, body TEXT)")

    @property
    def last(self) -> int | None:
        """The highest number; None before the first event."""
        found: tuple[int | None] = self._sql.execute("SELECT max(sequence) FROM events").fetchone()
        return found[0]

    def take(self, event: Event) -> bool:
        """Whether it is new. Raises Gap."""
        number, last = int(event["sequence"]), self.last
        if last is not None and number > last + 1:
            raise Gap(last + 1, number)
        row = (number, event["id"], json.dumps(event))
        return self._sql.execute("INSERT OR IGNORE INTO events VALUES (?, ?, ?)", row).rowcount > 0

    def forget_from(self, number: int) -> None:
        """Before a replay: what comes from this number on is new again."""
        self._sql.execute("DELETE FROM events WHERE sequence >= ?", (number,))


def replay(gateway: str, stream: str, number: int) -> None:
    """Have the consumer give everything from this number on again. Raises urllib's errors."""
    address = f"{gateway.rstrip('/')}/v1/partner/events/replay?{urllib.parse.urlencode({'stream': stream})}"
    headers = {"Authorization": f"Bearer {os.environ['TONGQU_KEY']}", "Content-Type": "application/json"}
    asked = urllib.request.Request(address, data=json.dumps({"from": number}).encode(), headers=headers)
    with urllib.request.urlopen(asked, timeout=30):
        pass


async def follow(client: Client, stream: str, journal: Journal, gateway: str | None, until: int | None) -> None:
    """Hear, write down, acknowledge."""
    inbox = await client.jetstream().pull_subscribe_bind(durable=f"p-{stream}", stream=STREAM)
    while until is None or (journal.last or 0) < until:
        try:
            messages = await inbox.fetch(1, timeout=random.uniform(*PULL_S))
        except (NothingThere, TimeoutError):
            continue
        messages.sort(key=lambda message: message.metadata.sequence.stream)
        for message in messages:
            event = json.loads(message.data)
            try:
                if journal.take(event):
                    print(f"{event['sequence']} {event['type']} {event['subject']}", flush=True)
            except Gap as gap:
                print(f"{gap}: asking for it again", flush=True)
                if gateway is None:
                    sys.exit("say --gateway, so that the consumer can be set back")
                await asyncio.to_thread(replay, gateway, stream, gap.first)
                break
            await message.ack()
    await client.flush()


async def run(options: argparse.Namespace) -> None:
    stream, journal = options.stream or options.partner, Journal(options.journal)
    if options.replay_from is not None:
        journal.forget_from(options.replay_from)
        await asyncio.to_thread(replay, options.gateway, stream, options.replay_from)
    client = await nats.connect(
        options.nats,
        user_credentials=options.creds,
        inbox_prefix=f"_INBOX_{options.partner}",
        name=f"events of {stream}",
        max_reconnect_attempts=-1,
    )
    try:
        await follow(client, stream, journal, options.gateway, options.until)
    finally:
        await client.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nats", required=True, help="address of the event bus")
    parser.add_argument("--creds", required=True, help="file with your credentials")
    parser.add_argument("--partner", required=True, help="your id")
    parser.add_argument("--stream", help="one of your locations")
    parser.add_argument("--journal", required=True, help="SQLite file of what was heard")
    parser.add_argument("--gateway", help="address of the HTTP API, for replays")
    parser.add_argument("--replay-from", type=int, help="hear everything from this number on again")
    parser.add_argument("--until", type=int, help="end at this number")
    try:
        asyncio.run(run(parser.parse_args()))
    except nats.errors.Error as error:
        ended = isinstance(error, nats.errors.ConnectionClosedError) or "authorization" in str(error).lower()
        if not ended:
            raise
        sys.exit(
            f"{error}: the credentials do not count. They were replaced or taken back, have run out, or are not the"
            " partner's: ask the retailer, or whoever of you has the new ones."
        )


if __name__ == "__main__":
    main()
