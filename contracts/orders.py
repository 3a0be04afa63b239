"""Orders: what a caller places, and the state that the system keeps and moves."""

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field, model_validator

from contracts.base import Document, Moment, Request
from contracts.divisions import DivisionCode
from contracts.geo import Point
from contracts.ids import LocationId, OrderId, Sku
from contracts.money import Amount, Currency
from contracts.parcels import GONE as GONE
from contracts.parcels import LIVE as LIVE
from contracts.parcels import SPOKEN_FOR as SPOKEN_FOR
from contracts.parcels import UNSHIPPED as UNSHIPPED
from contracts.parcels import Item as Item
from contracts.parcels import Parcel as Parcel
from contracts.parcels import ParcelState as ParcelState

LINES_MAX = 200
QUANTITY_MAX = 100_000


class Line(Request):
    """One line of an order. `unit_price` is in minor units (fen) of the order's currency."""

    line: int = Field(ge=1, le=10_000, strict=True)
    sku: Sku
    quantity: int = Field(ge=1, le=QUANTITY_MAX, strict=True)
    unit_price: Amount
    together: str | None = Field(
        default=None, min_length=1, max_length=20, description="Lines with the same word come from one location."
    )


class ShipTo(Request):
    """Where the order goes. The point says in which datum it was measured."""

    name: str | None = Field(default=None, max_length=200)
    address: str | None = Field(default=None, max_length=500)
    division: DivisionCode
    point: Point


class PaymentMeans(Request):
    """`prepaid`: the money is already with the retailer. `card`: authorised now, captured as parcels ship.

    `later`: the goods are held for a while, and offered to stores when the payment is reported.
    """

    method: Literal["prepaid", "card", "later"] = "prepaid"
    token: str | None = Field(default=None, min_length=1, max_length=200)

    @model_validator(mode="after")
    def _card_needs_token(self) -> "PaymentMeans":
        if self.method == "card" and self.token is None:
            raise ValueError("a card payment needs a token; send payment.token from the payment provider")
        return self


class OrderPlacement(Request):
    """An order as a caller places it. `total` = sum of quantity x unit_price - discount + shipping_fee."""

    id: OrderId | None = Field(default=None, description="Your own id. Made for you when left out.")
    channel: str = Field(default="online", min_length=1, max_length=40, pattern=r"^[a-z0-9_-]+$")
    currency: Currency = "CNY"
    lines: list[Line] = Field(min_length=1, max_length=LINES_MAX)
    discount: Amount = 0
    shipping_fee: Amount = 0
    total: Amount
    payment: PaymentMeans = PaymentMeans()
    ship_to: ShipTo
    customer: str | None = Field(default=None, min_length=1, max_length=64, description="Your own id of the customer.")
    deliver_by: Moment | None = Field(default=None, description="The promise to the customer; else the policy's.")
    sold_by: LocationId | None = Field(
        default=None, description="The location that made the sale, such as the counter that advised the customer."
    )

    @model_validator(mode="after")
    def _adds_up(self) -> "OrderPlacement":
        gross = sum(line.quantity * line.unit_price for line in self.lines)
        expected = gross - self.discount + self.shipping_fee
        if self.total != expected:
            raise ValueError(
                f"total is {self.total}, but the lines less discount plus shipping fee make {expected}; "
                "send total as that sum, in minor units"
            )
        numbers = [line.line for line in self.lines]
        if len(set(numbers)) != len(numbers):
            raise ValueError("lines carry the same number twice; number the lines 1, 2, 3, ...")
        return self


class Stage(StrEnum):
    """Where an order stands. The last two are terminal; `cancelling` waits for the money to be given back, and so does
    `refunding`, after goods came back or were lost."""

    PLACED = "placed"
    PAYING = "paying"
    BACKORDERED = "backordered"
    HELD = "held"
    DISPATCHED = "dispatched"
    ACCEPTED = "accepted"
    PACKED = "packed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLING = "cancelling"
    REFUNDING = "refunding"
    CLOSED = "closed"
    CANCELLED = "cancelled"


TERMINAL = frozenset({Stage.CLOSED, Stage.CANCELLED})


class OrderLine(Document):
    """A line as it is kept. `amount` is the line's share of the order's total, in minor units."""

    line: int
    sku: str
    quantity: int
    unit_price: int
    amount: int
    together: str | None = None


class PaymentIntent(Document):
    """Something to be done at the payment provider, under an idempotency key of its own."""

    key: str
    operation: Literal["authorise", "capture", "void", "refund"]
    amount: int
    state: Literal["todo", "done", "declined", "failed", "dropped"] = "todo"
    tries: int = 0
    not_before: Moment | None = None
    reference: str | None = None
    """The charge that is to be refunded, where there are several."""


class Charge(Document):
    """What was captured under one authorisation; an order has several when one lapsed before its goods left."""

    reference: str | None
    captured: int = 0
    refunded: int = 0


class Payment(Document):
    """The money of an order, in minor units. `authorised` is what is still held and not captured."""

    method: Literal["prepaid", "card", "later"]
    token: str | None = None
    reference: str | None = None
    authorised: int = 0
    captured: int = 0
    refunded: int = 0
    receipt: str | None = None
    """The reference under which a payment that was awaited came."""
    charges: list[Charge] = []
    """By card: what was captured and refunded, by authorisation."""
    intents: list[PaymentIntent] = []


class Attention(Document):
    """Why a person must look at this order. It stands still until retried, rerouted, released or cancelled."""

    code: str
    detail: str
    at: Moment


class Cancellation(Document):
    reason: str
    by: str
    at: Moment
    outcome: Literal["pending", "cancelled", "partly", "refused"]
    """pending: stores that have accepted are asked; partly: what had been shipped, or is not given up by its store, is
    kept, the rest is cancelled; refused: everything had been shipped or is kept."""


class Goodwill(Document):
    """Money that the customer is given back for what went wrong, once for a key; minor units. refused: the order had
    not so much left to give; paid: and nothing of it is owed any more."""

    key: str
    amount: int
    reason: str
    by: str
    at: Moment
    state: Literal["given", "paid", "refused"]


class OrderState(Document):
    """The working state of an order: everything `advance` reads and changes. Kept in the order's document."""

    id: str
    channel: str
    division: str
    currency: str
    lines: list[OrderLine]
    total: int
    discount: int = 0
    shipping_fee: int = 0
    ship_to: dict[str, Any]
    lat: float
    lon: float
    customer: str | None = None
    deliver_by: Moment | None = None
    sold_by: str | None = None
    payment: Payment
    stage: Stage = Stage.PLACED
    attempt: int = 0
    parcels: list[Parcel] = []
    excluded: list[str] = []
    refusals: int = 0
    attention: Attention | None = None
    cancellation: Cancellation | None = None
    goodwill: list[Goodwill] = []
    reason: str | None = None
    backordered_at: Moment | None = None
    retry_at: Moment | None = None
    """When a back-ordered order is routed again, at the latest."""
    placed_at: Moment
    dispatched_at: Moment | None = None
    closed_at: Moment | None = None
    due: Moment | None = None
    """The earliest moment at which something must happen without any event; None when only an event can move it."""
    pay_at: Moment | None = None
    """When the payment provider is to be called (again); None when there is nothing to do there."""
    label_at: Moment | None = None
    """When carriers are to be called (again) to book or void labels."""
    held: bool = False
    """Released by an operator: not routed until retried."""
    hold_until: Moment | None = None
    """Until when goods are held for a payment that is awaited; once set it is never put off."""
    hold_ended: bool = False
    """The payment came or did not come in time: no more goods are held for it, and its customer's place is free."""
    version: int = 0

    @property
    def open(self) -> bool:
        return self.stage not in TERMINAL

    @property
    def awaits_payment(self) -> bool:
        """Whether nobody has paid yet and nobody is to be asked either: the payment is reported when it comes."""
        return self.payment.method == "later" and self.payment.receipt is None and self.total > 0

    @property
    def cancelled(self) -> bool:
        """Whether a cancellation was carried out, wholly or for what had not been shipped."""
        return self.cancellation is not None and self.cancellation.outcome != "refused"


class TimelineEntry(Document):
    """What happened to an order, when, and for which reason; shown to callers and operators."""

    at: Moment
    what: str
    parcel: str | None = None
    location: str | None = None
    reason: str | None = None
    by: str | None = None


CommandKind = Literal["cancel", "retry", "reroute", "release"]


class InboxEvent(Document):
    """An event or command about one order, written down before it is acknowledged. `id` is unique for ever."""

    id: str
    order: str
    kind: Literal[
        "reply.accepted",
        "reply.rejected",
        "reply.packed",
        "reply.shipped",
        "reply.delivered",
        "reply.cancellation_accepted",
        "reply.cancellation_refused",
        "reply.lost",
        "reply.refused_at_door",
        "return.received",
        "command.cancel",
        "command.retry",
        "command.reroute",
        "command.release",
        "command.address",
        "command.goodwill",
        "payment.outcome",
        "payment.received",
        "label.outcome",
        "tracking",
        "stock.arrived",
        "stock.short",
    ]
    received_at: Moment
    by: str
    parcel: str | None = None
    data: dict[str, Any] = {}

    def unread(self, batch: str | None) -> dict[str, Any]:
        """The document as it is written down, for the batch that carries the order (None: none has claimed it)."""
        return {"_id": self.id, **self.model_dump(exclude={"id"}), "batch": batch, "drained": None}


URGENT = frozenset(
    {
        "reply.rejected",
        "reply.cancellation_accepted",
        "reply.cancellation_refused",
        "reply.lost",
        "reply.refused_at_door",
        "return.received",
        "command.cancel",
        "command.retry",
        "command.reroute",
        "command.release",
        "command.address",
        "command.goodwill",
        "payment.outcome",
        "payment.received",
        "label.outcome",
        "stock.arrived",
        "stock.short",
    }
)
"""Kinds for which the bell rings at once; for the rest it may wait a little and ring for many."""


REOPENS = frozenset({"command.goodwill", "payment.received", "reply.lost", "return.received", "tracking"})
"""Kinds that also move an order that has ended: it is carried again until its money is right, or a person told."""


class PaymentReport(Request):
    """A payment that came for an order which awaits it. The same `reference` reported again changes nothing."""

    amount: Amount = Field(description="All of the order's total, in minor units.")
    reference: str = Field(min_length=1, max_length=100, pattern=r"^[!-~]+$", description="Your own id of the payment.")


class AddressChange(Request):
    """Where the order is to go instead, as long as nothing of it has been shipped."""

    ship_to: ShipTo


class GoodwillRequest(Request):
    """Money back for what went wrong. It is taken off what the customer pays; what was paid already is given back. The
    same `key` again changes nothing."""

    key: str = Field(min_length=1, max_length=100, pattern=r"^[!-~]+$", description="Your own id of it.")
    amount: Amount = Field(ge=1, description="Minor units of the order's currency.")
    reason: str = Field(min_length=1, max_length=500)


class CommandRequest(Request):
    """An operator's or caller's command. The reason is kept with the order."""

    reason: str = Field(min_length=1, max_length=500)


class CancelRequest(CommandRequest):
    """Stores that have accepted are asked whether they give their parcels up; `force` takes these away unasked."""

    force: bool = Field(default=False, strict=True, description="For operators.")
