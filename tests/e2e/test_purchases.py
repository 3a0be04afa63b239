"""Buying on the whole system: a supplier on the bus, people at the terminal, and processes that are killed under it."""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from nats.js import JetStreamContext
from temporalio.worker import Worker

from activities.buying.open import on_order
from contracts.partnership import PartnerRecord
from contracts.subjects import reply_subject
from contracts.supply import ApprovalLimit, OrderAsked, OrderLine, Sourcing
from contracts.workdays import add_workdays, day_of
from infra.invariants import check, violations
from infra.keys import Scope, create_key
from infra.mongo import Mongo
from infra.temporal import connect
from tests.e2e.asking import ASKERS, AskAll
from tests.e2e.places import Places
from tests.support import eventually
from tests.workers.desk import run_tongqu
from workers.shop import RequestRefused, Shop
from workers.system import System

pytestmark = pytest.mark.timeout(600)


class Supplier:
    """One that answers on the bus."""

    def __init__(self, mongo: Mongo, jetstream: JetStreamContext, name: str) -> None:
        self.mongo = mongo
        self.name = name
        self._jetstream = jetstream

    async def says(self, order: str, kind: str, **fields: Any) -> None:
        reply = {"id": f"{kind}-{uuid.uuid4().hex[:8]}", "order": order, "kind": kind, **fields}
        event = {"specversion": "1.0", "id": uuid.uuid4().hex, "source": self.name, "type": "purchase.replies.v1"}
        await self._jetstream.publish(reply_subject(self.name), orjson.dumps({**event, "data": {"replies": [reply]}}))

    async def hears(self, kind: str) -> list[dict[str, Any]]:
        """Of all that it is to be told."""
        rows = self.mongo.outbox.find({"events.partner": self.name}).sort("key", 1)
        told = [event async for row in rows for event in row["events"]]
        bodies = [orjson.loads(one["body"]) for one in told if one["partner"] == self.name and one["type"] == kind]
        return [one["data"] for one in bodies]


async def supplier(mongo: Mongo, jetstream: JetStreamContext, sku: str, price: int) -> Supplier:
    name = f"sup-{uuid.uuid4().hex[:8]}"
    record = PartnerRecord(
        id=name,
        kind="supplier",
        state="active",
        name=name,
        credit_code="91330100799655058B",
        application=f"app-{name}",
        agreement=f"agr-{name}",
        agreement_until=datetime(2030, 1, 1, tzinfo=UTC),
    )
    await mongo.partners.insert_one(record.as_row())
    source = Sourcing(id=f"{name}:{sku}:", supplier=name, sku=sku, price=price, lead_days=3)
    await mongo.sourcing.insert_one(source.as_row())
    return Supplier(mongo, jetstream, name)


async def state_of(mongo: Mongo, order: str) -> str | None:
    row = await mongo.purchase_orders.find_one({"_id": order}, {"state": 1})
    return row["state"] if row else None


async def stands(mongo: Mongo, order: str, state: str) -> None:
    async def so() -> bool:
        return await state_of(mongo, order) == state

    await eventually(so, timeout=120, message=f"{order} never was {state}")


async def test_an_order_at_the_terminal_from_one_end_to_the_other(
    system: System, places: Places, mongo: Mongo, jetstream: JetStreamContext, tmp_path: Path
) -> None:
    seller = await supplier(mongo, jetstream, places.sku, 500)
    due = add_workdays("CN", day_of(datetime.now(UTC)) + timedelta(days=1), 3).isoformat()
    where = places.near.location

    async def tongqu(*arguments: object, key: str | None = None, status: int = 0) -> str:
        other = {"TONGQU_OPERATOR_KEY": key} if key else None
        said = await run_tongqu(system.data_dir, *arguments, environment=other)
        assert said.status == status, said.out
        return said.out

    lead = f"lead-{uuid.uuid4().hex[:8]}"
    leads = await create_key(mongo, lead, [Scope.PURCHASES_READ, Scope.PURCHASES_APPROVE])
    named = tmp_path / "approvers.json"
    named.write_text(json.dumps({"approvers": [{"name": lead, "roles": ["buyer"], "up_to": 2_000_000}]}))
    assert "buyer (¥50000.00)" in await tongqu("purchase", "approvers", "--set", named)

    said = await tongqu("purchase", "order", seller.name, where, "--line", f"{places.sku}:2000:500:{due}")
    order = said.split()[0]
    assert "waits for approval by buyer" in said
    assert "may not approve it too" in await tongqu("purchase", "approve", order, status=1)
    await tongqu("purchase", "approve", order, "--note", "ok", key=leads)
    await seller.says(order, "confirmed")
    await stands(mongo, order, "confirmed")
    assert order in await tongqu("purchase", "list", "--supplier", seller.name)
    await tongqu("purchase", "receive", order, "--reference", "DN-1", "--item", f"{places.sku}:1990:10")
    await tongqu("purchase", "receive", order, "--reference", "DN-2", "--item", f"{places.sku}:10")
    wrong = await tongqu("purchase", "invoice", order, "--number", "INV-1", "--line", "1:2000:501")
    assert "is received" in wrong
    assert "price ¥5.01, ¥5.00 would be right" in await tongqu("purchase", "show", order)
    decided = await tongqu("purchase", "decide", order, "--number", "INV-1", "--accept", "--reason", "ok", key=leads)
    assert "is closed" in decided
    level = await mongo.stock.find_one({"_id": f"{where}/{places.sku}"})
    assert level is not None and level["on_hand"] == 2_010, "ten lay there before"
    assert "1 of 1" in await tongqu("supplier", "score", seller.name)
    assert "on time in full" in await tongqu("supplier", "lines", seller.name)
    assert seller.name in await tongqu("supplier", "lead-times", "--supplier", seller.name)
    assert not violations(await check(mongo, None))


async def test_processes_that_are_killed_order_nothing_twice_and_forget_nothing(
    system: System, places: Places, mongo: Mongo, jetstream: JetStreamContext, shop: Shop
) -> None:
    """The worker is killed between every two things that happen to twelve orders, and the event worker with it."""
    seller = await supplier(mongo, jetstream, places.sku, 100)
    run, now = uuid.uuid4().hex[:8], mongo.clock.now()
    where = places.near.location
    asked = [
        OrderAsked(
            id=f"po-{run}-{number}",
            run=run,
            supplier=seller.name,
            location=where,
            currency="CNY",
            lines=[
                OrderLine(
                    proposal=f"{run}:purchase:{seller.name}:{where}:{places.sku}:{number}",
                    sku=places.sku,
                    quantity=number,
                    price=100,
                    due=add_workdays("CN", day_of(now), 5),
                )
            ],
            limits=[ApprovalLimit()],
            by="planner",
            at=now,
        )
        for number in range(1, 13)
    ]
    orders = [one.id for one in asked]

    async def kill() -> None:
        for name in ("supply", "events"):
            process = system.processes[name]
            process.kill()
            assert await process.wait(30), f"{name} outlived a SIGKILL"
            process.start()

    # Asked by a workflow on the worker's own queue, as a run does it; cut off in the middle.
    await _ask_through_the_worker(system, asked, kill)
    assert await on_order(mongo, where, places.sku) == sum(range(1, 13))
    for order in orders:
        await seller.says(order, "confirmed")
    await kill()
    await asyncio.gather(*(stands(mongo, order, "confirmed") for order in orders))
    receiving = [
        asyncio.create_task(_received(shop, order, places.sku, number)) for number, order in enumerate(orders, 1)
    ]
    await kill()
    await asyncio.gather(*receiving)
    await kill()
    for number, order in enumerate(orders, 1):
        lines = [{"line": 1, "quantity": number, "unit_price": 100}]
        await seller.says(order, "invoiced", reference=f"INV-{number}", lines=lines)
    await asyncio.gather(*(stands(mongo, order, "closed") for order in orders))
    level = await mongo.stock.find_one({"_id": f"{where}/{places.sku}"})
    assert level is not None and level["on_hand"] == 10 + sum(range(1, 13)), "each delivery is shelved once"
    assert len(await seller.hears("purchase.ordered.v1")) == 12
    assert len(await seller.hears("purchase.received.v1")) == 12
    assert await on_order(mongo, where, places.sku) == 0
    assert not violations(await check(mongo, None))


async def _ask_through_the_worker(system: System, asked: list[OrderAsked], kill: Callable[[], Awaitable[None]]) -> None:
    """By a workflow of this test's own process, whose activities are the system's."""
    client = await connect(system.settings)
    queue = f"asks-{uuid.uuid4().hex[:8]}"
    async with Worker(client, task_queue=queue, workflows=ASKERS):
        handle = await client.start_workflow(AskAll.run, asked, id=queue, task_queue=queue)
        await kill()
        assert await asyncio.wait_for(handle.result(), 240) == [one.id for one in asked]


async def _received(shop: Shop, order: str, sku: str, units: int) -> None:
    """Until it is taken in: the same delivery note again and again, as people do it when nothing answers."""
    receipt = {"reference": f"DN-{order}", "items": [{"sku": sku, "quantity": units}]}

    async def taken() -> bool:
        try:
            await shop.send("POST", f"/v1/purchase-orders/{order}/receipts", receipt)
        except RequestRefused:
            return False
        return True

    await eventually(taken, timeout=240, message=f"{order} was never received")
