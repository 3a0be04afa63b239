"""`python -m tests.chaos.partner`: partners that write down every event they get before they acknowledge it.

The stores are the example store agent; the retailer only listens. What was heard lies in a SQLite file.
"""

import argparse
import asyncio
import json
import signal
import sqlite3
import time
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import nats
from nats.js import JetStreamContext

from contracts.subjects import RETAILER
from examples.store_agent import Memory, Store, everybody

SCHEMA = """
CREATE TABLE IF NOT EXISTS heard (
    partner TEXT, number INTEGER, event TEXT, type TEXT, subject TEXT, digest BLOB, at REAL, times INTEGER,
    PRIMARY KEY (partner, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS contradicted (partner TEXT, number INTEGER, known TEXT, event TEXT);
"""
_HEARD = """
INSERT INTO heard VALUES (?, ?, ?, ?, ?, ?, ?, 1)
ON CONFLICT (partner, number) DO UPDATE SET times = times + 1 WHERE event = excluded.event AND digest = excluded.digest
"""


class Book(Memory):
    """A partner's memory that also holds every event by its number."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._sql.executescript(SCHEMA)

    def write_down(self, partner: str, event: Mapping[str, Any]) -> bool:
        """False when the same number was heard with something else in it, which is kept as a contradiction."""
        number, digest = int(event["sequence"]), blake2b(json.dumps(event, sort_keys=True).encode(), digest_size=16)
        row = (partner, number, event["id"], event["type"], event["subject"], digest.digest(), time.time())
        if self._sql.execute(_HEARD, row).rowcount:
            return True
        known = "SELECT event FROM heard WHERE partner = ? AND number = ?"
        [(before,)] = self._sql.execute(known, (partner, number))
        self._sql.execute("INSERT INTO contradicted VALUES (?, ?, ?, ?)", (partner, number, before, event["id"]))
        return False


class WritingStore(Store):
    """The example's store, with its events written down in the transaction in which it takes them in."""

    def __init__(self, location: str, behaviour: dict[str, Any], seed: int, js: JetStreamContext, book: Book) -> None:
        super().__init__(location, behaviour, seed, js, book)
        self._book = book

    def hear(self, event: dict[str, Any]) -> None:
        if self._book.write_down(self.location, event):
            super().hear(event)


class WritingRetailer(WritingStore):
    """Hears about orders, and has nothing to answer."""

    def hear(self, event: dict[str, Any]) -> None:
        self._book.write_down(self.location, event)


async def run(options: argparse.Namespace) -> None:
    behaviour = json.loads(options.behaviour.read_text()) if options.behaviour else {}
    client = await nats.connect(
        options.nats,
        name=f"chaos-{options.who}",
        user_credentials=options.creds,
        inbox_prefix=options.inbox,
        max_reconnect_attempts=-1,
        connect_timeout=5,
    )
    jetstream = client.jetstream()
    book = Book(options.book)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    names = await everybody(jetstream) if options.who == "stores" else [RETAILER]
    kind = WritingStore if options.who == "stores" else WritingRetailer
    stores = [kind(name, behaviour, options.seed, jetstream, book) for name in names]
    following = [asyncio.create_task(store.follow()) for store in stores]
    stopping = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([stopping, *following], return_when=asyncio.FIRST_COMPLETED)
    for task in done - {stopping}:
        task.result()
    for task in following:
        task.cancel()
    await client.close()


def heard(path: Path) -> sqlite3.Connection:
    """The book of partners that have ended, or go on writing: opened to be read only."""
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nats", required=True)
    parser.add_argument("--creds", required=True)
    parser.add_argument("--inbox", required=True)
    parser.add_argument("--who", choices=("stores", "retailer"), required=True)
    parser.add_argument("--book", type=Path, required=True)
    parser.add_argument("--behaviour", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
