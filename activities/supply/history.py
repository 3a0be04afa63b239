"""Keeps sales of the past that are told, beside what is counted of orders, and says which of both a day goes by.

They lie in `demand` where the counted days lie, under `told`, in the same form. A day of a series has one source: what
was counted of orders where these asked for anything, else what was told. Nothing is ever added up.

Between the first row of a series and the last one of its location, until its stock is booked here, a day without a row
is one on which nothing was asked for: files of sales have no rows for those. `demand_told` knows these bounds,
`<location>/<sku>` and `<location>/`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from activities.supply.planned import Key
from contracts.demand_history import HistoryOutcome, HistoryRow, Told, told_of
from contracts.ids import stock_id
from infra.mongo import Mongo, Session, UpdateOne

_Cells = Mapping[str, Mapping[str, Sequence[float]]]
"""By document of `demand`, by day."""


@dataclass(slots=True)
class Kept:
    """What becomes of rows. `differs`: numbers of rows that say something else than was told before; nothing is
    written then. `to_orders`: rows of days that are counted of orders already, which these rows change nothing of."""

    outcomes: list[HistoryOutcome] = field(default_factory=list)
    differs: dict[int, Told] = field(default_factory=dict)
    writes: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    to_orders: int = 0

    def counts(self) -> dict[str, int]:
        found = Counter(self.outcomes)
        return {
            **{name: found[name] for name in ("created", "unchanged", "replaced")},
            "left_to_orders": self.to_orders,
        }


def counts_told(counted: Sequence[float] | None) -> bool:
    """Whether a day goes by what was told: of orders nothing was counted."""
    return counted is None or counted[0] <= 0


def document_of(row: HistoryRow) -> str:
    return f"{stock_id(row.location, row.sku)}/{row.date:%Y-%m}"


def weigh(rows: Sequence[HistoryRow], counted: _Cells, told: _Cells, *, replace: bool) -> Kept:
    """What is to be written of rows, no two of which are of the same day of a series. The same again changes none."""
    kept = Kept()
    for number, row in enumerate(rows):
        name, day = document_of(row), f"{row.date:%d}"
        before, said = told.get(name, {}).get(day), told_of(row)
        if before is not None and not replace and Told(*before) != said:
            kept.differs[number] = Told(*before)
            continue
        if before is None or Told(*before) != said:
            kept.writes.setdefault(name, {})[day] = list(said)
        kept.outcomes.append("created" if before is None else "unchanged" if Told(*before) == said else "replaced")
        kept.to_orders += not counts_told(counted.get(name, {}).get(day))
    return kept


async def keep_history(mongo: Mongo, rows: Sequence[HistoryRow], *, replace: bool) -> Kept:
    """All of the rows, or none where any differs; see `weigh`."""

    async def work(session: Session) -> Kept:
        names = sorted({document_of(row) for row in rows})
        found = [row async for row in mongo.demand.find({"_id": {"$in": names}}, session=session)]
        counted = {row["_id"]: row.get("days", {}) for row in found}
        kept = weigh(rows, counted, {row["_id"]: row.get("told", {}) for row in found}, replace=replace)
        if kept.differs or not kept.writes:
            return kept
        writes = [
            UpdateOne({"_id": name}, {"$set": {f"told.{day}": values for day, values in days.items()}}, upsert=True)
            for name, days in sorted(kept.writes.items())
        ]
        await mongo.demand.bulk_write(writes, ordered=False, session=session)
        await mongo.demand_told.bulk_write(list(_bounds(rows)), ordered=False, session=session)
        return kept

    return await mongo.transaction(work)


def _bounds(rows: Iterable[HistoryRow]) -> Iterable[UpdateOne]:
    """Of each series, and of each location, in one order for all who write."""
    spans: dict[Key, tuple[date, date]] = {}
    for row in rows:
        for key in ((row.location, row.sku), (row.location, "")):
            first, last = spans.get(key, (row.date, row.date))
            spans[key] = (min(first, row.date), max(last, row.date))
    for (location, sku), (first, last) in sorted(spans.items()):
        update: dict[str, Any] = {"$min": {"first": f"{first}"}, "$max": {"last": f"{last}"}}
        update["$setOnInsert"] = {"location": location, "sku": sku}
        yield UpdateOne({"_id": stock_id(location, sku)}, update, upsert=True)


async def told_series(mongo: Mongo, locations: Iterable[str], since: date) -> set[Key]:
    """Series of the locations of which a sale since a day was told."""
    wanted = {"location": {"$in": sorted(locations)}, "last": {"$gte": f"{since}"}, "sku": {"$ne": ""}}
    return {(row["location"], row["sku"]) async for row in mongo.demand_told.find(wanted, {"location": 1, "sku": 1})}


async def told_places(mongo: Mongo, sku: str) -> set[str]:
    return {row["location"] async for row in mongo.demand_told.find({"sku": sku}, {"location": 1})}


async def told_spans(mongo: Mongo, series: Iterable[Key]) -> dict[Key, tuple[date, date]]:
    """By series of which sales were told: the first day of its own, and the last one of its location."""
    keys = list(series)
    names = {stock_id(*key) for key in keys} | {stock_id(location, "") for location, _ in keys}
    found = {row["_id"]: row async for row in mongo.demand_told.find({"_id": {"$in": sorted(names)}})}
    return {
        key: (date.fromisoformat(own["first"]), date.fromisoformat(found[stock_id(key[0], "")]["last"]))
        for key in keys
        if (own := found.get(stock_id(*key))) is not None
    }


def first_twice(rows: Sequence[HistoryRow]) -> dict[int, int]:
    """Numbers of rows of a day of a series that an earlier row is of already, and the number of that one."""
    seen: dict[tuple[str, str, date], int] = {}
    twice = {}
    for number, row in enumerate(rows):
        before = seen.setdefault((row.location, row.sku, row.date), number)
        if before != number:
            twice[number] = before
    return twice
