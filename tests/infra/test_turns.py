"""Several processes that plan on one stock: they wait for each other instead of making each other's plans worthless."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from activities.orders import writing
from activities.orders.accept import order_document
from activities.orders.batch import BatchActivities
from activities.stock.booking import Stale, book
from contracts.fulfilment import Advance
from contracts.stock import Change, Movement
from infra.mongo import Mongo, Session
from infra.turns import Turns
from tests.builders import location, placement

NOW = datetime.now(UTC).replace(microsecond=0)
PROCESSES, ROUNDS, ORDERS = 4, 6, 10


@pytest.fixture
async def mongo(mongo_url: str, database: str) -> AsyncIterator[Mongo]:
    mongo = Mongo(mongo_url, database)
    await mongo.counters.insert_many([{"_id": name, "version": 0} for name in ("stock", "network")])
    yield mongo
    mongo.close()


async def _open(mongo: Mongo) -> None:
    store = location("near").model_dump(exclude={"id"})
    await mongo.locations.insert_one({"_id": "near", **store})
    await mongo.counters.update_one({"_id": "network"}, {"$inc": {"version": 1}})
    goods = Movement(
        id="goods", kind="received", location="near", changes=[Change(sku="tea", on_hand=1_000_000)], at=NOW
    )

    async def work(session: Session) -> None:
        await book(mongo, session, [goods], 0)

    await mongo.transaction(work)


async def _batch(mongo: Mongo, name: str) -> Advance:
    await mongo.batches.insert_one({"_id": name, "status": "claimed", "size": ORDERS})
    rows = [order_document(placement(("tea", 1)), f"{name}-{number}", NOW) for number in range(ORDERS)]
    await mongo.orders.insert_many([{**row, "batch": name} for row in rows])
    return Advance(batch=name, now=NOW)


async def _nobody(batches: set[str]) -> None:
    """No bell: nothing waits."""


async def test_plans_are_not_made_in_vain_once_the_others_are_known(
    mongo: Mongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without turns, 44 of 68 plans are."""
    await _open(mongo)
    in_vain: list[str] = []

    async def write(mongo: Mongo, step: Advance, *of: Any, **more: Any) -> Any:
        try:
            return await writing.write(mongo, step, *of, **more)
        except Stale:
            in_vain.append(step.batch)
            raise

    monkeypatch.setattr("activities.orders.batch.write", write)
    processes = [BatchActivities(mongo, _nobody) for _ in range(PROCESSES)]

    async def works(number: int) -> None:
        for turn in range(ROUNDS):
            assert (await processes[number].advance(await _batch(mongo, f"b-{number}-{turn}"))).open == ORDERS

    await asyncio.gather(*(works(number) for number in range(PROCESSES)))
    steps = PROCESSES * ROUNDS
    assert await mongo.ledger.count_documents({"kind": "reserved"}) == steps * ORDERS
    # A process learns of the others when they have moved goods before it: its first plans may be in vain.
    assert len(in_vain) <= 2 * PROCESSES


async def test_one_has_the_turn_and_one_that_died_loses_it(mongo: Mongo) -> None:
    dead, first, second = Turns(mongo, "it", seconds=0.2), Turns(mongo, "it"), Turns(mongo, "it")
    having, most = 0, 0

    async def work(turns: Turns) -> None:
        nonlocal having, most
        async with turns.mine():
            having += 1
            most = max(most, having)
            await mongo.ping()
            having -= 1

    died = dead.mine()
    await died.__aenter__()
    async with asyncio.timeout(20):
        await asyncio.gather(*(work(turns) for turns in (first, second) * 5))
    assert most == 1
    await died.__aexit__(None, None, None)  # It was not dead after all, and takes nothing from whoever has it now.
    async with asyncio.timeout(20), first.mine():
        pass
