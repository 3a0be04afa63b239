"""How much suppliers have by their reports, on the real database: less what was ordered since, in one look for all."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from activities.supply.available import read_available
from contracts.buying_replies import Reported
from contracts.supply import Sourcing
from infra.indexes import make_indexes
from infra.mongo import Mongo
from tests.purchasing import line, purchase

TODAY = date(2026, 3, 2)
AT = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)
SKUS = [f"sku-{n}" for n in range(40)]


@pytest.fixture
async def mongo(mongo_url: str) -> AsyncIterator[Mongo]:
    mongo = Mongo(mongo_url, f"available_{uuid.uuid4().hex[:8]}")
    await make_indexes(mongo)
    yield mongo
    await mongo.client.drop_database(mongo.db.name)
    mongo.close()


async def report(mongo: Mongo, sku: str, **changes: Any) -> None:
    fields: dict[str, Any] = {"supplier": "sup-a", "sku": sku, "at": AT, "event": "e1", "on_hand": 100, "per_week": 10}
    made = Reported.model_validate({"id": f"sup-a:{sku}", **fields, **changes})
    await mongo.supplier_reports.insert_one(made.as_row())


async def order(mongo: Mongo, name: str, hours: int, *lines: tuple[str, int], **changes: Any) -> None:
    made = [line(number, sku, units) for number, (sku, units) in enumerate(lines, 1)]
    at = AT + timedelta(hours=hours)
    await mongo.purchase_orders.insert_one(purchase(*made, id=name, created_at=at, state="sent", **changes).as_row())


def sources(*skus: str) -> list[Sourcing]:
    return [Sourcing(id=f"sup-a:{sku}:", supplier="sup-a", sku=sku, price=1, lead_days=5) for sku in skus]


async def test_what_was_ordered_since_the_report_is_not_there_any_more(mongo: Mongo) -> None:
    await report(mongo, "sku-0")
    await report(mongo, "sku-1", at=AT + timedelta(hours=5))
    await report(mongo, "sku-2", per_week=None)
    await report(mongo, "sku-3", until=TODAY - timedelta(days=1))
    await report(mongo, "sku-5")
    await order(mongo, "po-before", -1, ("sku-0", 7))
    await order(mongo, "po-between", 3, ("sku-0", 20), ("sku-1", 20), ("sku-4", 20))
    await order(mongo, "po-after", 6, ("sku-0", 200), ("sku-1", 30))
    await order(mongo, "po-others", 6, ("sku-0", 1_000), supplier="sup-b")
    ended = purchase(line(1, "sku-1", 1_000), id="po-ended", created_at=AT + timedelta(hours=6), state="cancelled")
    await mongo.purchase_orders.insert_one(ended.as_row())
    found = await read_available(mongo, sources("sku-0", "sku-1", "sku-2", "sku-3", "sku-4"), TODAY)
    assert found == {("sup-a", "sku-0"): 0, ("sup-a", "sku-1"): 110}, "and nothing of SKUs that nobody asks about"


async def test_units_that_have_come_or_never_will_are_not_taken_off(mongo: Mongo) -> None:
    await report(mongo, "sku-0")
    part = line(1, "sku-0", 50).model_copy(update={"confirmed": 40, "received": 10, "cancelled": 5})
    made = purchase(part, id="po-part", created_at=AT + timedelta(hours=1), state="confirmed")
    await mongo.purchase_orders.insert_one(made.as_row())
    assert await read_available(mongo, sources("sku-0"), TODAY) == {("sup-a", "sku-0"): 140 - 25}


async def test_orders_are_looked_at_once_however_many_reports_there_are(mongo: Mongo) -> None:
    for number, sku in enumerate(SKUS):
        await report(mongo, sku)
        await order(mongo, f"po-{number}", 1, (sku, number))
    await mongo.db.command({"profile": 2})
    try:
        found = await read_available(mongo, sources(*SKUS), TODAY)
    finally:
        await mongo.db.command({"profile": 0})
    assert found == {("sup-a", sku): 140 - number for number, sku in enumerate(SKUS)}
    looks = [row async for row in mongo.db["system.profile"].find({"ns": f"{mongo.db.name}.purchase_orders"})]
    assert len(looks) == 1 and looks[0]["op"] == "query", "one query, and not one for each report"
