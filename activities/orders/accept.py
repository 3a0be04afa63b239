"""From what a caller placed to the document that is kept. Pure."""

import hashlib
from datetime import datetime
from typing import Any

from contracts.geo import to_wgs84
from contracts.money import share
from contracts.orders import OrderLine, OrderPlacement, OrderState, Payment, TimelineEntry


def digest(placement: OrderPlacement) -> str:
    """A fingerprint of the order's content: the same order placed twice has the same one."""
    return hashlib.sha256(placement.model_dump_json(exclude={"id"}).encode()).hexdigest()


def new_order(placement: OrderPlacement, order_id: str, at: datetime) -> OrderState:
    """The first state of an order. Discount and shipping fee are shared out over the lines by their value."""
    amounts = share(placement.total, [line.quantity * line.unit_price for line in placement.lines])
    point = to_wgs84(placement.ship_to.point)
    prepaid = placement.payment.method == "prepaid"
    return OrderState.trusted(
        id=order_id,
        channel=placement.channel,
        division=placement.ship_to.division,
        currency=placement.currency,
        lines=[
            OrderLine.trusted(
                line=line.line,
                sku=line.sku,
                quantity=line.quantity,
                unit_price=line.unit_price,
                amount=amount,
                together=line.together,
            )
            for line, amount in zip(placement.lines, amounts, strict=True)
        ],
        total=placement.total,
        discount=placement.discount,
        shipping_fee=placement.shipping_fee,
        ship_to=placement.ship_to.model_dump(exclude_none=True),
        lat=point.lat,
        lon=point.lon,
        customer=placement.customer,
        deliver_by=placement.deliver_by,
        sold_by=placement.sold_by,
        payment=Payment.trusted(
            method=placement.payment.method,
            token=placement.payment.token,
            captured=placement.total if prepaid else 0,
        ),
        placed_at=at,
        due=at,
    )


def order_document(placement: OrderPlacement, order_id: str, at: datetime) -> dict[str, Any]:
    """The document as it is inserted: waiting for a batch."""
    state = new_order(placement, order_id, at)
    entry = TimelineEntry.trusted(at=at, what="order.placed", by="api")
    return {
        "_id": order_id,
        **state.model_dump(exclude={"id"}),
        "batch": None,
        "digest": digest(placement),
        "timeline": [entry.model_dump(exclude_none=True)],
        "decisions": [],
        "updated_at": at,
    }
