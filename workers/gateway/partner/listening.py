"""A call that stays open: it ends when its caller leaves, when its key is revoked, and when the gateway shuts down."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request

from contracts.refusals import Refusal
from infra.hearing import Hearing, Page
from workers.gateway.listeners import Listener
from workers.gateway.serving import CONNECTION, BoundedHttp


@asynccontextmanager
async def attended(request: Request, listener: Listener, bell: asyncio.Event) -> AsyncIterator[None]:
    """Within it the listener is ended when nobody is left to hear, and its bell is rung."""
    connection: BoundedHttp = request.scope[CONNECTION]
    listener.bell, connection.on_leaving = bell, listener.end
    watching = asyncio.create_task(_watch(request, listener))
    try:
        yield
    finally:
        listener.bell = connection.on_leaving = None
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


async def _watch(request: Request, listener: Listener) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    listener.end()


async def next_page(
    request: Request, hearing: Hearing, listener: Listener, stream: str, after: int, limit: int, within_s: float
) -> Page:
    """Wait until something follows `after`; an empty page when the time is over. Raises Gone, BusSilent, and Refusal
    when the key was revoked meanwhile."""
    clock = asyncio.get_running_loop()
    deadline = clock.time() + within_s
    async with hearing.waiting(stream) as bell, attended(request, listener, bell):
        while True:
            page = await hearing.read(stream, after, limit)
            left = deadline - clock.time()
            if page.events or listener.ended or left <= 0:
                break
            await hearing.wait(stream, bell, after, left)
    if listener.revoked:
        detail = "This API key was revoked while the call waited."
        raise Refusal("unknown_key", detail, remedy="Send a valid key.", status=401)
    return page
