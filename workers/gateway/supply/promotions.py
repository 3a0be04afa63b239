"""Routes of planned promotions: what will be sold with a discount, which forecasts of days to come go by."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, TypeAdapter

from activities.supply.promotions import keep
from contracts.promotions import Promotion, PromotionUpsert
from contracts.refusals import Refusal
from contracts.workdays import Day
from infra.keys import Scope
from workers.gateway.answers import Answer, answer
from workers.gateway.body import listed
from workers.gateway.carried import carried_out
from workers.gateway.cursors import cursor_of, position_of
from workers.gateway.faults import codes_of
from workers.gateway.openapi import answers_with, operation
from workers.gateway.results import UpsertResults
from workers.gateway.services import Gateway, gateway_of
from workers.gateway.supply import examples
from workers.gateway.supply.access import Cursor, Limit, Reads, Writes
from workers.gateway.supply_bodies import PromotionBatch
from workers.gateway.upserts import Upserts, Written, read_upserts, refuse_wrong_prefixes

router = APIRouter(tags=["supply"])

_PROMOTION: TypeAdapter[PromotionUpsert] = TypeAdapter(PromotionUpsert)


class PromotionPage(BaseModel):
    """`next` is the cursor of the following page; null on the last one."""

    promotions: list[Promotion]
    next: str | None


@router.put(
    "/v1/supply/promotions",
    **operation(
        "Plan up to 1,000 promotions",
        {200: answers_with(UpsertResults, "A result for each, in their order.")},
        scope=Scope.SUPPLY_WRITE,
        body=PromotionBatch,
        examples={"three days of tea": examples.PROMOTIONS},
    ),
)
async def put_promotions(request: Request, caller: Writes) -> Response:
    """Replaces what was planned under the same id. Runs that begin from now on go by it; days that are over stay as
    they were planned. To end one earlier send it with an earlier `last_day`; to withdraw it, with `active` false."""
    return await carried_out(request, caller, _put)


async def _put(gateway: Gateway, body: Any, request_id: str) -> Answer:
    values = listed(body, "promotions", gateway.limits.items_per_request)
    read = read_upserts(gateway, values, _PROMOTION, _refuse_divisions)
    for index, refusal in (await _unknown(gateway, read)).items():
        gateway.refusals.note(codes_of(refusal))
        read.refusals[index] = refusal
        del read.good[read.ids.pop(index)]
    outcomes = await keep(gateway.mongo, list(read.good.values()), gateway.mongo.clock.now())
    return answer(read.answer(Written(outcomes, network_version=0)))


def _refuse_divisions(row: PromotionUpsert) -> None:
    refuse_wrong_prefixes({f"divisions.{number}": prefix for number, prefix in enumerate(row.divisions)})


async def _unknown(gateway: Gateway, read: Upserts[PromotionUpsert]) -> dict[int, Refusal]:
    """By index: a promotion of a SKU, a category or a location that does not exist would hold for nothing, unseen."""
    mongo, rows = gateway.mongo, read.good.values()
    skus = {sku for row in rows for sku in row.skus}
    categories = {one for row in rows for one in row.categories}
    locations = {one for row in rows for one in row.locations}
    missing = {
        "skus": await gateway.skus.unknown(skus),
        "categories": categories
        - set(await mongo.skus.distinct("category", {"category": {"$in": sorted(categories)}})),
        "locations": locations - set(await mongo.locations.distinct("_id", {"_id": {"$in": sorted(locations)}})),
    }
    found = {index: _first_unknown(read.good[name], missing) for index, name in read.ids.items()}
    return {index: refusal for index, refusal in found.items() if refusal is not None}


_WHERE_KNOWN = {
    "skus": ("unknown_sku", "SKU", "describe the article with PUT /v1/skus first"),
    "categories": ("unknown_category", "article of the category", "give articles the category with PUT /v1/skus first"),
    "locations": ("unknown_location", "location", "register the location with PUT /v1/locations first"),
}


def _first_unknown(row: PromotionUpsert, missing: Mapping[str, set[str]]) -> Refusal | None:
    for field, (code, what, known_by) in _WHERE_KNOWN.items():
        for number, name in enumerate(getattr(row, field)):
            if name in missing[field]:
                remedy = f"Correct it, or {known_by}."
                return Refusal(code, f"There is no {what} {name}.", remedy=remedy, field=f"{field}.{number}")
    return None


@router.get(
    "/v1/supply/promotions",
    **operation(
        "List planned promotions",
        {200: answers_with(PromotionPage, "A page of the newest versions, by id.")},
        scope=Scope.SUPPLY_READ,
    ),
)
async def list_promotions(
    request: Request,
    caller: Reads,
    day: Annotated[Day | None, Query(description="Only those that hold on this day.")] = None,
    sku: Annotated[str | None, Query(max_length=64, description="Only those that name this SKU.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """What is planned, and what was; also what was withdrawn, unless a day is asked for."""
    query: dict[str, Any] = {"replaced_at": None}
    if day is not None:
        query |= {"first_day": {"$lte": f"{day}"}, "last_day": {"$gte": f"{day}"}, "active": True}
    if sku is not None:
        query["skus"] = sku
    if cursor is not None:
        query["promotion"] = {"$gt": position_of(cursor, (str,))[0]}
    found = gateway_of(request).mongo.promotions.find(query).sort("promotion", 1).limit(limit + 1)
    rows = [Promotion.from_row(row) async for row in found]
    following = cursor_of(rows[limit - 1].promotion) if len(rows) > limit else None
    return answer({"promotions": [row.model_dump(mode="json") for row in rows[:limit]], "next": following}).response()
