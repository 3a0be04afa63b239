"""Books counts and receipts: one transaction a request, exact under concurrency, and all that follows from it.

They come over HTTP from whoever may report stock anywhere, and as reports of partners about their own shelves."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from activities.stock.arrivals import wake_waiting
from activities.stock.booking import Stale, book
from activities.stock.shortage import report_short
from activities.stock.stocktaking import (
    Key,
    Known,
    Stocktaking,
    empty_shelves,
    excesses,
    gained,
    movement_id,
    take_stock,
)
from contracts.ids import stock_id
from contracts.refusals import Refusal
from contracts.stock import Level, StockUpsert
from infra.mongo import Mongo, Session, UpdateOne

_TRIES = 50
_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 0.2


@dataclass(frozen=True, slots=True)
class Report:
    """What a partner says of its shelves in one message. `id` names it for ever, `at` is when the bus took it."""

    id: str
    location: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Booked:
    """`version` is the stock's newest version, `batches` those whose bell should be rung at once."""

    taking: Stocktaking
    version: int
    batches: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Written:
    taking: Stocktaking
    version: int
    gained: Mapping[str, int]
    short: frozenset[str]


class StockDesk:
    """The lock keeps this process's requests from conflicting with each other over the version of the stock."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._turn = asyncio.Lock()

    async def book(self, items: Mapping[int, StockUpsert], request_id: str, report: Report | None = None) -> Booked:
        """Book what can be booked. A `report` that was booked before changes nothing, and of a SKU that a later one of
        the same location has counted since nothing is booked.

        Raises Refusal 503 when others kept changing the stock all the time.
        """
        async with self._turn:
            written = await self._until_written(items, request_id, report)
        batches = set(written.short)
        if written.gained:
            batches |= await wake_waiting(self._mongo, written.gained, self._mongo.clock.now())
        return Booked(written.taking, written.version, frozenset(batches))

    async def _until_written(
        self, items: Mapping[int, StockUpsert], request_id: str, report: Report | None
    ) -> _Written:
        async def work(session: Session) -> _Written:
            due = items if report is None else await self._due(session, items, report)
            return await self._write(session, due, request_id)

        for attempt in range(_TRIES):
            try:
                return await self._mongo.transaction(work)
            except Stale:
                await asyncio.sleep(min(_PAUSE_S * 2**attempt, _LONGEST_PAUSE_S))
        raise Refusal(
            "stock_busy",
            "Others kept changing the stock.",
            remedy="Send the same request again after the seconds that Retry-After names.",
            status=503,
            retry_after=1,
        )

    async def _due(
        self, session: Session, items: Mapping[int, StockUpsert], report: Report
    ) -> Mapping[int, StockUpsert]:
        """What of a report is still news, and a note that it was taken."""
        reports = self._mongo.stock_reports
        if await reports.find_one({"_id": report.id}, {"_id": 1}, session=session):
            return {}
        since = reports.find({"location": report.location, "at": {"$gt": report.at}}, {"skus": 1}, session=session)
        overtaken = {sku async for row in since for sku in row["skus"]}
        skus = [item.sku for item in items.values()]
        row = {"_id": report.id, "location": report.location, "at": report.at, "skus": skus}
        await reports.insert_one(row, session=session)
        return {index: item for index, item in items.items() if item.sku not in overtaken}

    async def _write(self, session: Session, items: Mapping[int, StockUpsert], request_id: str) -> _Written:
        counter = await self._mongo.counters.find_one({"_id": "stock"}, session=session)
        if counter is None:
            raise RuntimeError("the database was not provisioned: it has no version of the stock")
        version: int = counter["version"]
        known = await self._known(session, items, request_id)
        at = self._mongo.clock.now()
        taking = take_stock(items, known, request_id, at)
        await self._register(session, {items[index].sku for index in taking.taken})
        await self._open(session, empty_shelves(items, taking, known.levels))
        if not taking.movements:
            return _Written(taking, version, {}, frozenset())
        version = await book(self._mongo, session, taking.movements, version)
        lowered = {(m.location, c.sku) for m in taking.movements for c in m.changes if c.on_hand < 0}
        excess = excesses({key: level for key, level in taking.levels.items() if key in lowered})
        short = await report_short(self._mongo, session, excess, version, at)
        return _Written(taking, version, gained(known.levels, taking.levels), frozenset(short))

    async def _known(self, session: Session, items: Mapping[int, StockUpsert], request_id: str) -> Known:
        mongo = self._mongo
        places = sorted({item.location for item in items.values()})
        ids = sorted({stock_id(item.location, item.sku) for item in items.values()})
        causes = sorted({movement_id(item, request_id) for item in items.values()})
        locations = {
            row["_id"] async for row in mongo.locations.find({"_id": {"$in": places}}, {"_id": 1}, session=session)
        }
        levels: dict[Key, Level] = {}
        async for row in mongo.stock.find({"_id": {"$in": ids}}, session=session):
            levels[row["location"], row["sku"]] = Level.model_validate(row)
        booked = {
            row["_id"]: sum(change["on_hand"] for change in row["changes"])
            async for row in mongo.ledger.find({"_id": {"$in": causes}}, {"changes": 1}, session=session)
        }
        return Known(locations, levels, booked)

    async def _open(self, session: Session, shelves: Sequence[Key]) -> None:
        """A location carries what was counted there, even if there is none; nothing is booked by that."""
        rows = [
            UpdateOne(
                {"_id": stock_id(*key)},
                {"$setOnInsert": {"location": key[0], "sku": key[1], "on_hand": 0, "reserved": 0}},
                upsert=True,
            )
            for key in shelves
        ]
        if rows:
            await self._mongo.stock.bulk_write(rows, ordered=False, session=session)

    async def _register(self, session: Session, skus: set[str]) -> None:
        """A SKU is known once its stock was reported, even if there is none."""
        known = {
            row["_id"]
            async for row in self._mongo.skus.find({"_id": {"$in": sorted(skus)}}, {"_id": 1}, session=session)
        }
        new = [UpdateOne({"_id": sku}, {"$setOnInsert": {"_id": sku}}, upsert=True) for sku in sorted(skus - known)]
        if new:
            await self._mongo.skus.bulk_write(new, ordered=False, session=session)
