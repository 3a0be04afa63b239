"""The same request twice is one request: its first answer is kept under the caller's `Idempotency-Key`.

A record is `claimed` while its request runs and `answered` afterwards. It holds a request id from which everything
that the request makes takes its ids; so a request that was cut off can be run again without doing anything twice.
A refusal changes nothing and frees the key.
"""

import hashlib
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from fastapi import Request

from contracts.ids import sortable
from contracts.refusals import Refusal
from infra.grouping import Grouping, Item, Outcome
from infra.keyring import Keyring
from infra.mongo import DUPLICATE_KEY, BulkWriteError, Mongo, PyMongoError, UpdateOne
from workers.gateway.answers import Answer
from workers.gateway.limits import Limits
from workers.gateway.security import Caller

log = logging.getLogger(__name__)
HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
_KEY = re.compile(r"[!-~]{1,200}")
_AT_MOST = 500
_PURPOSE = "answer"
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)

Work = Callable[[str], Awaitable[Answer]]
"""Runs the request under a request id. Given the same id again it does the same thing, once."""


@dataclass(frozen=True, slots=True)
class _Claim:
    record: str
    digest: str
    request: str
    claimed_at: datetime


class Idempotency:
    """Claims and answers are written in groups, like the orders themselves."""

    def __init__(self, mongo: Mongo, limits: Limits, keyring: Keyring) -> None:
        self._mongo = mongo
        self._keyring = keyring
        self._taken_over = timedelta(seconds=limits.key_taken_over_s)
        self._claims = _grouped(self._insert, limits)
        self._endings = _grouped(self._update, limits)

    async def close(self) -> None:
        await self._claims.close()
        await self._endings.close()

    async def once(self, request: Request, caller: Caller, body: Any, work: Work) -> Answer:
        """Run `work` unless this request was answered before. Raises Refusal when the key cannot be used now."""
        key = request.headers.get(HEADER)
        if key is None:
            return await work(sortable())
        # Names of keys are not unique: what belongs to a partner is never another's, whatever its keys are called.
        whose = caller.name if caller.partner is None else f"partner:{caller.partner}"
        claim = _Claim(f"{whose}:{_checked(key)}", _digest(request, body), sortable(), self._mongo.clock.now())
        if not await self._claims.add(claim):
            known = await self._known(claim)
            if isinstance(known, Answer):
                return known
            claim = known
        return await self._run(claim, work)

    async def _run(self, claim: _Claim, work: Work) -> Answer:
        try:
            answer = await work(claim.request)
        except Refusal as refusal:
            await self._give_up(claim, again_with_same_id=refusal.status >= 500)
            raise
        except Exception:
            await self._give_up(claim, again_with_same_id=True)
            raise
        await self._end(claim, {"state": "answered", "answer": self._kept(claim, answer)})
        return answer

    def _kept(self, claim: _Claim, answer: Answer) -> dict[str, Any]:
        kept = {"status": answer.status, "content": answer.content, "headers": dict(answer.headers)}
        if answer.secret:
            key_id, sealed = self._keyring.encrypt(_PURPOSE, answer.content, claim.record.encode())
            kept |= {"content": sealed, "sealed_with": key_id}
        return kept

    def _again(self, claim: _Claim, kept: Mapping[str, Any]) -> Answer:
        content = kept["content"]
        if "sealed_with" in kept:
            content = self._keyring.decrypt(kept["sealed_with"], _PURPOSE, content, claim.record.encode())
        return Answer(kept["status"], content, {**kept["headers"], REPLAYED: "true"})

    async def _known(self, claim: _Claim) -> _Claim | Answer:
        """The answer that was given under this key, or the claim taken over from a request that never ended."""
        row = await self._mongo.idempotency.find_one({"_id": claim.record})
        if row is None:
            raise _in_flight()
        if row["state"] != "refused" and row["digest"] != claim.digest:
            raise Refusal(
                "idempotency_key_reused",
                "This key was used for another request.",
                remedy="Use a new key for a new request, and repeat a request without any change.",
                field=HEADER,
            )
        if row["state"] == "answered":
            return self._again(claim, row["answer"])
        if row["claimed_at"] > claim.claimed_at - self._taken_over:
            raise _in_flight()
        return await self._take_over(claim, row)

    async def _take_over(self, claim: _Claim, row: Mapping[str, Any]) -> _Claim:
        """Of several that try, one succeeds; the others find its request in flight."""
        request = claim.request if row["state"] == "refused" else row["request"]
        mine = replace(claim, request=request)
        as_read = {"_id": claim.record, "claimed_at": row["claimed_at"], "state": row["state"]}
        taken = await self._mongo.idempotency.update_one(as_read, {"$set": _fields(mine)})
        if taken.matched_count == 0:
            raise _in_flight()
        return mine

    async def _give_up(self, claim: _Claim, *, again_with_same_id: bool) -> None:
        """After a refusal nothing was changed, and the key is free. After anything else something may have been
        written: whoever asks again goes on with the same request id."""
        state = "claimed" if again_with_same_id else "refused"
        await self._end(claim, {"state": state, "claimed_at": _NEVER})

    async def _end(self, claim: _Claim, changes: dict[str, Any]) -> None:
        mine = {"_id": claim.record, "request": claim.request, "claimed_at": claim.claimed_at}
        try:
            await self._endings.add(UpdateOne(mine, {"$set": {**changes, "at": self._mongo.clock.now()}}))
        except (PyMongoError, Refusal) as error:
            # The request itself is done. Its record can be taken over, and would do the same again.
            log.warning("the end of request %s was not noted: %s", claim.request, error)

    async def _insert(self, claims: list[_Claim]) -> Sequence[bool]:
        """Whether each claim was the first under its key."""
        rows = [{"_id": claim.record, **_fields(claim)} for claim in claims]
        first = [True] * len(rows)
        try:
            await self._mongo.idempotency.insert_many(rows, ordered=False)
        except BulkWriteError as error:
            failures = (error.details or {}).get("writeErrors", [])
            if not failures or any(failure["code"] != DUPLICATE_KEY for failure in failures):
                raise
            for failure in failures:
                first[failure["index"]] = False
        return first

    async def _update(self, updates: list[UpdateOne]) -> Sequence[None]:
        await self._mongo.idempotency.bulk_write(updates, ordered=False)
        return [None] * len(updates)


def _grouped(handle: Callable[[list[Item]], Awaitable[Sequence[Outcome]]], limits: Limits) -> Grouping[Item, Outcome]:
    return Grouping(
        handle,
        within_s=limits.gather_ms / 1000,
        at_most=_AT_MOST,
        waiting_at_most=limits.waiting_orders,
        at_once=limits.writes_at_once,
    )


def _fields(claim: _Claim) -> dict[str, Any]:
    """A claimed record, without its id. `at` is when it may be forgotten from."""
    return {
        "state": "claimed",
        "digest": claim.digest,
        "request": claim.request,
        "claimed_at": claim.claimed_at,
        "at": claim.claimed_at,
    }


def _in_flight() -> Refusal:
    return Refusal(
        "request_in_flight",
        "The first request under this key has no answer yet.",
        remedy="Send the same request again after the seconds that Retry-After names.",
        field=HEADER,
        status=409,
        retry_after=1,
    )


def _checked(key: str) -> str:
    if _KEY.fullmatch(key):
        return key
    raise Refusal(
        "bad_idempotency_key",
        "The key is empty, too long, or not printable ASCII without spaces.",
        remedy="Send 1 to 200 printable ASCII characters without spaces, such as a UUID.",
        field=HEADER,
    )


def _digest(request: Request, body: Any) -> str:
    """What makes a request the same: method, path, query, and the body's values whatever their order or spacing."""
    try:
        values = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONEncodeError, RecursionError) as error:
        detail = "the body is nested too deeply"
        raise Refusal("bad_json", detail, remedy="Send the documented body.", status=400) from error
    path = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
    return hashlib.sha256(f"{request.method} {path}\n".encode() + values).hexdigest()
