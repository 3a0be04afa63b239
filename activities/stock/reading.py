"""Reads everything that the planner's view starts from, in one snapshot."""

from dataclasses import dataclass
from typing import Any

from contracts.stock import slots_since
from infra.mongo import Mongo, Session

_LEVEL = {"_id": 0, "location": 1, "sku": 1, "on_hand": 1, "reserved": 1}

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Kept:
    """Rows as they are kept; `parcels`: location, slot, kind of movement, and how many there were."""

    counters: dict[str, int]
    locations: Rows
    carriers: Rows
    articles: Rows
    levels: Rows
    parcels: Rows


async def read_all(mongo: Mongo, session: Session) -> Kept:
    """For `Mongo.snapshot`: all reads see the database at one moment."""
    counters = {c["_id"]: c["version"] async for c in mongo.counters.find({}, session=session) if "version" in c}
    slots: Rows = [
        {"$match": {"slot": {"$gte": slots_since(mongo.clock.now())}}},
        {"$group": {"_id": {"location": "$location", "slot": "$slot", "kind": "$kind"}, "parcels": {"$sum": 1}}},
        {"$replaceWith": {"$mergeObjects": ["$_id", {"parcels": "$parcels"}]}},
    ]
    return Kept(
        counters=counters,
        locations=[row async for row in mongo.locations.find({}, session=session).sort("_id")],
        carriers=[row async for row in mongo.carriers.find({}, session=session).sort("_id")],
        articles=[row async for row in mongo.skus.find({}, session=session)],
        levels=[row async for row in mongo.stock.find({}, _LEVEL, session=session).batch_size(10_000)],
        parcels=[row async for row in mongo.ledger.aggregate(slots, session=session)],
    )
