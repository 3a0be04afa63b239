"""Pages of orders by filter, walked by key so that they are stable while orders come in."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator
from pydantic_core import PydanticCustomError

from contracts.orders import Stage
from infra.mongo import Mongo
from workers.gateway.cursors import cursor_of, from_milliseconds, position_of, to_milliseconds
from workers.gateway.views import SUMMARY_FIELDS, Workflows, order_summary


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise PydanticCustomError("out_of_range", "this moment lies outside the calendar; send a later one") from error


def _written(moment: object) -> object:
    """A bare number would be taken for seconds, or for milliseconds if it is large; nobody means that."""
    if isinstance(moment, str) and "T" in moment.upper():
        return moment
    raise PydanticCustomError("bad_format", "this is no moment; send one as 2026-03-02T09:00:00Z")


MomentAsked = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_in_utc)]
"""A moment in a query, in UTC."""


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """None: not asked for. `region` is a prefix of GB/T 2260, or a code of ISO 3166-2:BR."""

    stage: Stage | None = None
    region: str | None = None
    channel: str | None = None
    placed_from: datetime | None = None
    placed_to: datetime | None = None
    location: str | None = None
    attention: bool | None = None

    def query(self) -> dict[str, Any]:
        conditions: list[dict[str, Any]] = []
        if self.stage is not None:
            conditions.append({"stage": self.stage.value})
        if self.region is not None:
            conditions.append({"division": {"$regex": f"^{division_prefix(self.region)}"}})
        if self.channel is not None:
            conditions.append({"channel": self.channel})
        if self.placed_from is not None:
            conditions.append({"placed_at": {"$gte": self.placed_from}})
        if self.placed_to is not None:
            conditions.append({"placed_at": {"$lt": self.placed_to}})
        if self.location is not None:
            conditions.append({"parcels.location": self.location})
        if self.attention is not None:
            conditions.append({"attention": {"$ne": None} if self.attention else None})
        return {"$and": conditions} if conditions else {}


def division_prefix(region: str) -> str:
    """Digits that all divisions of a region begin with: "330000" is the province 33, "330100" the prefecture 3301."""
    while len(region) > 2 and region.endswith("00"):
        region = region[:-2]
    return region


async def page_of_orders(
    mongo: Mongo, wanted: OrderFilter, limit: int, cursor: str | None, workflows: Workflows
) -> dict[str, Any]:
    """Newest first. Raises Refusal for a cursor that is none."""
    query = wanted.query()
    if cursor is not None:
        moment, order = position_of(cursor, (int, str))
        at = from_milliseconds(moment)
        older = {"placed_at": {"$lte": at}, "$or": [{"placed_at": {"$lt": at}}, {"_id": {"$gt": order}}]}
        query = {"$and": [query, older]}
    found = mongo.orders.find(query, SUMMARY_FIELDS).sort([("placed_at", -1), ("_id", 1)]).limit(limit + 1)
    rows = [row async for row in found]
    page = rows[:limit]
    more = len(rows) > limit
    return {
        "orders": [order_summary(row, workflows) for row in page],
        "next": cursor_of(to_milliseconds(page[-1]["placed_at"]), page[-1]["_id"]) if more else None,
    }
