"""Sends items through the HTTP API, as fast as it takes them, in the order in which they come."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from workers.importing.rows import BadRow, Item, Kind
from workers.shop import RequestRefused, Shop

Progressed = Callable[[Kind, int], None]
"""Told how many items of a kind were answered."""
BeforeOrders = Callable[[list[str]], Awaitable[None]]
"""Awaited before orders are sent, with the ids of the locations so far."""

_REQUESTS: dict[Kind, tuple[str, str, str, int]] = {
    "location": ("PUT", "/v1/locations", "locations", 200),
    "stock": ("PUT", "/v1/stock", "items", 1000),
    "order": ("POST", "/v1/orders/batch", "orders", 200),
}
"""Method, path, name of the list, and most items in one request."""
_CREATED = 202
_MY_FAULT = range(400, 500)
_NO_ACCESS = (401, 403, 404)
_TRIES = 8
_PAUSE_S = 1.0


class ApiLost(Exception):
    """The API stopped answering in the middle."""


@dataclass(slots=True)
class Replayed:
    """What the API answered. `placed` and `placed_before` are orders, by id."""

    placed: set[str] = field(default_factory=set)
    placed_before: set[str] = field(default_factory=set)
    locations: list[str] = field(default_factory=list)
    accepted: Counter[Kind] = field(default_factory=Counter)
    refused: list[BadRow] = field(default_factory=list)
    orders_refused: Counter[str] = field(default_factory=Counter)

    @property
    def orders(self) -> set[str]:
        return self.placed | self.placed_before


async def replay(shop: Shop, items: Iterable[Item], progress: Progressed, before_orders: BeforeOrders) -> Replayed:
    """Send everything. What is refused is reported with its row, and the rest goes on.

    Raises RequestRefused when the key is not good, and ApiLost.
    """
    sender = _Sender(shop, progress)
    for kind, chunk in _chunks(items):
        if kind == "order":
            await before_orders(sender.replayed.locations)
        await sender.send(kind, chunk)
    return sender.replayed


def _chunks(items: Iterable[Item]) -> Iterable[tuple[Kind, list[Item]]]:
    """Neighbours of one kind, in one request; two reports about the same thing never share one."""
    chunk: list[Item] = []
    about: set[str] = set()
    for item in items:
        key = _about(item)
        if chunk and (item.kind != chunk[0].kind or len(chunk) == _REQUESTS[item.kind][3] or key in about):
            yield chunk[0].kind, chunk
            chunk, about = [], set()
        chunk.append(item)
        if key is not None:
            about.add(key)
    if chunk:
        yield chunk[0].kind, chunk


def _about(item: Item) -> str | None:
    """What a report is about, as far as its row says so; None where it does not matter."""
    names = ("location", "sku") if item.kind == "stock" else ("id",)
    parts = [item.body.get(name) for name in names]
    return "/".join(parts) if all(isinstance(part, str) for part in parts) else None  # type: ignore[arg-type]


class _Sender:
    def __init__(self, shop: Shop, progress: Progressed) -> None:
        self._shop = shop
        self._progress = progress
        self._run = uuid.uuid4().hex
        self._requests = 0
        self.replayed = Replayed()

    async def send(self, kind: Kind, chunk: list[Item]) -> None:
        """Send a chunk. One that is refused as a whole is halved until the row that spoils it stands alone."""
        try:
            results = await self._answered(kind, chunk)
        except RequestRefused as refused:
            if refused.status not in _MY_FAULT or refused.status in _NO_ACCESS:
                raise
            if len(chunk) == 1:
                self._refuse(kind, chunk[0], refused.problem)
                return
            middle = len(chunk) // 2
            await self.send(kind, chunk[:middle])
            await self.send(kind, chunk[middle:])
            return
        for item, result in zip(chunk, results, strict=True):
            self._take(kind, item, result)

    async def _answered(self, kind: Kind, chunk: list[Item]) -> list[dict[str, Any]]:
        """Under one idempotency key, so that a request whose answer was lost can be sent again."""
        method, path, name, _ = _REQUESTS[kind]
        self._requests += 1
        key = {"Idempotency-Key": f"import-{self._run}-{self._requests}"}
        for attempt in range(_TRIES):
            try:
                answer = await self._shop.send(method, path, {name: [item.body for item in chunk]}, key)
                return list(answer["results"])
            except (aiohttp.ClientError, TimeoutError) as error:
                lost = error
                await asyncio.sleep(_PAUSE_S * (attempt + 1))
        raise ApiLost(f"{_TRIES} tries: {type(lost).__name__}: {lost}")

    def _take(self, kind: Kind, item: Item, result: dict[str, Any]) -> None:
        if "problem" in result:
            self._refuse(kind, item, result["problem"])
            return
        if kind == "location":
            self.replayed.locations.append(result["id"])
        elif kind == "order":
            placed = self.replayed.placed if result["status"] == _CREATED else self.replayed.placed_before
            placed.add(result["id"])
        self.replayed.accepted[kind] += 1
        self._progress(kind, 1)

    def _refuse(self, kind: Kind, item: Item, problem: Any) -> None:
        field_name = f"{problem['field']}: " if problem.get("field") else ""
        reason = f"{field_name}{problem.get('detail')} {problem.get('remedy') or ''}".strip()
        code = str(problem.get("code", "refused"))
        self.replayed.refused.append(item.bad(code, reason))
        if kind == "order":
            self.replayed.orders_refused[code] += 1
        self._progress(kind, 1)
