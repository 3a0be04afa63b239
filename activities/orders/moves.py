"""What one step does to one order: its new state, and everything that must be written or told with it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from activities.orders.standing import stands
from contracts.orders import SPOKEN_FOR, OrderState, Parcel, ParcelState, TimelineEntry
from contracts.parcels import AT_STORE
from contracts.returns import Return
from contracts.settlement import Entry
from contracts.stock import Change, MovementKind
from contracts.subjects import RETAILER


@dataclass(slots=True)
class Posting:
    """A stock movement to be booked. `empty` sets what is available to zero instead of changing by an amount."""

    cause: str
    kind: MovementKind
    location: str
    changes: list[Change]
    order: str
    reason: str | None = None
    empty: bool = False
    slot: str | None = None


@dataclass(slots=True)
class Tell:
    """An event for a partner (a location) or for the retailer."""

    partner: str
    type: str
    subject: str
    data: dict[str, Any]


@dataclass(slots=True)
class Moves:
    """The outcome of a step. `order` is a copy of its own; the order that was passed in is unchanged."""

    order: OrderState
    before: OrderState
    timeline: list[TimelineEntry] = field(default_factory=list)
    postings: list[Posting] = field(default_factory=list)
    tells: list[Tell] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    drained: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    returns: list[Return] = field(default_factory=list)
    refunds: dict[str, int] = field(default_factory=dict)
    """By return: what it takes off the order's price, in minor units."""
    route: bool = False
    posted: int = 0

    def note(self, what: str, at: datetime, **more: Any) -> None:
        self.timeline.append(TimelineEntry.trusted(what=what, at=at, **more))

    def tell(self, partner: str, event_type: str, subject: str, **data: Any) -> None:
        self.tells.append(Tell(partner, event_type, subject, data))

    def tell_retailer(self, event: str, **data: Any) -> None:
        self.tell(RETAILER, f"order.{event}.v1", self.order.id, order=self.order.id, **data)

    def tell_store(self, event: str, parcel: Parcel, **data: Any) -> None:
        """About a parcel, to its location."""
        self.tell(parcel.location, f"parcel.{event}.v1", parcel.id, parcel=parcel.id, order=self.order.id, **data)

    def post(self, parcel: Parcel, kind: MovementKind, changes: list[Change], **more: Any) -> None:
        """Book a movement of a parcel's goods, under a cause that is the same whenever this step is repeated."""
        cause = f"{parcel.id}:{kind}:{self.order.version}.{self.posted}"
        location = more.pop("location", parcel.location)
        self.posted += 1
        self.postings.append(Posting(cause, kind, location, changes, self.order.id, **more))

    def take_postings(self) -> list[Posting]:
        """Hand over what has been posted so far."""
        taken, self.postings = self.postings, []
        return taken


def begin(order: OrderState) -> Moves:
    """A copy to work on. Only what a step changes in place is copied, because this runs for every order."""
    copy = order.model_copy()
    copy.parcels = [parcel.model_copy() for parcel in order.parcels]
    copy.excluded = list(order.excluded)
    copy.payment = order.payment.model_copy()
    copy.payment.intents = [intent.model_copy() for intent in order.payment.intents]
    copy.payment.charges = [charge.model_copy() for charge in order.payment.charges]
    return Moves(order=copy, before=order)


def release(moves: Moves, parcel: Parcel, state: ParcelState, reason: str) -> None:
    """Give a parcel's reserved goods back and end it. Its own items cap what is released."""
    changes = [Change.trusted(sku=item.sku, reserved=-item.quantity) for item in parcel.items]
    moves.post(parcel, "released", changes, reason=reason, slot=parcel.slot)
    parcel.state = state
    parcel.reason = reason
    parcel.due = parcel.request_due = None


def withdraw(moves: Moves, parcel: Parcel, reason: str, at: datetime, state: ParcelState, by: str) -> None:
    """Take a parcel away from its store, and tell the store if it has heard of it."""
    offered = parcel.state is not ParcelState.HELD
    release(moves, parcel, state, reason)
    moves.note(f"parcel.{state}", at, parcel=parcel.id, location=parcel.location, reason=reason, by=by)
    if offered:
        moves.tell_store("withdrawn", parcel, reason=reason)


def exclude(order: OrderState, location: str) -> None:
    if location not in order.excluded:
        order.excluded.append(location)


def overdue(order: OrderState) -> list[Parcel]:
    """Parcels whose time to be handed over has ended: they are kept, without a deadline of their own."""
    return [p for p in in_state(order, AT_STORE) if p.due is None]


def ease(order: OrderState) -> None:
    """End the attention, unless what a person must look at is still so."""
    if order.attention is None:
        return
    code = order.attention.code
    if code == "ship_overdue" and overdue(order):
        return
    if code.startswith("payment_") and any(i.state in ("failed", "declined") for i in order.payment.intents):
        return
    if stands(order, code):
        return
    order.attention = None


def in_state(order: OrderState, states: Iterable[ParcelState]) -> list[Parcel]:
    return [parcel for parcel in order.parcels if parcel.state in states]


def residual(order: OrderState) -> dict[int, int]:
    """Units per line that no parcel carries or holds and that are still wanted."""
    if order.cancelled:
        return {}
    left = {line.line: line.quantity for line in order.lines}
    for parcel in order.parcels:
        if parcel.state in SPOKEN_FOR:
            for item in parcel.items:
                left[item.line] -= item.quantity
        elif parcel.state is ParcelState.LOST:
            for item in parcel.items:
                left[item.line] -= item.returned
    return {line: quantity for line, quantity in left.items() if quantity > 0}
