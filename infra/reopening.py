"""Orders that have ended and must move once more: money came for them, or goods come back."""

from collections.abc import Collection

from contracts.orders import TERMINAL
from infra.mongo import Mongo

_ENDED = [str(stage) for stage in TERMINAL]


async def reopen(mongo: Mongo, orders: Collection[str]) -> int:
    """Let ended orders be claimed into a new batch, with what lies unread for them; how many. Safe to repeat.

    The version grows, so that a step of the old batch which has read the order writes nothing of it.
    """
    if not orders:
        return 0
    ended = {"_id": {"$in": sorted(orders)}, "stage": {"$in": _ENDED}, "batch": {"$ne": None}}
    batches = await mongo.orders.distinct("batch", ended)
    changed = await mongo.orders.update_many(ended, {"$set": {"batch": None}, "$inc": {"version": 1}})
    # Whoever claims them looks for what came for them among what belongs to no batch.
    unread = {"batch": {"$in": batches}, "drained": None, "order": {"$in": sorted(orders)}}
    await mongo.inbox.update_many(unread, {"$set": {"batch": None}})
    return changed.modified_count
