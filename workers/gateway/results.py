"""Answers to bulk requests: one result for each item, in their order, with its own status."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from contracts.refusals import Refusal
from workers.gateway.problems import problem


class FaultView(BaseModel):
    field: str
    code: str
    detail: str
    remedy: str


class Problem(BaseModel):
    """RFC 9457. `code` is stable; `field` is a JSON path (in bulk requests within the item); `remedy` is what to do."""

    type: str = Field(examples=["urn:tongqu:problem:unknown-sku"])
    title: str
    status: int
    detail: str
    code: str
    field: str | None = None
    remedy: str
    errors: list[FaultView] | None = None
    retry_after: int | None = Field(default=None, description="Seconds.")
    oldest: int | None = Field(default=None, description="With `events_gone`: the first number that is kept.")


class OrderResult(BaseModel):
    """202: accepted now. 200: the same order was accepted before. 409, 422, 429: refused, see `problem`."""

    index: int
    status: int
    id: str | None = None
    problem: Problem | None = None


class OrderResults(BaseModel):
    accepted: int
    refused: int
    results: list[OrderResult]


class UpsertResult(BaseModel):
    index: int
    status: int
    id: str | None = None
    outcome: Literal["created", "updated", "unchanged"] | None = None
    problem: Problem | None = None


class UpsertResults(BaseModel):
    """`network_version` grows with every change of the network."""

    accepted: int
    refused: int
    network_version: int
    results: list[UpsertResult]


class StockResult(BaseModel):
    """The level after the whole request. `already_booked`: this receipt was booked before, nothing was changed."""

    index: int
    status: int
    location: str | None = None
    sku: str | None = None
    outcome: Literal["booked", "unchanged", "already_booked"] | None = None
    on_hand: int | None = None
    reserved: int | None = None
    available: int | None = None
    problem: Problem | None = None


class StockResults(BaseModel):
    """`stock_version` is the ledger's newest version after the request."""

    accepted: int
    refused: int
    stock_version: int
    results: list[StockResult]


class TrackingResult(BaseModel):
    """`taken`: written down, its order moves; also when it was told before. `order_ended`: nothing follows from it."""

    index: int
    status: int
    id: str | None = None
    parcel: str | None = None
    outcome: Literal["taken", "order_ended"] | None = None
    problem: Problem | None = None


class TrackingResults(BaseModel):
    accepted: int
    refused: int
    results: list[TrackingResult]


def refused_item(index: int, refusal: Refusal) -> dict[str, Any]:
    return {"index": index, "status": refusal.status, "problem": problem(refusal)}


def counted(results: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """The whole answer to a bulk request."""
    refused = sum("problem" in result for result in results)
    return {"accepted": len(results) - refused, "refused": refused, **more, "results": results}
