"""Routes of proposals: see them, why each is what it is, and decide on them in bulk."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, TypeAdapter

from activities.supply.deciding import By, Decided, Decision, decide, decide_where
from activities.supply.explaining import Told, told
from contracts.refusals import Refusal
from contracts.replenishing import (
    ORDERING_WORKFLOW,
    TASK_QUEUE,
    Approvals,
    Changes,
    OrderDecision,
    Rejections,
    ordering_id,
)
from contracts.supply import Proposal, ProposalKind, ProposalState
from infra.keys import Scope
from workers.gateway.answers import Answer, answer
from workers.gateway.body import parse
from workers.gateway.carried import Work, carried_out
from workers.gateway.cursors import cursor_of, position_of
from workers.gateway.openapi import answers_with, operation
from workers.gateway.problems import problem
from workers.gateway.results import Problem
from workers.gateway.security import Caller
from workers.gateway.services import Gateway, gateway_of
from workers.gateway.supply import examples
from workers.gateway.supply.access import Cursor, Limit, Reads, Writes
from workers.picture.page import POLICY
from workers.picture.supply import page_of_proposal

router = APIRouter(tags=["supply"])
ProposalInPath = Annotated[str, Path(alias="id", max_length=300)]
_APPROVALS: TypeAdapter[Approvals] = TypeAdapter(Approvals)
_REJECTIONS: TypeAdapter[Rejections] = TypeAdapter(Rejections)
_CHANGES: TypeAdapter[Changes] = TypeAdapter(Changes)


class ProposalPage(BaseModel):
    """`next` is the cursor of the following page; null on the last one."""

    proposals: list[Proposal]
    next: str | None


class NotDecided(BaseModel):
    id: str
    problem: Problem


class Decisions(BaseModel):
    """`decided`: how many are decided with this. `workflow`: what orders them; null where nothing is ordered."""

    decision: str
    decided: int
    refused: list[NotDecided]
    workflow: str | None


@router.get(
    "/v1/supply/proposals",
    **operation("List proposals", {200: answers_with(ProposalPage, "A page, by id.")}, scope=Scope.SUPPLY_READ),
)
async def list_proposals(
    request: Request,
    caller: Reads,
    run: Annotated[str | None, Query(max_length=120)] = None,
    state: ProposalState | None = None,
    kind: ProposalKind | None = None,
    location: Annotated[str | None, Query(max_length=64)] = None,
    source: Annotated[str | None, Query(max_length=64)] = None,
    sku: Annotated[str | None, Query(max_length=64)] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Each with all that made its quantity."""
    wanted = {"run": run, "state": state, "kind": kind, "location": location, "source": source, "sku": sku}
    query: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
    if cursor is not None:
        query["_id"] = {"$gt": position_of(cursor, (str,))[0]}
    found = gateway_of(request).mongo.proposals.find(query).sort("_id", 1).limit(limit + 1)
    rows = [Proposal.from_row(row) async for row in found]
    following = cursor_of(rows[limit - 1].id) if len(rows) > limit else None
    return answer({"proposals": [row.model_dump(mode="json") for row in rows[:limit]], "next": following}).response()


@router.get(
    "/v1/supply/proposals/{id}/why",
    **operation(
        "See why a proposal is what it is",
        {200: answers_with(Told, "The proposal with its forecast, its history and the words for it.")},
        scope=Scope.SUPPLY_READ,
        problems=[404],
    ),
)
async def see_why(request: Request, caller: Reads, proposal: ProposalInPath) -> Response:
    """Demand, lead time, position, multiple and constraint; the forecast's distribution and how well it held."""
    found = await told(gateway_of(request).mongo, proposal)
    return answer(found.model_dump(mode="json")).response()


@router.get(
    "/v1/supply/proposals/{id}/why.html",
    response_class=HTMLResponse,
    **operation(
        "See why as a picture",
        {200: {"description": "A page of its own: history, forecast band, position. It loads and runs nothing."}},
        scope=Scope.SUPPLY_READ,
        problems=[404],
    ),
)
async def see_picture(
    request: Request,
    caller: Reads,
    proposal: ProposalInPath,
    lang: Annotated[Literal["en", "zh"], Query(description="Language of the page.")] = "en",
) -> Response:
    """Save it, send it, print it: there is nothing in it that comes from elsewhere."""
    page = page_of_proposal(await told(gateway_of(request).mongo, proposal), lang)
    return HTMLResponse(page, headers={"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"})


def _decision(summary: str, body: type[BaseModel], example: Any) -> dict[str, Any]:
    answers = {200: answers_with(Decisions, "Each proposal for itself.")}
    return operation(
        summary, answers, scope=Scope.SUPPLY_WRITE, body=body, examples={"example": example}, problems=[404, 409]
    )


@router.post("/v1/supply/approvals", **_decision("Approve proposals", Approvals, examples.APPROVAL))
async def approve(request: Request, caller: Writes) -> Response:
    """By their ids, or all of a run that fit. Purchases are ordered by supplier and location, transfers set out."""
    return await carried_out(request, caller, _approves(caller))


def _approves(caller: Caller) -> Work:
    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        asked = parse(_APPROVALS, body)
        by = By(caller.name, request_id, gateway.mongo.clock.now(), asked.reason)
        return await _order(gateway, by, await _decided(gateway, asked, "approved", by))

    return work


@router.post("/v1/supply/changes", **_decision("Approve proposals with other quantities", Changes, examples.CHANGE))
async def change(request: Request, caller: Writes) -> Response:
    """They are ordered as they are sent; minimum and multiple of the supplier count."""
    return await carried_out(request, caller, _changes(caller))


def _changes(caller: Caller) -> Work:
    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        asked = parse(_CHANGES, body)
        changed = {one.id: one for one in asked.proposals}
        if len(changed) < len(asked.proposals):
            ids = [one.id for one in asked.proposals]
            twice = next(number for number, one in enumerate(ids) if one in ids[:number])
            detail = f"{ids[twice]} comes twice."
            raise Refusal("listed_twice", detail, remedy="Send each once.", field=f"proposals.{twice}.id")
        by = By(caller.name, request_id, gateway.mongo.clock.now())
        done = await decide(gateway.mongo, list(changed), "changed", by, changed)
        return await _order(gateway, by, done)

    return work


@router.post("/v1/supply/rejections", **_decision("Reject proposals", Rejections, examples.REJECTION))
async def reject(request: Request, caller: Writes) -> Response:
    """Nothing is ordered of them. The next run looks at the same series anew."""
    return await carried_out(request, caller, _rejects(caller))


def _rejects(caller: Caller) -> Work:
    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        asked = parse(_REJECTIONS, body)
        by = By(caller.name, request_id, gateway.mongo.clock.now(), asked.reason)
        return answer(_view(by, await _decided(gateway, asked, "rejected", by), None))

    return work


async def _decided(gateway: Gateway, asked: Approvals | Rejections, state: Decision, by: By) -> Decided:
    if asked.where is not None:
        return await decide_where(gateway.mongo, asked.where, state, by)
    return await decide(gateway.mongo, asked.ids or [], state, by)


async def _order(gateway: Gateway, by: By, done: Decided) -> Answer:
    """The decision is written; whatever happens now, what it approved is ordered: by the workflow that is started here,
    or by the next run of the region, which finds what was left over."""
    workflow = None
    if done.decided:
        workflow = ordering_id(by.decision)
        asked, summary = OrderDecision(decision=by.decision), f"order what {by.name} approved"
        await gateway.durable.start(ORDERING_WORKFLOW, asked, workflow, TASK_QUEUE, summary)
    return answer(_view(by, done, workflow))


def _view(by: By, done: Decided, workflow: str | None) -> dict[str, Any]:
    refused: Sequence[dict[str, Any]] = [
        {"id": number, "problem": problem(refusal)} for number, refusal in done.refused.items()
    ]
    return {"decision": by.decision, "decided": done.decided, "refused": refused, "workflow": workflow}
