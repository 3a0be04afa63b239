"""A partner's way in: its API keys, its credentials for the bus and its webhooks. Keys and credentials are made when
they are collected; all of it ends at once."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime

from contracts.partnership import PartnerRecord
from infra.credentials import CredentialDesk, Credentials
from infra.keys import Scope, create_key, revoke_keys
from infra.mongo import Mongo
from infra.settings import Settings
from infra.webhooks import revoke_webhooks


@dataclass(frozen=True, slots=True)
class Ended:
    """How many keys and webhooks there were, and when the bus had taken the credentials back."""

    keys: int
    webhooks: int
    at: datetime


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
        key = await create_key(self._mongo, partner.lower(), [Scope.PARTNER], partner=partner)
        await self._given_again(partner)
        return key

    async def collect(self, partner: PartnerRecord) -> Collected | None:
        """Once: its first key and credentials. None when they were collected before, or are not to be, also when access
        was taken back in between.

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
        key = await create_key(self._mongo, partner.id.lower(), [Scope.PARTNER], partner=partner.id)
        # Whoever takes access back writes that down first: what was made before it is found by it, what comes after it
        # is ended here.
        if await self._mongo.partners.find_one({"_id": partner.id, "access": "collected"}, {"_id": 1}) is None:
            await self.end(partner.id)
            return None
        return Collected(key, credentials)

    async def rotate(self, partner: PartnerRecord, overlap_s: float) -> Credentials:
        """New credentials; those that there are count for so many seconds more. A partner that has none gets its first.

        Raises Refusal and BusNotTold of infra.credentials.
        """
        desk = await self._opened()
        if await self._mongo.credentials.find_one({"partner": partner.id, "revoked_at": None}, {"_id": 1}) is None:
            made = await desk.issue(partner.id, partner.streams)
        else:
            made = await desk.rotate(partner.id, overlap_s)
        await self._given_again(partner.id)
        return made

    async def end(self, partner: str) -> Ended:
        """All that a partner hears and speaks by: what waits to be collected, its keys, its webhooks, its credentials.

        Safe to repeat. Raises BusNotTold when the server of the bus is away; the rest is done by then.
        """
        row = await self._mongo.partners.find_one_and_update(
            {"_id": partner, "access": {"$in": ["to_collect", "collected"]}}, {"$set": {"access": "revoked"}}
        ) or await self._mongo.partners.find_one({"_id": partner})
        keys = await revoke_keys(self._mongo, partner=partner)
        webhooks = await revoke_webhooks(self._mongo, PartnerRecord.from_row(row).streams if row else [partner])
        return Ended(keys, webhooks, await (await self._opened()).revoke(partner))

    async def _given_again(self, partner: str) -> None:
        """By an operator, to whom it was taken away."""
        await self._mongo.partners.update_one({"_id": partner, "access": "revoked"}, {"$set": {"access": "collected"}})

    async def revoke(self, partner: str) -> None:
        await self.end(partner)

    async def _opened(self) -> CredentialDesk:
        async with self._opening:
            if self._desk is None:
                self._desk = await self._stack.enter_async_context(CredentialDesk.opened(self._settings, self._mongo))
            return self._desk
