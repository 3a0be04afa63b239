"""Commands about an order: which can do nothing and are refused, and how the others are written down."""

from datetime import datetime
from typing import Any, Literal

from contracts.orders import TERMINAL, UNSHIPPED, CommandKind, InboxEvent, Stage
from contracts.refusals import Refusal
from workers.gateway.accept import OrderDocument

_SHIPPED = frozenset({Stage.SHIPPED, Stage.DELIVERED, Stage.CLOSED})
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
    if order["stage"] in TERMINAL:
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


def command(
    order: str, kind: CommandKind, request_id: str, *, at: datetime, by: str, data: dict[str, Any], parcel: str | None
) -> InboxEvent:
    """The command as it is written down, once for a request id."""
    return InboxEvent(
        id=f"{kind}:{order}:{request_id}",
        order=order,
        kind=_KINDS[kind],
        received_at=at,
        by=by,
        parcel=parcel,
        data=data,
    )
