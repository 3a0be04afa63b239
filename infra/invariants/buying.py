"""Invariants of buying: what was received lies in the ledger, no proposal is ordered twice, every order is carried."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.buying import ENDED
from infra.invariants.findings import Finding, Invariant, found
from infra.mongo import Mongo, Session

SHELVED = Invariant(
    "purchases.shelved",
    "the good units of every receipt of a purchase order are in the ledger, once, and its lines say the same",
    "Count the shelf at the location that received them, and send the count.",
)
ONCE = Invariant(
    "purchases.once",
    "every proposal is on one purchase order at most, and what went elsewhere is on the orders that are named",
    "Cancel the younger of the orders.",
)
CARRIED = Invariant(
    "purchases.carried",
    "every open purchase order, and every open objection to a score, is carried by a workflow",
    "See that the supply worker runs and reaches Temporal; it starts them again.",
    "warning",
)
INVARIANTS = [SHELVED, ONCE, CARRIED]

_WAITS_LONGEST = timedelta(seconds=60)
_FIELDS = {"location": 1, "lines": 1, "receipts": 1, "proposals": 1, "successors": 1, "predecessor": 1}
_AT_ONCE = 500


async def check_purchases(mongo: Mongo, session: Session) -> list[Finding]:
    proposals: Counter[str] = Counter()
    named: dict[str, str] = {}
    made: dict[str, str] = {}
    alone: list[str] = []
    wrong: list[str] = []
    booked: dict[str, int] = {}
    since = datetime.now(UTC) - _WAITS_LONGEST
    fields = {**_FIELDS, "started": 1, "state": 1, "created_at": 1}
    async for row in mongo.purchase_orders.find({}, fields, session=session):
        proposals.update(row["proposals"])
        named |= dict.fromkeys(row["successors"], row["_id"])
        if row["predecessor"] is not None:
            made[row["_id"]] = row["predecessor"]
        if not row["started"] and row["state"] not in ENDED and row["created_at"] < since:
            alone.append(f"{row['_id']} is {row['state']} and nobody carries it")
        booked |= _received(row)
        wrong += _miscounted(row)
    unheard = {"state": "open", "started": {"$ne": True}, "at": {"$lt": since}}
    async for row in mongo.score_disputes.find(unheard, {"_id": 1}, session=session):
        alone.append(f"the objection to {row['_id']} is open and nobody carries it")
    twice = [f"the proposal {one} is on {count} orders" for one, count in proposals.items() if count > 1]
    twice += [
        f"{one} stands in for {named.get(one) or made.get(one)}, and only one of both says so"
        for one in sorted(named.keys() ^ made.keys())
    ]
    return [
        *found(SHELVED, [*wrong, *await _misbooked(mongo, session, booked)]),
        *found(ONCE, twice),
        *found(CARRIED, alone),
    ]


def _received(row: dict[str, Any]) -> dict[str, int]:
    """By the ids of ledger rows that there must be."""
    return {
        f"received:{row['_id']}:{receipt['reference']}:{row['location']}:{line['sku']}": line["good"]
        for receipt in row["receipts"]
        for line in receipt["lines"]
        if line["good"]
    }


def _miscounted(row: dict[str, Any]) -> list[str]:
    came: Counter[int] = Counter()
    for receipt in row["receipts"]:
        for line in receipt["lines"]:
            if line["line"] is not None:
                came[line["line"]] += line["good"]
    return [
        f"line {line['line']} of {row['_id']} says {line['received']} received, its receipts {came[line['line']]}"
        for line in row["lines"]
        if line["received"] != came[line["line"]]
    ]


async def _misbooked(mongo: Mongo, session: Session, booked: dict[str, int]) -> list[str]:
    names, wrong = sorted(booked), []
    for start in range(0, len(names), _AT_ONCE):
        some = names[start : start + _AT_ONCE]
        rows = mongo.ledger.find({"_id": {"$in": some}}, {"changes": 1}, session=session)
        there = {row["_id"]: sum(change["on_hand"] for change in row["changes"]) async for row in rows}
        wrong += [
            f"{name} is {there.get(name, 'missing')} in the ledger, not {booked[name]}"
            for name in some
            if there.get(name) != booked[name]
        ]
    return wrong
