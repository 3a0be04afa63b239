"""Routes of runs: ask for one, see how far they are, cancel one, and the rounds that carry its transfers."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, TypeAdapter

from activities.supply.opening import unknown_region
from activities.supply.progress import written_progress
from activities.supply.reading import find_region
from contracts.refusals import Refusal
from contracts.replenishing import TASK_QUEUE, WORKFLOW, Progress, Replenish, Run, RunAsked, run_id
from infra.keys import Scope
from infra.mongo import Mongo
from workers.gateway.access import Nothing
from workers.gateway.answers import Answer, answer
from workers.gateway.body import parse
from workers.gateway.carried import Work, carried_out
from workers.gateway.cursors import cursor_of, from_milliseconds, position_of, to_milliseconds
from workers.gateway.openapi import answers_with, operation
from workers.gateway.security import Caller
from workers.gateway.services import Gateway, gateway_of
from workers.gateway.supply import examples
from workers.gateway.supply.access import Cursor, Limit, Reads, Writes

router = APIRouter(tags=["supply"])
RunInPath = Annotated[str, Path(alias="id", max_length=120, examples=["supply-east-2026-11-23T030000Z"])]
_ASKED: TypeAdapter[RunAsked] = TypeAdapter(RunAsked)


class RunStarted(BaseModel):
    id: str
    region: str


class RunView(Run):
    """`proposals`: how many stand in each state, purchases and transfers together. `workflow_link`: in the Temporal
    UI."""

    proposals: dict[str, int] = {}
    workflow_link: str | None = None


class RunPage(BaseModel):
    """`next` is the cursor of the following page; null on the last one."""

    runs: list[RunView]
    next: str | None


class RoundView(BaseModel):
    """One vehicle's way from a source and back. Kilometres, hours, kilogrammes, minor units."""

    source: str
    number: int
    stops: list[str]
    km: float
    hours: float
    kg: float
    cost: int


class RoundList(BaseModel):
    rounds: list[RoundView]


@router.post(
    "/v1/supply/runs",
    **operation(
        "Replenish a region now",
        {202: answers_with(RunStarted, "Started.")},
        scope=Scope.SUPPLY_WRITE,
        body=RunAsked,
        examples={"the east": examples.RUN},
        problems=[404, 409],
    ),
)
async def start_run(request: Request, caller: Writes) -> Response:
    """One run of a region at a time. What earlier runs proposed and nobody decided on is superseded by it."""
    return await carried_out(request, caller, _starts(caller))


def _starts(caller: Caller) -> Work:
    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        asked = parse(_ASKED, body)
        if await find_region(gateway.mongo, asked.region) is None:
            raise unknown_region(asked.region)
        workflow = f"supply-{asked.region}-{request_id}"
        if await gateway.mongo.supply_runs.find_one({"_id": run_id(workflow)}, {"_id": 1}) is None:
            await _refuse_second(gateway.mongo, asked.region)
        start = Replenish(region=asked.region, by=caller.name)
        summary = f"replenishment of {asked.region}"
        await gateway.durable.start(WORKFLOW, start, workflow, TASK_QUEUE, summary)
        return answer({"id": run_id(workflow), "region": asked.region}, 202)

    return work


async def _refuse_second(mongo: Mongo, region: str) -> None:
    other = await mongo.supply_runs.find_one({"region": region, "state": "running"}, {"_id": 1})
    if other is not None:
        detail = f"The run {other['_id']} of the region {region} is under way."
        remedy = f"Wait for its end, or cancel it with POST /v1/supply/runs/{other['_id']}/cancellation."
        raise Refusal("run_under_way", detail, remedy=remedy, field="region", status=409)


@router.get(
    "/v1/supply/runs",
    **operation("List runs, the newest first", {200: answers_with(RunPage, "A page.")}, scope=Scope.SUPPLY_READ),
)
async def list_runs(
    request: Request,
    caller: Reads,
    region: Annotated[str | None, Query(max_length=32)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """How each ended, or how far it is."""
    gateway = gateway_of(request)
    conditions: list[dict[str, Any]] = [{"region": region} if region else {}]
    if cursor is not None:
        moment, last = position_of(cursor, (int, str))
        at = from_milliseconds(moment)
        conditions.append({"$or": [{"started_at": {"$lt": at}}, {"started_at": at, "_id": {"$gt": last}}]})
    found = gateway.mongo.supply_runs.find({"$and": conditions}).sort([("started_at", -1), ("_id", 1)]).limit(limit + 1)
    rows = [Run.from_row(row) async for row in found]
    page = rows[:limit]
    following = cursor_of(to_milliseconds(page[-1].started_at), page[-1].id) if len(rows) > limit else None
    views = [await _view(gateway, one) for one in page]
    return answer({"runs": [view.model_dump(mode="json") for view in views], "next": following}).response()


@router.get(
    "/v1/supply/runs/{id}",
    **operation("See a run", {200: answers_with(RunView, "It.")}, scope=Scope.SUPPLY_READ, problems=[404]),
)
async def see_run(request: Request, caller: Reads, run: RunInPath) -> Response:
    """How far it is, how many proposals stand how, and what its transfers save."""
    gateway = gateway_of(request)
    view = await _view(gateway, await find_run(gateway.mongo, run))
    return answer(view.model_dump(mode="json")).response()


async def _view(gateway: Gateway, run: Run) -> RunView:
    pipeline: list[dict[str, Any]] = [
        {"$match": {"run": run.id}},
        {"$group": {"_id": "$state", "count": {"$sum": 1}}},
    ]
    counts = {row["_id"]: row["count"] async for row in gateway.mongo.proposals.aggregate(pipeline)}
    progress = run.progress
    if run.state == "running":
        asked = await gateway.durable.query(run.workflow, "progress", Progress)
        progress = asked or await written_progress(gateway.mongo, run)
    link = gateway.workflows.link(run.workflow)
    return RunView(**{**run.model_dump(), "progress": progress, "proposals": counts, "workflow_link": link})


async def find_run(mongo: Mongo, run: str) -> Run:
    """Raises Refusal 404."""
    row = await mongo.supply_runs.find_one({"_id": run})
    if row is None:
        remedy = "Check the id; GET /v1/supply/runs lists them."
        raise Refusal("unknown_run", f"There is no run {run}.", remedy=remedy, field="id", status=404)
    return Run.from_row(row)


@router.get(
    "/v1/supply/runs/{id}/rounds",
    **operation(
        "See the delivery rounds of a run's transfers",
        {200: answers_with(RoundList, "By source.")},
        scope=Scope.SUPPLY_READ,
        problems=[404],
    ),
)
async def see_rounds(request: Request, caller: Reads, run: RunInPath) -> Response:
    """Which vehicle takes what where, in which order, and what that costs, if all transfers are approved."""
    mongo = gateway_of(request).mongo
    await find_run(mongo, run)
    rows = mongo.supply_rounds.find({"run": run}).sort([("source", 1), ("number", 1)])
    rounds = [RoundView.model_validate(row).model_dump() async for row in rows]
    return answer({"rounds": rounds}).response()


@router.post(
    "/v1/supply/runs/{id}/cancellation",
    **operation(
        "Cancel a run",
        {202: answers_with(RunStarted, "It ends, and proposes nothing.")},
        scope=Scope.SUPPLY_WRITE,
        body=Nothing,
        examples={"example": {}},
        problems=[404, 409],
    ),
)
async def cancel_run(request: Request, caller: Writes, run: RunInPath) -> Response:
    """What it has proposed is superseded; what was ordered before stays ordered."""
    return await carried_out(request, caller, _cancels(run))


def _cancels(run: str) -> Work:
    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        known = await find_run(gateway.mongo, run)
        if known.state != "running":
            detail = f"The run {run} is {known.state} already."
            raise Refusal("run_ended", detail, remedy="Reject its proposals instead.", status=409)
        if not await gateway.durable.cancel(known.workflow):
            # Its workflow is gone, such as one that somebody terminated: nobody else would end the run.
            mongo = gateway.mongo
            await mongo.proposals.update_many({"run": run, "state": "proposed"}, {"$set": {"state": "superseded"}})
            ended = {"state": "cancelled", "ended_at": mongo.clock.now(), "why": "its workflow was gone"}
            await mongo.supply_runs.update_one({"_id": run, "state": "running"}, {"$set": ended})
        return answer({"id": run, "region": known.region}, 202)

    return work
