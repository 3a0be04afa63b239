"""Promised goods that a count did not find: the parcels offered last are planned anew, as many as are in excess."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from activities.stock.stocktaking import Key
from contracts.orders import InboxEvent, Stage
from contracts.parcels import NOT_ACCEPTED
from infra.mongo import Mongo, Session

_HOLDS_OFFERS = [Stage.PLACED, Stage.PAYING, Stage.BACKORDERED, Stage.HELD, Stage.DISPATCHED]
"""Stages in which an order can have a parcel that no store has accepted yet."""


async def report_short(
    mongo: Mongo, session: Session, excess: Mapping[Key, int], stock_version: int, at: datetime
) -> set[str]:
    """Tell the orders concerned, the newest first. Returns the batches whose bell should be rung.

    Parcels that a store has accepted are left alone: the store has the goods in its hands, and says so if not.
    """
    if not excess:
        return set()
    left = dict(excess)
    events, batches = [], set()
    offered = {
        "state": {"$in": sorted(NOT_ACCEPTED)},
        "location": {"$in": sorted({location for location, _ in excess})},
        "items.sku": {"$in": sorted({sku for _, sku in excess})},
    }
    found = mongo.orders.find(
        {"stage": {"$in": _HOLDS_OFFERS}, "parcels": {"$elemMatch": offered}},
        {"parcels": 1, "batch": 1},
        session=session,
    )
    async for order in found.sort([("placed_at", -1), ("_id", 1)]):
        for parcel in reversed(order["parcels"]):
            if parcel["state"] in NOT_ACCEPTED and _covers(parcel, left):
                events.append(_event(order, parcel["id"], stock_version, at))
                batches.add(order["batch"])
        if not any(units > 0 for units in left.values()):
            break
    if events:
        await mongo.inbox.insert_many(events, ordered=False, session=session)
    return {batch for batch in batches if batch}


def _covers(parcel: Mapping[str, Any], left: dict[Key, int]) -> bool:
    """Whether taking the parcel away lessens the excess, which it is then taken from."""
    helps = False
    for item in parcel["items"]:
        key = (parcel["location"], item["sku"])
        if left.get(key, 0) > 0:
            left[key] -= item["quantity"]
            helps = True
    return helps


def _event(order: Mapping[str, Any], parcel: str, stock_version: int, at: datetime) -> dict[str, Any]:
    event = InboxEvent(
        id=f"short:{parcel}:{stock_version}",
        order=order["_id"],
        kind="stock.short",
        received_at=at,
        by="stock",
        parcel=parcel,
    )
    return event.unread(order["batch"])
