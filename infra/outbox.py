"""The outbox in MongoDB: who may relay it, and its events' way from pending over stamped (numbered) to sent."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from bson import ObjectId
from pymongo import ReturnDocument

from contracts.events import CloudEvent
from contracts.subjects import event_subject
from infra.mongo import Mongo, Session, UpdateOne

LEASE_S = 6.0
"""How long a relay that says nothing keeps the others waiting."""
CHUNK = 1_000

_LEASE = "relay"
_NEVER = datetime.fromtimestamp(0, UTC)
_WANTED = {"partner": 1, "subject": 1, "event": 1, "sequence": 1}


def pending(event: CloudEvent, partner: str) -> dict[str, Any]:
    """The row of an event that is to be told. `key` grows, so that events of one moment keep their order."""
    return {
        "_id": event.id,
        "key": ObjectId(),
        "partner": partner,
        "subject": event_subject(partner, event.type),
        "status": "pending",
        "at": event.time,
        "event": event.model_dump(exclude_none=True),
    }


class LeaseLost(Exception):
    """Another relay has taken over: stop publishing at once."""


class Lease:
    """The right to relay, held by one at a time. `token` grows at each take-over: an old one is worth nothing.

    `published` is the sequence at which the stream stood when this was last noted.
    Time is the database's, so that clocks of different machines do not matter.
    """

    def __init__(self, mongo: Mongo, token: int, published: int, seconds: float) -> None:
        self._mongo = mongo
        self.token = token
        self.published = published
        self._seconds = seconds
        self._kept_at = time.monotonic()

    @classmethod
    async def take(cls, mongo: Mongo, owner: str, seconds: float = LEASE_S) -> "Lease | None":
        """None while another one holds it. A relay may take over from itself after an error."""
        fresh = {"token": 0, "published": 0, "owner": None, "expires_at": _NEVER}
        await mongo.leases.update_one({"_id": _LEASE}, {"$setOnInsert": fresh}, upsert=True)
        free = {"$or": [{"owner": owner}, {"$expr": {"$lte": ["$expires_at", "$$NOW"]}}]}
        taken = {"owner": owner, "token": {"$add": ["$token", 1]}, "expires_at": _from_now(seconds)}
        row = await mongo.leases.find_one_and_update(
            {"_id": _LEASE, **free}, [{"$set": taken}], return_document=ReturnDocument.AFTER
        )
        return cls(mongo, row["token"], row["published"], seconds) if row else None

    async def keep(self) -> None:
        """Renew when half of the time is over. Raises LeaseLost."""
        if time.monotonic() - self._kept_at > self._seconds / 2:
            await self.renew()

    async def renew(self, session: Session | None = None) -> None:
        """Within a transaction this also fences it: it cannot commit beside a take-over. Raises LeaseLost."""
        began = time.monotonic()
        changes = {"expires_at": _from_now(self._seconds), "published": self.published}
        renewed = await self._mongo.leases.update_one(self._mine, [{"$set": changes}], session=session)
        if not renewed.matched_count:
            raise LeaseLost
        self._kept_at = began

    async def give_back(self) -> None:
        """Let another relay take over at once."""
        changes = {"expires_at": _NEVER, "owner": None, "published": self.published}
        await self._mongo.leases.update_one(self._mine, {"$set": changes})

    @property
    def _mine(self) -> dict[str, object]:
        return {"_id": _LEASE, "token": self.token}


@dataclass(frozen=True, slots=True)
class Stamped:
    """An event with its partner's number for it."""

    id: str
    partner: str
    subject: str
    number: int
    event: Mapping[str, Any]

    def body(self) -> bytes:
        """The CloudEvent as partners get it."""
        return orjson.dumps({**self.event, "sequence": str(self.number)}, option=orjson.OPT_UTC_Z)


async def stamp(mongo: Mongo, lease: Lease, limit: int = CHUNK) -> list[Stamped]:
    """Give the next pending events their numbers, in one fenced transaction. Raises LeaseLost.

    They are claimed by their status: a transaction that began early may commit late, and a watermark would have
    passed its events by.
    """
    pending = mongo.outbox.find({"status": "pending"}, _WANTED).sort([("at", 1), ("key", 1)])
    rows = await pending.limit(limit).batch_size(limit).to_list(limit)
    if not rows:
        return []
    partners = sorted({row["partner"] for row in rows})

    async def work(session: Session) -> list[Stamped]:
        await lease.renew(session)
        found = mongo.partner_sequences.find({"_id": {"$in": partners}}, session=session)
        last = {row["_id"]: row["last"] async for row in found}
        stamped = _numbered(rows, last)
        last = {event.partner: event.number for event in stamped}
        await mongo.partner_sequences.bulk_write(
            [UpdateOne({"_id": partner}, {"$set": {"last": number}}, upsert=True) for partner, number in last.items()],
            ordered=False,
            session=session,
        )
        await mongo.outbox.bulk_write(
            [
                UpdateOne({"_id": event.id}, {"$set": {"status": "stamped", "sequence": event.number}})
                for event in stamped
            ],
            ordered=False,
            session=session,
        )
        return stamped

    return await mongo.transaction(work)


def _numbered(rows: Iterable[Mapping[str, Any]], last: Mapping[str, int]) -> list[Stamped]:
    number = dict(last)
    stamped = []
    for row in rows:
        partner = row["partner"]
        number[partner] = number.get(partner, 0) + 1
        stamped.append(Stamped(row["_id"], partner, row["subject"], number[partner], row["event"]))
    return stamped


async def unfinished(mongo: Mongo) -> list[Stamped]:
    """Events that got a number and perhaps were not published, each partner's in order."""
    return await _stamped(mongo, {"status": "stamped"})


async def numbered_after(mongo: Mongo, partner: str, number: int) -> list[Stamped]:
    """A partner's events beyond a number, in order, whether they were sent or not."""
    return await _stamped(mongo, {"partner": partner, "sequence": {"$gt": number}})


async def last_numbers(mongo: Mongo) -> dict[str, int]:
    """The last number that was given, by partner."""
    return {row["_id"]: row["last"] async for row in mongo.partner_sequences.find()}


async def give_no_number_up_to(mongo: Mongo, numbers: Mapping[str, int]) -> None:
    """By partner: numbers that are taken, whatever was known of them."""
    await mongo.partner_sequences.bulk_write(
        [UpdateOne({"_id": partner}, {"$max": {"last": number}}, upsert=True) for partner, number in numbers.items()],
        ordered=False,
    )


async def mark_sent(mongo: Mongo, events: Sequence[Stamped]) -> None:
    sent = {"$set": {"status": "sent", "sent_at": datetime.now(UTC)}}
    await mongo.outbox.update_many({"_id": {"$in": [event.id for event in events]}, "status": "stamped"}, sent)


async def _stamped(mongo: Mongo, which: dict[str, Any]) -> list[Stamped]:
    rows = await mongo.outbox.find(which, _WANTED).to_list(None)
    found = [Stamped(r["_id"], r["partner"], r["subject"], r["sequence"], r["event"]) for r in rows]
    return sorted(found, key=lambda event: event.number)


def _from_now(seconds: float) -> dict[str, Any]:
    return {"$add": ["$$NOW", int(seconds * 1000)]}
