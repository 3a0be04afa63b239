"""Promotions that are planned, as shares of units that are expected to be sold with a discount, by series and day.

What is planned for a day is what was written down before it was over, and before `as_of`: what is entered or taken back
afterwards does not change what could be known. Where several hold, the strongest one counts. Pure, but for `read` and
`keep`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np

from activities.supply.planned import Key
from activities.supply.table import Floats
from contracts.partners import Location
from contracts.promotions import Named, Outcome, Promotion, PromotionUpsert, promotion_version
from contracts.skus import Article
from contracts.workdays import day_of
from infra.mongo import Mongo, ReplaceOne, Session, UpdateOne


class Sold(NamedTuple):
    """What of a series a promotion may name."""

    location: str
    sku: str
    division: str
    category: str


@dataclass(frozen=True, slots=True)
class Days:
    """`count` days from `first`, as they were known at `as_of`."""

    first: date
    count: int
    as_of: datetime

    def of(self, promotion: Promotion) -> slice:
        """Those for which this version was planned: it is in force from the day on which it was written, and until
        the day before the one on which another took its place. Empty where there is none."""
        if promotion.at > self.as_of or not promotion.active:
            return slice(0, 0)
        begin = (max(promotion.first_day, day_of(promotion.at)) - self.first).days
        end = (promotion.last_day - self.first).days + 1
        if promotion.replaced_at is not None and promotion.replaced_at <= self.as_of:
            end = min(end, (day_of(promotion.replaced_at) - self.first).days)
        place = [min(max(0, day), self.count) for day in (begin, end)]
        return slice(place[0], max(place))


def sold_of(keys: Iterable[Key], places: Mapping[str, Location], articles: Mapping[str, Article]) -> list[Sold]:
    """What is not known of a location or SKU is empty."""
    return [
        Sold(
            location,
            sku,
            places[location].division if location in places else "",
            articles[sku].category if sku in articles else "",
        )
        for location, sku in keys
    ]


def plans_of(promotions: Sequence[Promotion], series: Sequence[Sold], days: Days) -> Floats:
    """(n, days.count), 0 to 1: 0 where nothing is planned."""
    plans = np.zeros((len(series), days.count))
    for promotion, chosen in _held(promotions, series, days):
        part = plans[chosen, days.of(promotion)]
        plans[chosen, days.of(promotion)] = np.maximum(part, promotion.strength)
    return plans


def pooled_plans(
    promotions: Sequence[Promotion], series: Sequence[Sold], units: Floats, skus: Sequence[str], days: Days
) -> Floats:
    """(len(skus), days.count) of the whole region: each location's plan counts by its part of the units (n, T) that
    were asked for there; alike where none were."""
    plans = np.zeros((len(skus), days.count))
    rows: dict[str, list[int]] = {}
    for number, one in enumerate(series):
        rows.setdefault(one.sku, []).append(number)
    for place, sku in enumerate(skus):
        found = rows.get(sku, [])
        own = [one for one in promotions if found and one.holds_for(sku, series[found[0]].category)]
        if own:
            weight = units[found].sum(axis=1)
            weight = weight / weight.sum() if weight.sum() > 0 else np.full(len(found), 1 / len(found))
            plans[place] = weight @ plans_of(own, [series[number] for number in found], days)
    return np.clip(plans, 0.0, 1.0)


def named_by_series(promotions: Sequence[Promotion], series: Sequence[Sold], days: Days) -> dict[Key, list[Named]]:
    """The promotions that hold on any of the days, by their first day; series without any are left out."""
    found: dict[Key, list[Named]] = {}
    for promotion, chosen in _held(promotions, series, days):
        named = Named.model_validate(promotion.model_dump())
        for number in chosen:
            found.setdefault((series[number].location, series[number].sku), []).append(named)
    return {key: sorted(some, key=lambda one: (one.first_day, one.promotion)) for key, some in found.items()}


def named_by_sku(named: Mapping[Key, Sequence[Named]], location: str) -> dict[Key, list[Named]]:
    """As of one location that stands for all of them: each promotion once."""
    found: dict[Key, dict[str, Named]] = {}
    for (_, sku), some in named.items():
        found.setdefault((location, sku), {}).update({one.promotion: one for one in some})
    return {key: sorted(some.values(), key=lambda one: (one.first_day, one.promotion)) for key, some in found.items()}


def named_before(named: Sequence[Named], end: date) -> list[Named]:
    """Those that begin before a day."""
    return [one for one in named if one.first_day < end]


def _held(promotions: Sequence[Promotion], series: Sequence[Sold], days: Days) -> Iterable[tuple[Promotion, list[int]]]:
    """Promotions with days among these, and the numbers of the series for which they hold."""
    by_sku: dict[str, list[int]] = {}
    by_category: dict[str, list[int]] = {}
    for number, one in enumerate(series):
        by_sku.setdefault(one.sku, []).append(number)
        if one.category:
            by_category.setdefault(one.category, []).append(number)
    for promotion in promotions:
        span = days.of(promotion)
        if span.start == span.stop:
            continue
        meant = {number for sku in promotion.skus for number in by_sku.get(sku, ())}
        meant |= {number for category in promotion.categories for number in by_category.get(category, ())}
        chosen = [n for n in sorted(meant) if promotion.holds_at(series[n].location, series[n].division)]
        if chosen:
            yield promotion, chosen


async def read(mongo: Mongo, days: Days) -> list[Promotion]:
    """Every version that was planned for any of the days."""
    last = days.first + timedelta(days=days.count - 1)
    wanted = {
        "last_day": {"$gte": f"{days.first}"},
        "first_day": {"$lte": f"{last}"},
        "at": {"$lte": days.as_of},
        "active": True,
    }
    return [Promotion.from_row(row) async for row in mongo.promotions.find(wanted).sort("_id", 1)]


async def keep(mongo: Mongo, wanted: Sequence[PromotionUpsert], at: datetime) -> dict[str, Outcome]:
    """What became of each, by its id. What is planned already in the same words gets no new version."""

    async def work(session: Session) -> dict[str, Outcome]:
        # Two that are written at once get in each other's way here, and no version is written twice.
        await mongo.counters.update_one({"_id": "promotions"}, {"$inc": {"version": 1}}, upsert=True, session=session)
        query = {"promotion": {"$in": sorted(one.id for one in wanted)}, "replaced_at": None}
        rows = [Promotion.from_row(row) async for row in mongo.promotions.find(query, session=session)]
        known = {row.promotion: row for row in rows}
        outcomes: dict[str, Outcome] = {}
        writes: list[Any] = []
        for one in wanted:
            before = known.get(one.id)
            version = before.version + 1 if before else 1
            fields = {**one.model_dump(exclude={"id"}), "promotion": one.id, "version": version, "at": at}
            made = Promotion.model_validate({"id": promotion_version(one.id, version), **fields})
            if before is not None and _words(before) == _words(made):
                outcomes[one.id] = "unchanged"
                continue
            outcomes[one.id] = "updated" if before else "created"
            if before is not None:
                writes.append(UpdateOne({"_id": before.id}, {"$set": {"replaced_at": at}}))
            writes.append(ReplaceOne({"_id": made.id}, made.as_row(), upsert=True))
        if writes:
            await mongo.promotions.bulk_write(writes, ordered=False, session=session)
        return outcomes

    return await mongo.transaction(work)


def _words(one: Promotion) -> Mapping[str, object]:
    """Without what writing it down adds."""
    return one.model_dump(exclude={"id", "version", "at", "replaced_at"})
