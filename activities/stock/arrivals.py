"""Gives stock that became available to the orders that have waited longest for it."""

from collections.abc import Mapping, Set
from datetime import datetime

from contracts.orders import InboxEvent, Stage
from infra.mongo import Mongo, insert_new

_WOKEN_AT_MOST = 500


async def wake_waiting(
    mongo: Mongo, freed: Mapping[str, int], at: datetime, *, besides: Set[str] = frozenset()
) -> set[str]:
    """Tell back-ordered orders that stock arrived, the oldest first: twice as many as there are new units.

    More than could be served, because an old order that still lacks something else must not keep the goods from a
    younger one; each is routed anew and decides for itself. Returns the batches whose bell should be rung. `freed`:
    units by SKU. `besides`: orders not to tell, because they were just routed with this stock in view.
    """
    waiting = {"stage": Stage.BACKORDERED, "lines.sku": {"$in": list(freed)}, "_id": {"$nin": list(besides)}}
    most = min(2 * sum(freed.values()) + 10, _WOKEN_AT_MOST)
    found = mongo.orders.find(waiting, {"batch": 1, "version": 1}).sort("placed_at", 1).limit(most)
    woken = [row async for row in found]
    events = [
        InboxEvent(
            id=f"arrived:{row['_id']}:{row['version']}",
            order=row["_id"],
            kind="stock.arrived",
            received_at=at,
            by="stock",
        ).unread(row["batch"])
        for row in woken
    ]
    # An order that was woken before and has not moved since has its event already.
    await insert_new(mongo.inbox, events)
    return {row["batch"] for row in woken if row["batch"]}
