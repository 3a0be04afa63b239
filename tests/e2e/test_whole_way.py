"""Real orders through the real system, and what must hold when its workers are killed in the middle of them."""

import asyncio
from typing import Any

import pytest

from contracts.orders import TERMINAL
from infra.demo_network import orders
from infra.mongo import Mongo
from tests.support import eventually
from workers.demo import store_agents
from workers.report import read_report
from workers.shop import Shop, chunks
from workers.system import System

BEHAVIOUR: dict[str, Any] = {
    "accept_s": [0.1, 1.0],
    "pack_s": [0.1, 0.5],
    "ship_s": [0.1, 1.0],
    "deliver_s": [0.1, 1.0],
    "reject_rate": 0.05,
    "reject_line_rate": 0.2,
    "reject_reasons": ["out_of_stock", "damaged", "too_busy"],
    "silent_rate": 0.01,
}


async def _place(shop: Shop, prefix: str, number: int) -> None:
    bodies = [{**order, "id": f"{prefix}-{i}"} for i, order in enumerate(orders(number, seed=len(prefix)))]
    for chunk in chunks(bodies, 100):
        results = await shop.place(chunk)
        assert [result["status"] for result in results] == [202] * len(chunk)


def _all_ended(mongo: Mongo, prefix: str, number: int) -> Any:
    query = {"_id": {"$regex": f"^{prefix}-"}, "stage": {"$in": sorted(TERMINAL)}}

    async def ended() -> bool:
        return await mongo.orders.count_documents(query) == number

    return ended


async def _nothing_is_violated(system: System, mongo: Mongo) -> None:
    async def told() -> bool:
        return await mongo.outbox.count_documents({"status": {"$ne": "sent"}}) == 0

    await eventually(told, timeout=20, message="the outbox never became empty")
    report = await read_report(mongo, system.settings)
    assert [finding for finding in report.findings if finding.violated] == []


@pytest.mark.timeout(300)
async def test_orders_are_carried_from_placed_to_the_end_with_stores_that_refuse_and_stay_silent(
    system: System, mongo: Mongo, shop: Shop
) -> None:
    async with store_agents(system, BEHAVIOUR):
        await _place(shop, "whole", 200)
        await eventually(_all_ended(mongo, "whole", 200), timeout=90, message="orders did not end")
    await _nothing_is_violated(system, mongo)
    closed = await mongo.orders.count_documents({"_id": {"$regex": "^whole-"}, "stage": "closed"})
    assert closed > 150
    assert await mongo.orders.count_documents({"_id": {"$regex": "^whole-"}, "attempt": {"$gt": 1}}) > 0


@pytest.mark.timeout(300)
async def test_killing_the_workers_in_the_middle_of_500_orders_loses_and_doubles_nothing(
    system: System, mongo: Mongo, shop: Shop
) -> None:
    async with store_agents(system, BEHAVIOUR):
        placing = asyncio.create_task(_place(shop, "crash", 500))

        async def under_way() -> bool:
            return await mongo.orders.count_documents({"_id": {"$regex": "^crash-"}, "attempt": {"$gt": 0}}) > 50

        await eventually(under_way, timeout=30, message="orders did not start")
        for name in ("fulfilment", "events"):
            system.processes[name].kill()
        await placing
        for name in ("events", "fulfilment"):
            system.processes[name].start()
        await eventually(_all_ended(mongo, "crash", 500), timeout=120, message="orders did not end after the crash")
    await _nothing_is_violated(system, mongo)
    twice = mongo.ledger.aggregate(
        [
            {"$match": {"kind": "shipped", "order": {"$regex": "^crash-"}}},
            {"$group": {"_id": {"$arrayElemAt": [{"$split": ["$_id", ":"]}, 0]}, "rows": {"$sum": 1}}},
            {"$match": {"rows": {"$gt": 1}}},
        ]
    )
    assert [row async for row in twice] == []
