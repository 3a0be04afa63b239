"""What is on order: every open line of every purchase order that is not ended, whatever its date."""

from collections.abc import Mapping, Sequence
from typing import Any

from contracts.buying import AWAITED
from infra.mongo import Mongo, Session

Key = tuple[str, str]
"""Location and SKU."""


async def on_order(mongo: Mongo, location: str, sku: str, session: Session | None = None) -> int:
    """Units that are still to come, also late ones and those that nobody has approved or confirmed yet."""
    return (await all_on_order(mongo, [location], [sku], session)).get((location, sku), 0)


async def all_on_order(
    mongo: Mongo,
    locations: Sequence[str] | None = None,
    skus: Sequence[str] | None = None,
    session: Session | None = None,
) -> Mapping[Key, int]:
    """By location and SKU; only what is above zero. None: of all."""
    wanted: dict[str, Any] = {"state": {"$in": list(AWAITED)}}
    if locations is not None:
        wanted["location"] = {"$in": list(locations)}
    of_line = {} if skus is None else {"lines.sku": {"$in": list(skus)}}
    promised = {"$ifNull": ["$lines.confirmed", "$lines.ordered"]}
    open_units = {"$subtract": [promised, {"$add": ["$lines.received", "$lines.cancelled"]}]}
    pipeline: list[dict[str, Any]] = [
        {"$match": {**wanted, **of_line}},
        {"$unwind": "$lines"},
        {"$match": of_line},
        {"$set": {"open": open_units}},
        {"$match": {"open": {"$gt": 0}}},
        {"$group": {"_id": {"location": "$location", "sku": "$lines.sku"}, "units": {"$sum": "$open"}}},
    ]
    found = mongo.purchase_orders.aggregate(pipeline, session=session)
    return {(row["_id"]["location"], row["_id"]["sku"]): row["units"] async for row in found}
