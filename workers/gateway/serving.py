"""The HTTP server: uvicorn, with a bound on connections and on the size and the time of a request's head."""

import asyncio
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from contracts.refusals import Refusal
from workers.gateway.answers import PROBLEM, to_json
from workers.gateway.limits import Limits
from workers.gateway.problems import problem

_DRAIN_S = 10
_KEEP_ALIVE_S = 65
CONNECTION = "tongqu.connection"
"""In the scope of every request: its BoundedHttp."""


def config(app: FastAPI, limits: Limits, *, proxies: str | None = None, **more: Any) -> uvicorn.Config:
    """`proxies`: addresses of those whose word counts about where a request comes from. Nobody's does by default: else
    whoever reaches the gateway itself could name any address (X-Forwarded-For), and rates are kept by address."""
    return uvicorn.Config(
        app,
        # A class by its type, but all that is asked of it is to make a protocol.
        http=partial(BoundedHttp, limits),  # type: ignore[arg-type]
        access_log=False,
        server_header=False,
        log_config=None,
        proxy_headers=proxies is not None,
        forwarded_allow_ips=proxies or "",
        timeout_graceful_shutdown=_DRAIN_S,
        timeout_keep_alive=_KEEP_ALIVE_S,
        **more,
    )


class BoundedHttp(HttpToolsProtocol):
    """One connection. Who opens it and says nothing, or never ends what it begins, is cut off."""

    def __init__(self, limits: Limits, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._limits = limits
        self._head_ends: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self.on_leaving: Callable[[], None] | None = None
        """What an answer without an end is told when the server shuts down, so that it ends."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections:
            self._cut(_crowded(len(self.connections)))
        else:
            self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._head_ends is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_ends is not None and self._head_bytes > self._limits.head_bytes:
            self._cut(_too_long(self._limits.head_bytes))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[CONNECTION] = self  # type: ignore[literal-required]  # a key of ours
        if self._head_ends is None:
            self._begin_head()

    def on_headers_complete(self) -> None:
        self._end_head()
        super().on_headers_complete()

    def shutdown(self) -> None:
        super().shutdown()
        if self.on_leaving is not None:
            self.on_leaving()

    def abort(self) -> None:
        """Cut the connection, whatever waits to be read from it."""
        self.transport.abort()

    def timeout_keep_alive_handler(self) -> None:
        """Who has not even read its answer by now is not waited for."""
        self.transport.abort()

    def _begin_head(self) -> None:
        self._head_bytes = 0
        self._head_ends = self.loop.call_later(self._limits.head_within_s, self._cut, _late(self._limits.head_within_s))

    def _end_head(self) -> None:
        if self._head_ends is not None:
            self._head_ends.cancel()
            self._head_ends = None

    def _cut(self, refusal: Refusal) -> None:
        self._end_head()
        if self.transport.is_closing():
            return
        body = to_json(problem(refusal))
        first = f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}"
        head = [f"content-type: {PROBLEM}", f"content-length: {len(body)}", "connection: close"]
        if "retry_after" in refusal.extra:
            head.append(f"retry-after: {refusal.extra['retry_after']}")
        self.transport.write("\r\n".join([first, *head, "", ""]).encode() + body)
        self.transport.close()


def _crowded(connections: int) -> Refusal:
    remedy = "Use fewer connections, and come again after the seconds that Retry-After names."
    return Refusal("too_many_connections", f"{connections} are open.", remedy=remedy, status=503, retry_after=2)


def _too_long(most: int) -> Refusal:
    detail = f"The request's head is larger than {most} bytes."
    return Refusal("head_too_large", detail, remedy="Send fewer or shorter headers.", status=431)


def _late(seconds: float) -> Refusal:
    detail = f"No request came within {seconds:g} s."
    return Refusal("head_too_slow", detail, remedy="Send the request in one go.", status=408)
