"""Routes about suppliers: scores with their lines, objections, lead times, and the terms of buying."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, TypeAdapter

from activities.buying.disputes import answer_to
from activities.buying.ordering import terms_in_force
from activities.buying.scoring import score_of
from activities.buying.sources import disputes_of, orders_of, served_of
from contracts.buying import BuyingTerms
from contracts.refusals import Refusal
from contracts.scoring import AnswerToLine, LineDispute, Score, ScoredLine
from contracts.supply import LeadTime
from contracts.workdays import day_of
from infra.keys import Scope
from infra.mongo import DuplicateKeyError, Mongo
from workers.gateway import purchase_examples as examples
from workers.gateway.answers import Answer, answer
from workers.gateway.body import parse
from workers.gateway.carried import carried_out
from workers.gateway.openapi import answers_with, operation
from workers.gateway.purchases import Approves, Reads
from workers.gateway.services import Gateway, gateway_of

router = APIRouter(tags=["purchases"])
SupplierInPath = Annotated[str, Path(alias="id", max_length=64, examples=["partner-01kjt3w9x8c4m2p7q5"])]
_TERMS: TypeAdapter[BuyingTerms] = TypeAdapter(BuyingTerms)
_ANSWER: TypeAdapter[AnswerToLine] = TypeAdapter(AnswerToLine)
_LISTED = 1_000


class ScoreView(BaseModel):
    """`lines`: exactly those that made the score, and those that were left out, with the reason."""

    score: Score
    lines: list[ScoredLine]


class DisputeList(BaseModel):
    disputes: list[LineDispute]


class LeadTimeList(BaseModel):
    """In working days; without a location: to all of them."""

    lead_times: list[LeadTime]


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
    """At most 1,000."""
    wanted = {name: value for name, value in (("supplier", supplier), ("state", state)) if value is not None}
    found = gateway_of(request).mongo.score_disputes.find(wanted).sort([("at", 1), ("_id", 1)]).limit(_LISTED)
    rows = [LineDispute.from_row(row).model_dump(mode="json") async for row in found]
    return answer({"disputes": rows}).response()


@router.post(
    "/v1/suppliers/{id}/dispute-answers",
    **operation(
        "Answer an objection to a line",
        {200: answers_with(LineDispute, "It, answered.")},
        scope=Scope.PURCHASES_APPROVE,
        body=AnswerToLine,
        examples={"accepted": examples.OBJECTION_ANSWER},
        problems=[404],
    ),
)
async def answer_dispute(request: Request, caller: Approves, supplier: SupplierInPath) -> Response:
    """Accepted, the line does not count any more."""

    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        asked = parse(_ANSWER, body)
        answered = await answer_to(gateway.mongo, supplier, asked, caller.name, gateway.mongo.clock.now())
        return answer(answered.model_dump(mode="json"))

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
        scope=Scope.PURCHASES_APPROVE,
        body=BuyingTerms,
        examples={"three levels": examples.TERMS},
    ),
)
async def set_terms(request: Request, caller: Approves) -> Response:
    """What is left out is as it comes with the system. Every change is a new version."""

    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        terms = parse(_TERMS, body)
        while True:
            version, known = await terms_in_force(gateway.mongo)
            if version and known == terms:
                break
            version += 1
            row = {"_id": version, "terms": terms.model_dump(mode="json"), "by": caller.name}
            try:
                await gateway.mongo.buying_terms.insert_one({**row, "at": gateway.mongo.clock.now()})
            except DuplicateKeyError:
                continue
            break
        return answer({"version": version, "terms": terms.model_dump(mode="json")})

    return await carried_out(request, caller, work)


async def _refuse_unknown(mongo: Mongo, supplier: str) -> None:
    if not await mongo.partners.find_one({"_id": supplier, "kind": "supplier"}, {"_id": 1}):
        remedy = "Send the id of a partner that supplies."
        raise Refusal("unknown_supplier", f"There is no supplier {supplier}.", remedy=remedy, field="id", status=404)
