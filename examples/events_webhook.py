"""A partner's events by webhook: a receiver that believes only what is signed, and nothing twice.

Copy it, and put it behind your TLS. It needs nothing but Python. Signatures are those of Standard Webhooks
(standardwebhooks.com): an HMAC over id, time and body. A request that is older than five minutes, or was seen before to
the last bit, is refused; an event that is known comes again under its old id, with a new time, and is answered 2xx
without being done again. 2xx is answered when the event is written to a SQLite file, and the next one comes after that.

    export TONGQU_KEY=tq_…            # the key that you were given
    python examples/events_webhook.py make --gateway http://… --url https://shop.example/tongqu > hook.json
    python examples/events_webhook.py serve --gateway http://… --hook hook.json --journal events.sqlite --port 8080
    python examples/events_webhook.py replay --gateway http://… --hook hook.json --journal events.sqlite --from 17

`--stream` names one of your locations (with `make`). An event whose number
does not follow means that something is missing: it is refused, and the webhook set back to the first number that is.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import sqlite3
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

TOLERANCE_S = 300
BODY_MAX = 1024 * 1024
Event = dict[str, Any]


class Refused(Exception):
    """A request that is not believed, or cannot be taken now. `status` is what it is answered."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class Gap(Exception):
    """An event came whose number does not follow. `first` is the first that is missing."""

    def __init__(self, first: int, came: int) -> None:
        super().__init__(f"{first} is missing: {came} came")
        self.first = first


class Journal:
    """What was heard, and which requests were seen, in a SQLite file."""

    def __init__(self, path: str) -> None:
        self._sql = sqlite3.connect(path, isolation_level=None)
        self._sql.execute("PRAGMA journal_mode = WAL")
        self._sql.execute("CREATE TABLE IF NOT EXISTS events (sequence INTEGER PRIMARY KEY, id TEXT, body TEXT)")
        self._sql.execute("CREATE TABLE IF NOT EXISTS seen (request TEXT PRIMARY KEY, at INTEGER)")

    @property
    def last(self) -> int | None:
        """The highest number; None before the first event."""
        found: tuple[int | None] = self._sql.execute("SELECT max(sequence) FROM events").fetchone()
        return found[0]

    def is_new(self, request: str, at: int) -> bool:
        """Whether this very request was never seen. Those that are too old to be believed are forgotten."""
        self._sql.execute("DELETE FROM seen WHERE at < ?", (int(time.time()) - 2 * TOLERANCE_S,))
        return self._sql.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (request, at)).rowcount > 0

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


def verified(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> tuple[str, int]:
    """A name for the request, and its time. Raises Refused. While a secret is changed there are two signatures, of
    which one must be good."""
    message, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not at.isdecimal() or abs(now - int(at)) > TOLERANCE_S:
        raise Refused(400, "The time is missing, or too far from now.")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.new(key, f"{message}.{at}.".encode() + body, hashlib.sha256).digest()
    good = "v1," + base64.b64encode(signed).decode()
    given = headers.get("webhook-signature", "").split(" ")
    if not any(hmac.compare_digest(good.encode(), one.encode()) for one in given):
        raise Refused(401, "No signature is good.")
    return f"{message}/{at}", int(at)


def call(gateway: str, method: str, path: str, body: Any = None) -> Any:
    """Raises Refused with the gateway's words, and urllib's errors where there is no answer."""
    headers = {"Authorization": f"Bearer {os.environ['TONGQU_KEY']}", "Content-Type": "application/json"}
    content = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(gateway.rstrip("/") + path, data=content, headers=headers, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        problem = json.load(error)
        raise Refused(error.code, f"{problem['detail']} {problem['remedy']}") from None


class Receiver:
    """Takes one request at a time, which is how they come."""

    def __init__(self, hook: Mapping[str, str], journal: Journal, gateway: str | None) -> None:
        self._hook = hook
        self._journal = journal
        self._gateway = gateway

    def take(self, headers: Mapping[str, str], body: bytes) -> None:
        """Raises Refused."""
        request, at = verified(self._hook["secret"], headers, body, time.time())
        if not self._journal.is_new(request, at):
            raise Refused(409, "This request was seen before.")
        event = json.loads(body)
        try:
            if self._journal.take(event):
                print(f"{event['sequence']} {event['type']} {event['subject']}", flush=True)
        except Gap as gap:
            print(f"{gap}: asking for it again", flush=True)
            if self._gateway is not None:
                call(self._gateway, "POST", f"/v1/partner/webhooks/{self._hook['id']}/replay", {"from": gap.first})
            raise Refused(503, str(gap)) from gap


def serve(receiver: Receiver, host: str, port: int) -> None:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_POST(self) -> None:  # as http.server has it
            try:
                length = int(self.headers.get("Content-Length", "0"))
                if not 0 < length <= BODY_MAX:
                    raise Refused(413, "The body is missing, or too large.")
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.take(headers, self.rfile.read(length))
                self._answer(204, "")
            except Refused as refused:
                self._answer(refused.status, str(refused))

        def _answer(self, status: int, words: str) -> None:
            self.close_connection = True
            self.send_response(status)
            self.send_header("Content-Length", str(len(words.encode())))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(words.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing of every request."""

    with HTTPServer((host, port), Handler) as server:
        print(f"listening on {server.server_address[1]}", flush=True)
        server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("make", "serve", "replay"))
    parser.add_argument("--gateway", help="address of the HTTP API")
    parser.add_argument("--url", help="where your events shall be sent")
    parser.add_argument("--stream", help="one of your locations")
    parser.add_argument("--after", type=int, help="with make: send what follows this number")
    parser.add_argument("--hook", help="JSON file that `make` has printed")
    parser.add_argument("--journal", help="SQLite file of what was heard")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--from", dest="begin", type=int, help="hear everything from this number on again")
    options = parser.parse_args()
    if options.what == "make":
        query = "?" + urllib.parse.urlencode({"stream": options.stream}) if options.stream else ""
        body = {"url": options.url} | ({} if options.after is None else {"after": options.after})
        print(json.dumps(call(options.gateway, "POST", f"/v1/partner/webhooks{query}", body)))
        return
    hook, journal = json.loads(Path(options.hook).read_text()), Journal(options.journal)
    if options.what == "replay":
        journal.forget_from(options.begin)
        call(options.gateway, "POST", f"/v1/partner/webhooks/{hook['id']}/replay", {"from": options.begin})
    else:
        serve(Receiver(hook, journal, options.gateway), options.host, options.port)


if __name__ == "__main__":
    try:
        main()
    except Refused as refused:
        sys.exit(str(refused))
