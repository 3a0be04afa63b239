"""Credentials of partners for the bus: issued, replaced and taken back, with the server told at once.

What counts is in MongoDB: an account for each partner in `bus_accounts` (its public key, its streams), a row for each
user in `credentials` (public key, when it was issued, when it expires, when it is to be or was taken back). The server
gets the account's token from it; that may be repeated, and `sweep` repeats it where somebody was killed in between.
Nobody keeps the seed of a user: it is in the text that is given away once.
"""

import asyncio
import logging
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import nats.errors
import orjson

from contracts.refusals import Refusal
from infra.bus_access import STREAMS_MAX, SYSTEM_INBOX, partner_account, partner_inbox
from infra.mongo import DuplicateKeyError, Mongo
from infra.nats import Connection, connect
from infra.nats_jwt import KeyPair, creds_text, encode, scoped_user_claims
from infra.nats_keys import BusKeys
from infra.settings import Settings

log = logging.getLogger(__name__)

VALID_S = 365 * 86_400.0
"""How long credentials count unless a desk is told otherwise."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_UPDATE = "$SYS.REQ.CLAIMS.UPDATE"
_ANSWER_S = 5.0
_LEFT_BEHIND_S = 15.0
"""After so long a change that nobody has finished telling the server about is told again."""
_AT_ONCE = 50


class BusNotTold(ConnectionError):
    """The server has not taken an account. What was decided is written down, and will be told again."""

    def __init__(self, partner: str, why: str) -> None:
        super().__init__(f"NATS has not taken the account of {partner}: {why}; it will be told again")


class BusRefused(BusNotTold):
    """The server has answered, and does not want this account; others it may take."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """`creds` is the text of a `.creds` file, which nobody can make again; `inbox` the prefix its client must use."""

    partner: str
    streams: tuple[str, ...]
    public_key: str
    expires_at: datetime
    inbox: str
    creds: str = field(repr=False)


class CredentialDesk:
    """Issues credentials for partners. `system` is a connection of the system account (see `opened`)."""

    def __init__(self, mongo: Mongo, keys: BusKeys, system: Connection, *, valid_s: float = VALID_S) -> None:
        self._mongo = mongo
        self._system = system
        self._valid = timedelta(seconds=valid_s)
        self._signing, self._users = keys.key("signing"), keys.key("partners")
        self._events, self._events_token = keys.public("events"), keys.events_account()

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, settings: Settings, mongo: Mongo, *, valid_s: float = VALID_S
    ) -> AsyncIterator["CredentialDesk"]:
        """Raises NotConfigured, KeysIncomplete, and what `connect` raises."""
        keys = BusKeys(Path(settings.require("nats_keys")))
        url = settings.require("nats_url")
        system = await connect(url, keys.system_creds, "desk", inbox=SYSTEM_INBOX)
        try:
            yield cls(mongo, keys, system, valid_s=valid_s)
        finally:
            await system.close()

    async def issue(self, partner: str, streams: Sequence[str]) -> Credentials:
        """New credentials, beside those that the partner may have; all of them are for these streams from now on.

        Raises Refusal, and BusNotTold when the server is away: then issue again.
        """
        wanted = list(dict.fromkeys(streams))
        refuse(partner, wanted)
        other = await self._other_owner(partner, wanted)
        if other is not None:
            raise _taken(*other)
        new = {"account": KeyPair.new("account").public, "streams": [], "version": 0, "telling": []}
        await self._mongo.bus_accounts.update_one({"_id": partner}, {"$setOnInsert": new}, upsert=True)
        made: list[Credentials] = []

        async def write() -> None:
            try:
                row = await self._mongo.bus_accounts.find_one_and_update(
                    {"_id": partner}, {"$set": {"streams": wanted}, "$inc": {"version": 1}}, return_document=True
                )
            except DuplicateKeyError as error:
                # Another one was given the stream since it was looked for.
                raise _taken(*(await self._other_owner(partner, wanted) or ("", wanted[0]))) from error
            made.append(await self._new_user(row))

        await self._change(partner, write)
        return made[0]

    async def _other_owner(self, partner: str, streams: Sequence[str]) -> tuple[str, str] | None:
        """Another partner that has one of these streams, and that stream."""
        wanted = list(streams)
        row = await self._mongo.bus_accounts.find_one({"_id": {"$ne": partner}, "streams": {"$in": wanted}})
        return (row["_id"], min(set(wanted) & set(row["streams"]))) if row else None

    async def rotate(self, partner: str, overlap_s: float) -> Credentials:
        """New credentials; those that there are count for `overlap_s` more. No event is lost: both read with the same
        consumer, which knows what was acknowledged.

        Raises Refusal when the partner has none, and BusNotTold.
        """
        account = await self._mongo.bus_accounts.find_one({"_id": partner, "streams": {"$ne": []}})
        if account is None:
            raise Refusal(
                "no_credentials",
                f"The partner {partner} has no credentials to be replaced.",
                remedy="Issue credentials for its streams.",
                status=409,
            )
        new = await self._new_user(account)
        until = self._mongo.clock.now() + timedelta(seconds=max(overlap_s, 0.0))
        await self._mongo.credentials.update_many(
            {"partner": partner, "revoked_at": None, "retires_at": None, "_id": {"$ne": new.public_key}},
            {"$set": {"retires_at": until}},
        )
        if overlap_s <= 0:
            await self._retire(partner)
        return new

    async def revoke(self, partner: str) -> datetime:
        """Take back all that the partner has; its connections end at once. Returns when the server had done it.

        Safe to repeat, and for a partner that never had any. Raises BusNotTold.
        """

        async def write() -> None:
            now = self._mongo.clock.now()
            await self._mongo.credentials.update_many(
                {"partner": partner, "revoked_at": None}, {"$set": {"revoked_at": now}}
            )
            # Without streams its account asks nothing of ours, whoever may still be in it.
            await self._mongo.bus_accounts.update_one(
                {"_id": partner}, {"$set": {"streams": []}, "$inc": {"version": 1}}
            )

        if await self._mongo.bus_accounts.find_one({"_id": partner}, {"_id": 1}):
            await self._change(partner, write)
        return self._mongo.clock.now()

    async def run(self, every_s: float = 5.0) -> None:
        """Sweep for ever."""
        while True:
            await asyncio.sleep(every_s)
            try:
                await self.sweep()
            except Exception:
                log.exception("credentials that are due to end could not be taken back; trying again")

    async def sweep(self) -> int:
        """End what is due to end, and tell the server what somebody began to tell it and did not finish.

        An account that the server refuses holds up no other. Returns how many it took. Raises BusNotTold when the
        server is away.
        """
        now = self._mongo.clock.now()
        due = await self._mongo.credentials.distinct("partner", {"retires_at": {"$lte": now}, "revoked_at": None})
        done = [await self._unless_refused(self._retire(partner)) for partner in due]
        before = now - timedelta(seconds=_LEFT_BEHIND_S)
        left = [row async for row in self._mongo.bus_accounts.find({"telling.at": {"$lt": before}})]
        done += [await self._unless_refused(self._tell_left(row)) for row in left]
        return sum(done)

    async def _tell_left(self, row: dict[str, Any]) -> None:
        # Nothing is added to what is to be told: while the server is away that would grow with every sweep.
        await self._tell(row["_id"])
        await self._mongo.bus_accounts.update_one(
            {"_id": row["_id"]}, {"$pull": {"telling": {"id": {"$in": [one["id"] for one in row["telling"]]}}}}
        )

    async def _unless_refused(self, work: Awaitable[None]) -> bool:
        """Whether the server took it. What it refused stays to be told, and is tried again by the next sweep."""
        try:
            await work
        except BusRefused as error:
            log.error("%s", error)
            return False
        return True

    async def tell_all(self) -> int:
        """Give the server every account, for one that was set up anew. Safe to repeat. Returns how many partners' it
        took."""
        await self._give("the events", self._events_token)
        partners = await self._mongo.bus_accounts.distinct("_id")
        free = asyncio.Semaphore(_AT_ONCE)

        async def tell(partner: str) -> bool:
            async with free:
                return await self._unless_refused(self._change(partner))

        async with asyncio.TaskGroup() as group:
            telling = [group.create_task(tell(partner)) for partner in partners]
        return sum(task.result() for task in telling)

    async def _retire(self, partner: str) -> None:
        async def write() -> None:
            now = self._mongo.clock.now()
            await self._mongo.credentials.update_many(
                {"partner": partner, "retires_at": {"$lte": now}, "revoked_at": None}, {"$set": {"revoked_at": now}}
            )
            await self._mongo.bus_accounts.update_one({"_id": partner}, {"$inc": {"version": 1}})

        await self._change(partner, write)

    async def _new_user(self, account: dict[str, Any]) -> Credentials:
        user, now = KeyPair.new("user"), self._mongo.clock.now()
        row = {
            "_id": user.public,
            "partner": account["_id"],
            "streams": account["streams"],
            "issued_at": now,
            "expires_at": now + self._valid,
            "retires_at": None,
            "revoked_at": None,
        }
        await self._mongo.credentials.insert_one(row)
        claims = scoped_user_claims(user.public, account["_id"], account["account"])
        token = encode(claims, self._users, _epoch(now), _epoch(row["expires_at"]))
        return Credentials(
            partner=account["_id"],
            streams=tuple(account["streams"]),
            public_key=user.public,
            expires_at=row["expires_at"],
            inbox=partner_inbox(account["_id"]),
            creds=creds_text(token, user),
        )

    async def _change(self, partner: str, write: Callable[[], Awaitable[None]] | None = None) -> None:
        """Write, then tell the server. That it is to be told is written first: `sweep` ends what stops in between."""
        mine = uuid.uuid4().hex
        await self._mongo.bus_accounts.update_one(
            {"_id": partner}, {"$push": {"telling": {"id": mine, "at": self._mongo.clock.now()}}}
        )
        if write is not None:
            await write()
        await self._tell(partner)
        await self._mongo.bus_accounts.update_one({"_id": partner}, {"$pull": {"telling": {"id": mine}}})

    async def _tell(self, partner: str) -> None:
        """Give the server the account as it is, again until it has not changed meanwhile: of two that tell at the same
        time, the one that is last has read what the other has written."""
        told = None
        while (row := await self._mongo.bus_accounts.find_one({"_id": partner})) and row["version"] != told:
            await self._send(row)
            told = row["version"]

    async def _send(self, account: dict[str, Any]) -> None:
        now = self._mongo.clock.now()
        query = {"partner": account["_id"], "revoked_at": {"$ne": None}, "expires_at": {"$gt": now}}
        # A token counts no more when it was issued at that moment or before. With the moment of its own issue no
        # machine's clock matters.
        revoked = {row["_id"]: _epoch(row["issued_at"]) async for row in self._mongo.credentials.find(query)}
        claims = partner_account(
            account["account"],
            account["_id"],
            account["streams"],
            events=self._events,
            signing_key=self._users.public,
            revoked=revoked,
        )
        await self._give(account["_id"], encode(claims, self._signing, _epoch(now)))

    async def _give(self, whose: str, token: str) -> None:
        try:
            answer = await self._system.request(_UPDATE, token.encode(), timeout=_ANSWER_S)
        except (TimeoutError, nats.errors.Error) as error:
            raise BusNotTold(whose, f"{type(error).__name__} {error}".strip()) from error
        told = orjson.loads(answer.data)
        if told.get("data", {}).get("code") != 200:
            raise BusRefused(whose, str(told.get("error", told)))


def _taken(owner: str, stream: str) -> Refusal:
    return Refusal(
        "stream_taken",
        f"{f'The partner {owner}' if owner else 'Another partner'} has the stream {stream}.",
        remedy="Take that partner's credentials back first, or leave the stream out.",
        field="streams",
        status=409,
    )


def refuse(partner: str, streams: Sequence[str]) -> None:
    """Raises Refusal for what can be no partner, and for streams that cannot be given to one."""
    if not _ID.fullmatch(partner):
        raise Refusal("bad_partner", f"{partner!r} is no partner's id.", remedy="Use its id.", field="partner")
    if not 1 <= len(streams) <= STREAMS_MAX:
        raise Refusal(
            "bad_streams",
            f"{len(streams)} streams were asked for.",
            remedy=f"Ask for one at least, and {STREAMS_MAX} at most.",
            field="streams",
        )
    for place, stream in enumerate(streams):
        if not _ID.fullmatch(stream):
            raise Refusal(
                "bad_stream",
                f"{stream!r} is no stream.",
                remedy="Use the id of the partner or of one of its locations.",
                field=f"streams.{place}",
            )


def _epoch(at: datetime) -> int:
    return int(at.timestamp())
