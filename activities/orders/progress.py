"""How a batch stands after a step: what the workflow shows and waits for."""

from datetime import datetime
from typing import Any

from contracts.fulfilment import ORDERS_INDEXED, Advance, Progress
from contracts.orders import TERMINAL
from infra.mongo import Mongo


async def progress(mongo: Mongo, step: Advance, changed: dict[str, list[str]], show_all: bool = True) -> Progress:
    """Read how the batch stands, and note it with the batch, where the sweep looks.

    `changed`: what this step moved, by stage. With `show_all`, and always for few orders, all orders are told instead.
    """
    pipeline: list[dict[str, Any]] = [
        {"$match": {"batch": step.batch}},
        {
            "$group": {
                "_id": "$stage",
                "count": {"$sum": 1},
                "due": {"$min": "$due"},
                "pay_at": {"$min": "$pay_at"},
                "label_at": {"$min": "$label_at"},
                "oldest": {"$min": "$placed_at"},
                "attention": {"$push": {"$cond": ["$attention", "$_id", "$$REMOVE"]}},
                "divisions": {"$addToSet": {"$substrBytes": ["$division", 0, 2]}},
                "channels": {"$addToSet": "$channel"},
            }
        },
    ]
    rows = [row async for row in mongo.orders.aggregate(pipeline)]
    unfinished = [row for row in rows if row["_id"] not in TERMINAL]
    if show_all or sum(row["count"] for row in rows) <= ORDERS_INDEXED:
        changed = await _by_stage(mongo, step.batch)
    pay_at = _earliest(row["pay_at"] for row in rows)
    payments_due = pay_at is not None and pay_at <= step.now
    label_at = _earliest(row["label_at"] for row in rows)
    labels_due = label_at is not None and label_at <= step.now
    outside = (None if payments_due else pay_at, None if labels_due else label_at)
    next_due = _earliest([*(row["due"] for row in unfinished), *outside])
    still_open = sum(row["count"] for row in unfinished)
    status = "running" if still_open else "closed"
    # A batch that the sweep has closed meanwhile stays closed.
    await mongo.batches.update_one(
        {"_id": step.batch, "status": {"$ne": "closed"}},
        {"$set": {"status": status, "open": still_open, "stepped_at": step.now, "next_due": next_due}},
    )
    return Progress(
        open=still_open,
        changed=changed,
        stages={row["_id"]: row["count"] for row in rows},
        payments_due=payments_due,
        labels_due=labels_due,
        next_due=next_due,
        oldest_open=_earliest(row["oldest"] for row in unfinished),
        attention=sorted(order for row in rows for order in row["attention"]),
        regions=sorted({division for row in rows for division in row["divisions"]}),
        channels=sorted({channel for row in rows for channel in row["channels"]}),
    )


async def _by_stage(mongo: Mongo, batch: str) -> dict[str, list[str]]:
    grouped: list[dict[str, Any]] = [
        {"$match": {"batch": batch}},
        {"$group": {"_id": "$stage", "orders": {"$push": "$_id"}}},
    ]
    return {row["_id"]: sorted(row["orders"]) async for row in mongo.orders.aggregate(grouped)}


def _earliest(moments: Any) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)
