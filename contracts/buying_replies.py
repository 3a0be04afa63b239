"""What suppliers say: answers about purchase orders, and reports of what they have and how fast they are."""

from typing import Annotated, Literal

from pydantic import Field

from contracts.base import Document, Moment, Request
from contracts.buying import LINES_MAX, Reference, Units
from contracts.ids import EventId, Sku
from contracts.money import Amount
from contracts.personal import Remark
from contracts.refusals import Refusal
from contracts.workdays import Day

PURCHASE_REPLY_TYPE = "purchase.replies.v1"
SUPPLY_TYPE = "supply.reported.v1"

PurchaseReplyKind = Literal["confirmed", "declined", "countered", "postponed", "shipped", "invoiced"]
"""confirmed: all as ordered, or as `lines` say it if they say no less. countered: otherwise than ordered; it then waits
for an answer. postponed: lines of a confirmed order come on another day. shipped: a delivery is on its way."""
DeclineReason = Literal["out_of_stock", "no_capacity", "price", "discontinued", "minimum", "other"]


class PurchaseReplyLine(Request):
    """`quantity` in units, `unit_price` in minor units for one. Which are needed depends on the kind."""

    line: Annotated[int, Field(ge=1, le=LINES_MAX, strict=True)]
    quantity: Units | None = None
    unit_price: Amount | None = None
    due: Day | None = None


class PurchaseReply(Request):
    """What a supplier says about one order. Each has an id of its own; the same id again changes nothing."""

    id: EventId
    order: str = Field(min_length=1, max_length=120)
    kind: PurchaseReplyKind
    reason: DeclineReason | None = Field(default=None, description="Needed for `declined`.")
    note: Remark | None = None
    lines: list[PurchaseReplyLine] | None = Field(
        default=None,
        min_length=1,
        max_length=LINES_MAX,
        description="Needed for countered (what changes), postponed (due), shipped (quantity) and invoiced (quantity "
        "and unit_price); with confirmed the days.",
    )
    reference: Reference | None = Field(
        default=None, description="Needed for shipped (delivery note) and invoiced (number of the invoice)."
    )
    expected: Day | None = Field(default=None, description="With shipped: the day of arrival.")
    tracking: str | None = Field(default=None, min_length=1, max_length=100)


def refuse_without_reason(reply: PurchaseReply) -> None:
    if reply.kind == "declined" and reply.reason is None:
        remedy = "Send reason, such as out_of_stock."
        raise Refusal("reason_missing", "To decline needs a reason.", remedy=remedy, field="reason")


class PurchaseReplies(Request):
    """`purchase.replies.v1`, from a supplier: up to 500 answers in one message."""

    replies: list[PurchaseReply] = Field(min_length=1, max_length=500)


class PurchaseReplyEvent(Document):
    """The envelope that a supplier sends to `reply.v1.<supplier>`."""

    specversion: Literal["1.0"]
    id: EventId
    source: str
    type: Literal["purchase.replies.v1"]
    time: Moment | None = None
    data: PurchaseReplies


class SupplyItem(Request):
    """What a supplier can do about one SKU; what is left out stays unknown. It replaces what was reported before."""

    sku: Sku
    on_hand: Units | None = Field(default=None, description="Units that it has, ready to be shipped.")
    per_week: Units | None = Field(default=None, description="Units that it can make or get in a week.")
    lead_days: int | None = Field(default=None, ge=0, le=500, description="Working days from order to arrival.")
    until: Day | None = Field(default=None, description="The last day on which this holds.")


class SupplyItems(Request):
    items: list[SupplyItem] = Field(min_length=1, max_length=500)


class SupplyEvent(Document):
    """The envelope of a report. What it says of a SKU replaces what was reported of it before."""

    specversion: Literal["1.0"]
    id: EventId
    source: str
    type: Literal["supply.reported.v1"]
    time: Moment | None = None
    data: SupplyItems


class Reported(Document):
    """The newest report of a supplier about a SKU, as it is kept in `supplier_reports`."""

    id: str
    supplier: str
    sku: str
    at: Moment
    event: str
    on_hand: int | None = None
    per_week: int | None = None
    lead_days: int | None = None
    until: Day | None = None
