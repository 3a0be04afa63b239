"""How much suppliers have, as they report it, for what a run would buy of them."""

from collections.abc import Iterable
from datetime import date

from contracts.buying import AWAITED
from contracts.buying_replies import Reported
from contracts.supply import Sourcing
from infra.mongo import Mongo

WEEKS = 4
"""What a supplier makes in so many weeks counts as there, as when one is chosen (activities/buying/choosing.py)."""
Sold = tuple[str, str]
"""Supplier and SKU."""


async def read_available(mongo: Mongo, sources: Iterable[Sourcing], today: date) -> dict[Sold, int]:
    """Units by supplier and SKU; only of those that report both what they have and what they make. What was ordered
    after a report, and is still to come, is not there any more."""
    wanted = {(one.supplier, one.sku) for one in sources}
    query = {
        "supplier": {"$in": sorted({one for one, _ in wanted})},
        "sku": {"$in": sorted({sku for _, sku in wanted})},
    }
    reports = [Reported.from_row(row) async for row in mongo.supplier_reports.find(query)]
    found: dict[Sold, int] = {}
    for one in reports:
        if (one.supplier, one.sku) not in wanted or (one.until is not None and one.until < today):
            continue
        if one.on_hand is not None and one.per_week is not None:
            later = await _ordered_since(mongo, one)
            found[one.supplier, one.sku] = max(0, one.on_hand + WEEKS * one.per_week - later)
    return found


async def _ordered_since(mongo: Mongo, report: Reported) -> int:
    since = {"supplier": report.supplier, "created_at": {"$gt": report.at}, "state": {"$in": list(AWAITED)}}
    units = 0
    async for row in mongo.purchase_orders.find({**since, "lines.sku": report.sku}, {"lines": 1}):
        for line in row["lines"]:
            if line["sku"] == report.sku:
                asked = line["ordered"] if line.get("confirmed") is None else line["confirmed"]
                units += max(asked - line.get("received", 0) - line.get("cancelled", 0), 0)
    return units


async def bought_of(mongo: Mongo, run: str, sold: Iterable[Sold]) -> dict[Sold, int]:
    """What a run proposes to buy already, by supplier and SKU."""
    wanted = set(sold)
    units = dict.fromkeys(wanted, 0)
    query = {"run": run, "kind": "purchase", "sku": {"$in": sorted({sku for _, sku in wanted})}}
    async for row in mongo.proposals.find(query, {"source": 1, "sku": 1, "quantity": 1}):
        if (row["source"], row["sku"]) in units:
            units[row["source"], row["sku"]] += row["quantity"]
    return units
