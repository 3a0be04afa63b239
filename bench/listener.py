"""The least of a partner's client: one connection, one consumer, every event taken and acknowledged.

Ten thousand of them fit into one process, which the client library's would not.
"""

import asyncio
import json
import random
import time
from collections.abc import Callable

from contracts.subjects import EVENTS, partner_consumer
from infra.nats_jwt import answer_to

PULL_S = (15.0, 30.0)
"""How long a request for events waits at the server, by chance: those who connected together, as after a restart of the
server, would else ask again together, for ever."""
_BATCH = 100
_DONE = (b"404", b"408", b"409")
"""Status with which the server ends a request."""

Heard = Callable[["Listener", bytes, bytes], None]
"""Told of every event: who heard it, its subject, its body."""


class Listener(asyncio.Protocol):
    """Connect with `loop.create_connection`; `ready` is done when events can come, `lost` when the connection ended."""

    def __init__(self, partner: str, inbox: str, creds: str, heard: Heard) -> None:
        loop = asyncio.get_running_loop()
        self.partner = partner
        self.ready: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[float] = loop.create_future()
        self.error = ""
        self._inbox = f"{inbox}.e".encode()
        self._ask = f"$JS.API.CONSUMER.MSG.NEXT.{EVENTS}.{partner_consumer(partner)}".encode()
        self._creds: str | None = creds
        self._heard = heard
        self._buffer = bytearray()
        self._left = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.lost.done():
            self.lost.set_result(time.monotonic())
        if not self.ready.done():
            self.ready.set_exception(ConnectionError(self.error or "the connection ended"))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            end = self._buffer.find(b"\r\n")
            if end < 0:
                return
            line = bytes(self._buffer[:end])
            if line.startswith((b"MSG ", b"HMSG ")):
                size = int(line.rsplit(b" ", 1)[1])
                if len(self._buffer) < end + size + 4:
                    return
                payload = bytes(self._buffer[end + 2 : end + 2 + size])
                del self._buffer[: end + size + 4]
                self._message(line.split(), payload)
            else:
                del self._buffer[: end + 2]
                self._control(line)

    def _send(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)

    def _control(self, line: bytes) -> None:
        if line == b"PING":
            self._send(b"PONG\r\n")
        elif line.startswith(b"INFO ") and self._creds is not None:
            options = {"verbose": False, "headers": True, "no_responders": True, "lang": "bench", "version": "1"}
            options |= answer_to(json.loads(line[5:])["nonce"], self._creds)
            self._creds = None
            self._send(b"CONNECT %s\r\nSUB %s 1\r\nPING\r\n" % (json.dumps(options).encode(), self._inbox))
            self._request()
        elif line == b"PONG" and not self.ready.done():
            self.ready.set_result(None)
        elif line.startswith(b"-ERR"):
            self.error = line.decode()

    def _request(self) -> None:
        self._left = _BATCH
        body = b'{"batch":%d,"expires":%d}' % (_BATCH, int(random.uniform(*PULL_S) * 1e9))
        self._send(b"PUB %s %s %d\r\n%s\r\n" % (self._ask, self._inbox, len(body), body))

    def _message(self, words: list[bytes], payload: bytes) -> None:
        headers = int(words[-2]) if words[0] == b"HMSG" else 0
        if headers and payload[8:12].strip() in _DONE:
            self._request()
            return
        body = payload[headers:]
        reply = words[3]
        self._heard(self, words[1], body)
        self._send(b"PUB %s 0\r\n\r\n" % reply)
        self._left -= 1
        if self._left == 0:
            self._request()
