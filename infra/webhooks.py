"""What ends a partner's webhooks from outside: its access was taken back."""

from collections.abc import Sequence

from infra.mongo import Mongo


async def revoke_webhooks(mongo: Mongo, streams: Sequence[str]) -> int:
    """Send nothing of these streams to any webhook any more; returns how many there were.

    Whoever sends notices within a second. Only an operator can resume them.
    """
    changes = {"state": "paused", "paused_for": "revoked", "next_at": None}
    mine = {"stream": {"$in": list(streams)}, "paused_for": {"$ne": "revoked"}}
    done = await mongo.webhooks.update_many(mine, {"$set": changes, "$inc": {"generation": 1}})
    return int(done.modified_count)
