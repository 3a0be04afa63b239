"""More orders than the system takes: callers are sent away, come again as told, and every accepted order ends."""

import asyncio
from collections import Counter
from pathlib import Path

import aiohttp
import orjson
import pytest

from contracts.orders import TERMINAL
from infra.demo_network import network, orders
from infra.invariants import check
from infra.mongo import Mongo
from infra.nats import connect
from infra.processes import Process
from infra.settings import EnvironmentSettings
from tests.support import eventually
from workers.shop import Shop, chunks
from workers.system import System

ORDERS, BACKLOG, BULK, CLIENTS = 400, 50, 10, 20


class Clients:
    """They send all they have at once, and wait as long as they are told."""

    def __init__(self, system: System) -> None:
        self._url = system.settings.require("gateway_url")
        key = system.settings.require("operator_key")
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self.answers: Counter[int] = Counter()
        self.accepted: set[str] = set()

    async def place(self) -> None:
        bodies = [{**order, "id": f"burst-{i}"} for i, order in enumerate(orders(ORDERS, 11))]
        queue = [orjson.dumps({"orders": chunk}) for chunk in chunks(bodies, BULK)]

        async def client(session: aiohttp.ClientSession) -> None:
            while queue:
                await self._until_taken(session, queue.pop())

        async with aiohttp.ClientSession(self._url, headers=self._headers) as session:
            await asyncio.gather(*(client(session) for _ in range(CLIENTS)))

    async def _until_taken(self, session: aiohttp.ClientSession, body: bytes) -> None:
        while True:
            async with session.post("/v1/orders/batch", data=body) as answer:
                found = orjson.loads(await answer.read())
                self.answers[answer.status] += 1
                if answer.status == 200:
                    self.accepted |= {result["id"] for result in found["results"] if result["status"] == 202}
                    return
                assert (answer.status, found["code"]) == (503, "backlog_full")
                assert "field" not in found
                retry_after = float(answer.headers["Retry-After"])
            await asyncio.sleep(retry_after)


@pytest.mark.timeout(300)
async def test_every_order_that_was_accepted_in_a_burst_ends(tmp_path: Path) -> None:
    settings = EnvironmentSettings(
        data_dir=tmp_path, mongo_cache_gb=0.5, backlog_max=BACKLOG, batch_max=20, bell_progress_ms=300
    )
    async with System(settings, tmp_path) as system:
        nats_url = system.settings.require("nats_url")
        creds = system.settings.require("nats_creds")
        arguments = ("--nats", nats_url, "--creds", creds, "--delay-s", "0", "0.2", "--group-s", "0.2")
        stores = Process.of_module("stores", "bench.stores", *arguments, log=tmp_path / "stores.log")
        stores.start()
        mongo = Mongo(system.settings.require("mongo_url"), system.settings.mongo_database)
        nats = await connect(nats_url, creds, "tests")
        try:
            places = network(accept_within_s=600, ship_within_s=3600)
            async with Shop(system.settings.require("gateway_url"), system.settings.require("operator_key")) as shop:
                await shop.put_locations(places.locations)
                await shop.put_stock([{**item, "quantity": 10_000} for item in places.stock])
            clients = Clients(system)
            await clients.place()
            assert clients.answers[503] > 0, "the limit was never reached"
            assert len(clients.accepted) == ORDERS

            async def ended() -> bool:
                system.watch()
                return await mongo.orders.count_documents({"stage": {"$in": sorted(TERMINAL)}}) == ORDERS

            await eventually(ended, timeout=150, message="accepted orders did not end")
            assert {row["_id"] async for row in mongo.orders.find({}, {"_id": 1})} == clients.accepted

            async def holds() -> bool:
                found = await check(mongo, nats.jetstream(), system.settings.payment_url)
                assert not [finding for finding in found if finding.violated]
                return True

            await eventually(holds, timeout=30)
        finally:
            await nats.close()
            mongo.close()
            await stores.stop()
