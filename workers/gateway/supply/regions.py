"""Routes of regions and their schedules: what is replenished together, and when."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, TypeAdapter

from activities.supply.opening import unknown_region
from activities.supply.reading import find_region
from contracts.refusals import Refusal
from contracts.replenishing import Region, RegionUpsert
from infra.keys import Scope
from infra.mongo import DuplicateKeyError, Mongo
from workers.gateway.access import Nothing
from workers.gateway.answers import Answer, answer
from workers.gateway.body import parse
from workers.gateway.carried import Work, carried_out
from workers.gateway.openapi import answers_with, operation
from workers.gateway.services import Gateway, gateway_of
from workers.gateway.supply import examples
from workers.gateway.supply.access import Reads, Writes
from workers.gateway.upserts import refuse_wrong_prefixes

router = APIRouter(tags=["supply"])
RegionInPath = Annotated[str, Path(alias="id", max_length=32, examples=["east"])]
_REGION: TypeAdapter[RegionUpsert] = TypeAdapter(RegionUpsert)
_TRIES = 20


class RegionList(BaseModel):
    regions: list[Region]


class ScheduleView(BaseModel):
    """`next`: the next few times; none while it is paused, or where the region has no cron."""

    region: str
    cron: str | None
    time_zone: str
    paused: bool
    next: list[datetime]
    note: str | None = None


class ScheduleList(BaseModel):
    schedules: list[ScheduleView]


@router.put(
    "/v1/supply/regions",
    **operation(
        "Describe a region",
        {200: answers_with(Region, "The region; its schedule runs as it says.")},
        scope=Scope.SUPPLY_WRITE,
        body=RegionUpsert,
        examples={"the east": examples.REGION},
    ),
)
async def put_region(request: Request, caller: Writes) -> Response:
    """Replaces what was known under its id, and its schedule. While a run is under way its next one is left out."""
    return await carried_out(request, caller, _put)


async def _put(gateway: Gateway, body: Any, request_id: str) -> Answer:
    asked = parse(_REGION, body)
    refuse_wrong_prefixes({f"divisions.{number}": prefix for number, prefix in enumerate(asked.divisions)})
    await _refuse_unknown_locations(gateway.mongo, asked)
    # First what may be refused. A schedule of a region that is not kept yet begins runs that are refused.
    await gateway.durable.schedule_region(Region.model_validate(asked.model_dump()))
    region = await _keep(gateway.mongo, asked)
    return answer(region.model_dump(mode="json"))


async def _refuse_unknown_locations(mongo: Mongo, asked: RegionUpsert) -> None:
    named = {f"hubs.{number}": hub for number, hub in enumerate(asked.hubs)}
    for number, lane in enumerate(asked.lanes):
        named |= {f"lanes.{number}.source": lane.source, f"lanes.{number}.destination": lane.destination}
    rows = mongo.locations.find({"_id": {"$in": sorted(set(named.values()))}}, {"_id": 1})
    known = {row["_id"] async for row in rows}
    for field, location in named.items():
        if location not in known:
            remedy = "Correct the id, or register the location with PUT /v1/locations."
            raise Refusal("unknown_location", f"There is no location {location}.", remedy=remedy, field=field)


async def _keep(mongo: Mongo, asked: RegionUpsert) -> Region:
    """The same again keeps its version."""
    for _ in range(_TRIES):
        before = await find_region(mongo, asked.id)
        wanted = Region.model_validate({**asked.model_dump(), "version": before.version + 1 if before else 1})
        if before is None:
            try:
                await mongo.supply_regions.insert_one(wanted.as_row())
                return wanted
            except DuplicateKeyError:
                continue
        if before == wanted.model_copy(update={"version": before.version}):
            return before
        as_read = {"_id": before.id, "version": before.version}
        if (await mongo.supply_regions.replace_one(as_read, wanted.as_row())).matched_count:
            return wanted
    raise Refusal("region_busy", "Others kept changing it.", remedy="Send it again.", status=503, retry_after=1)


@router.get(
    "/v1/supply/regions",
    **operation("List regions", {200: answers_with(RegionList, "All, by id.")}, scope=Scope.SUPPLY_READ),
)
async def list_regions(request: Request, caller: Reads) -> Response:
    """With their hubs, terms of transfers and schedules."""
    rows = gateway_of(request).mongo.supply_regions.find({}).sort("_id", 1)
    return answer({"regions": [Region.from_row(row).model_dump(mode="json") async for row in rows]}).response()


@router.get(
    "/v1/supply/schedules",
    **operation("List schedules", {200: answers_with(ScheduleList, "Of all regions.")}, scope=Scope.SUPPLY_READ),
)
async def list_schedules(request: Request, caller: Reads) -> Response:
    """When each region runs next."""
    gateway = gateway_of(request)
    rows = gateway.mongo.supply_regions.find({}).sort("_id", 1)
    views = [await _view(gateway, Region.from_row(row)) async for row in rows]
    return answer({"schedules": [view.model_dump(mode="json") for view in views]}).response()


async def _view(gateway: Gateway, region: Region) -> ScheduleView:
    known = await gateway.durable.region_schedule(region.id) if region.cron else None
    return ScheduleView(
        region=region.id,
        cron=region.cron,
        time_zone=region.time_zone,
        paused=bool(known and known.schedule.state.paused),
        next=list(known.info.next_action_times[:5]) if known and not known.schedule.state.paused else [],
        note=known.schedule.state.note if known else None,
    )


def _switch(summary: str) -> dict[str, Any]:
    answers = {200: answers_with(ScheduleView, "How it stands now.")}
    return operation(summary, answers, scope=Scope.SUPPLY_WRITE, body=Nothing, examples={"example": {}}, problems=[404])


@router.post("/v1/supply/schedules/{id}/pause", **_switch("Pause a region's schedule"))
async def pause(request: Request, caller: Writes, region: RegionInPath) -> Response:
    """Runs can still be asked for."""
    return await carried_out(request, caller, _switched(region, caller.name, paused=True))


@router.post("/v1/supply/schedules/{id}/resume", **_switch("Resume a region's schedule"))
async def resume(request: Request, caller: Writes, region: RegionInPath) -> Response:
    """It runs again at its next time."""
    return await carried_out(request, caller, _switched(region, caller.name, paused=False))


def _switched(region: str, by: str, *, paused: bool) -> Work:
    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        known = await find_region(gateway.mongo, region)
        if known is None:
            raise unknown_region(region)
        if known.cron is None:
            detail = f"The region {region} has no schedule."
            raise Refusal("no_schedule", detail, remedy="Give it a cron with PUT /v1/supply/regions.", status=409)
        await gateway.durable.pause_region(region, paused=paused, note=f"by {by}")
        return answer((await _view(gateway, known)).model_dump(mode="json"))

    return work
