"""Daily demand of every series, counted once for each day that is over, out of orders and the stock ledger.

What was asked of a location is what its first parcels of an order asked for, also where it refused them and another
one shipped. An order that was back-ordered was asked of nobody; the days on which it was are out of stock. `out` is the
share of a day in which nothing could be promised: then what was sold is the least that was asked for.

Rows are kept by series and month in `demand`, `<location>/<sku>/<month>`, days as [units, out, units with a discount];
a day that is missing was in stock, and nothing was asked for. Counting a day again writes the same. Sales of the past
that were told lie beside, and history.py says which of both a day goes by.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from activities.supply.history import counts_told, told_places, told_spans
from activities.supply.planned import Key
from contracts.hours import TIME_ZONE
from contracts.ids import stock_id
from contracts.supply import REGIONAL, DailyDemand
from contracts.workdays import is_workday
from infra.mongo import Mongo, Session, UpdateOne

_HERE = ZoneInfo(TIME_ZONE)
_DAY_S = 86_400.0
_WRITTEN_AT_ONCE = 5_000
_CENSORED = 0.0
"""Share of a day out of stock above which it is censored."""
_KEPT = {"lines": 1, "parcels.location": 1, "parcels.items": 1, "parcels.attempt": 1, "discount": 1}

_Outs = dict[Key, dict[date, float]]


@dataclass(frozen=True, slots=True)
class Watched:
    """n series over T days from `first`: units sold, share of the day out of stock, units sold with a discount."""

    series: Sequence[Key]
    first: date
    sold: NDArray[np.float64]
    out: NDArray[np.float64]
    promoted: NDArray[np.float64]


def today_of(now: datetime) -> date:
    return now.astimezone(_HERE).date()


def start_of(day: date) -> datetime:
    return datetime.combine(day, time.min, _HERE)


async def count_days(mongo: Mongo, days: int, now: datetime) -> int:
    """Count what is not counted of the last so many days that are over. Returns how many were."""
    today = today_of(now)
    first = today - timedelta(days=days)
    kept = {row["_id"] async for row in mongo.demand_days.find({"_id": {"$gte": f"{first}"}}, {"_id": 1})}
    missing = [day for number in range(days) if f"{(day := first + timedelta(days=number))}" not in kept]
    if not missing:
        return 0
    outs = await _outs(mongo, missing[0], today)
    for day in missing:
        units, promoted = await _sold(mongo, day)
        out = {key: round(seconds[day] / _DAY_S, 4) for key, seconds in outs.items() if day in seconds}
        await _write(mongo, day, units, promoted, out)
    return len(missing)


async def _sold(mongo: Mongo, day: date) -> tuple[Counter[Key], Counter[Key]]:
    units, promoted = Counter[Key](), Counter[Key]()
    placed = {"placed_at": {"$gte": start_of(day), "$lt": start_of(day + timedelta(days=1))}}
    async for row in mongo.orders.find(placed, _KEPT):
        for key, count in asked_of(row["lines"], row["parcels"]).items():
            units[key] += count
            if row.get("discount"):
                promoted[key] += count
    return units, promoted


def asked_of(lines: Iterable[Mapping[str, Any]], parcels: Iterable[Mapping[str, Any]]) -> Counter[Key]:
    """Units of an order by location and SKU: each unit once, of whom it was asked first."""
    left = Counter[int]()
    for line in lines:
        left[line["line"]] += line["quantity"]
    found = Counter[Key]()
    for parcel in sorted(parcels, key=lambda one: one["attempt"]):
        for item in parcel["items"]:
            count = min(item["quantity"], left[item["line"]])
            if count > 0:
                left[item["line"]] -= count
                found[parcel["location"], item["sku"]] += count
    return found


async def _outs(mongo: Mongo, first: date, end: date) -> _Outs:
    """Seconds of each day in which a series had nothing to promise: from the levels of now backwards through the
    ledger. What was never booked yet had nothing."""

    async def now(session: Session) -> tuple[int, dict[Key, int]]:
        counter = await mongo.counters.find_one({"_id": "stock"}, session=session)
        rows = mongo.stock.find({}, session=session).batch_size(10_000)
        levels = {(row["location"], row["sku"]): row["on_hand"] - row["reserved"] async for row in rows}
        return counter["version"] if counter else 0, levels

    version, levels = await mongo.snapshot(now)
    begin, until = start_of(first), start_of(end)
    outs: _Outs = {}
    since: dict[Key, datetime] = {}
    wanted = {"version": {"$lte": version}, "at": {"$gte": begin}}
    rows = mongo.ledger.find(wanted, {"_id": 0, "location": 1, "changes": 1, "at": 1})
    async for row in rows.sort([("version", -1), ("row", -1)]).batch_size(10_000):
        for change in row["changes"]:
            key = (row["location"], change["sku"])
            at, later = min(row["at"], until), since.get(key, until)
            if levels.get(key, 0) <= 0 and at < later:
                _note(outs, key, at, later)
            since[key] = min(at, later)
            levels[key] = levels.get(key, 0) - change.get("on_hand", 0) + change.get("reserved", 0)
    for key, level in levels.items():
        if level <= 0 and since.get(key, until) > begin:
            _note(outs, key, begin, since.get(key, until))
    return outs


def _note(outs: _Outs, key: Key, start: datetime, end: datetime) -> None:
    """Spread over the days that it touches."""
    seconds = outs.setdefault(key, {})
    day = today_of(start)
    while (begin := start_of(day)) < end:
        part = (min(end, start_of(day + timedelta(days=1))) - max(start, begin)).total_seconds()
        seconds[day] = seconds.get(day, 0.0) + part
        day += timedelta(days=1)


async def _write(
    mongo: Mongo, day: date, units: Mapping[Key, int], promoted: Mapping[Key, int], out: Mapping[Key, float]
) -> None:
    """The mark comes last: a day that was cut off is counted again."""
    writes = [
        UpdateOne(
            {"_id": f"{stock_id(*key)}/{day:%Y-%m}"},
            {"$set": {f"days.{day:%d}": [units.get(key, 0), out.get(key, 0.0), promoted.get(key, 0)]}},
            upsert=True,
        )
        for key in sorted(set(units) | set(out))
    ]
    for begin in range(0, len(writes), _WRITTEN_AT_ONCE):
        await mongo.demand.bulk_write(writes[begin : begin + _WRITTEN_AT_ONCE], ordered=False)
    await mongo.demand_days.update_one({"_id": f"{day}"}, {"$set": {"counted": True}}, upsert=True)


def _months(first: date, end: date) -> list[str]:
    months = sorted({f"{first + timedelta(days=n):%Y-%m}" for n in range((end - first).days)})
    return months or [f"{first:%Y-%m}"]


async def read_demand(mongo: Mongo, series: Sequence[Key], first: date, end: date) -> Watched:
    """Of series in their order, from `first` until the day before `end`."""
    days = (end - first).days
    arrays = np.zeros((3, len(series), days))
    told = np.zeros((len(series), days), dtype=np.bool_)
    booked = np.full(len(series), days)
    months = _months(first, end)
    places: dict[str, int] = {stock_id(*key): number for number, key in enumerate(series)}
    ids = [f"{name}/{month}" for name in places for month in months]
    for begin in range(0, len(ids), _WRITTEN_AT_ONCE):
        async for row in mongo.demand.find({"_id": {"$in": ids[begin : begin + _WRITTEN_AT_ONCE]}}):
            name, _, month = row["_id"].rpartition("/")
            number = places[name]
            for day, values, is_told, is_booked in _days_of(row):
                at = (date.fromisoformat(f"{month}-{day}") - first).days
                if is_booked:
                    booked[number] = min(booked[number], at)
                if 0 <= at < days:
                    arrays[:, number, at] = values
                    told[number, at] = is_told
    found = Watched(series, first, arrays[0], arrays[1], arrays[2])
    for begin in range(0, len(series), _WRITTEN_AT_ONCE):
        spans = await told_spans(mongo, series[begin : begin + _WRITTEN_AT_ONCE])
        fill_told(found, told, booked, spans)
    return found


def _days_of(row: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[float], bool, bool]]:
    """Day of the month, its values, whether they were told, and whether the ledger knew of the goods: it had some for a
    part of the day, or orders asked for them."""
    counted, told = row.get("days", {}), row.get("told", {})
    for day in counted.keys() | told.keys():
        known = counted.get(day)
        is_booked = known is not None and (known[0] > 0 or known[1] < 1.0)
        if day in told and counts_told(known):
            yield day, told[day], True, is_booked
        else:
            yield day, counted[day], False, is_booked


def fill_told(
    table: Watched, told: NDArray[np.bool_], booked: NDArray[np.int_], spans: Mapping[Key, tuple[date, date]]
) -> None:
    """Within the span of what was told of a series, a day without a row is one on which nothing was asked for, until
    the ledger knows of the goods, which takes the days before for days without stock.

    `told` (n, T): whether there is a row; `booked` (n,): the first day, as its number, of which the ledger knows.
    """
    for number, key in enumerate(table.series):
        if key in spans:
            first, last = spans[key]
            end = min(int(booked[number]), (last - table.first).days + 1)
            within = slice(max(0, (first - table.first).days), max(0, end))
            table.out[number, within][~told[number, within]] = 0.0


def whole_region(parts: Watched, region: str) -> Watched:
    """By SKU over all locations. Out of stock is a region only while all of it is."""
    skus = sorted({sku for _, sku in parts.series})
    rows = [[n for n, (_, sku) in enumerate(parts.series) if sku == wanted] for wanted in skus]
    return Watched(
        [(f"{REGIONAL}{region}", sku) for sku in skus],
        parts.first,
        np.stack([parts.sold[one].sum(axis=0) for one in rows]),
        np.stack([parts.out[one].min(axis=0) for one in rows]),
        np.stack([parts.promoted[one].sum(axis=0) for one in rows]),
    )


async def watched(mongo: Mongo, region: str, location: str, sku: str, first: date, end: date) -> list[DailyDemand]:
    """Of one series, day by day; `location` may be a region's own series."""
    if location.startswith(REGIONAL):
        places = {row["location"] async for row in mongo.stock.find({"sku": sku}, {"location": 1})}
        places |= await told_places(mongo, sku)
        table = whole_region(await read_demand(mongo, [(place, sku) for place in sorted(places)], first, end), region)
    else:
        table = await read_demand(mongo, [(location, sku)], first, end)
    days = []
    for number in range((end - first).days if len(table.series) else 0):
        day = first + timedelta(days=number)
        out = float(table.out[0, number])
        days.append(
            DailyDemand(
                day=day,
                sold=float(table.sold[0, number]),
                out_of_stock_hours=round(out * 24, 2),
                censored=out > _CENSORED,
                promotion=bool(table.promoted[0, number] * 2 > table.sold[0, number]),
                holiday=not is_workday("CN", day),
            )
        )
    return days
