"""Writes events about an order down in the inbox, where the batch that carries the order finds them."""

import contextlib

from contracts.orders import REOPENS, TERMINAL, InboxEvent
from infra.mongo import DuplicateKeyError, Mongo
from infra.reopening import reopen
from workers.gateway.accept import OrderDocument
from workers.gateway.wakes import Wakes


async def write_event(mongo: Mongo, wakes: Wakes, order: OrderDocument, event: InboxEvent) -> str:
    """Write the event once for its id, have the batch's bell rung, and return its id.

    An order that has ended is carried again by a new batch, if the event is one that moves it.
    """
    with contextlib.suppress(DuplicateKeyError):
        await mongo.inbox.insert_one(event.unread(order["batch"]))
    row = await mongo.orders.find_one({"_id": event.order}, {"batch": 1, "stage": 1}) or {}
    batch: str | None = row.get("batch")
    # The order may have been claimed since it was read, and whoever claimed it has then not seen this event.
    unread = await mongo.inbox.update_one({"_id": event.id, "drained": None}, {"$set": {"batch": batch}})
    if event.kind in REOPENS and row.get("stage") in TERMINAL and unread.matched_count:
        wakes.orders(await reopen(mongo, [event.order]))
    elif batch is not None:
        wakes.inbox({batch})
    return event.id
