"""Attention to what carriers do: which codes there are, which stand still, and which is graver."""

from datetime import datetime

from contracts.carriers import TrackingState
from contracts.orders import LIVE, Attention, OrderState, Parcel, ParcelState

GOES_ON = frozenset(
    {
        "ship_overdue",
        "delivery_overdue",
        "parcel_lost",
        "parcel_refused",
        "parcel_returned",
        "parcel_on_its_way",
        "no_carrier",
        "label_failed",
        "label_not_voided",
    }
)
"""A person must look, but the rest of the order is carried on with meanwhile."""
TROUBLE = {
    TrackingState.LOST: "parcel_lost",
    TrackingState.REFUSED: "parcel_refused",
    TrackingState.RETURNED: "parcel_returned",
}
"""What a carrier may report that a person must look at."""
_MILDER = frozenset({"ship_overdue", "delivery_overdue"})


def attend(order: OrderState, code: str, detail: str, at: datetime) -> None:
    """Ask for a person, unless something graver stands already."""
    if order.attention is None or order.attention.code in _MILDER:
        order.attention = Attention(code=code, detail=detail, at=at)


def stands(order: OrderState, code: str) -> bool:
    """Whether what a person must look at is still so, as far as carriers are concerned."""
    return any(_stands(parcel, code) for parcel in order.parcels)


def _stands(parcel: Parcel, code: str) -> bool:
    label = parcel.label
    if code == "delivery_overdue":
        return parcel.state is ParcelState.SHIPPED and parcel.overdue_at is not None
    if code == "parcel_on_its_way":
        return parcel.state not in LIVE and parcel.tracking_state not in (None, TrackingState.LABELLED)
    if label is not None and code == "label_failed":
        return label.state == "failed"
    if label is not None and code == "no_carrier":
        return label.state == "declined" and parcel.state in (ParcelState.ACCEPTED, ParcelState.PACKED)
    if label is not None and code == "label_not_voided":
        return label.state == "declined" and label.operation == "void"
    return parcel.state is ParcelState.SHIPPED and TROUBLE.get(parcel.tracking_state or TrackingState.LABELLED) == code
