"""Builders that all tests share: orders, parcels, networks, stock and events, with defaults that do not matter."""

import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from activities.orders.accept import new_order
from activities.orders.network import Availability, Network
from activities.orders.routing import Demand
from contracts.geo import Point
from contracts.ids import parcel_id
from contracts.orders import (
    CommandKind,
    InboxEvent,
    Item,
    Line,
    OrderPlacement,
    OrderState,
    Parcel,
    ParcelState,
    PaymentMeans,
    ShipTo,
)
from contracts.partners import Location
from contracts.payments import PaymentStatus

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CUSTOMER = (30.0, 120.0)
"""Where orders go unless a test says otherwise; WGS84 degrees."""
KM_PER_DEGREE = 111.195
"""Along a meridian."""
ACCEPT_S = 1_800
SHIP_S = 172_800

_event_numbers = itertools.count(1)


def later(seconds: float = 0, *, hours: float = 0) -> datetime:
    """So long after NOW."""
    return NOW + timedelta(seconds=seconds, hours=hours)


def location(location_id: str, km: float | None = 10.0, **changes: Any) -> Location:
    """A store so many kilometres north of CUSTOMER; None: nobody knows where it is."""
    fields: dict[str, Any] = {
        "id": location_id,
        "kind": "store",
        "name": location_id,
        "division": "330106",
        "lat": None if km is None else CUSTOMER[0] + km / KM_PER_DEGREE,
        "lon": None if km is None else CUSTOMER[1],
        "active": True,
        "channels": ["online"],
        "accept_within_s": ACCEPT_S,
        "ship_within_s": SHIP_S,
    }
    return Location(**{**fields, **changes})


def network(*locations: Location | str) -> Network:
    """Stores by name lie 10, 20, 30, ... km away, in the order in which they are named."""
    found = [
        location(place, 10.0 * (number + 1)) if isinstance(place, str) else place
        for number, place in enumerate(locations)
    ]
    return Network(found)


Levels = Mapping[str, Mapping[str, int]]
"""Units by location and SKU: {"near": {"tea": 3}}."""


def availability(of: Network, levels: Levels) -> Availability:
    stock = Availability(of)
    stock.change_all((place, sku, units) for place, skus in levels.items() for sku, units in skus.items())
    return stock


def demand(
    *lines: tuple[str, int],
    at: tuple[float, float] = CUSTOMER,
    channel: str = "online",
    excluded: Sequence[str] = (),
) -> Demand:
    """Lines as (SKU, units), numbered 1, 2, 3, ..."""
    numbered = [(number + 1, sku, units) for number, (sku, units) in enumerate(lines)]
    return Demand("order-1", channel, *at, lines=numbered, excluded=excluded, attempt=1)


def placement(
    *lines: tuple[str, int],
    price: int = 100,
    method: Literal["prepaid", "card", "later"] = "prepaid",
    discount: int = 0,
    shipping_fee: int = 0,
    **changes: Any,
) -> OrderPlacement:
    """An order as a caller places it; lines as (SKU, units), by default one unit of tea."""
    numbered = [
        Line(line=number + 1, sku=sku, quantity=units, unit_price=price)
        for number, (sku, units) in enumerate(lines or [("tea", 1)])
    ]
    gross = sum(line.quantity * line.unit_price for line in numbered)
    fields: dict[str, Any] = {
        "lines": numbered,
        "discount": discount,
        "shipping_fee": shipping_fee,
        "total": gross - discount + shipping_fee,
        "payment": PaymentMeans(method=method, token="tok_1" if method == "card" else None),
        "ship_to": ShipTo(division="330106", point=Point(lat=CUSTOMER[0], lon=CUSTOMER[1], datum="WGS84")),
    }
    return OrderPlacement(**{**fields, **changes})


def order(*lines: tuple[str, int], order_id: str = "order-1", placed_at: datetime = NOW, **placed: Any) -> OrderState:
    """A new order, before its first step. `placed`: arguments of `placement`."""
    return new_order(placement(*lines, **placed), order_id, placed_at)


def parcel(
    of: OrderState,
    where: str = "near",
    *,
    lines: Mapping[int, int] | None = None,
    state: ParcelState = ParcelState.OFFERED,
    due: datetime | None = None,
) -> Parcel:
    """A parcel of the whole order, or of so many units by line, added to the order."""
    units = {line.line: line.quantity for line in of.lines} if lines is None else lines
    skus = {line.line: line.sku for line in of.lines}
    made = Parcel(
        id=parcel_id(of.id, len(of.parcels) + 1),
        location=where,
        items=[Item(line=line, sku=skus[line], quantity=quantity) for line, quantity in units.items()],
        state=state,
        attempt=1,
        due=due,
        ship_within_s=SHIP_S,
    )
    of.parcels.append(made)
    return made


def event(
    kind: str, order_id: str, *, by: str, at: datetime = NOW, event_id: str | None = None, **more: Any
) -> InboxEvent:
    """`more`: the parcel, and what goes into the event's data."""
    about = more.pop("parcel", None)
    return InboxEvent.model_validate(
        {
            "id": event_id or f"event-{next(_event_numbers)}",
            "order": order_id,
            "kind": kind,
            "received_at": at,
            "by": by,
            "parcel": about,
            "data": {key: value for key, value in more.items() if value is not None},
        }
    )


def reply(kind: str, about: Parcel | str, *, by: str | None = None, at: datetime = NOW, **more: Any) -> InboxEvent:
    """A store's answer; by the parcel's own store unless it is said who answers. `more`: reason, lines, tracking."""
    about_id = about if isinstance(about, str) else about.id
    if by is None:
        assert isinstance(about, Parcel), "say by whom, or hand in the parcel itself"
        by = about.location
    return event(f"reply.{kind}", about_id.rsplit(".p", 1)[0], by=by, at=at, parcel=about_id, **more)


def command(kind: CommandKind, order_id: str = "order-1", *, at: datetime = NOW, **more: Any) -> InboxEvent:
    return event(f"command.{kind}", order_id, by="operator", at=at, **{"reason": "asked for", **more})


def payment_outcome(of: OrderState, status: PaymentStatus = "done", *, at: datetime = NOW, **more: Any) -> InboxEvent:
    """The provider's answer to the order's open intent."""
    intent = next(intent for intent in of.payment.intents if intent.state == "todo")
    if status == "done":
        more.setdefault("reference", "auth-1")
    return event("payment.outcome", of.id, by="payment", at=at, key=intent.key, status=status, **more)
