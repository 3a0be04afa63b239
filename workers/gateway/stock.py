"""Routes of stock: report counts and receipts, see levels."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, TypeAdapter

from activities.stock.desk import Booked
from activities.stock.stocktaking import refuse_without_reference
from contracts.ids import stock_id
from contracts.refusals import Refusal
from contracts.stock import StockUpsert
from infra.keys import Scope
from infra.mongo import Mongo
from workers.gateway import examples
from workers.gateway.answers import Answer, answer
from workers.gateway.bodies import StockBatch
from workers.gateway.body import listed, parse
from workers.gateway.carried import carried_out
from workers.gateway.cursors import cursor_of, position_of
from workers.gateway.faults import codes_of
from workers.gateway.openapi import answers_with, operation
from workers.gateway.results import StockResults, counted, refused_item
from workers.gateway.security import Caller, needs
from workers.gateway.services import Gateway, gateway_of

router = APIRouter(tags=["stock"])
Writes = Annotated[Caller, Depends(needs(Scope.STOCK_WRITE))]
Reads = Annotated[Caller, Depends(needs(Scope.STOCK_READ))]

_UPSERT: TypeAdapter[StockUpsert] = TypeAdapter(StockUpsert)


class LevelView(BaseModel):
    """Units. `available` is below zero when a count found fewer than were promised."""

    location: str
    sku: str
    on_hand: int
    reserved: int
    available: int


class LevelPage(BaseModel):
    """`next` is the cursor of the following page; null on the last one."""

    levels: list[LevelView]
    next: str | None


@router.put(
    "/v1/stock",
    **operation(
        "Report up to 1,000 counts and receipts",
        {200: answers_with(StockResults, "A result for each item, in their order.", examples.STOCK_RESULTS)},
        scope=Scope.STOCK_WRITE,
        body=StockBatch,
        examples={"a count and a receipt": examples.STOCK},
    ),
)
async def report_stock(request: Request, caller: Writes) -> Response:
    """A count says what is on the shelf, a receipt adds to it, once for each reference. What can be booked is booked
    in one transaction; back-ordered orders are tried again at once, and offers that cannot be kept are moved."""
    return await carried_out(request, caller, _report)


async def _report(gateway: Gateway, body: Any, request_id: str) -> Answer:
    values = listed(body, "items", gateway.limits.items_per_request)
    items, refusals = _read(values)
    booked = await gateway.stock.book(items, request_id)
    gateway.skus.learn(items[index].sku for index in booked.taking.taken)
    gateway.wakes.inbox(set(booked.batches))
    refusals |= booked.taking.refused
    for refusal in refusals.values():
        gateway.refusals.note(codes_of(refusal))
    results = [
        refused_item(index, refusals[index]) if index in refusals else _result(index, items[index], booked)
        for index in range(len(values))
    ]
    return answer(counted(results, stock_version=booked.version))


def _read(values: list[Any]) -> tuple[dict[int, StockUpsert], dict[int, Refusal]]:
    items: dict[int, StockUpsert] = {}
    refusals: dict[int, Refusal] = {}
    counts: set[tuple[str, str]] = set()
    for index, value in enumerate(values):
        try:
            item = parse(_UPSERT, value)
            refuse_without_reference(item)
            if item.kind == "count":
                _refuse_second(item, counts)
            items[index] = item
        except Refusal as refusal:
            refusals[index] = refusal
    return items, refusals


def _refuse_second(item: StockUpsert, counts: set[tuple[str, str]]) -> None:
    if (item.location, item.sku) in counts:
        detail = f"{item.sku} at {item.location} is counted twice in this request."
        raise Refusal("listed_twice", detail, remedy="Send one count for each location and SKU.", field="sku")
    counts.add((item.location, item.sku))


def _result(index: int, item: StockUpsert, booked: Booked) -> dict[str, Any]:
    level = booked.taking.levels[item.location, item.sku]
    return {
        "index": index,
        "status": 200,
        **level.model_dump(),
        "available": level.available,
        "outcome": booked.taking.taken[index],
    }


@router.get(
    "/v1/stock",
    **operation(
        "See stock levels",
        {200: answers_with(LevelPage, "A page of levels, by location and SKU.")},
        scope=Scope.STOCK_READ,
    ),
)
async def see_stock(
    request: Request,
    caller: Reads,
    location: Annotated[str | None, Query(max_length=64, examples=["store-hangzhou-01"])] = None,
    sku: Annotated[str | None, Query(max_length=64, examples=["tea-250g"])] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=400, description="`next` of the page before.")] = None,
) -> Response:
    """Levels that were ever above zero."""
    return answer(await _page(gateway_of(request).mongo, location, sku, limit, cursor)).response()


async def _page(mongo: Mongo, location: str | None, sku: str | None, limit: int, cursor: str | None) -> dict[str, Any]:
    query: dict[str, Any] = {}
    if location is not None and sku is not None:
        query["_id"] = stock_id(location, sku)
    elif location is not None:
        # Ids begin with the location, and "0" is what follows "/" in their order.
        query["_id"] = {"$gte": f"{location}/", "$lt": f"{location}0"}
    elif sku is not None:
        query["sku"] = sku
    if cursor is not None:
        query = {"$and": [query, {"_id": {"$gt": position_of(cursor, (str,))[0]}}]}
    rows = [row async for row in mongo.stock.find(query).sort("_id", 1).limit(limit + 1)]
    levels = [
        {
            "location": row["location"],
            "sku": row["sku"],
            "on_hand": row["on_hand"],
            "reserved": row["reserved"],
            "available": row["on_hand"] - row["reserved"],
        }
        for row in rows[:limit]
    ]
    return {"levels": levels, "next": cursor_of(rows[limit - 1]["_id"]) if len(rows) > limit else None}
