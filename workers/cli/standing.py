"""How the system stands: orders, batches, outbox and streams, read from where they are."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from nats.js import JetStreamContext
from rich.table import Table

from contracts.orders import TERMINAL, Stage
from contracts.subjects import DLQ, EVENTS, REPLIES, WAKE
from infra.counting import refusals
from infra.mongo import UNREAD, Mongo
from infra.outbox import told_up_to
from infra.settings import Settings
from workers.cli.connections import database, jetstream
from workers.cli.console import age, out, plain, stage

_SLOWEST = 5
_BUS_WITHIN_S = 10.0
"""What is in the database is shown also while NATS is away."""


@dataclass(slots=True)
class Standing:
    """Counts, and the moments since when the oldest of each kind waits. `consumers`: pending messages by name.
    `partners_behind`: by consumer, events that their partner has taken in in none of its ways."""

    orders: dict[str, int] = field(default_factory=dict)
    attention: int = 0
    oldest_open: tuple[str, datetime] | None = None
    waiting: int = 0
    batches: dict[str, int] = field(default_factory=dict)
    outbox: dict[str, int] = field(default_factory=dict)
    oldest_unsent: datetime | None = None
    unread_events: int = 0
    consumers: dict[str, int] = field(default_factory=dict)
    partners_behind: dict[str, int] = field(default_factory=dict)
    dead_letters: int = 0
    without_bus: str | None = None
    """Why nothing is known of streams."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


async def read_refusals() -> dict[str, dict[str, int]]:
    async with database(Settings()) as mongo:
        return await refusals(mongo)


async def read_standing() -> Standing:
    settings = Settings()
    standing = Standing()
    async with database(settings) as mongo:
        await _read_orders(mongo, standing)
        await _read_outgoing(mongo, standing)
        left = await read_left(mongo)
    try:
        async with asyncio.timeout(_BUS_WITHIN_S), jetstream(settings) as js:
            await _read_streams(js, standing, left)
    except TimeoutError:
        standing.without_bus = f"no answer within {_BUS_WITHIN_S:g} s"
    except ConnectionError as error:
        standing.without_bus = str(error)
    return standing


async def _read_orders(mongo: Mongo, standing: Standing) -> None:
    still_open = {"stage": {"$nin": [str(stage) for stage in TERMINAL]}}
    counted = {row["_id"]: row["count"] async for row in mongo.orders.aggregate(_count_by("stage"))}
    standing.orders = {name: counted[name] for name in Stage if name in counted}
    standing.attention = await mongo.orders.count_documents({**still_open, "attention": {"$ne": None}})
    standing.waiting = await mongo.orders.count_documents({**still_open, "batch": None})
    oldest = await mongo.orders.find_one(still_open, {"placed_at": 1}, sort=[("placed_at", 1)])
    standing.oldest_open = (oldest["_id"], oldest["placed_at"]) if oldest else None
    still_running = {"$match": {"status": {"$ne": "closed"}}}
    batches = mongo.batches.aggregate([still_running, *_count_by("status")])
    standing.batches = {row["_id"]: row["count"] async for row in batches}


async def _read_outgoing(mongo: Mongo, standing: Standing) -> None:
    unsent = {"status": {"$in": ["pending", "stamped"]}}
    rows = mongo.outbox.aggregate([{"$match": unsent}, {"$group": {"_id": "$status", "count": {"$sum": "$count"}}}])
    standing.outbox = {row["_id"]: row["count"] async for row in rows}
    oldest = await mongo.outbox.find_one(unsent, {"at": 1}, sort=[("at", 1)])
    standing.oldest_unsent = oldest["at"] if oldest else None
    standing.unread_events = await mongo.inbox.count_documents(UNREAD)


async def read_left(mongo: Mongo) -> dict[str, int]:
    """Events that a stream's partner has not acknowledged, of those that have acknowledged any over HTTP or by
    webhook; also over NATS, as it was before a replay. As `infra.hearing.acknowledged` has it, of all at once."""
    taken: dict[str, int] = {}
    async for row in mongo.positions.find({}, {"acknowledged": 1, "over_nats": 1}):
        taken[row["_id"]] = max(row.get("acknowledged", 0), row.get("over_nats", 0))
    async for row in mongo.webhooks.find({}, {"stream": 1, "acknowledged": 1}):
        taken[row["stream"]] = max(taken.get(row["stream"], 0), row["acknowledged"])
    told = await told_up_to(mongo)
    return {stream: max(last - taken[stream], 0) for stream, last in told.items() if taken.get(stream)}


def behind(pending: Mapping[str, int], left: Mapping[str, int]) -> dict[str, int]:
    """Who has events to take in, the most first. `pending`: by consumer, what was not taken in over NATS; `left`: by
    stream, what was not in another way. What was taken in in one way is taken in. Pure."""
    found = {name: min(count, left.get(name.removeprefix("p-"), count)) for name, count in pending.items()}
    return dict(sorted(((name, count) for name, count in found.items() if count), key=lambda one: -one[1]))


async def _read_streams(js: JetStreamContext, standing: Standing, left: Mapping[str, int]) -> None:
    for stream in (WAKE, REPLIES):
        for name, pending in (await _pending(js, stream)).items():
            standing.consumers[f"{stream} {name}"] = pending
    standing.partners_behind = behind(await _pending(js, EVENTS), left)
    standing.dead_letters = (await js.stream_info(DLQ)).state.messages


async def _pending(js: JetStreamContext, stream: str) -> dict[str, int]:
    """Messages that a consumer has not acknowledged, delivered or not."""
    found: dict[str, int] = {}
    seen = 0
    while page := await js.consumers_info(stream, offset=seen):
        seen += len(page)
        found |= {info.name: (info.num_pending or 0) + (info.num_ack_pending or 0) for info in page}
    return found


def _count_by(name: str) -> list[dict[str, Any]]:
    return [{"$group": {"_id": f"${name}", "count": {"$sum": 1}}}]


def print_standing(standing: Standing) -> None:
    table = Table(show_header=False)
    for name, count in standing.orders.items():
        table.add_row(f"orders {stage(name)}", f"{count:,}")
    if not standing.orders:
        table.add_row("orders", "none")
    if standing.oldest_open:
        order, placed_at = standing.oldest_open
        table.add_row("oldest open order", f"{plain(order)}, {age(placed_at)}")
    table.add_row("need attention", f"[red]{standing.attention:,}[/red]" if standing.attention else "none")
    table.add_row("wait for a batch", f"{standing.waiting:,}")
    table.add_row("open batches", _counts(standing.batches))
    table.add_row("events to be sent", f"{_counts(standing.outbox)} {age(standing.oldest_unsent)}".strip())
    table.add_row("events not taken in", f"{standing.unread_events:,}")
    if standing.without_bus:
        table.add_row("NATS", f"[red]{plain(standing.without_bus)}[/red]")
        out.print(table)
        return
    for name, pending in standing.consumers.items():
        table.add_row(f"pending at {plain(name)}", f"{pending:,}")
    slowest = list(standing.partners_behind.items())[:_SLOWEST]
    words = ", ".join(f"{plain(name)} {pending:,}" for name, pending in slowest)
    table.add_row("partners behind", f"{len(standing.partners_behind):,}" + (f": {words}" if words else ""))
    table.add_row("dead letters", f"[red]{standing.dead_letters:,}[/red]" if standing.dead_letters else "none")
    out.print(table)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {plain(name)}" for name, count in sorted(counts.items())) or "none"
