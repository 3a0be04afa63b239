"""Processes that would get in each other's way take turns, by a note in MongoDB."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from infra.lease import NEVER, from_now
from infra.mongo import Mongo

TURN_S = 3.0
"""After so long the turn of a process that has died is another's."""
_FIRST_POLL_S = 0.005
_POLL_AT_MOST_S = 0.04


class Turns:
    """Whose turn it is with `what`. One object per process and purpose.

    It spares processes work that another one makes worthless, and nothing more: correctness may not lean on it, since
    a turn can run out while its process is still at work. Time is the database's.
    """

    def __init__(self, mongo: Mongo, what: str, seconds: float = TURN_S) -> None:
        self._leases = mongo.leases
        self._what = what
        self._me = uuid.uuid4().hex
        self._seconds = seconds

        self._noted = False

    @asynccontextmanager
    async def mine(self) -> AsyncIterator[None]:
        """Wait for the turn, have it, give it on."""
        if not self._noted:
            note = {"owner": None, "expires_at": NEVER}
            await self._leases.update_one({"_id": self._what}, {"$setOnInsert": note}, upsert=True)
            self._noted = True
        pause = _FIRST_POLL_S
        while not await self._taken():
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _POLL_AT_MOST_S)
        try:
            yield
        finally:
            await self._leases.update_one({"_id": self._what, "owner": self._me}, {"$set": {"expires_at": NEVER}})

    async def _taken(self) -> bool:
        free = {"_id": self._what, "$expr": {"$lte": ["$expires_at", "$$NOW"]}}
        mine = {"owner": self._me, "expires_at": from_now(self._seconds)}
        taken = await self._leases.update_one(free, [{"$set": mine}])
        return bool(taken.matched_count)
