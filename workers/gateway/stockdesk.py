"""Books counts and receipts: one transaction a request, exact under concurrency, and all that follows from it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from activities.stock.arrivals import wake_waiting
from activities.stock.booking import Stale, book
from contracts.ids import stock_id
from contracts.refusals import Refusal
from contracts.stock import Level, StockUpsert
from infra.mongo import Mongo, Session, UpdateOne
from workers.gateway.shortage import report_short
from workers.gateway.skus import Skus
from workers.gateway.stocktaking import Key, Known, Stocktaking, excesses, gained, movement_id, take_stock
from workers.gateway.wakes import Wakes

_TRIES = 50
_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 0.2


@dataclass(frozen=True, slots=True)
class Booked:
    """`version` is the stock's newest version."""

    taking: Stocktaking
    version: int
    gained: Mapping[str, int]
    short: frozenset[str]


class StockDesk:
    """The lock keeps this process's requests from conflicting with each other over the version of the stock."""

    def __init__(self, mongo: Mongo, wakes: Wakes, skus: Skus) -> None:
        self._mongo = mongo
        self._wakes = wakes
        self._skus = skus
        self._turn = asyncio.Lock()

    async def book(self, items: Mapping[int, StockUpsert], request_id: str) -> Booked:
        """Book what can be booked. Raises Refusal 503 when others kept changing the stock all the time."""
        async with self._turn:
            booked = await self._until_booked(items, request_id)
        self._skus.learn(items[index].sku for index in booked.taking.taken)
        self._wakes.inbox(set(booked.short))
        if booked.gained:
            at = self._mongo.clock.now()
            self._wakes.inbox(await wake_waiting(self._mongo, booked.gained, at))
        return booked

    async def _until_booked(self, items: Mapping[int, StockUpsert], request_id: str) -> Booked:
        async def work(session: Session) -> Booked:
            return await self._book(session, items, request_id)

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

    async def _book(self, session: Session, items: Mapping[int, StockUpsert], request_id: str) -> Booked:
        counter = await self._mongo.counters.find_one({"_id": "stock"}, session=session)
        if counter is None:
            raise RuntimeError("the database was not provisioned: it has no version of the stock")
        version: int = counter["version"]
        known = await self._known(session, items, request_id)
        at = self._mongo.clock.now()
        taking = take_stock(items, known, request_id, at)
        await self._register(session, {items[index].sku for index in taking.taken})
        if not taking.movements:
            return Booked(taking, version, {}, frozenset())
        version = await book(self._mongo, session, taking.movements, version)
        lowered = {(m.location, c.sku) for m in taking.movements for c in m.changes if c.on_hand < 0}
        excess = excesses({key: level for key, level in taking.levels.items() if key in lowered})
        short = await report_short(self._mongo, session, excess, version, at)
        return Booked(taking, version, gained(known.levels, taking.levels), frozenset(short))

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

    async def _register(self, session: Session, skus: set[str]) -> None:
        """A SKU is known once its stock was reported, even if there is none."""
        known = {
            row["_id"]
            async for row in self._mongo.skus.find({"_id": {"$in": sorted(skus)}}, {"_id": 1}, session=session)
        }
        new = [UpdateOne({"_id": sku}, {"$setOnInsert": {"_id": sku}}, upsert=True) for sku in sorted(skus - known)]
        if new:
            await self._mongo.skus.bulk_write(new, ordered=False, session=session)
