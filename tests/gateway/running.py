"""Runs a gateway in this process on a free port, and calls it over HTTP."""

import asyncio
import contextlib
import socket
import uuid
from collections.abc import AsyncIterator, Generator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
import uvicorn
from fastapi import FastAPI

from infra.settings import Settings
from workers.gateway.app import create_app, limits_of
from workers.gateway.limits import Limits
from workers.gateway.services import Gateway
from workers.gateway.serving import config


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Signals are the test runner's."""
        yield


@dataclass(frozen=True)
class Answered:
    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def code(self) -> str:
        """The code of a problem. Fails for what is no problem document."""
        assert self.headers["Content-Type"] == "application/problem+json", self
        assert self.body["status"] == self.status
        assert self.body["type"] == "urn:tongqu:problem:" + self.body["code"].replace("_", "-")
        assert self.body["remedy"], self
        return str(self.body["code"])

    @property
    def faults(self) -> dict[str, str]:
        """Codes by field."""
        return {error["field"]: error["code"] for error in self.body["errors"]}


class Api:
    """Calls with a key. `gateway` is what the app works with, `app` the app itself."""

    def __init__(self, url: str, key: str, session: aiohttp.ClientSession, app: FastAPI) -> None:
        self.url = url
        self.key = key
        self.app = app
        self._session = session

    @property
    def gateway(self) -> Gateway:
        gateway: Gateway = self.app.state.gateway
        return gateway

    def with_key(self, key: str) -> "Api":
        return Api(self.url, key, self._session, self.app)

    async def call(
        self, method: str, path: str, body: Any = None, *, data: Any = None, status: int | None = None, **headers: str
    ) -> Answered:
        """`body` is sent as JSON, `data` as it is. Header names with _ for -; an empty one is left out."""
        sent = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = orjson.dumps(body) if body is not None else data
        async with self._session.request(
            method, self.url + path, data=content, headers={n: v for n, v in sent.items() if v}
        ) as answer:
            raw = await answer.read()
            is_json = "json" in answer.headers.get("Content-Type", "")
            answered = Answered(
                answer.status, answer.headers.copy(), orjson.loads(raw) if is_json else raw.decode(errors="replace")
            )
        assert status in (None, answered.status), answered
        return answered

    async def get(self, path: str, **more: Any) -> Answered:
        return await self.call("GET", path, **more)

    async def post(self, path: str, body: Any = None, **more: Any) -> Answered:
        return await self.call("POST", path, body, **more)

    async def put(self, path: str, body: Any = None, **more: Any) -> Answered:
        return await self.call("PUT", path, body, **more)

    async def place(self, **changes: Any) -> dict[str, Any]:
        """Place an order that is accepted, and return it."""
        answer = await self.post("/v1/orders", order(**changes), status=202)
        placed: dict[str, Any] = answer.body
        return placed


def order(*lines: tuple[str, int], price: int = 100, **changes: Any) -> dict[str, Any]:
    """An order as JSON; lines as (SKU, units), by default one of tea."""
    made: list[dict[str, Any]] = [
        {"line": number + 1, "sku": sku, "quantity": units, "unit_price": price}
        for number, (sku, units) in enumerate(lines or [("tea", 1)])
    ]
    fields: dict[str, Any] = {
        "lines": made,
        "total": sum(line["quantity"] * line["unit_price"] for line in made),
        "ship_to": {"division": "330106", "point": {"lat": 30.0, "lon": 120.0, "datum": "WGS84"}},
    }
    return {**fields, **changes}


def fresh(prefix: str) -> str:
    """An id that nobody else uses."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


@asynccontextmanager
async def running(settings: Settings, key: str, limits: Limits | None = None) -> AsyncIterator[Api]:
    limits = limits or limits_of(settings)
    app = create_app(settings, limits)
    listening = socket.create_server(("127.0.0.1", 0))
    server = _Server(config(app, limits, log_level="warning"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200)) as session:
        while not server.started:
            assert not serving.done(), "the gateway did not start"
            await asyncio.sleep(0.01)
        try:
            yield Api(f"http://127.0.0.1:{listening.getsockname()[1]}", key, session, app)
        finally:
            server.should_exit = True
            await serving
