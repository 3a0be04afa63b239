"""The right to relay: held by one at a time, in MongoDB."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pymongo import ReturnDocument

from infra.mongo import Mongo, Session

LEASE_S = 6.0
"""How long a relay that says nothing keeps the others waiting."""

LEASE = "relay"
NEVER = datetime.fromtimestamp(0, UTC)


class LeaseLost(Exception):
    """Another relay has taken over: stop publishing at once."""


class Lease:
    """The right to relay, held by one at a time. `token` grows at each take-over: an old one is worth nothing.

    `published` is the sequence at which the stream stood when this was last noted. `turn` counts the times that numbers
    were given; those of the turns up to `folded` are in the partners' own documents.
    Time is the database's, so that clocks of different machines do not matter.
    """

    def __init__(self, mongo: Mongo, row: Mapping[str, Any], seconds: float) -> None:
        self._mongo = mongo
        self.token: int = row["token"]
        self.published: int = row["published"]
        self.turn: int = row["turn"]
        self.folded: int = row["folded"]
        self._seconds = seconds
        self._kept_at = time.monotonic()

    @classmethod
    async def take(cls, mongo: Mongo, owner: str, seconds: float = LEASE_S) -> "Lease | None":
        """None while another one holds it. A relay may take over from itself after an error."""
        fresh = {"token": 0, "published": 0, "turn": 0, "folded": 0, "owner": None, "expires_at": NEVER}
        await mongo.leases.update_one({"_id": LEASE}, {"$setOnInsert": fresh}, upsert=True)
        free = {"$or": [{"owner": owner}, {"$expr": {"$lte": ["$expires_at", "$$NOW"]}}]}
        taken = {"owner": owner, "token": {"$add": ["$token", 1]}, "expires_at": from_now(seconds)}
        row = await mongo.leases.find_one_and_update(
            {"_id": LEASE, **free}, [{"$set": taken}], return_document=ReturnDocument.AFTER
        )
        return cls(mongo, row, seconds) if row else None

    async def keep(self) -> bool:
        """Renew when half of the time is over; whether it was. Raises LeaseLost."""
        due = time.monotonic() - self._kept_at > self._seconds / 2
        if due:
            await self.renew()
        return due

    async def renew(self, session: Session | None = None, **changes: int) -> None:
        """Within a transaction this also fences it: it cannot commit beside a take-over. Raises LeaseLost."""
        began = time.monotonic()
        changed = {**changes, "expires_at": from_now(self._seconds), "published": self.published}
        renewed = await self._mongo.leases.update_one(self._mine, [{"$set": changed}], session=session)
        if not renewed.matched_count:
            raise LeaseLost
        self._kept_at = began

    async def give_back(self) -> None:
        """Let another relay take over at once."""
        changes = {"expires_at": NEVER, "owner": None, "published": self.published}
        await self._mongo.leases.update_one(self._mine, {"$set": changes})

    @property
    def _mine(self) -> dict[str, object]:
        return {"_id": LEASE, "token": self.token}


def from_now(seconds: float) -> dict[str, Any]:
    """By the database's clock, for an update by pipeline."""
    return {"$add": ["$$NOW", int(seconds * 1000)]}
