"""Routes about suppliers: scores with their lines, objections, lead times, the terms of buying, and who approves."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, TypeAdapter

from activities.buying.dispute_moves import waits_for
from activities.buying.disputes import find_dispute
from activities.buying.scoring import score_of
from activities.buying.sources import disputes_of, orders_of, served_of
from activities.buying.versions import approvers_in_force, keep_approvers, keep_terms, terms_in_force
from contracts.buying_terms import Approver, Approvers, BuyingTerms
from contracts.disputing import Command, refuse, workflow_id
from contracts.refusals import Refusal
from contracts.scoring import AnswerToLine, LineDispute, Score, ScoredLine, dispute_id
from contracts.supply import LeadTime
from contracts.workdays import day_of
from infra.keys import Scope
from infra.mongo import Mongo
from workers.gateway import purchase_examples as examples
from workers.gateway.answers import Answer, answer
from workers.gateway.body import parse
from workers.gateway.carried import carried_out
from workers.gateway.openapi import answers_with, operation
from workers.gateway.purchases import Approves, Reads
from workers.gateway.security import Caller, needs
from workers.gateway.services import Gateway, gateway_of

router = APIRouter(tags=["purchases"])
Limits = Annotated[Caller, Depends(needs(Scope.PURCHASES_LIMITS))]
SupplierInPath = Annotated[str, Path(alias="id", max_length=64, examples=["partner-01kjt3w9x8c4m2p7q5"])]
_TERMS: TypeAdapter[BuyingTerms] = TypeAdapter(BuyingTerms)
_APPROVERS: TypeAdapter[Approvers] = TypeAdapter(Approvers)
_ANSWER: TypeAdapter[AnswerToLine] = TypeAdapter(AnswerToLine)
_LISTED = 1_000


class ScoreView(BaseModel):
    """`lines`: exactly those that made the score, and those that were left out, with the reason."""

    score: Score
    lines: list[ScoredLine]


class DisputeView(LineDispute):
    """`waits_for`: what comes next, in words; `workflow`: in the Temporal UI."""

    waits_for: str
    workflow: str | None


class DisputeList(BaseModel):
    disputes: list[DisputeView]


class LeadTimeList(BaseModel):
    """In working days; without a location: to all of them."""

    lead_times: list[LeadTime]


class ApproversView(BaseModel):
    """`version` 0: nobody was named yet."""

    version: int
    approvers: list[Approver]


class TermsView(BaseModel):
    """`version` 0: those that come with the system."""

    version: int
    terms: BuyingTerms


async def score_view(mongo: Mongo, supplier: str, *, lines: bool) -> dict[str, Any]:
    now = mongo.clock.now()
    orders, disputes = await orders_of(mongo, [supplier], now), await disputes_of(mongo, [supplier])
    served = await served_of(mongo, supplier, now)
    score, made_of = score_of(supplier, orders[supplier], disputes, day_of(now), served=served)
    shown = [one.model_dump(mode="json") for one in made_of] if lines else []
    return {"score": score.model_dump(mode="json"), "lines": shown}


@router.get(
    "/v1/suppliers/{id}/score",
    **operation(
        "See a supplier's score",
        {200: answers_with(ScoreView, "The score, and its lines.")},
        scope=Scope.PURCHASES_READ,
        problems=[404],
    ),
)
async def see_score(
    request: Request,
    caller: Reads,
    supplier: SupplierInPath,
    lines: Annotated[bool, Query(description="With the lines that made it.")] = True,
) -> Response:
    """Of the last 365 days. What was never delivered is late; a line is judged by what had arrived at the end of the
    first day that was promised. Closed service cases about its parcels count too; without either there is no score."""
    gateway = gateway_of(request)
    await _refuse_unknown(gateway.mongo, supplier)
    return answer(await score_view(gateway.mongo, supplier, lines=lines)).response()


@router.get(
    "/v1/supplier-disputes",
    **operation(
        "List objections to lines of scores",
        {200: answers_with(DisputeList, "The oldest first.")},
        scope=Scope.PURCHASES_READ,
    ),
)
async def list_disputes(
    request: Request,
    caller: Reads,
    supplier: Annotated[str | None, Query(max_length=64)] = None,
    state: Literal["open", "accepted", "rejected"] | None = None,
) -> Response:
    """Whose turn it is, and until when. At most 1,000."""
    gateway = gateway_of(request)
    wanted = {name: value for name, value in (("supplier", supplier), ("state", state)) if value is not None}
    found = gateway.mongo.score_disputes.find(wanted).sort([("at", 1), ("_id", 1)]).limit(_LISTED)
    rows = [_view(gateway, LineDispute.from_row(row)) async for row in found]
    return answer({"disputes": rows}).response()


def _view(gateway: Gateway, dispute: LineDispute) -> dict[str, Any]:
    workflow = gateway.workflows.link(workflow_id(dispute.id))
    return {**dispute.model_dump(mode="json"), "waits_for": waits_for(dispute), "workflow": workflow}


@router.post(
    "/v1/suppliers/{id}/dispute-answers",
    **operation(
        "Answer an objection to a line",
        {200: answers_with(DisputeView, "It, answered.")},
        scope=Scope.PURCHASES_APPROVE,
        body=AnswerToLine,
        examples={"accepted": examples.OBJECTION_ANSWER},
        problems=[404],
    ),
)
async def answer_dispute(request: Request, caller: Approves, supplier: SupplierInPath) -> Response:
    """Accepted, the line does not count any more. Those whose turn it is answer, or those above them."""

    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        asked = parse(_ANSWER, body)
        name = dispute_id(asked.order, asked.line)
        known = await find_dispute(gateway.mongo, name)
        if known is None or known.supplier != supplier:
            refuse(name, None)
        command = Command(by=caller.name, accept=asked.accept, reason=asked.reason)
        if not await gateway.durable.update(workflow_id(name), "command", command, request_id):
            known = await find_dispute(gateway.mongo, name)
            refuse(name, known.state if known is not None else None)
            # It is started again with the next look; nothing of it is lost.
            await gateway.mongo.score_disputes.update_one({"_id": name}, {"$set": {"started": False}})
            raise Refusal(
                "dispute_not_carried",
                f"Nothing carries the objection to {name} at the moment.",
                remedy="Send the same request again after the seconds that Retry-After names.",
                status=503,
                retry_after=2,
            )
        answered = await find_dispute(gateway.mongo, name)
        assert answered is not None
        return answer(_view(gateway, answered))

    return await carried_out(request, caller, work)


@router.get(
    "/v1/lead-times",
    **operation(
        "See lead times that were learned",
        {200: answers_with(LeadTimeList, "By supplier and location.")},
        scope=Scope.PURCHASES_READ,
    ),
)
async def list_lead_times(
    request: Request, caller: Reads, supplier: Annotated[str | None, Query(max_length=64)] = None
) -> Response:
    """Mean and deviation of the working days from order to complete receipt, and of how many lines. At most 1,000."""
    wanted = {"supplier": supplier} if supplier is not None else {}
    found = gateway_of(request).mongo.lead_times.find(wanted).sort("_id", 1).limit(_LISTED)
    rows = [LeadTime.from_row(row).model_dump(mode="json") async for row in found]
    return answer({"lead_times": rows}).response()


@router.get(
    "/v1/purchase-terms",
    **operation(
        "See the terms of buying", {200: answers_with(TermsView, "Those in force.")}, scope=Scope.PURCHASES_READ
    ),
)
async def see_terms(request: Request, caller: Reads) -> Response:
    """Limits of approval and times to answer. Orders keep those that were in force when they were made."""
    version, terms = await terms_in_force(gateway_of(request).mongo)
    return answer({"version": version, "terms": terms.model_dump(mode="json")}).response()


@router.put(
    "/v1/purchase-terms",
    **operation(
        "Set the terms of buying",
        {200: answers_with(TermsView, "The new version, or the one that says the same already.")},
        scope=Scope.PURCHASES_LIMITS,
        body=BuyingTerms,
        examples={"three levels": examples.TERMS},
    ),
)
async def set_terms(request: Request, caller: Limits) -> Response:
    """What is left out is as it comes with the system. Every change is a new version."""

    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        terms = parse(_TERMS, body)
        version = await keep_terms(gateway.mongo, terms, caller.name, gateway.mongo.clock.now())
        return answer({"version": version, "terms": terms.model_dump(mode="json")})

    return await carried_out(request, caller, work)


@router.get(
    "/v1/purchase-approvers",
    **operation(
        "See who may approve up to what",
        {200: answers_with(ApproversView, "Those in force.")},
        scope=Scope.PURCHASES_READ,
    ),
)
async def see_approvers(request: Request, caller: Reads) -> Response:
    """By the names of keys. What each role may approve stands in the terms of buying."""
    version, known = await approvers_in_force(gateway_of(request).mongo)
    return answer({"version": version, **known.model_dump(mode="json")}).response()


@router.put(
    "/v1/purchase-approvers",
    **operation(
        "Name all who may approve",
        {200: answers_with(ApproversView, "The new version, or the one that says the same already.")},
        scope=Scope.PURCHASES_LIMITS,
        body=Approvers,
        examples={"three people": examples.APPROVERS},
    ),
)
async def set_approvers(request: Request, caller: Limits) -> Response:
    """All of them at once: who is left out may approve nothing from now on, of orders that wait as well. A key needs
    the scope purchases:approve besides. Every change is a new version."""

    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        named = parse(_APPROVERS, body)
        version = await keep_approvers(gateway.mongo, named, caller.name, gateway.mongo.clock.now())
        return answer({"version": version, **named.model_dump(mode="json")})

    return await carried_out(request, caller, work)


async def _refuse_unknown(mongo: Mongo, supplier: str) -> None:
    if not await mongo.partners.find_one({"_id": supplier, "kind": "supplier"}, {"_id": 1}):
        remedy = "Send the id of a partner that supplies."
        raise Refusal("unknown_supplier", f"There is no supplier {supplier}.", remedy=remedy, field="id", status=404)
