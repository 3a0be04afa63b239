"""Opens a run: which series it has, in chunks whose work can be repeated, and what back-ordered orders wait for."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from activities.supply.closing import supersede
from activities.supply.history import told_series
from activities.supply.planned import Chunk, ChunkSeries, Key, chunk_id
from activities.supply.position import read_backorders
from activities.supply.reading import find_region, read_places
from activities.supply.watching import count_days, today_of
from contracts.partners import Location
from contracts.refusals import Refusal
from contracts.replenishing import CHUNK, Opened, OpenRun, Region, Run
from contracts.supply import regional
from infra.mongo import DuplicateKeyError, Mongo

_WRITTEN_AT_ONCE = 50


async def open_run(mongo: Mongo, asked: OpenRun) -> Opened:
    """Makes the run and its chunks; asked again it finds what is there. Raises Refusal when there is no such region.

    Chunks are written before the run: one without a run is an earlier try's, and is written over.
    """
    known = await mongo.supply_runs.find_one({"_id": asked.run}, {"series": 1, "chunks": 1, "regional": 1})
    if known is not None:
        await supersede(mongo, asked.region, asked.run)
        return Opened(series=known["series"], chunks=known["chunks"], regional=known["regional"])
    region = await find_region(mongo, asked.region)
    if region is None:
        raise unknown_region(asked.region)
    places = await read_places(mongo, region)
    await count_days(mongo, region.history_days, asked.now)
    keys = await series_of(mongo, region, places, asked.now)
    waiting = await read_backorders(mongo, region, places, keys)
    keys |= set(waiting)
    chunks = list(_chunks(asked.run, region, keys, waiting))
    await mongo.supply_chunks.delete_many({"run": asked.run})
    rows = [{**chunk.as_row(), "made_at": asked.now} for chunk in chunks]
    for begin in range(0, len(rows), _WRITTEN_AT_ONCE):
        await mongo.supply_chunks.insert_many(rows[begin : begin + _WRITTEN_AT_ONCE], ordered=False)
    series = sum(len(chunk.series) for chunk in chunks)
    regional_chunks = sum(chunk.regional for chunk in chunks)
    run = Run(
        id=asked.run,
        workflow=asked.workflow,
        region=region.id,
        region_version=region.version,
        by=asked.by,
        started_at=asked.now,
        as_of=asked.now,
        series=series,
        chunks=len(chunks),
        regional=regional_chunks,
    )
    try:
        await mongo.supply_runs.insert_one({**run.as_row(), "settings": region.model_dump()})
    except DuplicateKeyError:
        await _refuse_second(mongo, asked)
    await supersede(mongo, asked.region, asked.run)
    return Opened(series=series, chunks=len(chunks), regional=regional_chunks)


async def _refuse_second(mongo: Mongo, asked: OpenRun) -> None:
    """One run of a region at a time: two would propose the same twice. Raises Refusal 409; a try of this run that was
    given up, and has come first after all, is no second one: its chunks were written over by the same ones."""
    other = await mongo.supply_runs.find_one({"region": asked.region, "state": "running", "_id": {"$ne": asked.run}})
    if other is not None:
        detail = f"The run {other['_id']} of the region {asked.region} is under way."
        remedy = "Wait for its end, or cancel it with POST /v1/supply/runs/{id}/cancellation."
        raise Refusal("run_under_way", detail, remedy=remedy, field="region", status=409)


def unknown_region(region: str) -> Refusal:
    detail = f"There is no region {region}."
    return Refusal("unknown_region", detail, remedy="Make it with PUT /v1/supply/regions.", field="region", status=404)


async def read_run(mongo: Mongo, run: str) -> tuple[Run, Region]:
    """A run with its region as it was when the run began. Raises LookupError."""
    row = await mongo.supply_runs.find_one({"_id": run})
    if row is None:
        raise LookupError(f"there is no run {run}")
    return Run.from_row(row), Region.model_validate(row["settings"])


async def read_chunk(mongo: Mongo, run: str, number: int) -> Chunk:
    row = await mongo.supply_chunks.find_one({"_id": chunk_id(run, number)})
    if row is None:
        raise LookupError(f"the run {run} has no chunk {number}")
    return Chunk.from_row(row)


async def series_of(mongo: Mongo, region: Region, places: Mapping[str, Location], now: datetime) -> set[Key]:
    """What lies, or has lain, at a location of the region, and what was asked of it in the time that is looked at, or
    is told to have been sold there."""
    names = sorted(places)
    since = now - timedelta(days=region.history_days)
    keys = {
        (row["location"], row["sku"])
        async for row in mongo.stock.find({"location": {"$in": names}}, {"_id": 0, "location": 1, "sku": 1})
    }
    pipeline: list[dict[str, Any]] = [
        {"$match": {"placed_at": {"$gte": since, "$lt": now}, "parcels.location": {"$in": names}}},
        {"$unwind": "$parcels"},
        {"$match": {"parcels.location": {"$in": names}}},
        {"$unwind": "$parcels.items"},
        {"$group": {"_id": {"location": "$parcels.location", "sku": "$parcels.items.sku"}}},
    ]
    async for row in mongo.orders.aggregate(pipeline, allowDiskUse=True):
        keys.add((row["_id"]["location"], row["_id"]["sku"]))
    return keys | await told_series(mongo, names, today_of(now) - timedelta(days=region.history_days))


def _chunks(run: str, region: Region, keys: set[Key], waiting: Mapping[Key, int]) -> Iterator[Chunk]:
    """Series by SKU, then location; those of the whole region, where it has a hub, behind them."""
    by_sku = sorted(keys, key=lambda key: (key[1], key[0]))
    whole = [(regional(region.id), sku) for sku in sorted({sku for _, sku in keys})] if region.hubs else []
    number = 0
    for ordered, is_regional in ((by_sku, False), (whole, True)):
        for part in _parts(ordered):
            series = [
                ChunkSeries(location=place, sku=sku, backorders=waiting.get((place, sku), 0)) for place, sku in part
            ]
            yield Chunk(id=chunk_id(run, number), run=run, number=number, regional=is_regional, series=series)
            number += 1


def _parts(keys: Sequence[Key]) -> Iterator[Sequence[Key]]:
    for begin in range(0, len(keys), CHUNK):
        yield keys[begin : begin + CHUNK]
