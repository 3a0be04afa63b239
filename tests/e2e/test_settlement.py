"""From a sale to its payment on the whole system: rules, parcels, a statement, an objection, at the terminal."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import ScheduleActionStartWorkflow

from contracts.settlement import statement_id
from contracts.settling import ALL_WORKFLOW, SCHEDULE
from infra.invariants import check, violations
from infra.mongo import Mongo
from infra.temporal import connect
from tests.e2e.places import Places, reaches
from tests.pdf_text import pages
from tests.support import eventually
from tests.workers.desk import run_tongqu
from workers.shop import Shop
from workers.system import System


async def sell(places: Places, mongo: Mongo, quantity: int = 4) -> str:
    """An order that its seller ships and delivers, sold with advice from the far store; its id."""
    order = await places.place(
        lines=[{"line": 1, "sku": places.sku, "quantity": quantity, "unit_price": 500}],
        total=500 * quantity,
        sold_by=places.far.location,
    )
    parcel = await places.near.offered(order)
    await places.near.says(parcel, "accepted", "packed", "shipped", "delivered")
    await reaches(mongo, order, "closed")
    return order


async def prepare(places: Places, shop: Shop) -> None:
    """The near place is a seller that pays ten per cent; who advises gets three."""
    near = {"id": places.near.location, "kind": "seller", "name": "杭州茶庄", "division": "460100"}
    point = {"lat": 18.0, "lon": 112.0, "datum": "WGS84"}
    await shop.put_locations([{**near, "point": point, "accept_within_s": 60}])
    rules = [
        {"id": f"pay-{places.sku}", "terms": "marketplace", "location": places.near.location, "percent_bp": 1_000},
        {"id": f"get-{places.sku}", "terms": "sales", "location": places.far.location, "percent_bp": 300},
    ]
    answer = await shop.send("PUT", "/v1/commission-rules", {"rules": rules})
    assert answer["refused"] == 0


async def send_back_one(order: str, mongo: Mongo, shop: Shop) -> None:
    """One unit of the order's first line comes back, and is paid back."""
    body = {"parcel": f"{order}.p1", "quantities": {"1": 1}, "reason": "changed_mind"}
    returned = (await shop.send("POST", f"/v1/orders/{order}/returns", body))["id"]

    async def stands(state: str) -> dict[str, Any] | None:
        return await mongo.returns.find_one({"_id": returned, "state": state})

    await eventually(lambda: stands("approved"), timeout=60)
    await shop.send("POST", f"/v1/returns/{returned}/receipt", {"lines": [{"line": 1, "sellable": 1}]})
    await eventually(lambda: stands("closed"), timeout=60)
    assert (await reaches(mongo, order, "closed"))["payment"]["refunded"] == 500


async def accounts(mongo: Mongo, order: str) -> dict[str, int]:
    sums: dict[str, int] = {}
    async for row in mongo.entries.find({"order": order}):
        sums[row["account"]] = sums.get(row["account"], 0) + row["amount"]
    return {account: amount for account, amount in sums.items() if amount}


async def stands(mongo: Mongo, statement: str, state: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        return await mongo.statements.find_one({"_id": statement, "state": state})

    row: dict[str, Any] | None = await eventually(look, timeout=60, message=f"{statement} never was {state}")
    assert row is not None
    return row


@pytest.mark.timeout(300)
async def test_a_sale_of_which_a_part_came_back_is_settled_although_the_worker_is_killed(
    system: System, mongo: Mongo, shop: Shop, places: Places, tmp_path: Path
) -> None:
    await prepare(places, shop)
    near, far = f"partner:{places.near.location}", f"partner:{places.far.location}"

    order = await sell(places, mongo)
    expected = {near: 2_000 - 200, far: 60, "commission": 140, "retailer": -2_000}
    assert await accounts(mongo, order) == expected
    await send_back_one(order, mongo, shop)
    assert await accounts(mongo, order) == {near: 1_500 - 150, far: 45, "commission": 105, "retailer": -1_500}

    period = f"{datetime.now(UTC) + timedelta(hours=8):%Y-%m}"
    statement = statement_id(places.near.location, period)
    worker = system.processes["fulfilment"]
    asked = ("run", period, "--partner", places.near.location, "--until", datetime.now(UTC).isoformat())
    started = await run_tongqu(system.data_dir, "settlement", *asked)
    worker.kill()
    assert started.status == 0, started.out
    worker.start()
    row = await stands(mongo, statement, "ready")
    assert [balance["closing"] for balance in row["balances"]] == [1_350]
    assert await mongo.entries.count_documents({"order": order, "statement": statement}) == 4
    told = await places.near.hears("statement.ready.v1", statement=statement)
    assert told["data"]["pdf_sha256"] == row["revisions"][0]["pdf_sha256"]

    await _object_answer_and_pay(system, statement, tmp_path)
    closed = await stands(mongo, statement, "paid")
    assert [balance["closing"] for balance in closed["balances"]] == [1_450]
    await places.near.hears("statement.closed.v1", statement=statement, reference="bank-1")
    assert violations(await check(mongo, None)) == []


async def _object_answer_and_pay(system: System, statement: str, folder: Path) -> None:
    """At the terminal."""

    async def says(*arguments: object, status: int = 0) -> str:
        said = await run_tongqu(system.data_dir, "settlement", *arguments)
        assert said.status == status, said.out
        return said.out

    assert statement in await says("list", "--state", "ready")
    shown = await says("show", statement)
    assert "¥18.00" in shown and "commission -¥2.00" in shown and "-¥4.50" in shown
    assert "is disputed" in await says("dispute", statement, "--line", 1, "--reason", "commission too high")
    assert "dispute_open" in await says("approve", statement, status=1)
    right = ("--line", 1, "--correct-amount", 1_900, "--reason", "agreed")
    assert "is ready, revision 2" in await says("answer", statement, *right)
    file = folder / "statement.pdf"
    await says("pdf", statement, "--file", file)
    (text,) = pages(file.read_bytes())
    assert "更正Correction" in text and "期末余额Closingbalance¥14.50" in text
    assert "退回或丢失Returnedorlost,1件units" in text
    assert "is closed" in await says("approve", statement, "--note", "好")
    assert "is paid" in await says("paid", statement, "--reference", "bank-1")
    assert "statement_paid" in await says("paid", statement, "--reference", "bank-2", status=1)


async def test_every_month_all_partners_are_settled_with(system: System) -> None:
    client = await connect(system.settings)
    found = await client.get_schedule_handle(SCHEDULE).describe()
    action = found.schedule.action
    assert isinstance(action, ScheduleActionStartWorkflow)
    assert action.workflow == ALL_WORKFLOW
    [first, second, *_] = found.info.next_action_times
    in_shanghai = [moment + timedelta(hours=8) for moment in (first, second)]
    assert [(moment.day, moment.hour) for moment in in_shanghai] == [(1, 2), (1, 2)]
    assert first.month != second.month
