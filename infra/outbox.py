"""The outbox in MongoDB: its rows' way from pending over stamped (numbered) to sent.

A row holds all events that one step tells, for all partners: what costs is the number of rows, and of writes to them.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from bson import ObjectId

from contracts.events import SOURCE
from contracts.subjects import event_subject
from infra.lease import LEASE, Lease
from infra.mongo import Mongo, Session, UpdateOne

CHUNK = 1_000
"""Events that are numbered and published together, about."""
FOLD_EVERY = 64
"""Turns after which partners' last numbers are written to their own documents."""

_ROW_EVENTS = 500
_ROW_CHARACTERS = 1_000_000
_ORDER = [("turn", 1), ("at", 1), ("key", 1)]
"""The order in which numbers were given, and in which events are published."""
_BACKWARDS = [(name, -way) for name, way in _ORDER]

Outgoing = dict[str, Any]
"""One event in a row: `id`, `partner`, `type`, and the CloudEvent without its sequence as `body`, a JSON text."""


def outgoing(partner: str, event_id: str, kind: str, subject: str, at: datetime, data: Mapping[str, Any]) -> Outgoing:
    """An event that is to be told: a CloudEvent (contracts.events) of type `kind`, put into its final words."""
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "type": kind,
        "subject": subject,
        "time": at,
        "datacontenttype": "application/json",
        "data": data,
    }
    return {
        "id": event_id,
        "partner": partner,
        "type": kind,
        "body": orjson.dumps(event, option=orjson.OPT_UTC_Z).decode(),
    }


def rows_of(events: Iterable[Outgoing], at: datetime) -> list[dict[str, Any]]:
    """The rows of events that happened at one moment, to be told in this order. `key` grows from row to row.

    A row is named after its first event: writing the same events again writes nothing.
    """
    rows: list[dict[str, Any]] = []
    characters = 0
    for one in events:
        if not rows or len(rows[-1]["events"]) == _ROW_EVENTS or characters > _ROW_CHARACTERS:
            row = {"_id": one["id"], "key": ObjectId(), "status": "pending", "at": at, "count": 0, "events": []}
            rows.append(row)
            characters = 0
        rows[-1]["events"].append(one)
        rows[-1]["count"] += 1
        characters += len(one["body"])
    return rows


@dataclass(frozen=True, slots=True)
class Stamped:
    """An event with its partner's number for it."""

    id: str
    partner: str
    kind: str
    number: int
    words: str

    @property
    def subject(self) -> str:
        return event_subject(self.partner, self.kind)

    def body(self) -> bytes:
        """The CloudEvent as partners get it."""
        return f'{self.words[:-1]},"sequence":"{self.number}"}}'.encode()


async def told_up_to(mongo: Mongo, streams: Sequence[str] | None = None) -> dict[str, int]:
    """The number of the last event of each stream, or of those asked for; none where there was no event."""
    lease = await mongo.leases.find_one({"_id": LEASE}, {"folded": 1})
    last, _ = await _last_numbers(mongo, lease["folded"] if lease else 0, streams)
    return last


async def _last_numbers(
    mongo: Mongo, folded: int, streams: Sequence[str] | None = None
) -> tuple[dict[str, int], set[str]]:
    """By stream, from their documents and from the rows since; and those of which there are such rows."""
    mine = {} if streams is None else {"_id": {"$in": list(streams)}}
    last = {row["_id"]: row["last"] async for row in mongo.partner_sequences.find(mine)}
    since: dict[str, Any] = {"turn": {"$gt": folded}}
    if streams is not None:
        since["events.partner"] = {"$in": list(streams)}
    unfolded = set()
    async for row in mongo.outbox.find(since, {"numbers": 1, "events.partner": 1}):
        for event, number in zip(row["events"], row["numbers"], strict=True):
            if streams is None or event["partner"] in streams:
                last[event["partner"]] = max(number, last.get(event["partner"], 0))
                unfolded.add(event["partner"])
    return last, unfolded


@dataclass(frozen=True, slots=True)
class Turn:
    """Rows that were given numbers, and their events in order."""

    rows: list[str] = field(default_factory=list)
    events: list[Stamped] = field(default_factory=list)

    def take(self, row: Mapping[str, Any]) -> None:
        self.rows.append(row["_id"])
        self.events.extend(_stamped(row, row["numbers"]))


class Numbers:
    """The last number given to each partner, by the one relay that holds the lease.

    They are told by the rows themselves. Every so often they are also written to a document for each partner (`fold`),
    so that whoever takes over need not read all rows.
    """

    def __init__(self, mongo: Mongo, lease: Lease, last: dict[str, int], unfolded: set[str]) -> None:
        self._mongo = mongo
        self._lease = lease
        self.last = last
        self._unfolded = unfolded

    @classmethod
    async def read(cls, mongo: Mongo, lease: Lease) -> "Numbers":
        last, unfolded = await _last_numbers(mongo, lease.folded)
        return cls(mongo, lease, last, unfolded)

    async def stamp(self, limit: int = CHUNK) -> Turn:
        """Give the next pending events their numbers, in one fenced transaction. Raises LeaseLost.

        They are claimed by their status: a transaction that began early may commit late, and a watermark would have
        passed its events by.
        """
        rows = await self._next(limit)
        if not rows:
            return Turn()
        lease, turn, last = self._lease, self._lease.turn + 1, dict(self.last)
        stamped, updates = Turn(), []
        for row in rows:
            numbers = _next_numbers(row, last)
            stamped.take({**row, "numbers": numbers})
            updates.append(
                UpdateOne({"_id": row["_id"]}, {"$set": {"status": "stamped", "turn": turn, "numbers": numbers}})
            )

        async def work(session: Session) -> None:
            await lease.renew(session, turn=turn)
            await self._mongo.outbox.bulk_write(updates, ordered=False, session=session)

        await self._mongo.transaction(work)
        lease.turn, self.last = turn, last
        self._unfolded |= {event.partner for event in stamped.events}
        if turn - lease.folded >= FOLD_EVERY:
            await self.fold()
        return stamped

    async def _next(self, limit: int) -> list[dict[str, Any]]:
        """Pending rows, the oldest first, of `limit` events together or a little more."""
        waiting = self._mongo.outbox.find({"status": "pending"}, {"count": 1}).sort([("at", 1), ("key", 1)])
        wanted: list[str] = []
        events = 0
        for row in await waiting.limit(limit).batch_size(limit).to_list(limit):
            if events >= limit:
                break
            wanted.append(row["_id"])
            events += row["count"]
        if not wanted:
            return []
        rows = {row["_id"]: row async for row in self._mongo.outbox.find({"_id": {"$in": wanted}}, {"events": 1})}
        return [rows[name] for name in wanted]

    async def fold(self) -> None:
        """Write the last numbers to the partners' documents. Rows may expire from then on. Raises LeaseLost."""
        lease = self._lease
        if lease.folded == lease.turn:
            return
        since, turn = lease.folded, lease.turn
        updates = [
            UpdateOne({"_id": partner}, {"$set": {"last": self.last[partner]}}, upsert=True)
            for partner in sorted(self._unfolded)
        ]

        async def work(session: Session) -> None:
            await lease.renew(session, turn=turn, folded=turn)
            if updates:
                await self._mongo.partner_sequences.bulk_write(updates, ordered=False, session=session)
            done = {"turn": {"$gt": since, "$lte": turn}}
            await self._mongo.outbox.update_many(done, {"$set": {"folded": True}}, session=session)

        await self._mongo.transaction(work)
        lease.folded = turn
        self._unfolded.clear()

    async def give_none_up_to(self, numbers: Mapping[str, int]) -> None:
        """By partner: numbers that are taken, whatever was known of them. Raises LeaseLost."""
        self.last |= numbers
        self._unfolded |= numbers.keys()
        self._lease.turn += 1
        await self.fold()


def _next_numbers(row: Mapping[str, Any], last: dict[str, int]) -> list[int]:
    numbers = []
    for event in row["events"]:
        partner = event["partner"]
        last[partner] = number = last.get(partner, 0) + 1
        numbers.append(number)
    return numbers


async def waiting_rows(mongo: Mongo, most: int) -> int:
    """How many rows have no numbers yet; counted up to `most`."""
    return await mongo.outbox.count_documents({"status": "pending"}, limit=most)


async def unfinished(mongo: Mongo) -> Turn:
    """Rows that got their numbers and perhaps were not published, in order."""
    found = Turn()
    for row in await mongo.outbox.find({"status": "stamped"}).sort(_ORDER).to_list(None):
        found.take(row)
    return found


async def lost_since(mongo: Mongo, kept: Mapping[str, int]) -> dict[str, Any] | None:
    """The oldest row of the end that a stream has lost; None when it has lost nothing.

    `kept` says which of a partner's numbers the stream ends with. It was filled in the order of the turns, so it holds
    everything before the newest row that it holds wholly.
    """
    oldest = None
    wanted = {"turn": 1, "at": 1, "key": 1, "numbers": 1, "events.partner": 1}
    async for row in mongo.outbox.find({"turn": {"$exists": True}}, wanted).sort(_BACKWARDS):
        held = zip(row["events"], row["numbers"], strict=True)
        if all(number <= kept.get(event["partner"], 0) for event, number in held):
            break
        oldest = row
    return oldest


async def from_row_on(mongo: Mongo, first: Mapping[str, Any]) -> AsyncIterator[Turn]:
    """Numbered rows from one on, in order, several at a time."""
    gathered = Turn()
    async for row in mongo.outbox.find({"turn": {"$gte": first["turn"]}}).sort(_ORDER).batch_size(8):
        if (row["turn"], row["at"], row["key"]) < (first["turn"], first["at"], first["key"]):
            continue
        gathered.take(row)
        if len(gathered.events) >= CHUNK:
            yield gathered
            gathered = Turn()
    yield gathered


async def mark_sent(mongo: Mongo, rows: Sequence[str]) -> None:
    sent = {"$set": {"status": "sent"}, "$currentDate": {"sent_at": True}}
    await mongo.outbox.update_many({"_id": {"$in": list(rows)}, "status": "stamped"}, sent)


async def told(mongo: Mongo, kind: str) -> AsyncIterator[tuple[dict[str, Any], datetime]]:
    """The CloudEvents of a type that were sent, each with when."""
    async for row in mongo.outbox.find({"status": "sent", "events.type": kind}, {"events": 1, "sent_at": 1}):
        for event in row["events"]:
            if event["type"] == kind:
                yield orjson.loads(event["body"]), row["sent_at"]


def _stamped(row: Mapping[str, Any], numbers: Iterable[int]) -> list[Stamped]:
    return [
        Stamped(event["id"], event["partner"], event["type"], number, event["body"])
        for event, number in zip(row["events"], numbers, strict=True)
    ]
