"""Bodies of requests that are the gateway's own; those of orders, locations and stock are in the contracts."""

from pydantic import Field, RootModel

from contracts.base import Request
from contracts.carriers import CarrierUpsert, TrackingReport
from contracts.case_events import CaseReplyEvent
from contracts.events import ReplyEvent, StockEvent
from contracts.orders import CommandRequest, OrderPlacement
from contracts.partners import LocationUpsert
from contracts.settlement import CommissionRule
from contracts.skus import ArticleUpsert
from contracts.stock import StockUpsert

NUMBER_MAX = 2**53 - 1
"""What every JSON reader takes for a whole number."""


class OrderBatch(Request):
    """Each order is looked at by itself: a bad one does not keep the others from being accepted."""

    orders: list[OrderPlacement] = Field(min_length=1, max_length=1000)


class LocationBatch(Request):
    """Each location is looked at by itself; the good ones are written together."""

    locations: list[LocationUpsert] = Field(min_length=1, max_length=1000)


class SkuBatch(Request):
    """Each article is looked at by itself; the good ones are written together."""

    skus: list[ArticleUpsert] = Field(min_length=1, max_length=1000)


class CarrierBatch(Request):
    """Each carrier is looked at by itself; the good ones are written together."""

    carriers: list[CarrierUpsert] = Field(min_length=1, max_length=1000)


class StockBatch(Request):
    """Each item is looked at by itself; the good ones are booked together, in their order."""

    items: list[StockUpsert] = Field(min_length=1, max_length=1000)


class RuleBatch(Request):
    """Each rule is looked at by itself; the good ones are written together."""

    rules: list[CommissionRule] = Field(min_length=1, max_length=1000)


class TrackingBatch(Request):
    """Each scan is looked at by itself; the good ones are taken together."""

    reports: list[TrackingReport] = Field(min_length=1, max_length=1000)


class RerouteRequest(CommandRequest):
    """Without `parcel` all parcels that are not shipped are taken away from their stores."""

    parcel: str | None = Field(default=None, min_length=1, max_length=100)


class PartnerEvent(RootModel[ReplyEvent | StockEvent | CaseReplyEvent]):
    """What a partner sends: answers about parcels or service cases, or a stock report."""


class Acknowledgement(Request):
    """Everything up to `sequence` was taken in."""

    sequence: int = Field(ge=0, le=NUMBER_MAX, strict=True)
