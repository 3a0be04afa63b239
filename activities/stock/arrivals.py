"""Gives stock that became available to the orders that have waited longest for it.

Only so many are woken as the goods suffice for, because orders of different batches take their steps side by side, and
a younger one that was woken too could be quicker. Who cannot use its share after all (something else is still missing)
passes it on to those behind it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime
from typing import Any

from contracts.orders import SPOKEN_FOR, InboxEvent, OrderState, Stage
from infra.mongo import UNREAD, Mongo, insert_new

_WOKEN_AT_MOST = 500
_ARRIVED = "arrived:"
_WANTED = {"batch": 1, "version": 1, "placed_at": 1, "lines": 1, "parcels.state": 1, "parcels.items": 1}


async def wake_waiting(
    mongo: Mongo,
    freed: Mapping[str, int],
    at: datetime,
    *,
    besides: Set[str] = frozenset(),
    behind: datetime | None = None,
) -> set[str]:
    """Tell back-ordered orders that stock arrived, the oldest first, as many as it suffices for.

    Each is routed anew and decides for itself. Returns the batches whose bell should be rung. `freed`: units by SKU.
    `besides`: orders not to tell, because they were just routed with this stock in view. `behind`: only orders that
    were placed later. An order that was told before and has not moved since has a share already, and is passed over.
    """
    told = mongo.inbox.find({**UNREAD, "kind": "stock.arrived"}, {"order": 1})
    passed_over = {row["order"] async for row in told} | set(besides)
    waiting: dict[str, Any] = {"stage": Stage.BACKORDERED, "attention": None, "lines.sku": {"$in": list(freed)}}
    if behind is not None:
        waiting["placed_at"] = {"$gt": behind}
    left, woken = Counter(freed), []
    async for row in mongo.orders.find(waiting, _WANTED).sort([("placed_at", 1), ("_id", 1)]):
        if row["_id"] in passed_over:
            continue
        share = wanted(row["lines"], row["parcels"])
        if any(left[sku] > 0 for sku in share):
            woken.append(row)
            left.subtract(share)
        if len(woken) == _WOKEN_AT_MOST or not any(units > 0 for units in left.values()):
            break
    events = [
        InboxEvent(
            id=f"{_ARRIVED}{row['_id']}:{row['version']}",
            order=row["_id"],
            kind="stock.arrived",
            received_at=at,
            by="stock",
        ).unread(row["batch"])
        for row in woken
    ]
    await insert_new(mongo.inbox, events)
    return {row["batch"] for row in woken if row["batch"]}


def wanted(lines: Iterable[Mapping[str, Any]], parcels: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """Units by SKU that an order still waits for."""
    units = Counter[str]()
    for line in lines:
        units[line["sku"]] += line["quantity"]
    for parcel in parcels:
        if parcel["state"] in SPOKEN_FOR:
            units.subtract({item["sku"]: item["quantity"] for item in parcel["items"]})
    return +units


def left_waiting(order: OrderState, drained: Sequence[str]) -> bool:
    """Whether an order was told of stock in a step, and waits on all the same."""
    return order.stage is Stage.BACKORDERED and any(event.startswith(_ARRIVED) for event in drained)


async def pass_on(mongo: Mongo, orders: Sequence[OrderState], at: datetime, besides: Set[str]) -> set[str]:
    """Give what these orders were told of, and could not use, to those behind them, as far as it is still there.

    The chain ends, because each link is younger than the one before. Returns the batches whose bell should be rung.
    """
    rung: set[str] = set()
    for order in sorted(orders, key=lambda one: one.placed_at):
        lines = [line.model_dump() for line in order.lines]
        share = wanted(lines, [parcel.model_dump() for parcel in order.parcels])
        there = await _available(mongo, list(share))
        freed = {sku: min(units, there[sku]) for sku, units in share.items() if there[sku] > 0}
        if freed:
            rung |= await wake_waiting(mongo, freed, at, besides=besides, behind=order.placed_at)
    return rung


async def _available(mongo: Mongo, skus: Sequence[str]) -> Counter[str]:
    found = Counter[str]()
    async for level in mongo.stock.find({"sku": {"$in": skus}}, {"sku": 1, "on_hand": 1, "reserved": 1}):
        found[level["sku"]] += max(level["on_hand"] - level["reserved"], 0)
    return found
