"""A client of the HTTP API, as a shop would write one: bulk requests, and patience when the system is busy."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

ORDERS_PER_REQUEST = 200
UPSERTS_PER_REQUEST = 1000
_TRIES = 20


class RequestRefused(RuntimeError):
    """The API refused a whole request. The message is its problem detail."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        detail = problem.get("detail") or problem.get("title")
        super().__init__(f"{status} {problem.get('code')}: {detail} {problem.get('remedy') or ''}")
        self.status = status
        self.problem = problem


class Shop:
    """Sends locations, stock and orders. 429 and 503 are waited out as the answer's Retry-After asks."""

    def __init__(self, url: str, key: str) -> None:
        self._session = aiohttp.ClientSession(
            url,
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
            timeout=aiohttp.ClientTimeout(total=60),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def send(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        """One request; its JSON answer. Raises RequestRefused for anything but success."""
        content = orjson.dumps(body) if body is not None else None
        for _ in range(_TRIES):
            async with self._session.request(method, path, data=content, headers=headers) as answer:
                raw = await answer.read()
                if answer.status in (429, 503):
                    await asyncio.sleep(float(answer.headers.get("Retry-After", "1")))
                    continue
                found = orjson.loads(raw) if raw else None
                if answer.status >= 400:
                    raise RequestRefused(answer.status, found or {})
                return found
        raise RequestRefused(503, {"detail": f"still busy after {_TRIES} tries"})

    async def put_locations(self, locations: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return await self._in_chunks("/v1/locations", "locations", locations)

    async def put_carriers(self, carriers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return await self._in_chunks("/v1/carriers", "carriers", carriers)

    async def put_stock(self, items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return await self._in_chunks("/v1/stock", "items", items)

    async def _in_chunks(self, path: str, name: str, items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = []
        for chunk in chunks(items, UPSERTS_PER_REQUEST):
            answer = await self.send("PUT", path, {name: chunk})
            results += answer["results"]
        return results

    async def place(self, orders: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Place up to 1,000 orders in one request; one result for each."""
        answer = await self.send("POST", "/v1/orders/batch", {"orders": orders})
        return list(answer["results"])


def chunks(items: Iterable[Any], size: int) -> Iterable[list[Any]]:
    left = iter(items)
    while chunk := list(islice(left, size)):
        yield chunk
