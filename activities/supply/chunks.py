"""Forecasts, positions and targets of one chunk of a run, and its mark, written together."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from datetime import date, datetime, timedelta

import numpy as np
from temporalio import activity

from activities.supply.carrying import working
from activities.supply.opening import read_chunk, read_run
from activities.supply.planned import Chunk, Key, Planned
from activities.supply.position import positions, regional
from activities.supply.promotions import (
    Days,
    named_before,
    named_by_series,
    named_by_sku,
    plans_of,
    pooled_plans,
    sold_of,
)
from activities.supply.promotions import read as read_promotions
from activities.supply.proposing import inside_of
from activities.supply.reading import read_articles, read_places, read_policies
from activities.supply.reckoning import AHEAD, Reckoned, Wanted, reckon
from activities.supply.sources import Sources, Supply, read_sources, weekly
from activities.supply.table import DemandTable
from activities.supply.table import Key as SeriesKey
from activities.supply.uncensoring import uncensored
from activities.supply.watching import Watched, read_demand, today_of, whole_region
from contracts.partners import Location
from contracts.promotions import Named
from contracts.replenishing import FORECAST, Made, Region, Run, RunStep
from contracts.skus import Article
from contracts.supply import REGIONAL, Position
from contracts.workdays import is_workday
from infra.mongo import Mongo, ReplaceOne, Session

_SEED = 11
_KG = 1_000.0


class ForecastActivities:
    """`pool`: processes in which is reckoned, while this one goes on saying that it works."""

    def __init__(self, mongo: Mongo, pool: Executor) -> None:
        self._mongo = mongo
        self._pool = pool

    @activity.defn(name=FORECAST)
    async def forecast(self, step: RunStep) -> Made:
        """One chunk. What was done is found done."""
        return await working(forecast_chunk(self._mongo, step, self._pool))


async def forecast_chunk(mongo: Mongo, step: RunStep, pool: Executor) -> Made:
    chunk = await read_chunk(mongo, step.run, step.chunk)
    if chunk.forecast:
        return Made(done=len(chunk.series), made=len(chunk.series))
    run, region = await read_run(mongo, step.run)
    places = await read_places(mongo, region)
    articles = await read_articles(mongo, [one.sku for one in chunk.series])
    hub = places.get(region.hubs[0]) if region.hubs else None
    at = {key: places[key[0]] if not chunk.regional else hub for key in _keys(chunk)}
    sources = await read_sources(
        mongo, run.as_of, {one.sku for one in chunk.series}, sorted({p.id for p in at.values() if p})
    )
    today = today_of(run.as_of)
    table, named = await _table(mongo, chunk, region, run.as_of, articles, places)
    weeks, waiting = weekly(table), {(one.location, one.sku): one.backorders for one in chunk.series}
    supplies = {
        key: sources.of(place, key[1], today, weeks[key] + waiting[key])
        for key, place in at.items()
        if place is not None
    }
    wanted = [wanted_of(key, at[key], articles, supplies.get(key)) for key in _keys(chunk)]
    policies = await read_policies(mongo)
    loop = asyncio.get_running_loop()
    made = await loop.run_in_executor(pool, reckon, table, wanted, policies, run.id, today)
    within = [
        named_before(named.get(key, ()), today + timedelta(days=one.forecast.protection_days))
        for key, one in zip(_keys(chunk), made, strict=True)
    ]
    comes = {key: today + timedelta(days=supply.days) for key, supply in supplies.items() if supply is not None}
    there = await _positions(mongo, chunk, region, comes)
    rows = [
        _planned(run, chunk, one, key, at[key], supplies.get(key), there[key], articles.get(key[1]), sources, some)
        for key, one, some in zip(_keys(chunk), made, within, strict=True)
    ]

    async def write(session: Session) -> None:
        mark = {"$set": {"forecast": True}}
        await mongo.supply_chunks.update_one({"_id": chunk.id}, mark, session=session)
        writes = [ReplaceOne({"_id": row.id}, {**row.as_row(), "made_at": step.now}, upsert=True) for row in rows]
        if writes:
            await mongo.forecasts.bulk_write(writes, ordered=False, session=session)

    await mongo.transaction(write)
    return Made(done=len(rows), made=len(rows))


def _keys(chunk: Chunk) -> list[Key]:
    return [(one.location, one.sku) for one in chunk.series]


async def _table(
    mongo: Mongo,
    chunk: Chunk,
    region: Region,
    as_of: datetime,
    articles: Mapping[str, Article],
    places: Mapping[str, Location],
) -> tuple[DemandTable, Mapping[Key, Sequence[Named]]]:
    """What is known of the chunk's series, and which promotions are planned for them in the days ahead."""
    today = today_of(as_of)
    days = Days(today - timedelta(days=region.history_days), region.history_days + AHEAD, as_of)
    ahead = Days(today, AHEAD, as_of)
    promotions = await read_promotions(mongo, days)
    if not chunk.regional:
        parts = await read_demand(mongo, _keys(chunk), days.first, today)
        sold = sold_of(parts.series, places, articles)
        table = table_of(parts, articles, estimated(parts), plans_of(promotions, sold, days))
        return table, named_by_series(promotions, sold, ahead)
    inside = sorted(await inside_of(mongo, region))
    skus = [one.sku for one in chunk.series]
    parts = await read_demand(mongo, [(place, sku) for sku in skus for place in inside], days.first, today)
    known = Watched(parts.series, parts.first, estimated(parts), parts.out, parts.promoted)
    sold = sold_of(parts.series, places, articles)
    whole = whole_region(known, region.id)
    plans = pooled_plans(promotions, sold, known.sold, [sku for _, sku in whole.series], days)
    named = named_by_sku(named_by_series(promotions, sold, ahead), f"{REGIONAL}{region.id}")
    return table_of(whole, articles, whole.sold, plans), named


def _free(first: date, days: int) -> np.ndarray:
    return np.array([0.0 if is_workday("CN", first + timedelta(days=n)) else 1.0 for n in range(days)])


def estimated(parts: Watched) -> np.ndarray:
    """Demand, estimated for days out of stock; the same for the same history."""
    free = _free(parts.first, parts.sold.shape[1]) > 0
    return uncensored(parts.sold, parts.out, free, np.random.default_rng(_SEED))


def table_of(parts: Watched, articles: Mapping[str, Article], demand: np.ndarray, planned: np.ndarray) -> DemandTable:
    """With promotions of past and future, days off, and what series have in common. `planned` (n, T + AHEAD): as
    plans_of has it; a day of the past tells itself what was sold with a discount, if anything was sold."""
    n, days = parts.sold.shape
    plans = planned[:, :, None].copy()
    plans[:, :days, 0] = np.where(parts.sold > 0, parts.promoted / np.maximum(parts.sold, 1e-9), planned[:, :days])
    places = {name: number for number, name in enumerate(sorted({place for place, _ in parts.series}))}
    kinds = [articles[sku].category if sku in articles else "" for _, sku in parts.series]
    categories = {name: number for number, name in enumerate(sorted(set(kinds)))}
    groups = [(places[place], categories[kind]) for (place, _), kind in zip(parts.series, kinds, strict=True)]
    return DemandTable(
        series=[SeriesKey(*key) for key in parts.series],
        start=parts.first,
        demand=demand,
        out=parts.out,
        plans=plans,
        free=_free(parts.first, days + AHEAD),
        groups=np.array(groups, dtype=np.int64).reshape(n, 2),
    )


def wanted_of(key: Key, place: Location | None, articles: Mapping[str, Article], supply: Supply | None) -> Wanted:
    return Wanted(
        key=key,
        division=place.division if place else "",
        category=articles[key[1]].category if key[1] in articles else "",
        lead=float(supply.days) if supply else 1.0,
        lead_deviation=supply.deviation_days if supply else 0.0,
    )


async def _positions(mongo: Mongo, chunk: Chunk, region: Region, comes: Mapping[Key, date]) -> Mapping[Key, Position]:
    waiting = {(one.location, one.sku): one.backorders for one in chunk.series}
    if not chunk.regional:
        return await positions(mongo, _keys(chunk), waiting, comes)
    inside = sorted(await inside_of(mongo, region))
    skus = [one.sku for one in chunk.series]
    backorders = await _all_backorders(mongo, chunk.run, set(skus))
    whole = f"{REGIONAL}{region.id}"
    keys = [(place, sku) for sku in skus for place in inside]
    of_whole = {key: comes[whole, key[1]] for key in keys if (whole, key[1]) in comes}
    parts = await positions(mongo, keys, backorders, of_whole)
    return {(whole, sku): regional(parts[place, sku] for place in inside) for sku in skus}


async def _all_backorders(mongo: Mongo, run: str, skus: set[str]) -> dict[Key, int]:
    found: dict[Key, int] = {}
    async for row in mongo.supply_chunks.find({"run": run, "regional": False}, {"series": 1}):
        for one in row["series"]:
            if one["backorders"] and one["sku"] in skus:
                found[one["location"], one["sku"]] = one["backorders"]
    return found


def _planned(
    run: Run,
    chunk: Chunk,
    made: Reckoned,
    key: Key,
    place: Location | None,
    supply: Supply | None,
    there: Position,
    article: Article | None,
    sources: Sources,
    promotions: list[Named],
) -> Planned:
    safety = place.safety_stock if place else 0
    return Planned(
        id=made.forecast.id,
        run=run.id,
        chunk=chunk.number,
        location=key[0],
        sku=key[1],
        division=place.division if place else "",
        category=article.category if article else "",
        forecast=made.forecast,
        target=made.target,
        position=there,
        policy=made.policy.id,
        policy_version=made.policy.version,
        sourcing=supply.sourcing if supply else None,
        lead=supply.lead if supply else None,
        lead_days=supply.days if supply else 0,
        reasons=[one.en for one in supply.why] if supply else [],
        reasons_zh=[one.zh for one in supply.why] if supply else [],
        price=supply.sourcing.price if supply else sources.price(key[1]),
        kg=article.weight_g / _KG if article else 0.5,
        giveable=max(0, there.on_hand - there.reserved - safety),
        promotions=promotions,
    )
