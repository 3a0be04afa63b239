"""A partner's events over HTTP: pulled in pages, or heard as they happen (server-sent events).

Copy it. It needs nothing but Python. Every event is written to a SQLite file before it is acknowledged, so a program
that is stopped or killed goes on where it was. Events are numbered for you (`sequence`): a number that is known is the
same event again, and one that is left out means that something is missing, which is read again at once.

    export TONGQU_KEY=tq_…            # the key that you were given
    python examples/events_http.py pull   --gateway http://127.0.0.1:8000 --journal events.sqlite
    python examples/events_http.py stream --gateway http://127.0.0.1:8000 --journal events.sqlite
    python examples/events_http.py pull   --gateway … --journal events.sqlite --replay-from 17

`--stream` names one of your locations; without it you hear the stream of your own id. `--until N` ends at number N.
"""

import argparse
import json
import os
import sqlite3
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

PAGE = 100
WAIT_S = 20
PAUSE_S = 2.0
SILENT_S = 60.0
"""The gateway says something at least every 15 seconds; silence for longer means that the connection is dead."""
Event = dict[str, Any]


class Gap(Exception):
    """An event came whose number does not follow: read again behind the last one that is known."""


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
            raise Gap(f"after {last} came {number}")
        row = (number, event["id"], json.dumps(event))
        return self._sql.execute("INSERT OR IGNORE INTO events VALUES (?, ?, ?)", row).rowcount > 0

    def forget_from(self, number: int) -> None:
        """Before a replay: what comes from this number on is new again."""
        self._sql.execute("DELETE FROM events WHERE sequence >= ?", (number,))


class Gateway:
    """Calls with a key."""

    def __init__(self, url: str, key: str, stream: str | None) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._stream = {"stream": stream} if stream else {}

    def open(self, path: str, body: Any = None, timeout_s: float = SILENT_S, **query: Any) -> Any:
        """Raises urllib's errors."""
        query = {**self._stream, **{name: value for name, value in query.items() if value is not None}}
        address = f"{self._url}{path}?{urllib.parse.urlencode(query)}"
        content = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        asked = urllib.request.Request(address, data=content, headers=headers)
        return urllib.request.urlopen(asked, timeout=timeout_s)

    def call(self, path: str, body: Any = None, **query: Any) -> Any:
        with self.open(path, body, **query) as answer:
            return json.load(answer)

    def acknowledge(self, number: int) -> None:
        self.call("/v1/partner/events/ack", {"sequence": number})


def pulled(gateway: Gateway, after: int | None) -> Iterator[list[Event]]:
    """Pages behind a number, without end; without a number behind what was acknowledged."""
    while True:
        page = gateway.call("/v1/partner/events", after=after, limit=PAGE, wait_s=WAIT_S)
        after = page["next"]
        yield page["events"]


def streamed(gateway: Gateway, after: int | None) -> Iterator[list[Event]]:
    """Events behind a number as they happen, each by itself, until the connection ends."""
    with gateway.open("/v1/partner/events/stream", after=after) as answer:
        for line in answer:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            # `id` is the event's number and `event` its type, both of which the event itself has too.
            if name == "data":
                yield [json.loads(value)]


def follow(gateway: Gateway, journal: Journal, way: str, begin: int | None, until: int | None) -> None:
    """Hear, write down, acknowledge; after any trouble go on behind the last event that is written down.

    `begin`: the number behind which to begin while nothing is written down.
    """
    while until is None or (journal.last or 0) < until:
        try:
            for events in (pulled if way == "pull" else streamed)(
                gateway, begin if journal.last is None else journal.last
            ):
                for event in events:
                    if journal.take(event):
                        print(f"{event['sequence']} {event['type']} {event['subject']}", flush=True)
                if events and journal.last is not None:
                    gateway.acknowledge(journal.last)
                if until is not None and (journal.last or 0) >= until:
                    return
        except Gap as gap:
            print(f"{gap}: reading again", flush=True)
        except urllib.error.HTTPError as refused:
            problem = json.load(refused)
            print(f"{problem['code']}: {problem['detail']} {problem['remedy']}", flush=True)
            if refused.code in (401, 403, 410, 422):
                # Nothing gets better by itself. After 410 decide how to come by what is missing.
                sys.exit(1)
            time.sleep(float(refused.headers.get("Retry-After", PAUSE_S)))
        except (OSError, ValueError) as error:
            print(f"trying again in {PAUSE_S:g} s: {error}", flush=True)
            time.sleep(PAUSE_S)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("way", choices=("pull", "stream"))
    parser.add_argument("--gateway", required=True, help="address of the HTTP API")
    parser.add_argument("--journal", required=True, help="SQLite file of what was heard")
    parser.add_argument("--stream", help="one of your locations")
    parser.add_argument("--replay-from", type=int, help="hear everything from this number on again")
    parser.add_argument("--until", type=int, help="end at this number")
    options = parser.parse_args()
    journal = Journal(options.journal)
    begin = None
    if options.replay_from is not None:
        journal.forget_from(options.replay_from)
        begin = options.replay_from - 1
    gateway = Gateway(options.gateway, os.environ["TONGQU_KEY"], options.stream)
    follow(gateway, journal, options.way, begin, options.until)


if __name__ == "__main__":
    main()
