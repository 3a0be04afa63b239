"""Webhooks in the database: who sends to which, how far each has come, and what becomes of those that fail."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from contracts.events import WebhookPaused
from contracts.subjects import RETAILER
from contracts.webhooks import Failure, PauseReason, Webhook
from infra.mongo import Mongo, Session
from infra.outbox import outgoing, rows_of
from infra.sealing import Sealing

COLLECTION = "webhooks"
LEASE_S = 6.0
"""How long a process that says nothing keeps the others from its webhooks."""
KIND = "webhook.paused.v1"
_FREE = datetime.fromtimestamp(0, UTC)
FREE: dict[str, Any] = {"owner": None, "token": 0, "until": _FREE}
"""The lease of a webhook that nobody sends to."""


class Superseded(Exception):
    """Somebody else has changed the webhook, or sends to it by now: look again before anything else is sent."""


class Keeping:
    """What one process (`owner`) keeps. Leases are by the database's time, and renewed all together."""

    def __init__(self, mongo: Mongo, sealing: Sealing, owner: str, lease_s: float = LEASE_S) -> None:
        self._mongo = mongo
        self._sealing = sealing
        self._owner = owner
        self._lease_s = lease_s

    async def claim(self, most: int) -> list[Webhook]:
        """Take active webhooks that nobody sends to, at most so many."""
        free: dict[str, Any] = {"state": "active", "$expr": {"$lte": ["$lease.until", "$$NOW"]}}
        lease = {"owner": self._owner, "token": {"$add": ["$lease.token", 1]}, "until": self._until}
        taken = []
        past = {"state": "active", "lease.until": {"$lte": self._mongo.clock.now()}}
        async for row in self._mongo.webhooks.find(past, {"_id": 1}).limit(most):
            mine = {"_id": row["_id"], **free}
            if (await self._mongo.webhooks.update_one(mine, [{"$set": {"lease": lease}}])).matched_count:
                taken.append(row["_id"])
        found = self._mongo.webhooks.find({"_id": {"$in": taken}, "lease.owner": self._owner})
        return [self._opened(row) async for row in found]

    async def renew(self) -> dict[str, tuple[int, int]]:
        """Keep all for another while. Returns those that are still this process's: token and generation of each."""
        mine = {"lease.owner": self._owner}
        await self._mongo.webhooks.update_many(mine, [{"$set": {"lease.until": self._until}}])
        wanted = {"lease.token": 1, "generation": 1}
        return {
            row["_id"]: (row["lease"]["token"], row["generation"])
            async for row in self._mongo.webhooks.find({**mine, "state": "active"}, wanted)
        }

    async def give_back(self, hook: str | None = None) -> None:
        """One, or all: others may take them at once."""
        which = {"lease.owner": self._owner} if hook is None else {"_id": hook, "lease.owner": self._owner}
        await self._mongo.webhooks.update_many(which, {"$set": {"lease.owner": None, "lease.until": _FREE}})

    async def read(self, hook: Webhook) -> Webhook | None:
        """As it is now; None when it is not this process's any more, or rests."""
        mine = {"_id": hook.id, "lease.owner": self._owner, "lease.token": hook.lease.token, "state": "active"}
        row = await self._mongo.webhooks.find_one(mine)
        return self._opened(row) if row else None

    def _opened(self, row: Mapping[str, Any]) -> Webhook:
        return Webhook.from_row(self._sealing.opened(row, COLLECTION))

    async def reached(self, hook: Webhook) -> None:
        """Everything up to its position was answered 2xx. Raises Superseded."""
        changes = {"position": hook.position, "attempts": 0, "failing_since": None, "next_at": None}
        await self._change(hook, {"$set": changes, "$max": {"acknowledged": hook.acknowledged}})

    async def failed(self, hook: Webhook) -> None:
        """The next event was not taken; when to try again is in `next_at`. Raises Superseded."""
        assert hook.last_failure is not None
        names = {"position", "attempts", "failing_since", "next_at", "last_failure"}
        changes = hook.model_dump(include=names)
        await self._change(hook, {"$set": changes, "$max": {"acknowledged": hook.acknowledged}})

    async def pause(self, hook: Webhook, reason: PauseReason, failure: Failure) -> None:
        """Send nothing any more, and tell its partner and the retailer, in one transaction. Raises Superseded."""
        now = self._mongo.clock.now()
        names = {"position", "attempts", "failing_since"}
        changes = {
            **hook.model_dump(include=names),
            "state": "paused",
            "paused_for": reason,
            "next_at": None,
            "last_failure": failure.model_dump(),
            "lease.owner": None,
            "lease.until": _FREE,
        }
        rows = rows_of(_told(hook, reason, failure, now), now)

        async def work(session: Session) -> None:
            await self._change(hook, {"$set": changes, "$max": {"acknowledged": hook.acknowledged}}, session)
            await self._mongo.outbox.insert_many(rows, session=session)

        await self._mongo.transaction(work)

    async def _change(self, hook: Webhook, update: Mapping[str, Any], session: Session | None = None) -> None:
        """Only while this process may send, and nobody has set the webhook to another place meanwhile."""
        mine = {"_id": hook.id, "lease.token": hook.lease.token, "generation": hook.generation}
        changed = await self._mongo.webhooks.update_one(mine, update, session=session)
        if not changed.matched_count:
            raise Superseded

    @property
    def _until(self) -> dict[str, Any]:
        return {"$add": ["$$NOW", int(self._lease_s * 1000)]}


def _told(hook: Webhook, reason: PauseReason, failure: Failure, at: datetime) -> list[dict[str, Any]]:
    data = WebhookPaused(
        webhook=hook.id,
        stream=hook.stream,
        host=urlsplit(hook.url).hostname or "",
        reason=reason,
        position=hook.position,
        failing_since=hook.failing_since,
        status=failure.status,
        detail=failure.detail,
    ).model_dump(exclude_none=True)
    name = f"webhook-paused:{hook.id}:{hook.generation}"
    hearers = dict.fromkeys((hook.stream, RETAILER))
    return [outgoing(hearer, f"{name}:{hearer}", KIND, hook.id, at, data) for hearer in hearers]
