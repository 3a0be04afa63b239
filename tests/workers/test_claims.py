"""Waiting orders are claimed into batches: one by one while nothing waits, together while a batch is starting."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.fulfilment import Batch
from infra.ending import ended
from infra.mongo import Mongo
from infra.settings import Settings
from infra.temporal import connect
from tests.databases import Databases
from tests.support import eventually
from workers.events import claims as claiming_module
from workers.events.bell import Bell
from workers.events.claims import Claims

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_FOR_EVER_S = 3_600.0
Claiming = Callable[..., AbstractAsyncContextManager[None]]


@pytest.fixture
async def mongo(databases: Databases) -> AsyncIterator[Mongo]:
    async with databases.lent() as mongo:
        await mongo.clock.start()
        yield mongo


@pytest.fixture
def claiming(mongo: Mongo, temporal_address: str, tmp_path: Path) -> Claiming:
    """Claims into workflows that no worker carries: what is claimed has its first step when the test says so."""

    @asynccontextmanager
    async def claiming(*, batch_max: int = 500) -> AsyncIterator[None]:
        temporal = await connect(Settings(temporal_address=temporal_address, data_dir=tmp_path))
        bell = Bell(temporal, urgent_s=0, progress_s=0, rings_per_s=1)
        claims = Claims(mongo, temporal, bell, batch_max=batch_max, starting=2)
        running = asyncio.create_task(claims.run())
        try:
            yield
        finally:
            await ended([running])
        async for row in mongo.batches.find():
            await claims.start(Batch(id=row["_id"], size=row["size"]))  # It may be under way.
            await temporal.get_workflow_handle(row["_id"]).terminate()

    return claiming


async def place(mongo: Mongo, *orders: str) -> None:
    rows = [{"_id": order, "batch": None, "placed_at": AT + timedelta(seconds=n)} for n, order in enumerate(orders)]
    await mongo.orders.insert_many(rows)


async def batches(mongo: Mongo, count: int) -> list[list[str]]:
    """The orders of each batch, the first batch first, once there are so many."""

    async def found() -> list[list[str]]:
        rows = [row async for row in mongo.batches.find().sort("_id", 1)]
        assert len(rows) == count and not await mongo.orders.count_documents({"batch": None}), rows
        return [[order["_id"] async for order in mongo.orders.find({"batch": row["_id"]}).sort("_id")] for row in rows]

    return await eventually(found)


async def first_steps(mongo: Mongo, *of: str) -> None:
    await mongo.batches.update_many({"_id": {"$in": of}}, {"$set": {"status": "running"}})


async def test_orders_gather_until_the_batch_before_has_had_its_first_step(
    mongo: Mongo, claiming: Claiming, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claiming_module, "_GATHERS_S", _FOR_EVER_S)
    async with claiming():
        await place(mongo, "a")
        await batches(mongo, 1)
        await place(mongo, "b")
        await place(mongo, "c")
        async for row in mongo.batches.find():
            await first_steps(mongo, row["_id"])
        assert await batches(mongo, 2) == [["a"], ["b", "c"]]


async def test_a_first_step_that_does_not_come_keeps_nobody_waiting_for_long(mongo: Mongo, claiming: Claiming) -> None:
    async with claiming():
        await place(mongo, "a")
        await batches(mongo, 1)
        await place(mongo, "b")
        assert await batches(mongo, 2) == [["a"], ["b"]]


async def test_full_batches_wait_for_no_first_step_until_enough_of_them_are_starting(
    mongo: Mongo, claiming: Claiming, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claiming_module, "_GATHERS_S", _FOR_EVER_S)
    await place(mongo, "a", "b", "c", "d", "e", "f")
    async with claiming(batch_max=2):
        begun: set[str] = set()

        async def starting() -> list[str]:
            return [row["_id"] async for row in mongo.batches.find({"status": "claimed"})]

        while len(begun) < 3:
            claimed = await eventually(starting)
            assert len(claimed) <= 2
            begun.update(claimed)
            await first_steps(mongo, *claimed)
        assert await batches(mongo, 3) == [["a", "b"], ["c", "d"], ["e", "f"]]
