"""Invariants of what partners are told: every event is in the stream once, numbered and in order."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from nats.js import JetStreamContext

from contracts.subjects import EVENTS
from infra.indexes import OUTBOX_KEPT_S
from infra.invariants.findings import Finding, Invariant, found
from infra.invariants.stream import Published, published
from infra.mongo import Mongo, Session

SENT_ONCE = Invariant(
    "events.sent_once",
    "every event that was sent, and is within the stream's retention, is in the stream once",
    "Restart the relay: it sends again what the stream has lost. What comes twice, consumers drop by its id.",
)
KNOWN = Invariant(
    "events.known",
    "the stream holds nothing that is not in the outbox",
    "Somebody else publishes under evt.v1: look at who may, and take the right away.",
)
NUMBERS = Invariant(
    "events.numbers",
    "the numbers of each partner's events follow each other without a gap, and none is given twice",
    "Stop the relay and see that only one holds its lease; partners fetch their stream again from the gap.",
)
IN_ORDER = Invariant(
    "events.in_order",
    "each partner's events lie in the stream in the order of their numbers",
    "Partners that go by the number heal themselves; see in the relay's log which publication was repeated.",
)
PENDING = Invariant(
    "events.pending",
    "no event waits longer than 60 s to be sent",
    "See that the relay runs and reaches NATS.",
    "warning",
)
INVARIANTS = [SENT_ONCE, KNOWN, NUMBERS, IN_ORDER, PENDING]
OF_STREAM = frozenset({SENT_ONCE.name, KNOWN.name, IN_ORDER.name})
"""These cannot be checked without JetStream."""

PENDING_LONGEST = timedelta(seconds=60)
_MARGIN = timedelta(minutes=2)
_NEARLY_FULL = 0.9


@dataclass(slots=True)
class Outbox:
    """The outbox at one moment: events that the stream must hold, and the numbers of partners' events."""

    kept: set[str] = field(default_factory=set)
    numbers: dict[str, tuple[str, int]] = field(default_factory=dict)
    unnumbered: set[str] = field(default_factory=set)
    late: list[str] = field(default_factory=list)

    def knows(self, event: str) -> bool:
        return event in self.numbers or event in self.unnumbered


@dataclass(frozen=True, slots=True)
class StreamBefore:
    """The stream before the outbox was read: its last message, and since when it must hold everything."""

    last: int
    kept_since: datetime


async def look_at_stream(js: JetStreamContext) -> StreamBefore:
    """May be gone: what is older than the greatest age and, in a full stream, than its first message."""
    info = await js.stream_info(EVENTS)
    config, state = info.config, info.state
    since = datetime.min.replace(tzinfo=UTC)
    if config.max_age:
        since = datetime.now(UTC) - timedelta(seconds=config.max_age) + _MARGIN
    limits = ((state.bytes, config.max_bytes), (state.messages, config.max_msgs))
    if state.messages and any(limit and 0 < limit * _NEARLY_FULL <= size for size, limit in limits):
        first = (await js.get_msg(EVENTS, state.first_seq)).time
        since = max(since, first.astimezone(UTC) + _MARGIN) if first else since
    return StreamBefore(state.last_seq, since)


async def read_outbox(mongo: Mongo, session: Session, before: StreamBefore | None) -> Outbox:
    """Rows about to expire keep no number here: some of a partner's may be gone already, and some not."""
    outbox = Outbox()
    now = datetime.now(UTC)
    expiring = now - timedelta(seconds=OUTBOX_KEPT_S) + _MARGIN
    sent_since = {"$gt": ["$sent_at", before.kept_since if before else now]}
    wanted: dict[str, Any] = {
        "events.id": 1,
        "events.partner": 1,
        "numbers": {"$cond": [{"$lt": [{"$ifNull": ["$sent_at", now]}, expiring]}, None, "$numbers"]},
        "kept": {"$and": [{"$eq": ["$status", "sent"]}, sent_since]},
    }
    async for row in mongo.outbox.find({}, wanted, session=session):
        _add(outbox, row)
    waiting = {"status": {"$ne": "sent"}, "at": {"$lt": now - PENDING_LONGEST}}
    wanted = {"events.id": 1, "events.partner": 1, "status": 1, "at": 1}
    async for row in mongo.outbox.find(waiting, wanted, session=session):
        since = f"is {row['status']} since {row['at']:%Y-%m-%d %H:%M:%S} UTC"
        outbox.late += [f"{event['id']} for {event['partner']} {since}" for event in row["events"]]
    return outbox


def _add(outbox: Outbox, row: dict[str, Any]) -> None:
    events = row["events"]
    if row["kept"]:
        outbox.kept.update(event["id"] for event in events)
    if row.get("numbers") is None:
        outbox.unnumbered.update(event["id"] for event in events)
    else:
        for event, number in zip(events, row["numbers"], strict=True):
            outbox.numbers[event["id"]] = (event["partner"], number)


def check_outbox(outbox: Outbox) -> list[Finding]:
    numbers: dict[str, list[int]] = defaultdict(list)
    for partner, number in outbox.numbers.values():
        numbers[partner].append(number)
    broken = [words for partner in sorted(numbers) for words in _gaps(partner, sorted(numbers[partner]))]
    return [*found(NUMBERS, broken), *found(PENDING, outbox.late)]


def _gaps(partner: str, numbers: list[int]) -> list[str]:
    if numbers[-1] - numbers[0] + 1 == len(numbers) == len(set(numbers)):
        return []
    words = []
    for before, after in pairwise(numbers):
        if after == before:
            words.append(f"{partner}: number {after} was given twice")
        elif after != before + 1:
            words.append(f"{partner}: after number {before} comes {after}")
    return words


async def check_stream(js: JetStreamContext, outbox: Outbox, before: StreamBefore) -> list[Finding]:
    """The stream is read after the outbox, so that everything the outbox calls sent must be there."""
    look = _Look(outbox, before)
    async for chunk in published(js):
        for message in chunk:
            look.at(message)
    copies = look.copies
    wrong = [f"{event}: {number} times in the stream" for event, number in copies.items() if number > 1]
    wrong += [f"{event}: not in the stream" for event in outbox.kept if event not in copies]
    return [*found(SENT_ONCE, wrong), *found(KNOWN, look.unknown), *found(IN_ORDER, look.misplaced)]


class _Look:
    """What is seen as the stream passes by. What came after the first look may be too new for the outbox."""

    def __init__(self, outbox: Outbox, before: StreamBefore) -> None:
        self._outbox = outbox
        self._before = before
        self._last: dict[str, int] = {}
        self.copies: dict[str, int] = {}
        self.unknown: list[str] = []
        self.misplaced: list[str] = []

    def at(self, message: Published) -> None:
        event = message.event
        self.copies[event] = self.copies.get(event, 0) + 1
        numbered = self._outbox.numbers.get(event)
        if numbered is None:
            if message.sequence <= self._before.last and not self._outbox.knows(event):
                self.unknown.append(f"{event or 'no id'}, stream sequence {message.sequence}")
        elif self.copies[event] == 1:
            self._number(message, *numbered)

    def _number(self, message: Published, partner: str, number: int) -> None:
        last = self._last.get(partner, 0)
        if number < last:
            self.misplaced.append(f"{partner}: {number} lies behind {last}, stream sequence {message.sequence}")
        else:
            self._last[partner] = number
