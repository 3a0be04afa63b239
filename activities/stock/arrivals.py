"""Gives stock that became available to the orders that have waited longest for it."""

from collections.abc import Mapping, Set
from datetime import datetime

from contracts.orders import Stage
from infra.mongo import BulkWriteError, Mongo

_LOOKED_AT = 2_000


async def wake_waiting(
    mongo: Mongo, freed: Mapping[str, int], at: datetime, *, besides: Set[str] = frozenset()
) -> set[str]:
    """Tell back-ordered orders that stock arrived: the oldest first, as many as the new units could serve.

    Returns the batches whose bell should be rung. `freed`: units by SKU. `besides`: orders not to tell, because they
    were just routed with this stock in view; an order whose store was silent would otherwise be woken by the goods
    that it gave back itself.
    """
    left = dict(freed)
    woken = []
    found = mongo.orders.find(
        {"stage": Stage.BACKORDERED, "lines.sku": {"$in": list(freed)}}, {"batch": 1, "lines": 1, "version": 1}
    )
    async for row in found.sort("placed_at", 1).limit(_LOOKED_AT):
        wanted = {line["sku"]: line["quantity"] for line in row["lines"] if left.get(line["sku"], 0) > 0}
        if not wanted or row["_id"] in besides:
            continue
        for sku, units in wanted.items():
            left[sku] -= units
        woken.append(row)
    if not woken:
        return set()
    events = [
        {
            "_id": f"arrived:{row['_id']}:{row['version']}",
            "order": row["_id"],
            "batch": row["batch"],
            "kind": "stock.arrived",
            "received_at": at,
            "by": "stock",
            "parcel": None,
            "data": {},
            "drained": None,
        }
        for row in woken
    ]
    try:
        await mongo.inbox.insert_many(events, ordered=False)
    except BulkWriteError:
        # Orders that were woken before and have not moved since: their event is already there.
        pass
    return {row["batch"] for row in woken if row["batch"]}
