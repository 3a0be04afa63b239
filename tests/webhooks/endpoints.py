"""An endpoint as a partner would run it: looks at every signature, and answers as it is told."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

Answering = Callable[["Received"], Awaitable[int | web.Response]]


@dataclass
class Received:
    number: int
    message: str
    event: dict[str, Any]
    headers: dict[str, str]


@dataclass
class Endpoint:
    """`received` is what came with a good signature, in order; `forged` counts the rest."""

    url: str
    secrets: list[str] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    forged: int = 0
    at_once: int = 0
    at_once_most: int = 0
    answering: Answering | None = None

    @property
    def numbers(self) -> list[int]:
        return [one.number for one in self.received]

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            for secret in self.secrets:
                Verifier(secret).verify(body, headers)
        except WebhookVerificationError:
            self.forged += 1
            return web.Response(status=400)
        event = orjson.loads(body)
        one = Received(int(event["sequence"]), headers["webhook-id"], event, headers)
        self.received.append(one)
        self.at_once += 1
        self.at_once_most = max(self.at_once, self.at_once_most)
        try:
            answer = await self.answering(one) if self.answering else 204
        finally:
            self.at_once -= 1
        if isinstance(answer, int):
            if 200 <= answer < 300:
                self.taken.append(one.number)
            return web.Response(status=answer)
        return answer


@asynccontextmanager
async def endpoint(answering: Answering | None = None) -> AsyncIterator[Endpoint]:
    listening = socket.create_server(("127.0.0.1", 0))
    made = Endpoint(f"http://127.0.0.1:{listening.getsockname()[1]}/hook", answering=answering)
    app = web.Application()
    app.router.add_post("/hook", made.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    try:
        yield made
    finally:
        await runner.cleanup()
