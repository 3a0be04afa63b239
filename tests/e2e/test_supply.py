"""Replenishment at the terminal, on the whole system: from a file that describes a region to orders at a supplier."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.supply.watching import today_of
from contracts.partnership import PartnerRecord
from infra.invariants import check, violations
from infra.mongo import Mongo
from tests.supplying import poisson
from tests.support import eventually
from tests.workers.desk import run_tongqu
from workers.shop import Shop
from workers.system import System

pytestmark = pytest.mark.timeout(900)
DAYS = 90
DIVISION = "542521"
"""In Tibet, where no other test has a location."""


async def network(shop: Shop, mongo: Mongo, name: str) -> tuple[str, str, str]:
    """Two stores that ask for four tea and four cups a day; one has far too much tea. Days are counted already."""
    full, short, supplier = f"full-{name}", f"short-{name}", f"sup-{name}"
    places = [
        {"id": one, "name": one, "division": DIVISION, "point": {"lat": 30.3 + n / 20, "lon": 81.2, "datum": "WGS84"}}
        for n, one in enumerate((full, short))
    ]
    levels = {(full, "tea"): 900, (full, "cup"): 9, (short, "tea"): 4, (short, "cup"): 5}
    items = [{"location": place, "sku": f"{sku}-{name}", "quantity": units} for (place, sku), units in levels.items()]
    for results in (await shop.put_locations(places), await shop.put_stock(items)):
        assert not [one for one in results if one.get("problem")], results
    today = today_of(datetime.now(UTC))
    days = [today - timedelta(days=back) for back in range(DAYS, 0, -1)]
    await mongo.demand_days.insert_many([{"_id": f"{day}", "counted": True} for day in days])
    for seed, (place, sku) in enumerate(levels):
        months: dict[str, dict[str, list[int]]] = {}
        for day, units in zip(days, poisson(4, DAYS, seed), strict=True):
            months.setdefault(f"{day:%Y-%m}", {})[f"{day:%d}"] = [units, 0, 0]
        rows = [{"_id": f"{place}/{sku}-{name}/{month}", "days": kept} for month, kept in months.items()]
        await mongo.demand.insert_many(rows)
    record = PartnerRecord(
        id=supplier,
        kind="supplier",
        state="active",
        name=supplier,
        credit_code="91330100799655058B",
        application=f"app-{supplier}",
        agreement=f"agr-{supplier}",
        agreement_until=datetime(2040, 1, 1, tzinfo=UTC),
    )
    await mongo.partners.insert_one(record.as_row())
    return full, short, supplier


async def test_a_region_is_replenished_at_the_terminal(
    system: System, shop: Shop, mongo: Mongo, tmp_path: Path
) -> None:
    name = uuid.uuid4().hex[:6]
    full, short, supplier = await network(shop, mongo, name)
    region = f"far-{name}"

    async def tongqu(*arguments: object, status: int = 0) -> str:
        said = await run_tongqu(system.data_dir, "supply", *arguments, timeout_s=300)
        assert said.status == status, said.out
        return said.out

    def file(kind: str, content: Any) -> Path:
        made = tmp_path / f"{kind}.json"
        made.write_text(json.dumps(content), encoding="utf-8")
        return made

    terms = {"fixed": 100, "per_km": 10, "vehicle_fixed": 0}
    described = {"id": region, "divisions": [DIVISION], "history_days": DAYS, "cron": "0 3 * * *", "transfers": terms}
    assert "runs at 0 3 * * *" in await tongqu("region", "set", file("region", described))
    assert region in await tongqu("schedule", "list")
    source = {"supplier": supplier, "price": 2_000, "multiple": 6, "minimum": 12, "lead_days": 5}
    await tongqu("sourcing", "load", file("sourcing", [{**source, "sku": f"{sku}-{name}"} for sku in ("tea", "cup")]))
    fair: dict[str, Any] = {
        "id": f"fair-{name}",
        "first_day": "2027-03-01",
        "last_day": "2027-03-03",
        "skus": [f"cup-{name}"],
    }
    assert "1 created" in await tongqu("promotions", "load", file("promotions", [fair]))
    assert "1 unchanged" in await tongqu("promotions", "load", file("promotions", {"promotions": [fair]}))
    shown = json.loads(await tongqu("promotions", "list", "--sku", f"cup-{name}", "--json"))["promotions"]
    assert [(one["promotion"], one["strength"]) for one in shown] == [(fair["id"], 1.0)]
    assert fair["id"] in await tongqu("promotions", "list", "--day", "2027-03-02")

    said = await tongqu("run", region)
    assert "done" in said, said
    run = json.loads(await tongqu("runs", "--region", region, "--json"))["runs"][0]["id"]
    found = json.loads(await tongqu("proposals", "--run", run, "--json"))["proposals"]
    by_key = {(one["kind"], one["location"], one["sku"]): one for one in found}
    moved = by_key["transfer", short, f"tea-{name}"]
    mine, other = (by_key["purchase", place, f"cup-{name}"] for place in (short, full))

    why = await tongqu("why", mine["id"])
    for words in ("are expected to be asked for", "working days (as promised)", "5 on hand", "That makes", "proposed"):
        assert words in why, why
    assert "fill up to" in why and "┃" in why
    assert "每日需求" in await tongqu("why", mine["id"], "--lang", "zh")
    plot = tmp_path / "why.html"
    await tongqu("plot", mine["id"], "--file", plot, "--lang", "zh")
    assert "<svg" in plot.read_text(encoding="utf-8")

    changes = tmp_path / "changes.csv"
    changes.write_text(f"id,quantity,reason\n{mine['id']},48,A fair.\n{other['id']},13,\n", encoding="utf-8")
    refused = await tongqu("change", "--from", changes, status=1)
    assert "multiples of 6" in refused and "1 approved with a change, 1 refused" in refused
    assert "1 rejected" in await tongqu("reject", "--reason", "It is going out.", other["id"])
    approved = await tongqu("approve", "--run", run)
    assert f"{len(found) - 2} approved" in approved

    async def ordered() -> bool:
        return await mongo.proposals.count_documents({"run": run, "state": "ordered"}) == len(found) - 1

    await eventually(ordered, timeout=240, message="not all was ordered")
    order = await mongo.purchase_orders.find_one({"supplier": supplier, "location": short})
    assert order is not None and [line["ordered"] for line in order["lines"]] == [48]
    assert moved["id"] in str(await mongo.transfers.find_one({"destination": short}))
    out = tmp_path / "simulated.json"
    said = await tongqu("simulate", region, "--days", 14, "--out", out)
    assert "fill rate" in said and json.loads(out.read_text())["classes"]
    assert not violations(await check(mongo, None))
