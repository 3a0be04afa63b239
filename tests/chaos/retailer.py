"""The load: a retailer whose engineers know that a request without an answer must be sent again, under the same key."""

import asyncio
import contextlib
import itertools
import math
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import aiohttp
import orjson

from infra.demo_network import ARTICLES, orders

_TIMEOUT_S = 10.0
_PAUSE_S, _PAUSE_AT_MOST_S = 0.2, 10.0
_GIVE_UP_S = 240.0
"""After the last order: as long as faults go on, nobody gives up."""
_BULK, _BULK_SIZE = 0.02, 8
_CANCELS, _RETURNS = 0.05, 0.03
_CANCEL_WITHIN_S = 4.0
_RETURN_AFTER_S, _RETURN_WITHIN_S = 6.0, 90.0
_REPLENISH_EVERY_S = 10.0


@dataclass(slots=True)
class Placed:
    """What the retailer knows of one order. Times are seconds since the epoch."""

    sent_at: float
    method: str
    total: int
    accepted_at: float | None = None
    refusal: str | None = None
    tries: int = 0


@dataclass(slots=True)
class Ledger:
    """Everything that was asked of the system, and what it answered."""

    orders: dict[str, Placed] = field(default_factory=dict)
    cancels: Counter[str] = field(default_factory=Counter)
    returned: dict[str, str] = field(default_factory=dict)
    """Order by return: those whose goods were sent back and received."""
    receipts: dict[tuple[str, str], int] = field(default_factory=dict)
    """Units by location and SKU."""
    trouble: Counter[str] = field(default_factory=Counter)
    """Tries that had no usable answer, by what came instead."""
    unanswered: list[str] = field(default_factory=list)
    """Requests that were given up."""


class GivenUp(Exception):
    """No usable answer for a long time."""


class Retailer:
    """Places orders at a steady rate until stopped; `finish` waits until every request has its answer."""

    def __init__(self, url: str, key: str, seed: int, rate: float) -> None:
        self.ledger = Ledger()
        self._seed = seed
        self._rate = rate
        self._rng = Random(f"retailer:{seed}")
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = asyncio.Event()
        self._patient_until = math.inf
        self._session = aiohttp.ClientSession(
            url,
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
            connector=aiohttp.TCPConnector(limit=200),
        )

    def stop(self) -> None:
        self._patient_until = time.monotonic() + _GIVE_UP_S
        self._stopped.set()

    async def run(self) -> None:
        """Open loop: a system that answers late gets no fewer orders."""
        self._spawn(self._replenish())
        bodies = self._chosen()
        due = time.monotonic()
        while not self._stopped.is_set():
            due += self._rng.expovariate(self._rate)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if self._rng.random() < _BULK:
                self._spawn(self._place_many([next(bodies) for _ in range(_BULK_SIZE)]))
            else:
                self._spawn(self._live(next(bodies)))

    async def finish(self) -> None:
        """Wait for what is under way, and close."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()

    def _chosen(self) -> Iterator[dict[str, Any]]:
        for body in orders(1_000_000, self._seed):
            yield {**body, "id": body["id"].replace("demo-", "chaos-")}

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(self._noted(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _noted(self, work: Any) -> None:
        try:
            await work
        except GivenUp as given_up:
            self.ledger.unanswered.append(str(given_up))

    async def _live(self, body: dict[str, Any]) -> None:
        """One order, and what its customer does afterwards."""
        fate = self._rng.random()
        pause = self._rng.uniform(0, _CANCEL_WITHIN_S)
        placed = self._note(body)
        status, answer = await self._ask("POST", "/v1/orders", body, placed)
        self._settle(placed, status, answer)
        if placed.accepted_at is None:
            return
        if fate < _CANCELS:
            await asyncio.sleep(pause)
            path = f"/v1/orders/{body['id']}/cancellation"
            status, answer = await self._ask("POST", path, {"reason": "changed my mind"})
            self.ledger.cancels[str(status if status < 300 else answer.get("code"))] += 1
        elif fate > 1 - _RETURNS:
            await self._send_back(body["id"])

    async def _place_many(self, bodies: list[dict[str, Any]]) -> None:
        noted = [self._note(body) for body in bodies]
        status, answer = await self._ask("POST", "/v1/orders/batch", {"orders": bodies}, *noted)
        for placed, result in zip(noted, answer.get("results", [answer] * len(noted)), strict=True):
            self._settle(placed, result.get("status", status), result.get("problem", result))

    def _note(self, body: dict[str, Any]) -> Placed:
        placed = Placed(time.time(), body["payment"]["method"], body["total"])
        self.ledger.orders[body["id"]] = placed
        return placed

    @staticmethod
    def _settle(placed: Placed, status: int, answer: dict[str, Any]) -> None:
        if status in (200, 202):
            placed.accepted_at = time.time()
        else:
            placed.refusal = f"{status} {answer.get('code')}: {answer.get('detail')}"

    async def _send_back(self, order: str) -> None:
        """The first parcel comes back whole once it was delivered; one that is not delivered in time does not."""
        deadline = time.monotonic() + _RETURN_WITHIN_S
        while True:
            await asyncio.sleep(_RETURN_AFTER_S)
            _, seen = await self._ask("GET", f"/v1/orders/{order}", None)
            parcel = next((p for p in seen.get("parcels", []) if p["state"] == "delivered"), None)
            if parcel is not None:
                break
            if time.monotonic() > deadline or self._stopped.is_set():
                return
        asked = {"parcel": parcel["id"], "reason": "changed_mind"}
        status, opened = await self._ask("POST", f"/v1/orders/{order}/returns", asked)
        if status != 201:
            self.ledger.trouble[f"return {status} {opened.get('code')}"] += 1
            return
        path = f"/v1/returns/{opened['id']}"
        lines = [{"line": item["line"], "sellable": item["quantity"]} for item in opened["lines"]]
        status, answer = await self._ask("POST", f"{path}/receipt", {"lines": lines})
        if status == 202:
            self.ledger.returned[opened["id"]] = order
        else:
            self.ledger.trouble[f"receipt {status} {answer.get('code')}"] += 1

    async def _replenish(self) -> None:
        """Goods that lie in few stores arrive there now and then, so that orders that wait for them are woken."""
        scarce = [article.sku for article in ARTICLES if article.range == "limited"]
        for number in itertools.count():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), _REPLENISH_EVERY_S)
            if self._stopped.is_set():
                return
            items = [
                {"location": "wh-wuhan", "sku": sku, "kind": "receipt", "quantity": 20, "reference": f"chaos-{number}"}
                for sku in self._rng.sample(scarce, 2)
            ]
            status, answer = await self._ask("PUT", "/v1/stock", {"items": items})
            if status == 200:
                for item in items:
                    key = (str(item["location"]), str(item["sku"]))
                    self.ledger.receipts[key] = self.ledger.receipts.get(key, 0) + 20
            else:
                self.ledger.trouble[f"stock {status} {answer.get('code')}"] += 1

    async def _ask(self, method: str, path: str, body: Any, *placed: Placed) -> tuple[int, dict[str, Any]]:
        """Send until there is an answer that says yes or no. Raises GivenUp."""
        key = {"Idempotency-Key": uuid.UUID(int=self._rng.getrandbits(128)).hex} if method != "GET" else {}
        content = orjson.dumps(body) if body is not None else None
        pause = _PAUSE_S
        while True:
            for one in placed:
                one.tries += 1
            why = ""
            try:
                async with self._session.request(method, path, data=content, headers=key) as answer:
                    found = orjson.loads(await answer.read() or b"{}")
                    again = answer.status in (429, 500, 502, 503, 504) or found.get("code") == "request_in_flight"
                    if not again:
                        return answer.status, found
                    why = f"{answer.status} {found.get('code')}"
                    pause = max(pause, float(answer.headers.get("Retry-After", 0)))
            except (aiohttp.ClientError, TimeoutError, OSError, orjson.JSONDecodeError) as error:
                why = type(error).__name__
            self.ledger.trouble[why] += 1
            if time.monotonic() > self._patient_until:
                raise GivenUp(f"{method} {path}: {why}")
            await asyncio.sleep(pause * self._rng.uniform(0.5, 1.5))
            pause = min(pause * 2, _PAUSE_AT_MOST_S)
