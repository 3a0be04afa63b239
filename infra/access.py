"""A partner's way in: its API keys and its credentials for the bus, made when they are collected, ended all at once."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime

from contracts.partnership import PartnerRecord
from infra.credentials import CredentialDesk, Credentials
from infra.keys import Scope, create_key, revoke_keys
from infra.mongo import Mongo
from infra.settings import Settings


@dataclass(frozen=True, slots=True)
class Collected:
    """What a partner is shown once. Nobody keeps it."""

    key: str
    credentials: Credentials


class PartnerAccess:
    """The desk that issues credentials is opened when it is first needed: most processes never do."""

    def __init__(self, mongo: Mongo, settings: Settings) -> None:
        self._mongo = mongo
        self._settings = settings
        self._stack = AsyncExitStack()
        self._desk: CredentialDesk | None = None
        self._opening = asyncio.Lock()

    async def close(self) -> None:
        await self._stack.aclose()

    async def key(self, partner: str) -> str:
        """A further key of the partner."""
        return await create_key(self._mongo, partner.lower(), [Scope.PARTNER], partner=partner)

    async def collect(self, partner: PartnerRecord) -> Collected | None:
        """Once: its first key and credentials. None when they were collected before, or are not to be.

        Whoever is cut off in between has them made anew by an operator.
        """
        claimed = await self._mongo.partners.update_one(
            {"_id": partner.id, "access": "to_collect"}, {"$set": {"access": "collected"}}
        )
        if not claimed.modified_count:
            return None
        try:
            credentials = await (await self._opened()).issue(partner.id, partner.streams)
        except BaseException:
            again = {"$set": {"access": "to_collect"}}
            await asyncio.shield(self._mongo.partners.update_one({"_id": partner.id, "access": "collected"}, again))
            raise
        return Collected(await self.key(partner.id), credentials)

    async def rotate(self, partner: PartnerRecord, overlap_s: float) -> Credentials:
        """New credentials; those that there are count for so many seconds more. A partner that has none gets its first.

        Raises Refusal and BusNotTold of infra.credentials.
        """
        desk = await self._opened()
        if await self._mongo.credentials.find_one({"partner": partner.id, "revoked_at": None}, {"_id": 1}) is None:
            return await desk.issue(partner.id, partner.streams)
        return await desk.rotate(partner.id, overlap_s)

    async def end(self, partner: str) -> tuple[int, datetime]:
        """All of the partner's keys and credentials; how many keys there were, and when the bus had taken the rest."""
        keys = await revoke_keys(self._mongo, partner=partner)
        return keys, await (await self._opened()).revoke(partner)

    async def revoke(self, partner: str) -> None:
        await self.end(partner)

    async def _opened(self) -> CredentialDesk:
        async with self._opening:
            if self._desk is None:
                self._desk = await self._stack.enter_async_context(CredentialDesk.opened(self._settings, self._mongo))
            return self._desk
