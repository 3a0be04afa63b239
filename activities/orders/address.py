"""A customer moves: the order goes to another address, as long as nothing of it has left a store."""

from datetime import datetime

from activities.orders.labels import void_label
from activities.orders.moves import Moves, in_state, withdraw
from contracts.geo import to_wgs84
from contracts.orders import LIVE, UNSHIPPED, InboxEvent, Parcel, ParcelState, ShipTo
from contracts.parcels import NOT_ACCEPTED

_SAME_PREFECTURE = 4
"""Characters of a division code that two places in one prefecture share."""


def change_address(moves: Moves, event: InboxEvent, at: datetime) -> None:
    """Send the order elsewhere. Within the prefecture, and once a store has accepted, its parcels keep their stores."""
    order = moves.order
    refusal = "already_shipped" if in_state(order, LIVE - UNSHIPPED) else "order_cancelled" if order.cancelled else None
    if refusal:
        moves.refused.append(refusal)
        moves.note("address.refused", at, reason=refusal, by=event.by)
        moves.tell_retailer("address_refused", stage=order.stage, reason=refusal)
        return
    ship_to = ShipTo.model_validate(event.data["ship_to"])
    far = ship_to.division[:_SAME_PREFECTURE] != order.division[:_SAME_PREFECTURE]
    point = to_wgs84(ship_to.point)
    order.ship_to = ship_to.model_dump(exclude_none=True)
    order.division, order.lat, order.lon = ship_to.division, point.lat, point.lon
    moves.note("address.changed", at, reason=f"to {ship_to.division}", by=event.by)
    parcels = in_state(order, UNSHIPPED)
    if far and all(parcel.state in NOT_ACCEPTED for parcel in parcels):
        for parcel in parcels:
            withdraw(moves, parcel, "address_changed", at, ParcelState.WITHDRAWN, event.by)
        order.retry_at = None
        return
    for parcel in parcels:
        _send_elsewhere(moves, parcel)


def _send_elsewhere(moves: Moves, parcel: Parcel) -> None:
    """Tell the store. A label that we had made shows the old address: it is voided, and another is booked."""
    if parcel.state is ParcelState.HELD:
        return
    void_label(parcel)
    moves.tell_store("address_changed", parcel, ship_to=moves.order.ship_to)
