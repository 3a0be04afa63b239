"""Server-sent events (WHATWG HTML, section 9.2), one page in memory at a time, cut off when nobody reads them."""

import asyncio
import logging
from contextlib import ExitStack, nullcontext

from fastapi import Request, Response

from infra.hearing import BusSilent, Gone, Heard
from workers.gateway.listeners import Listener
from workers.gateway.metrics import Receive, Scope, Send
from workers.gateway.partner.listening import attended
from workers.gateway.services import Gateway
from workers.gateway.serving import CONNECTION, BoundedHttp

log = logging.getLogger(__name__)
_PAGE_EVENTS = 100
_PAGE_BYTES = 128 * 1024
_RETRY_MS = 2_000
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_COMMENT = b":\n\n"


class EventStream(Response):
    """`held` is closed when the stream has ended."""

    media_type = "text/event-stream"

    def __init__(
        self, request: Request, gateway: Gateway, listener: Listener, stream: str, after: int, held: ExitStack
    ) -> None:
        super().__init__(headers=_HEADERS)
        # The length of an answer without end is not known.
        self.raw_headers = [(name, value) for name, value in self.raw_headers if name != b"content-length"]
        self._request = request
        self._gateway = gateway
        self._listener = listener
        self._stream = stream
        self._after = after
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._held:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            try:
                await self._tell(send)
                await self._send(send, b"", more=False)
            except TimeoutError:
                log.info("a listener to %s does not read what it is told; cut off", self._stream)
                connection: BoundedHttp = scope[CONNECTION]
                connection.abort()

    async def _tell(self, send: Send) -> None:
        """Until the listener ends. It comes again behind what it has, so an end is no loss."""
        hearing, listener, stream = self._gateway.hearing, self._listener, self._stream
        clock, heartbeat_s = asyncio.get_running_loop(), self._gateway.limits.heartbeat_s
        await self._send(send, f"retry: {_RETRY_MS}\n\n".encode())
        last: Heard | None = None
        after, told_at, behind = self._after, clock.time(), True
        try:
            async with hearing.waiting(stream) as bell, attended(self._request, listener, bell):
                while not listener.ended:
                    # Many that catch up at once would else keep those waiting that are told what happens.
                    async with self._gateway.listeners.catching_up if behind else nullcontext():
                        page = await hearing.read(stream, after, _PAGE_EVENTS, last, most_bytes=_PAGE_BYTES)
                    behind = page.more
                    if page.last is not None:
                        await self._send(send, b"".join(map(_as_event, page.events)))
                        last, after, told_at = page.last, page.last.number, clock.time()
                    elif clock.time() - told_at >= heartbeat_s:
                        await self._send(send, _COMMENT)
                        told_at = clock.time()
                    if not page.more and not listener.ended:
                        await hearing.wait(stream, bell, after, told_at + heartbeat_s - clock.time())
        except (Gone, BusSilent) as error:
            log.info("the stream to a listener ends: %s", error)

    async def _send(self, send: Send, body: bytes, *, more: bool = True) -> None:
        """Raises TimeoutError when what was sent before is not read."""
        async with asyncio.timeout(self._gateway.limits.listener_stalled_s):
            await send({"type": "http.response.body", "body": body, "more_body": more})


def _as_event(event: Heard) -> bytes:
    """JSON has no line ends, so one line of data is enough."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.number, event.type.encode(), event.body)
