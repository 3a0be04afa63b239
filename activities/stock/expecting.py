"""What is expected to be ordered, from the orders of the last weeks: counted once a day for each day that is over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activities.orders.costing import Costing
from activities.orders.demand import Demand, size_of
from activities.orders.eligible import eligible
from activities.orders.network import Availability, Network
from activities.orders.policies import policy_for
from activities.orders.prices import Expected
from contracts.routing import Policy
from contracts.settlement import WHOLE_BP
from infra.mongo import Mongo, insert_new

DAYS_SEEN = 28
SKUS_PRICED = 5_000
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Sold:
    """Units and their value that customers of one area ordered of one SKU through one channel, over some days."""

    channel: str
    division: str
    sku: str
    units: int
    value: int
    orders: float
    lat: float
    lon: float


def cover_days(policies: Sequence[Policy]) -> float:
    """How long goods must last: the longest time that a policy in force names."""
    return max((policy.cover_s for policy in policies), default=Policy().cover_s) / _DAY_S


async def expected_orders(mongo: Mongo, network: Network, policies: Sequence[Policy], now: datetime) -> Expected | None:
    """Expectations for the days to come; None while there is no day to learn from."""
    days = _days_before(now)
    counted = {row["_id"] async for row in mongo.expectations.find({"_id": {"$in": days}}, {"_id": 1})}
    await insert_new(mongo.expectations, [await _counted(mongo, day) for day in days if day not in counted])
    sold, seen = await sold_before(mongo, now)
    return expectation(sold, seen, network, policies, now) if sold else None


async def sold_before(mongo: Mongo, now: datetime) -> tuple[list[Sold], int]:
    """What was sold in the weeks before a moment, on the days that are counted, and on how many of them. Only reads."""
    sold: list[Sold] = []
    seen = 0
    async for row in mongo.expectations.find({"_id": {"$in": _days_before(now)}, "sold": {"$ne": []}}):
        seen += 1
        sold.extend(Sold(**one) for one in row["sold"])
    return sold, seen


def _days_before(now: datetime) -> list[str]:
    return [(now - timedelta(days=back)).date().isoformat() for back in range(1, DAYS_SEEN + 1)]


async def _counted(mongo: Mongo, day: str) -> dict[str, Any]:
    """One day's orders, counted. Two processes may do it at once and write the same."""
    start = datetime.combine(datetime.fromisoformat(day), time.min, UTC)
    area = {"$cond": [{"$eq": [{"$strLenCP": "$division"}, 6]}, {"$substrCP": ["$division", 0, 4]}, "$division"]}
    pipeline: list[dict[str, Any]] = [
        {"$match": {"placed_at": {"$gte": start, "$lt": start + timedelta(days=1)}}},
        {"$set": {"part": {"$divide": [1, {"$size": "$lines"}]}, "area": area}},
        {"$unwind": "$lines"},
        {
            "$group": {
                "_id": {"channel": "$channel", "division": "$area", "sku": "$lines.sku"},
                "units": {"$sum": "$lines.quantity"},
                "value": {"$sum": {"$multiply": ["$lines.quantity", "$lines.unit_price"]}},
                "orders": {"$sum": "$part"},
                "lat": {"$avg": "$lat"},
                "lon": {"$avg": "$lon"},
            }
        },
        {"$replaceWith": {"$mergeObjects": ["$_id", {"$unsetField": {"field": "_id", "input": "$$ROOT"}}]}},
    ]
    return {"_id": day, "sold": [row async for row in mongo.orders.aggregate(pipeline)]}


def expectation(
    sold: Sequence[Sold], days: int, network: Network, policies: Sequence[Policy], now: datetime
) -> Expected:
    """From what was sold in so many days. Every class of customers (channel and area) buys like all the others.

    That is, a class's units of a SKU are its share of all orders times the SKU's units: single counts are too few.
    """
    units: dict[str, int] = {}
    value: dict[str, int] = {}
    share: dict[tuple[str, str], float] = {}
    place: dict[tuple[str, str], tuple[float, float]] = {}
    for one in sold:
        units[one.sku] = units.get(one.sku, 0) + one.units
        value[one.sku] = value.get(one.sku, 0) + one.value
        share[one.channel, one.division] = share.get((one.channel, one.division), 0.0) + one.orders
        place[one.channel, one.division] = (one.lat, one.lon)
    skus = sorted(units, key=lambda sku: (-units[sku], sku))[:SKUS_PRICED]
    orders = sum(share.values())
    classes = sorted(share)
    weights = np.array([share[one] / orders for one in classes])
    margin = np.array([policy_for(policies, *one).margin_bp / WHOLE_BP for one in classes]) @ weights
    per_order = sum(units.values()) / orders
    parcel = _usual_parcel(units, per_order, network)
    cost = np.stack([_cost(one, place[one], parcel, per_order, network, policies, now) for one in classes])
    return Expected(
        skus=skus,
        units=np.outer(weights, [units[sku] / days for sku in skus]),
        cost=cost,
        lost=np.array([value[sku] / units[sku] for sku in skus]) * margin,
    )


def _usual_parcel(units: Mapping[str, int], per_order: float, network: Network) -> tuple[int, int]:
    """Weight and volume of a usual order."""
    scale = per_order / sum(units.values())
    weight, volume = size_of(units, network.articles)
    return round(weight * scale), round(volume * scale)


def _cost(
    customers: tuple[str, str],
    point: tuple[float, float],
    parcel: tuple[int, int],
    per_order: float,
    network: Network,
    policies: Sequence[Policy],
    now: datetime,
) -> NDArray[np.float64]:
    """Minor units for one unit of a usual order from every location to one class; infinite where that may not be."""
    channel, division = customers
    policy = policy_for(policies, channel, division)
    demand = Demand("", channel, *point, lines=[], excluded=[], attempt=1, division=division)
    chords = network.chords(*point)
    able = eligible(demand, Availability(network), network, policy, now, chords).able
    return np.where(able, Costing(demand, network, policy, None, now, chords).parcel(*parcel) / per_order, np.inf)
