"""A whole system with two stores that answer quickly, and a shop that goes on placing orders whatever happens."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from contracts.orders import TERMINAL
from infra.invariants import check, violations
from infra.mongo import Mongo
from infra.nats import connect_by
from infra.settings import EnvironmentSettings
from tests.support import eventually
from workers.demo import store_agents
from workers.shop import Shop
from workers.system import System

WORKERS = ("fulfilment", "events", "relay", "gateway")
"""What carries orders. A system starts sooner without the others."""
STORES = ("store-near", "store-far")
SKU = "tea"
QUICK: dict[str, Any] = {
    "accept_s": [0.0, 0.2],
    "pack_s": [0.0, 0.2],
    "ship_s": [0.0, 0.2],
    "deliver_s": [0.0, 0.2],
    "group_s": 0.1,
}
_HERE = {"lat": 30.27, "lon": 120.15, "datum": "WGS84"}
_RETRIED = (429, 503)


def order_body(order: str) -> dict[str, Any]:
    return {
        "id": order,
        "currency": "CNY",
        "lines": [{"line": 1, "sku": SKU, "quantity": 1, "unit_price": 500}],
        "total": 500,
        "ship_to": {"division": "330106", "point": _HERE},
    }


@dataclass
class Load:
    """Places orders one after the other, `pause_s` apart; what it is told to send again it sends again."""

    url: str
    key: str
    name: str
    pause_s: float = 0.05
    accepted: list[str] = field(default_factory=list)
    answers: Counter[object] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    """Answers that a client cannot do anything with."""
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        headers = {"Authorization": f"Bearer {self.key}"}
        timeout = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(self.url, headers=headers, timeout=timeout) as session:
            for number in itertools.count(1):
                if self._stop.is_set():
                    return
                await self._place(session, f"{self.name}-{number}")
                await asyncio.sleep(self.pause_s)

    async def _place(self, session: aiohttp.ClientSession, order: str) -> None:
        while True:
            async with session.post("/v1/orders", json=order_body(order), headers={"Idempotency-Key": order}) as answer:
                self.answers[answer.status] += 1
                if answer.status in (200, 202):
                    self.accepted.append(order)
                    return
                if answer.status not in _RETRIED and not await _in_flight(answer):
                    self.wrong.append(f"{order}: {answer.status} {(await answer.text())[:300]}")
                    return
                if "Retry-After" not in answer.headers:
                    self.wrong.append(f"{order}: {answer.status} without Retry-After")
                await asyncio.sleep(float(answer.headers.get("Retry-After", "1")))

    async def accepts(self, more: int, timeout: float = 30) -> None:
        """Wait until so many more were accepted."""
        goal = len(self.accepted) + more
        await eventually(lambda: len(self.accepted) >= goal, timeout=timeout, message=f"{self.wrong} {self.answers}")

    async def answered(self, status: int, timeout: float = 60) -> None:
        """Wait until a request was answered like that."""
        known = self.answers[status]
        await eventually(lambda: self.answers[status] > known, timeout=timeout, message=f"nobody was told {status}")

    def stop(self) -> None:
        self._stop.set()


async def _in_flight(answer: aiohttp.ClientResponse) -> bool:
    """The request before, under the same key, has no answer yet."""
    return answer.status == 409 and (await answer.json(content_type=None))["code"] == "request_in_flight"


@dataclass
class Town:
    system: System
    mongo: Mongo
    shop: Shop

    @asynccontextmanager
    async def load(self, name: str, pause_s: float = 0.05) -> AsyncIterator[Load]:
        """Orders are placed until the end; then all must have been accepted, or refused as one can live with."""
        settings = self.system.settings
        load = Load(settings.require("gateway_url"), settings.require("operator_key"), name, pause_s)
        running = asyncio.create_task(load.run())
        try:
            yield load
        finally:
            load.stop()
            await running
        assert load.wrong == []

    async def all_closed(self, orders: list[str], timeout: float = 90) -> None:
        async def open_ones() -> list[str]:
            found = self.mongo.orders.find({"_id": {"$in": orders}, "stage": "closed"}, {"_id": 1})
            closed = {row["_id"] async for row in found}
            left = [order for order in orders if order not in closed]
            assert not left, f"{len(left)} of {len(orders)} orders are not closed, such as {left[:3]}"
            return [*orders, "all"]

        await eventually(open_ones, timeout=timeout)

    async def holds(self) -> None:
        """Every invariant holds, and nothing is left over."""
        nats = await connect_by(self.system.settings, "check")
        try:

            async def nothing_is_wrong() -> bool:
                findings = await check(self.mongo, nats.jetstream(), self.system.settings.payment_url)
                assert violations(findings) == []
                return True

            # What is under way is no violation, but a stream that has just been healed may not be whole yet.
            await eventually(nothing_is_wrong, timeout=20)
        finally:
            await nats.close()
        unended = await self.mongo.orders.count_documents({"stage": {"$nin": list(TERMINAL)}})
        assert unended == 0

        async def all_read() -> bool:
            return await self.mongo.inbox.count_documents({"drained": None}) == 0

        # What came for an order in the moment in which it closed is found by the sweep.
        await eventually(all_read, timeout=30, message="something that came in was never read")
        await self._none_dispatched_twice()

    async def _none_dispatched_twice(self) -> None:
        """Goods are taken once for each time an order is given to stores."""
        counted: list[dict[str, Any]] = [
            {"$match": {"kind": "reserved"}},
            {"$group": {"_id": "$order", "times": {"$sum": 1}}},
        ]
        taken = {row["_id"]: row["times"] async for row in self.mongo.ledger.aggregate(counted)}
        async for order in self.mongo.orders.find({}, {"attempt": 1}):
            assert taken.get(order["_id"], 0) == order["attempt"], order


@asynccontextmanager
async def town(
    data_dir: Path, *, stores: Mapping[str, Any] = QUICK, accept_within_s: int = 30, **settings: Any
) -> AsyncIterator[Town]:
    """`stores` is the behaviour of examples/store_agent.py."""
    chosen = {"mongo_cache_gb": 0.25, "bell_progress_ms": 200, "carrier_day_s": 2, **settings}
    async with System(EnvironmentSettings(data_dir=data_dir, **chosen), data_dir, workers=WORKERS) as system:
        mongo = Mongo(system.settings.require("mongo_url"), system.settings.mongo_database)
        key = system.settings.require("operator_key")
        async with Shop(system.settings.require("gateway_url"), key) as shop, store_agents(system, dict(stores)):
            await shop.put_locations([_location(name, i, accept_within_s) for i, name in enumerate(STORES)])
            await shop.put_stock([{"location": name, "sku": SKU, "quantity": 100_000} for name in STORES])
            yield Town(system, mongo, shop)
        mongo.close()


def _location(name: str, number: int, accept_within_s: int) -> dict[str, Any]:
    point = {"lat": 30.27 + 0.01 * number, "lon": 120.15, "datum": "WGS84"}
    return {"id": name, "name": name, "division": "330106", "point": point, "accept_within_s": accept_within_s}
