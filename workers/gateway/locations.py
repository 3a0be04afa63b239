"""Routes of locations: register or change them, see one, list them."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, TypeAdapter

from contracts.partners import Location, LocationUpsert
from contracts.refusals import Refusal
from contracts.subjects import EVENTS, partner_consumer, partner_filter, reply_subject
from infra.keys import Scope
from workers.gateway import examples
from workers.gateway.answers import Answer, answer
from workers.gateway.bodies import LocationBatch
from workers.gateway.body import listed
from workers.gateway.carried import carried_out
from workers.gateway.cursors import cursor_of, position_of
from workers.gateway.listing import division_prefix
from workers.gateway.network import open_streams, refuse_location, write_locations
from workers.gateway.openapi import answers_with, operation
from workers.gateway.results import UpsertResults
from workers.gateway.security import Caller, needs
from workers.gateway.services import Gateway, gateway_of
from workers.gateway.upserts import read_upserts

router = APIRouter(tags=["locations"])
Writes = Annotated[Caller, Depends(needs(Scope.LOCATIONS_WRITE))]
Reads = Annotated[Caller, Depends(needs(Scope.STOCK_READ))]

_UPSERT: TypeAdapter[LocationUpsert] = TypeAdapter(LocationUpsert)


class EventStream(BaseModel):
    """Where the location's own events are read from, over NATS, and where it answers."""

    stream: str
    consumer: str
    filter: str
    replies: str


class LocationView(LocationUpsert):
    """`point` is in WGS84, whatever datum it was sent in. `version` grows with every change."""

    version: int
    events: EventStream


class LocationPage(BaseModel):
    """`next` is the cursor of the following page; null on the last one."""

    locations: list[LocationView]
    next: str | None


@router.put(
    "/v1/locations",
    **operation(
        "Register or change up to 1,000 locations",
        {200: answers_with(UpsertResults, "A result for each location, in their order.", examples.LOCATION_RESULTS)},
        scope=Scope.LOCATIONS_WRITE,
        body=LocationBatch,
        examples={"a store and a warehouse": examples.LOCATIONS},
    ),
)
async def put_locations(request: Request, caller: Writes) -> Response:
    """Replaces what was known under each id, and opens the event stream of each location. Set `active` to false to
    take a location out of routing; locations are never deleted."""
    return await carried_out(request, caller, _put)


async def _put(gateway: Gateway, body: Any, request_id: str) -> Answer:
    values = listed(body, "locations", gateway.limits.items_per_request)
    read = read_upserts(gateway, values, _UPSERT, refuse_location)
    written = await write_locations(gateway.mongo, read.good)
    await open_streams(gateway.js, sorted(read.good))
    return answer(read.answer(written))


@router.get(
    "/v1/locations/{id}",
    **operation(
        "See a location",
        {200: answers_with(LocationView, "The location.")},
        scope=Scope.STOCK_READ,
        problems=[404],
    ),
)
async def see_location(
    request: Request,
    caller: Reads,
    location: Annotated[str, Path(alias="id", max_length=64, examples=["store-hangzhou-01"])],
) -> Response:
    """Where it is, whether it takes orders, and where it reads its events."""
    row = await gateway_of(request).mongo.locations.find_one({"_id": location})
    if row is None:
        remedy = "Check the id, or register the location with PUT /v1/locations."
        raise Refusal("unknown_location", f"There is no location {location}.", remedy=remedy, field="id", status=404)
    return answer(_view(row)).response()


@router.get(
    "/v1/locations",
    **operation(
        "List locations",
        {200: answers_with(LocationPage, "A page of locations, by id.")},
        scope=Scope.STOCK_READ,
    ),
)
async def list_locations(
    request: Request,
    caller: Reads,
    region: Annotated[
        str | None,
        Query(
            pattern=r"^([1-9][0-9]{1}|[1-9][0-9]{3}|[1-9][0-9]{5}|BR-[A-Z]{2})$",
            description="The first 2, 4 or 6 digits of a GB/T 2260 code, or an ISO 3166-2:BR code.",
            examples=["33", "BR-SP"],
        ),
    ] = None,
    kind: Literal["store", "warehouse", "seller"] | None = None,
    active: bool | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=400, description="`next` of the page before.")] = None,
) -> Response:
    """All locations that match, a page at a time."""
    conditions: list[dict[str, Any]] = [{}]
    if region is not None:
        conditions.append({"division": {"$regex": f"^{division_prefix(region)}"}})
    if kind is not None:
        conditions.append({"kind": kind})
    if active is not None:
        conditions.append({"active": active})
    if cursor is not None:
        conditions.append({"_id": {"$gt": position_of(cursor, (str,))[0]}})
    found = gateway_of(request).mongo.locations.find({"$and": conditions}).sort("_id", 1).limit(limit + 1)
    rows = [row async for row in found]
    more = len(rows) > limit
    views = [_view(row) for row in rows[:limit]]
    return answer({"locations": views, "next": cursor_of(rows[limit - 1]["_id"]) if more else None}).response()


def _view(row: Mapping[str, Any]) -> dict[str, Any]:
    place = row["_id"]
    kept = Location.model_validate({**row, "id": place}).model_dump(mode="json", exclude={"lat", "lon"})
    point = {"lat": row["lat"], "lon": row["lon"], "datum": "WGS84"} if row["lat"] is not None else None
    events = {
        "stream": EVENTS,
        "consumer": partner_consumer(place),
        "filter": partner_filter(place),
        "replies": reply_subject(place),
    }
    return {**kept, "point": point, "events": events}
