"""Who calls, and what they may do: API keys from `Authorization: Bearer` or `X-API-Key`, looked up by their hash."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from contracts.refusals import Refusal
from infra.keys import Scope, hash_key
from infra.mongo import Mongo
from workers.gateway.paths import refuse_strange_parameters
from workers.gateway.rates import address_of

SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key as bearer token."},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key."},
}
TOKEN_SCHEME = {
    "applicant": {"type": "http", "scheme": "bearer", "description": "The token that an application was answered with."}
}
_KEYS_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    """`name` is what the caller is known by; keys that replace one another share it. `key` is the hash of the one that
    was sent, `partner` whose it is: whatever such a caller names must be that partner's own."""

    name: str
    scopes: frozenset[str]
    key: str = ""
    partner: str | None = None


class Keys:
    """Looks keys up and keeps the answers for a moment, also that one is unknown: so long a revoked key works on."""

    def __init__(self, mongo: Mongo, kept_s: float) -> None:
        self._mongo = mongo
        self._kept_s = kept_s
        self._known: dict[str, tuple[float, Caller | None]] = {}
        self._looking: dict[str, asyncio.Task[Caller | None]] = {}

    async def caller(self, key: str) -> Caller | None:
        hashed, now = hash_key(key), time.monotonic()
        read_at, caller = self._known.get(hashed, (float("-inf"), None))
        if now - read_at < self._kept_s:
            return caller
        # Of many requests that come with one key at once, one looks.
        looking = self._looking.get(hashed)
        if looking is None:
            looking = self._looking[hashed] = asyncio.create_task(self._look_up(hashed))
            looking.add_done_callback(lambda _: self._looking.pop(hashed))
        return await asyncio.shield(looking)

    async def revoked(self, keys: Iterable[str]) -> set[str]:
        """Those of the hashes that are no keys any more, by a look into the database."""
        asked = set(keys)
        found = self._mongo.api_keys.find({"_id": {"$in": sorted(asked)}}, {"_id": 1})
        return asked - {row["_id"] async for row in found}

    async def _look_up(self, hashed: str) -> Caller | None:
        # Kept from before the look: what changes during it counts when the time is over, and no later.
        now = time.monotonic()
        row = await self._mongo.api_keys.find_one({"_id": hashed})
        caller = Caller(row["name"], frozenset(row["scopes"]), hashed, row.get("partner")) if row else None
        if len(self._known) >= _KEYS_KEPT:
            self._known.clear()
        self._known[hashed] = (now, caller)
        return caller


def needs(scope: Scope, key_of: Callable[[Request], str] | None = None) -> Callable[[Request], Awaitable[Caller]]:
    """A dependency that lets pass who has the scope. It comes before the body is read.

    `key_of` says where else a key may be found than where keys are sent.
    """

    async def check(request: Request) -> Caller:
        gateway = request.app.state.gateway
        keys: Keys = gateway.keys
        caller = await keys.caller((key_of or key_sent)(request))
        if caller is None:
            gateway.guesses.count(address_of(request))
            raise unknown_key()
        if scope not in caller.scopes:
            raise Refusal(
                "scope_missing",
                f"The key of {caller.name} does not carry the scope {scope}.",
                remedy=f"Use a key with the scope {scope}.",
                status=403,
                scope=scope.value,
            )
        (gateway.calls if caller.partner is None else gateway.partner_calls).count(caller.key)
        refuse_strange_parameters(request)
        return caller

    return check


def unknown_key() -> Refusal:
    detail = "This API key is not known, or was revoked."
    return Refusal("unknown_key", detail, remedy="Send a valid key.", status=401)


def key_sent(request: Request) -> str:
    """Raises Refusal 401."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    key = token.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")
    if not key:
        raise Refusal(
            "key_missing",
            "The request carries no API key.",
            remedy="Send the header Authorization: Bearer <key>, or X-API-Key: <key>.",
            field="Authorization",
            status=401,
        )
    return key


Operates = Annotated[Caller, Depends(needs(Scope.OPERATE))]
