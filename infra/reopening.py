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
    changed = await mongo.orders.update_many(ended, {"$set": {"batch": None}, "$inc": {"version": 1}})
    return changed.modified_count
