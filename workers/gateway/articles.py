"""Routes of articles: say what SKUs weigh and measure, see one, list them."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, TypeAdapter

from contracts.refusals import Refusal
from contracts.skus import Article, ArticleUpsert
from infra.keys import Scope
from workers.gateway import examples
from workers.gateway.answers import Answer, answer
from workers.gateway.bodies import SkuBatch
from workers.gateway.body import listed
from workers.gateway.carried import carried_out
from workers.gateway.cursors import cursor_of, position_of
from workers.gateway.openapi import answers_with, operation
from workers.gateway.results import UpsertResults
from workers.gateway.security import Caller, needs
from workers.gateway.services import Gateway, gateway_of
from workers.gateway.upserts import read_upserts, write_upserts

router = APIRouter(tags=["articles"])
Writes = Annotated[Caller, Depends(needs(Scope.STOCK_WRITE))]
Reads = Annotated[Caller, Depends(needs(Scope.STOCK_READ))]

_UPSERT: TypeAdapter[ArticleUpsert] = TypeAdapter(ArticleUpsert)


class SkuView(ArticleUpsert):
    """What is not known of a SKU, which was perhaps only counted so far, has the values that routing takes for it."""


class SkuPage(BaseModel):
    """`next` is the cursor of the following page; null on the last one."""

    skus: list[SkuView]
    next: str | None


@router.put(
    "/v1/skus",
    **operation(
        "Describe up to 1,000 articles",
        {200: answers_with(UpsertResults, "A result for each article, in their order.", examples.UPSERT_RESULTS)},
        scope=Scope.STOCK_WRITE,
        body=SkuBatch,
        examples={"two articles": examples.SKUS},
    ),
)
async def put_skus(request: Request, caller: Writes) -> Response:
    """Replaces what was known of each SKU. A SKU that is described can be ordered, also before any of it is counted."""
    return await carried_out(request, caller, _put)


async def _put(gateway: Gateway, body: Any, request_id: str) -> Answer:
    values = listed(body, "skus", gateway.limits.items_per_request)
    read = read_upserts(gateway, values, _UPSERT, lambda article: None, key="sku")
    documents = {sku: article.model_dump(exclude={"sku"}) for sku, article in read.good.items()}
    written = await write_upserts(gateway.mongo, gateway.mongo.skus, documents)
    gateway.skus.learn(documents)
    return answer(read.answer(written))


@router.get(
    "/v1/skus/{sku}",
    **operation("See an article", {200: answers_with(SkuView, "The article.")}, scope=Scope.STOCK_READ, problems=[404]),
)
async def see_sku(
    request: Request, caller: Reads, sku: Annotated[str, Path(max_length=64, examples=["tea-250g"])]
) -> Response:
    """Its name, weight, size and category."""
    row = await gateway_of(request).mongo.skus.find_one({"_id": sku})
    if row is None:
        remedy = "Check the SKU, or make it known with PUT /v1/skus."
        raise Refusal("unknown_sku", f"There is no SKU {sku}.", remedy=remedy, field="sku", status=404)
    return answer(_view(row)).response()


@router.get(
    "/v1/skus",
    **operation("List articles", {200: answers_with(SkuPage, "A page of articles, by SKU.")}, scope=Scope.STOCK_READ),
)
async def list_skus(
    request: Request,
    caller: Reads,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=400, description="`next` of the page before.")] = None,
) -> Response:
    """All SKUs that were ever described or counted, a page at a time."""
    after = {} if cursor is None else {"_id": {"$gt": position_of(cursor, (str,))[0]}}
    rows = [row async for row in gateway_of(request).mongo.skus.find(after).sort("_id", 1).limit(limit + 1)]
    more = len(rows) > limit
    views = [_view(row) for row in rows[:limit]]
    return answer({"skus": views, "next": cursor_of(rows[limit - 1]["_id"]) if more else None}).response()


def _view(row: Mapping[str, Any]) -> dict[str, Any]:
    article = Article.from_row(row)
    return {"sku": article.id, **article.model_dump(exclude={"id"})}
