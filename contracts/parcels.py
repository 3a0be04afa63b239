"""Parcels: goods of one order from one location, and how far they have come."""

from enum import StrEnum
from typing import Literal

from contracts.base import Document, Moment
from contracts.carriers import LabelIntent, Scan, TrackingState


class ParcelState(StrEnum):
    """`held`: reserved while a payment is awaited, and its location has not been told of it. `returning`: the customer
    would not take it; `returned`: it is back. Goods that a customer sends back later leave the parcel `delivered`."""

    HELD = "held"
    OFFERED = "offered"
    ACCEPTED = "accepted"
    PACKED = "packed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    RETURNING = "returning"
    RETURNED = "returned"
    LOST = "lost"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


GONE = frozenset({ParcelState.SHIPPED, ParcelState.DELIVERED, ParcelState.RETURNING, ParcelState.RETURNED})
"""States of a parcel whose goods have left, and are paid but for those that came back."""
LIVE = GONE | {ParcelState.OFFERED, ParcelState.ACCEPTED, ParcelState.PACKED}
"""States of a parcel whose goods go, or went, to the customer."""
NOT_ACCEPTED = frozenset({ParcelState.HELD, ParcelState.OFFERED})
"""States of a parcel that no store has agreed to ship."""
AT_STORE = frozenset({ParcelState.ACCEPTED, ParcelState.PACKED})
"""States of a parcel that its store has agreed to ship, and has not handed over."""
UNSHIPPED = NOT_ACCEPTED | AT_STORE
"""States of a parcel whose goods are reserved and still at the store."""
SPOKEN_FOR = LIVE | UNSHIPPED
"""States of a parcel whose goods are wanted from nobody else."""


Request = Literal["none", "cancel_requested", "cancel_accepted", "cancel_refused"]
"""What was asked of a parcel's store after it had accepted, and what it answered."""


class Item(Document):
    """Units of a line. `returned`: how many of them the customer does not pay, because they came back or were lost."""

    line: int
    sku: str
    quantity: int
    returned: int = 0

    def offered(self) -> dict[str, int | str]:
        """As a location is told of it."""
        return {"line": self.line, "sku": self.sku, "quantity": self.quantity}


class Parcel(Document):
    """Goods of one order from one location, offered to it and followed until the customer has them."""

    id: str
    location: str
    items: list[Item]
    state: ParcelState
    distance_km: float | None = None
    attempt: int
    due: Moment | None = None
    """When the store's time to answer (offered) or to hand over (accepted, packed) ends."""
    ship_within_s: int
    accept_within_s: int = 0
    """The store's time to answer, counted from when the parcel is offered."""
    reason: str | None = None
    request: Request = "none"
    request_due: Moment | None = None
    """When the store's time to answer the request ends."""
    tracking: str | None = None
    slot: str | None = None
    """The local hour in which it counts against its location's capacity, such as 2026-11-23T14."""
    service: str | None = None
    """The carrier's service that was planned, `<carrier>/<service>`."""
    freight: int = 0
    """What the planned service asks, in minor units."""
    promised_at: Moment | None = None
    """When it should be delivered, as planned when it was offered."""
    label: LabelIntent | None = None
    tracking_state: TrackingState | None = None
    """The farthest that its carrier has reported, and since when."""
    tracked_at: Moment | None = None
    scans: list[Scan] = []
    """What its carrier has reported, in the order in which it happened."""
    late_predicted_at: Moment | None = None
    """When the retailer was told that it will be late; that it is late; and since when nobody knows where it is."""
    late_at: Moment | None = None
    overdue_at: Moment | None = None
