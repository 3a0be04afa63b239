"""Routes of commission rules: set them, see them and their versions."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, TypeAdapter

from activities.settlement.rulebook import read_rules, write_rules
from contracts.refusals import Refusal
from contracts.settlement import CommissionRule, Rule, Terms
from infra.keys import Scope
from infra.mongo import Mongo
from workers.gateway import examples
from workers.gateway.answers import Answer, answer
from workers.gateway.bodies import RuleBatch
from workers.gateway.body import listed, parse
from workers.gateway.carried import carried_out
from workers.gateway.faults import codes_of
from workers.gateway.openapi import answers_with, operation
from workers.gateway.results import Problem, counted, refused_item
from workers.gateway.security import Caller, Operates, needs
from workers.gateway.services import Gateway, gateway_of
from workers.gateway.upserts import refuse_wrong_prefixes

router = APIRouter(tags=["settlements"])
Reads = Annotated[Caller, Depends(needs(Scope.SETTLEMENTS_READ))]

_RULE: TypeAdapter[CommissionRule] = TypeAdapter(CommissionRule)


class RuleResult(BaseModel):
    index: int
    status: int
    id: str | None = None
    version: int | None = None
    outcome: Literal["created", "updated", "unchanged"] | None = None
    problem: Problem | None = None


class RuleResults(BaseModel):
    accepted: int
    refused: int
    results: list[RuleResult]


class RuleList(BaseModel):
    rules: list[Rule]


class RuleVersions(BaseModel):
    """The newest first."""

    versions: list[Rule]


@router.put(
    "/v1/commission-rules",
    **operation(
        "Set up to 1,000 commission rules",
        {200: answers_with(RuleResults, "A result for each rule, in their order.", examples.RULE_RESULTS)},
        scope=Scope.OPERATE,
        body=RuleBatch,
        examples={"a commission, a fee and who bears the freight": examples.RULES},
    ),
)
async def put_rules(request: Request, caller: Operates) -> Response:
    """A rule that is changed gets a new version, which holds for what is shipped from then on. What was shipped before
    stays as it was booked. To end a rule, send `valid_to`."""
    return await carried_out(request, caller, _put)


async def _put(gateway: Gateway, body: Any, request_id: str) -> Answer:
    values = listed(body, "rules", gateway.limits.items_per_request)
    rules: dict[int, CommissionRule] = {}
    refusals: dict[int, Refusal] = {}
    for index, value in enumerate(values):
        try:
            rule = parse(_RULE, value)
            if any(rule.id == other.id for other in rules.values()):
                detail = f"The rule {rule.id} comes twice in this request."
                raise Refusal("listed_twice", detail, remedy="Send each rule once.", field="id")
            refuse_wrong_prefixes({"region": rule.region})
            rules[index] = rule
        except Refusal as refusal:
            refusals[index] = refusal
    refusals |= await _unknown_locations(gateway.mongo, rules)
    for refused in refusals.values():
        gateway.refusals.note(codes_of(refused))
    written = await write_rules(gateway.mongo, [rule for index, rule in rules.items() if index not in refusals])
    results = [
        refused_item(index, refusals[index]) if index in refusals else _result(index, *written[rules[index].id])
        for index in range(len(values))
    ]
    return answer(counted(results))


async def _unknown_locations(mongo: Mongo, rules: Mapping[int, CommissionRule]) -> dict[int, Refusal]:
    named = {rule.location for rule in rules.values() if rule.location is not None}
    known = {row["_id"] async for row in mongo.locations.find({"_id": {"$in": sorted(named)}}, {"_id": 1})}
    remedy = "Correct the id, or register the location with PUT /v1/locations."
    return {
        index: Refusal("unknown_location", f"There is no location {rule.location}.", remedy=remedy, field="location")
        for index, rule in rules.items()
        if rule.location is not None and rule.location not in known
    }


def _result(index: int, rule: Rule, outcome: str) -> dict[str, Any]:
    status = 201 if outcome == "created" else 200
    return {"index": index, "status": status, "id": rule.id, "version": rule.version, "outcome": outcome}


@router.get(
    "/v1/commission-rules",
    **operation(
        "List commission rules",
        {200: answers_with(RuleList, "All rules, by id.")},
        scope=Scope.SETTLEMENTS_READ,
    ),
)
async def list_rules(
    request: Request,
    caller: Reads,
    terms: Annotated[Terms | None, Query(description="Only rules that set this.")] = None,
    location: Annotated[str | None, Query(max_length=64, description="Only rules that name this location.")] = None,
) -> Response:
    """Each in its newest version."""
    rules = [
        rule.model_dump(mode="json")
        for rule in await read_rules(gateway_of(request).mongo)
        if terms in (None, rule.terms) and location in (None, rule.location)
    ]
    return answer({"rules": rules}).response()


@router.get(
    "/v1/commission-rules/{id}",
    **operation(
        "See a commission rule",
        {200: answers_with(RuleVersions, "All versions of the rule.")},
        scope=Scope.SETTLEMENTS_READ,
        problems=[404],
    ),
)
async def see_rule(
    request: Request, caller: Reads, rule: Annotated[str, Path(alias="id", max_length=64, examples=["sellers"])]
) -> Response:
    """Entries and statements name the version by which they were made, as `id@version`."""
    rows = gateway_of(request).mongo.commission_rules.find({"id": rule}, {"_id": 0}).sort("version", -1)
    versions = [Rule.model_validate(row).model_dump(mode="json") async for row in rows]
    if not versions:
        remedy = "Check the id, or set the rule with PUT /v1/commission-rules."
        raise Refusal("unknown_rule", f"There is no rule {rule}.", remedy=remedy, field="id", status=404)
    return answer({"versions": versions}).response()
