"""CloudEvents as they travel: what we tell partners and the retailer, and what partners answer."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from contracts.base import Document, Moment, Request
from contracts.ids import EventId, Sku
from contracts.partners import UNITS_MAX

SOURCE = "tongqu"


class CloudEvent(Document):
    """CloudEvents 1.0.2, structured JSON. `sequence` is the partner's own gapless number, as a decimal string."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str = SOURCE
    type: str
    subject: str
    time: Moment
    datacontenttype: Literal["application/json"] = "application/json"
    sequence: str | None = None
    data: dict[str, Any]


class OfferedItem(Document):
    line: int
    sku: str
    quantity: int


class ParcelOffered(Document):
    """`parcel.offered.v1`, to the store: please ship this; answer before `answer_by`."""

    parcel: str
    order: str
    items: list[OfferedItem]
    ship_to: dict[str, Any]
    answer_by: Moment
    service: str | None = None
    """The carrier's service for which a label will be sent with `parcel.labelled.v1`, once the offer is accepted; null:
    the store ships with a carrier of its own."""


class ParcelWithdrawn(Document):
    """`parcel.withdrawn.v1`, to the store: do not ship this any more."""

    parcel: str
    order: str
    reason: str


class AddressChanged(Document):
    """`parcel.address_changed.v1`, to the store: the parcel goes elsewhere; a label with the old address is void."""

    parcel: str
    order: str
    ship_to: dict[str, Any]


class CancellationRequested(Document):
    """`parcel.cancellation_requested.v1`, to the store: may this parcel, which you have accepted, be cancelled?"""

    parcel: str
    order: str
    reason: str
    answer_by: Moment


class CancellationAnswered(Document):
    """`order.cancellation_answered.v1`, to the retailer: stores were asked, and all or some of the order goes on."""

    order: str
    outcome: Literal["partly", "refused"]
    reason: str


class ReplyRefused(Document):
    """`reply.refused.v1`, to the store: an answer that was not taken, why, and what to do.

    `parcel` is empty when the answer was about none, or named none. `reply` is the answer's id; of a stock report its
    id and, behind a slash, the place of the count."""

    parcel: str
    reply: str
    code: str
    field: str
    detail: str
    remedy: str


class WebhookPaused(Document):
    """`webhook.paused.v1`, to the stream's partner and to the retailer: nothing is sent to this webhook any more.

    `position` is the last number that was sent; `reason`: endpoint_gone, failing, events_gone."""

    webhook: str
    stream: str
    host: str
    reason: str
    position: int
    failing_since: Moment | None = None
    status: int | None = None
    """The HTTP status of the last try, when there was one."""
    detail: str


class RepliesAgain(Document):
    """`replies.again.v1`, to the store: the bus was set back and may have lost what you answered since a moment."""

    since: Moment | None = None
    """By the bus's clock; null: nothing is left of what you answered."""


class OrderDispatched(Document):
    """`order.dispatched.v1`, to the retailer: the stores that were asked to ship."""

    order: str
    attempt: int
    parcels: list[dict[str, Any]]


class OrderChanged(Document):
    """`order.<event>.v1`, to the retailer: backordered, shipped, delivered, closed, cancelled, attention, hold_ended,
    payment_refused, address_refused."""

    order: str
    stage: str
    reason: str | None = None


class ReturnAnnounced(Document):
    """`return.announced.v1`, to the location: these goods are to come back to you."""

    id: str = Field(alias="return")
    order: str
    parcel: str
    items: list[OfferedItem]
    reason: str


class ReturnChanged(Document):
    """`return.changed.v1`, to the retailer. `amount`: minor units that it takes off the order's price, when known."""

    id: str = Field(alias="return")
    order: str
    parcel: str
    state: str
    reason: str
    amount: int | None = None
    note: str | None = None


class OrderRefunded(Document):
    """`order.refunded.v1`, to the retailer: money went back after the order had ended. Sums in minor units."""

    order: str
    refunded: int
    """All that was given back so far."""
    reason: str | None = None


class ParcelLabelled(Document):
    """`parcel.labelled.v1`, to the store: a carrier has been booked; put this label on the parcel."""

    parcel: str
    order: str
    service: str
    tracking: str
    label_url: str | None = None


class ParcelLate(Document):
    """`parcel.late.v1`, to the retailer, once: the promise has passed and the parcel has not been delivered."""

    parcel: str
    order: str
    location: str
    service: str | None = None
    tracking: str | None = None
    tracking_state: str | None = None
    promised_at: Moment


class ParcelLatePredicted(ParcelLate):
    """`parcel.late_predicted.v1`, to the retailer, once and before the promise has passed."""

    predicted_at: Moment


REPLY_TYPE = "parcel.replies.v1"
ReplyKind = Literal[
    "accepted", "rejected", "packed", "shipped", "delivered", "cancellation_accepted", "cancellation_refused"
]
"""The last two answer `parcel.cancellation_requested.v1`."""
RejectReason = Literal[
    "out_of_stock", "not_found", "damaged", "mismatch", "worn_display", "too_busy", "closed", "other"
]
"""`out_of_stock`, `not_found`: the shelf is empty. `damaged`, `mismatch` (other goods than thought), `worn_display`:
the refused units cannot be sold. With the rest the shelf is as it was thought to be."""


def _keepable(units: int) -> int:
    """The schema that was released says nothing of a largest; nothing larger can be kept."""
    if units > UNITS_MAX:
        raise ValueError(f"{units} units are more than {UNITS_MAX}")
    return units


_SomeUnits = Annotated[int, Field(ge=1, strict=True), AfterValidator(_keepable)]


class Reply(Request):
    """What a store says about one parcel. `lines` and `quantities` narrow a rejection to some lines or units of it."""

    id: EventId
    parcel: str = Field(min_length=1, max_length=100)
    kind: ReplyKind
    reason: RejectReason | None = Field(default=None, description="Needed for `rejected`.")
    lines: list[Annotated[int, Field(ge=1, le=10_000)]] | None = Field(
        default=None, min_length=1, max_length=200, description="Only with `rejected`."
    )
    quantities: dict[Annotated[int, Field(ge=1, le=10_000)], _SomeUnits] | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="Only with `rejected`: units that are refused, by line; the line's other units are shipped.",
    )
    tracking: str | None = Field(default=None, max_length=100, description="Carrier's number, with `shipped`.")


class Replies(Request):
    """`parcel.replies.v1`, from a store: up to 500 answers in one message."""

    replies: list[Reply] = Field(min_length=1, max_length=500)


STOCK_TYPE = "stock.counted.v1"


class StockCount(Request):
    """What lies on the shelf of one SKU, in units; goods that are reserved but not yet handed over included."""

    sku: Sku
    on_hand: int = Field(ge=0, le=10_000_000, strict=True)


class StockCounts(Request):
    """`stock.counted.v1`, from a store: what it has counted. SKUs that are not named stay as they were."""

    counts: list[StockCount] = Field(min_length=1, max_length=500)


class StockEvent(Document):
    """The envelope of a stock report. The same `id` again changes nothing, whatever it holds."""

    specversion: Literal["1.0"]
    id: EventId
    source: str
    type: Literal["stock.counted.v1"]
    time: Moment | None = None
    data: StockCounts


class ReplyEvent(Document):
    """The envelope a store sends to `reply.v1.<location>`."""

    specversion: Literal["1.0"]
    id: EventId
    source: str
    type: Literal["parcel.replies.v1"]
    time: Moment | None = None
    data: Replies
