"""Attention to what carriers do: which codes there are, which stand still, and which is graver."""

from datetime import datetime

from contracts.carriers import TrackingState
from contracts.orders import Attention, OrderState, Parcel, ParcelState
from contracts.parcels import AT_STORE

GOES_ON = frozenset(
    {
        "ship_overdue",
        "delivery_overdue",
        "parcel_on_its_way",
        "delivered_after_all",
        "no_carrier",
        "label_failed",
        "label_not_voided",
    }
)
"""A person must look, but the rest of the order is carried on with meanwhile."""
TAKEN_AWAY = frozenset({ParcelState.REJECTED, ParcelState.EXPIRED, ParcelState.WITHDRAWN})
"""States of a parcel that its store was to keep."""
GIVEN_UP = frozenset({ParcelState.LOST, ParcelState.RETURNING, ParcelState.RETURNED})
"""States of a parcel that the customer is not to have any more."""
_MILDER = frozenset({"ship_overdue", "delivery_overdue"})


def unwanted(parcel: ParcelState, reported: TrackingState) -> bool:
    """Whether a person must hear of it: a parcel is on its way, or arrived, that the customer was not to have."""
    if parcel in TAKEN_AWAY:
        return reported is not TrackingState.LABELLED
    return parcel in GIVEN_UP and reported is TrackingState.DELIVERED


def attend(order: OrderState, code: str, detail: str, at: datetime) -> None:
    """Ask for a person, unless something graver stands already."""
    if order.attention is None or order.attention.code in _MILDER:
        order.attention = Attention(code=code, detail=detail, at=at)


def left_over(order: OrderState) -> tuple[str, str] | None:
    """What keeps the order from its end and has no moment at which it is looked at again: a code and a detail.

    Attention to it may have been hidden by a graver one, or have ended with a command.
    """
    for parcel in order.parcels:
        if _stands(parcel, "label_failed"):
            return "label_failed", f"the label of {parcel.id} is not settled with its carrier"
    for parcel in order.parcels:
        if parcel.state in AT_STORE and parcel.due is parcel.request_due is None:
            return "ship_overdue", f"{parcel.location} accepted {parcel.id} but has not handed it over in time"
        if _stands(parcel, "delivery_overdue"):
            return "delivery_overdue", f"{parcel.id} is not delivered, long after it was promised"
    return None


def stands(order: OrderState, code: str) -> bool:
    """Whether what a person must look at is still so, as far as carriers are concerned."""
    return any(_stands(parcel, code) for parcel in order.parcels)


def _stands(parcel: Parcel, code: str) -> bool:
    label = parcel.label
    if code == "delivery_overdue":
        return parcel.state is ParcelState.SHIPPED and parcel.overdue_at is not None
    if code == "parcel_on_its_way":
        return parcel.state in TAKEN_AWAY and parcel.tracking_state not in (None, TrackingState.LABELLED)
    if code == "delivered_after_all":
        return parcel.state in GIVEN_UP and parcel.tracking_state is TrackingState.DELIVERED
    if label is not None and code == "label_failed":
        return label.state == "failed"
    if label is not None and code == "no_carrier":
        return label.state == "declined" and parcel.state in AT_STORE
    if label is not None and code == "label_not_voided":
        return label.state == "declined" and label.operation == "void"
    return False
