"""An order as callers see it, and its shorter form in lists."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field

from contracts.base import Moment
from contracts.orders import Attention, Cancellation, Goodwill, OrderLine, Parcel, Stage, TimelineEntry
from contracts.routing import Decision

_MONEY = ("method", "reference", "receipt", "authorised", "captured", "refunded")
_SUMMARY = (
    "channel",
    "division",
    "currency",
    "total",
    "stage",
    "reason",
    "attention",
    "attempt",
    "refusals",
    "placed_at",
    "dispatched_at",
    "closed_at",
    "updated_at",
    "due",
)
_WHOLE = (
    *_SUMMARY,
    "lines",
    "ship_to",
    "customer",
    "cancellation",
    "goodwill",
    "backordered_at",
    "excluded",
    "held",
    "hold_until",
    "parcels",
    "timeline",
)
SUMMARY_FIELDS = dict.fromkeys((*_SUMMARY, "batch"), 1)
"""What a list reads from the database."""


class Links(BaseModel):
    """`workflow`: the batch that carries the order, in the Temporal UI; null until a batch has taken it."""

    self: str
    workflow: str | None


class PaymentSums(BaseModel):
    """Minor units of the order's currency. `authorised` is what is held and not captured."""

    method: Literal["prepaid", "card", "later"]
    reference: str | None
    receipt: str | None = Field(description="The reference under which a payment that was awaited came.")
    authorised: int
    captured: int
    refunded: int


class OrderSummary(BaseModel):
    """An order in a list."""

    id: str
    channel: str
    division: str
    currency: str
    total: int
    stage: Stage
    reason: str | None
    attention: Attention | None
    attempt: int = Field(description="How often stores were looked for.")
    refusals: int = Field(description="Stores that refused or did not answer since the last new start.")
    placed_at: Moment
    dispatched_at: Moment | None
    closed_at: Moment | None
    updated_at: Moment
    due: Moment | None = Field(description="When something will happen without any event.")
    links: Links


class OrderView(OrderSummary):
    """The whole story of an order."""

    lines: list[OrderLine]
    ship_to: dict[str, Any]
    customer: str | None = Field(default=None, description="Your own id of the customer.")
    payment: PaymentSums
    cancellation: Cancellation | None
    goodwill: list[Goodwill] = Field(description="Money given for what went wrong; the customer pays so much less.")
    backordered_at: Moment | None
    excluded: list[str] = Field(description="Locations that are not asked again.")
    held: bool
    hold_until: Moment | None = Field(description="Until when goods are held for a payment that is awaited.")
    parcels: list[Parcel]
    timeline: list[TimelineEntry]
    decisions: list[Decision] = Field(
        description="Every routing decision: candidates, how many were ruled out and why, versions of policy and stock."
    )


class OrderPage(BaseModel):
    """`next` is the cursor of the following page; null on the last one."""

    orders: list[OrderSummary]
    next: str | None


class Workflows:
    """Addresses of workflows in the Temporal UI."""

    def __init__(self, ui_url: str | None, namespace: str) -> None:
        self._base = f"{ui_url.rstrip('/')}/namespaces/{namespace}/workflows/" if ui_url else None

    def link(self, batch: str | None) -> str | None:
        return self._base + batch if self._base and batch else None


def order_path(order: str) -> str:
    return f"/v1/orders/{order}"


def order_summary(document: Mapping[str, Any], workflows: Workflows) -> dict[str, Any]:
    return {"id": document["_id"], **_picked(document, _SUMMARY), "links": _links(document, workflows)}


def order_view(document: Mapping[str, Any], workflows: Workflows) -> dict[str, Any]:
    """The payment token is left out: it can be used to pay. Decisions are kept without what is empty in them."""
    payment = {name: document["payment"].get(name) for name in _MONEY}
    return {
        "id": document["_id"],
        **_picked(document, _WHOLE),
        "goodwill": document.get("goodwill") or [],
        "decisions": [Decision.model_validate(one).model_dump() for one in document["decisions"]],
        "payment": payment,
        "links": _links(document, workflows),
    }


def _picked(document: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: document.get(name) for name in names}


def _links(document: Mapping[str, Any], workflows: Workflows) -> dict[str, str | None]:
    return {"self": order_path(document["_id"]), "workflow": workflows.link(document.get("batch"))}
