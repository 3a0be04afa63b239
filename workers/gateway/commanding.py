"""Takes commands about an order down in the inbox, where the batch that carries the order finds them."""

import contextlib
from datetime import UTC, datetime
from typing import Literal

from contracts.base import milliseconds
from contracts.orders import UNSHIPPED, CommandKind, InboxEvent, Stage
from contracts.refusals import Refusal
from infra.mongo import DuplicateKeyError, Mongo
from workers.gateway.accept import OrderDocument
from workers.gateway.wakes import Wakes

_SHIPPED = frozenset({Stage.SHIPPED, Stage.DELIVERED, Stage.CLOSED})
_ENDED = frozenset({Stage.CLOSED, Stage.CANCELLED})
_KINDS: dict[CommandKind, Literal["command.cancel", "command.retry", "command.reroute", "command.release"]] = {
    "cancel": "command.cancel",
    "retry": "command.retry",
    "reroute": "command.reroute",
    "release": "command.release",
}


def cancelled_before(order: OrderDocument) -> bool:
    cancellation = order["cancellation"]
    return cancellation is not None and cancellation["outcome"] != "refused"


def refuse_cancelling(order: OrderDocument) -> None:
    """Raises Refusal when everything has left the stores."""
    if order["stage"] in _SHIPPED:
        raise Refusal(
            "already_shipped",
            f"All of order {order['_id']} has been shipped; it is {order['stage']}.",
            remedy="Let the customer send the goods back instead.",
            status=409,
        )


def refuse_moving(order: OrderDocument, kind: CommandKind, parcel: str | None) -> None:
    """Raises Refusal when a retry, reroute or release could do nothing."""
    if order["stage"] in _ENDED:
        raise Refusal(
            "order_closed",
            f"Order {order['_id']} has ended; it is {order['stage']}.",
            remedy="Place a new order.",
            status=409,
        )
    if kind != "retry" and cancelled_before(order):
        raise Refusal(
            "order_cancelled",
            f"Order {order['_id']} was cancelled, there is nothing left to {kind}.",
            remedy="Retry it, if its refund is what is stuck.",
            status=409,
        )
    unshipped = [p["id"] for p in order["parcels"] if p["state"] in UNSHIPPED]
    if parcel is not None and parcel not in unshipped:
        raise Refusal(
            "unknown_parcel",
            f"Order {order['_id']} has no parcel {parcel} that could be taken from its store.",
            remedy=f"Name one of {', '.join(unshipped)}." if unshipped else "Leave parcel out.",
            field="parcel",
        )


async def write_command(
    mongo: Mongo,
    wakes: Wakes,
    order: OrderDocument,
    kind: CommandKind,
    *,
    by: str,
    reason: str,
    parcel: str | None,
    request_id: str,
) -> str:
    """Write the command once for a request id, have the batch's bell rung, and return the event's id."""
    event = InboxEvent(
        id=f"{kind}:{order['_id']}:{request_id}",
        order=order["_id"],
        kind=_KINDS[kind],
        received_at=milliseconds(datetime.now(UTC)),
        by=by,
        parcel=parcel,
        data={"reason": reason},
    )
    with contextlib.suppress(DuplicateKeyError):
        await mongo.inbox.insert_one(event.unread(order["batch"]))
    batch = await _batch_now(mongo, event)
    if batch is not None:
        wakes.inbox({batch})
    return event.id


async def _batch_now(mongo: Mongo, event: InboxEvent) -> str | None:
    """The order's batch, and the event moved along with it: the order may have been claimed since it was read, and
    whoever claimed it has then not seen this event."""
    row = await mongo.orders.find_one({"_id": event.order}, {"batch": 1})
    batch: str | None = row["batch"] if row else None
    await mongo.inbox.update_one(
        {"_id": event.id, "drained": None, "batch": {"$ne": batch}}, {"$set": {"batch": batch}}
    )
    return batch
