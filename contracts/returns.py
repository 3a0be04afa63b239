"""Returns: goods that come back, or never arrived, each followed by a durable process of its own."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from contracts.base import Document, Moment, Request
from contracts.ids import LocationId

RETURN_WORKFLOW = "OrderReturn"
RETURN_ADVANCE = "returns.advance"

Reason = Literal["changed_mind", "damaged", "wrong_goods", "not_as_described", "refused_at_door", "lost"]
NEVER_HAD = frozenset({"refused_at_door", "lost"})
"""The customer does not have the goods: all of them are paid back, whether they arrive anywhere or not."""

LineNumber = Annotated[int, Field(ge=1, le=10_000)]
Units = Annotated[int, Field(ge=0, le=100_000, strict=True)]


class ReturnState(StrEnum):
    """`received`: the goods are back, or are known never to come; the money is on its way."""

    REQUESTED = "requested"
    APPROVED = "approved"
    IN_TRANSIT = "in_transit"
    RECEIVED = "received"
    REFUNDED = "refunded"
    CLOSED = "closed"
    REFUSED = "refused"


ENDED = frozenset({ReturnState.CLOSED, ReturnState.REFUSED})
OPEN = frozenset(ReturnState) - ENDED
AWAITED = frozenset({ReturnState.REQUESTED, ReturnState.APPROVED, ReturnState.IN_TRANSIT})
"""The goods may still come."""


class ReturnRequest(Request):
    """What is to come back of a parcel: everything, some lines, or some units of lines.

    `lost` and `refused_at_door` are about a whole parcel that the customer never had; only what is lost can be
    replaced instead of paid back.
    """

    parcel: str = Field(min_length=1, max_length=100)
    lines: list[LineNumber] | None = Field(default=None, min_length=1, max_length=200)
    quantities: dict[LineNumber, Annotated[int, Field(ge=1, le=10_000_000, strict=True)]] | None = Field(
        default=None, min_length=1, max_length=200, description="Units by line, where not all of the line comes back."
    )
    reason: Reason
    wish: Literal["refund", "replacement"] = "refund"

    @model_validator(mode="after")
    def _whole_parcel(self) -> "ReturnRequest":
        if self.reason in NEVER_HAD and (self.lines or self.quantities):
            raise ValueError(f"{self.reason} is about the whole parcel; leave lines and quantities out")
        if self.wish == "replacement" and self.reason != "lost":
            raise ValueError("only what is lost can be replaced; send wish refund, and place a new order")
        return self


class Condition(Request):
    """In which condition a line's units came back. Together they are all that were awaited."""

    line: LineNumber
    sellable: Units = 0
    damaged: Units = 0
    missing: Units = 0


class ReturnReceipt(Request):
    """What a location found in a parcel that came back. Sellable units are on its shelf from then on."""

    location: LocationId | None = Field(default=None, description="Where it arrived; else where it was sent from.")
    lines: list[Condition] = Field(min_length=1, max_length=200)


class ReturnSending(Request):
    """The customer has handed the goods to a carrier."""

    tracking: str | None = Field(default=None, min_length=1, max_length=100)


class ReturnLine(Document):
    line: int
    sku: str
    quantity: int
    sellable: int = 0
    damaged: int = 0
    missing: int = 0


class ReturnEvent(Document):
    """Something that was said about a return. It is unread until the step that takes it in."""

    id: str
    kind: Literal["approved", "refused", "sent", "received"]
    at: Moment
    by: str
    data: dict[str, Any] = {}


class ReturnEntry(Document):
    at: Moment
    what: str
    reason: str | None = None
    by: str | None = None


class Return(Document):
    """A return as it is kept. `amount`: minor units that it takes off what the customer pays; None until it is booked
    in the order, which stays the record of all money."""

    id: str
    order: str
    parcel: str
    location: str
    lines: list[ReturnLine]
    reason: Reason
    wish: Literal["refund", "replacement"] = "refund"
    state: ReturnState
    by: str
    opened_at: Moment
    approve_until: Moment | None = None
    """Requests up to then are approved without a person."""
    due: Moment | None = None
    tracking: str | None = None
    amount: int | None = None
    closed_at: Moment | None = None
    note: str | None = None
    timeline: list[ReturnEntry] = []
    unread: list[ReturnEvent] = []
    announced: bool = False
    """Whether the location was told what is to come."""
    told: ReturnState | None = None
    """The last state that the retailer was told."""
    request: str | None = None
    """The request that opened it, so that it is opened once."""
    next_due: Moment | None = None
    started: bool = False
    """Whether its workflow has been started."""
    version: int = 0


class ReturnStep(Document):
    """One step of a return. `now` is the workflow's clock."""

    id: str
    now: Moment


class ReturnProgress(Document):
    order: str | None = None
    """Null in histories of versions that did not tell it."""
    state: ReturnState
    open: bool
    next_due: Moment | None = None
