"""How much suppliers have, as they report it, for what a run would buy of them."""

from collections import Counter
from collections.abc import Iterable, Mapping
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
    reports = {
        (one.supplier, one.sku): one
        async for row in mongo.supplier_reports.find(query)
        if _counts(one := Reported.from_row(row), today) and (one.supplier, one.sku) in wanted
    }
    later = await _ordered_since(mongo, reports)
    return {key: max(0, (one.on_hand or 0) + WEEKS * (one.per_week or 0) - later[key]) for key, one in reports.items()}


def _counts(report: Reported, today: date) -> bool:
    in_force = report.until is None or report.until >= today
    return in_force and report.on_hand is not None and report.per_week is not None


async def _ordered_since(mongo: Mongo, reports: Mapping[Sold, Reported]) -> Counter[Sold]:
    """Units that are still to come of orders that are younger than the report; one look for all reports."""
    units = Counter[Sold]()
    if not reports:
        return units
    query = {
        "supplier": {"$in": sorted({supplier for supplier, _ in reports})},
        "created_at": {"$gt": min(one.at for one in reports.values())},
        "state": {"$in": list(AWAITED)},
        "lines.sku": {"$in": sorted({sku for _, sku in reports})},
    }
    kept = {"supplier": 1, "created_at": 1}
    kept |= {f"lines.{name}": 1 for name in ("sku", "ordered", "confirmed", "received", "cancelled")}
    async for row in mongo.purchase_orders.find(query, kept):
        for line in row["lines"]:
            key = (row["supplier"], line["sku"])
            if key in reports and row["created_at"] > reports[key].at:
                asked = line["ordered"] if line.get("confirmed") is None else line["confirmed"]
                units[key] += max(asked - line.get("received", 0) - line.get("cancelled", 0), 0)
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
