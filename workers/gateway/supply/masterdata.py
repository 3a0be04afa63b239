"""Routes of supply policies and of sourcing: how series are replenished, and where SKUs can be bought."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, TypeAdapter

from activities.supply.reading import read_policies
from contracts.refusals import Refusal
from contracts.supply import Sourcing, SourcingUpsert, SupplyPolicy
from infra.keys import Scope
from infra.mongo import Mongo, Session, UpdateOne
from workers.gateway.answers import Answer, answer
from workers.gateway.body import listed, parse
from workers.gateway.carried import carried_out
from workers.gateway.cursors import cursor_of, position_of
from workers.gateway.faults import codes_of
from workers.gateway.openapi import answers_with, operation
from workers.gateway.results import UpsertResults, counted, refused_item
from workers.gateway.services import Gateway, gateway_of
from workers.gateway.supply import examples
from workers.gateway.supply.access import Cursor, Limit, Reads, Writes
from workers.gateway.supply_bodies import SourcingBatch, SupplyPolicyDraft
from workers.gateway.upserts import refuse_wrong_prefixes

router = APIRouter(tags=["supply"])

_DRAFT: TypeAdapter[Any] = TypeAdapter(SupplyPolicyDraft)
_SOURCING: TypeAdapter[SourcingUpsert] = TypeAdapter(SourcingUpsert)


class SupplyPolicyView(SupplyPolicy):
    """`at`: when this version was made; null for what the system brings with it."""

    at: datetime | None = None


class SupplyPolicyList(BaseModel):
    policies: list[SupplyPolicyView]


class SourcingPage(BaseModel):
    """`next` is the cursor of the following page; null on the last one."""

    sourcing: list[Sourcing]
    next: str | None


@router.post(
    "/v1/supply/policies",
    **operation(
        "Make a new version of a supply policy",
        {
            201: answers_with(SupplyPolicyView, "A new version; runs that begin from now on go by it."),
            200: answers_with(SupplyPolicyView, "The newest version says the same already."),
        },
        scope=Scope.SUPPLY_WRITE,
        body=SupplyPolicyDraft,
        examples={"fresh goods": examples.POLICY},
    ),
)
async def make_policy(request: Request, caller: Writes) -> Response:
    """Versions are never changed in place: a proposal names the version it was made under. The policy that holds for a
    series is the one with the longest beginning of its location's division, then the one that names its category, then
    its class of demand."""
    return await carried_out(request, caller, _make)


async def _make(gateway: Gateway, body: Any, request_id: str) -> Answer:
    wanted = SupplyPolicy.model_validate(parse(_DRAFT, body).model_dump())
    refuse_wrong_prefixes({f"regions.{number}": prefix for number, prefix in enumerate(wanted.regions)})
    policy, created = await keep_supply_policy(gateway.mongo, wanted, gateway.mongo.clock.now())
    return answer(policy.model_dump(mode="json"), 201 if created else 200)


async def keep_supply_policy(mongo: Mongo, wanted: SupplyPolicy, at: datetime) -> tuple[SupplyPolicyView, bool]:
    """The next version, unless the newest says the same. Raises Refusal where another policy holds for the same."""

    async def work(session: Session) -> tuple[SupplyPolicyView, bool]:
        # Two that are written at once get in each other's way here, and cannot overlap unseen.
        await mongo.counters.update_one(
            {"_id": "supply_policies"}, {"$inc": {"version": 1}}, upsert=True, session=session
        )
        known = {one.id: one for one in await read_policies(mongo, session)}
        before = known.pop(wanted.id, None)
        _refuse_overlap(wanted, known.values())
        if before is not None and before.model_copy(update={"version": 1}) == wanted:
            return SupplyPolicyView.model_validate(before.model_dump()), False
        version = before.version + 1 if before else 1
        made = SupplyPolicyView.model_validate({**wanted.model_dump(), "version": version, "at": at})
        await mongo.supply_policies.insert_one({"_id": f"{made.id}@{version}", **made.model_dump()}, session=session)
        return made, True

    return await mongo.transaction(work)


def _named(classes: Iterable[str]) -> set[str]:
    return set(classes) or {"any"}


def _refuse_overlap(wanted: SupplyPolicy, others: Iterable[SupplyPolicy]) -> None:
    """Two policies for the same series: nobody could say which one holds."""
    for other in others:
        same = set(wanted.regions or [""]) & set(other.regions or [""])
        categories = set(wanted.categories or [""]) & set(other.categories or [""])
        classes = _named(wanted.classes) & _named(other.classes)
        if same and categories and classes:
            what = f"category {min(categories) or 'any'}, class {min(classes)}, region {min(same) or 'everywhere'}"
            raise Refusal(
                "policy_overlaps",
                f"The policy {other.id} holds for the same series: {what}.",
                remedy=f"Name another category, class or region, or send a new version of {other.id}.",
                field="categories",
                status=409,
            )


@router.get(
    "/v1/supply/policies",
    **operation(
        "List supply policies", {200: answers_with(SupplyPolicyList, "Of each the newest.")}, scope=Scope.SUPPLY_READ
    ),
)
async def list_policies(request: Request, caller: Reads) -> Response:
    """By id."""
    found = await read_policies(gateway_of(request).mongo)
    return answer({"policies": [policy.model_dump(mode="json") for policy in found]}).response()


@router.get(
    "/v1/supply/policies/{id}",
    **operation(
        "See a supply policy", {200: answers_with(SupplyPolicyView, "It.")}, scope=Scope.SUPPLY_READ, problems=[404]
    ),
)
async def see_policy(
    request: Request,
    caller: Reads,
    policy: Annotated[str, Path(alias="id", max_length=64, examples=["default"])],
    version: Annotated[int | None, Query(ge=1, le=1_000_000, description="The newest when left out.")] = None,
) -> Response:
    """Any version that ever was in force."""
    query: dict[str, Any] = {"id": policy} if version is None else {"id": policy, "version": version}
    row = await gateway_of(request).mongo.supply_policies.find_one(query, sort=[("version", -1)])
    built_in = SupplyPolicyView()
    if row is None and policy == built_in.id and version in (None, built_in.version):
        row = built_in.model_dump()
    if row is None:
        remedy = "See GET /v1/supply/policies for those that are kept."
        raise Refusal("unknown_policy", f"There is no policy {policy}.", remedy=remedy, field="id", status=404)
    return answer(SupplyPolicyView.model_validate(row).model_dump(mode="json")).response()


@router.put(
    "/v1/supply/sourcing",
    **operation(
        "Say where up to 1,000 SKUs can be bought",
        {200: answers_with(UpsertResults, "A result for each row, in their order.")},
        scope=Scope.SUPPLY_WRITE,
        body=SourcingBatch,
        examples={"one supplier": examples.SOURCING},
    ),
)
async def put_sourcing(request: Request, caller: Writes) -> Response:
    """Replaces what was known of the same supplier, SKU and locations. Send `active` false to end a row."""
    return await carried_out(request, caller, _put)


async def _put(gateway: Gateway, body: Any, request_id: str) -> Answer:
    values = listed(body, "sourcing", gateway.limits.items_per_request)
    good: dict[int, SourcingUpsert] = {}
    refusals: dict[int, Refusal] = {}
    for index, value in enumerate(values):
        try:
            row = parse(_SOURCING, value)
            refuse_wrong_prefixes({"locations": row.locations})
            if any(row.id == other.id for other in good.values()):
                detail = f"{row.id} comes twice in this request."
                raise Refusal("listed_twice", detail, remedy="Send each row once.", field="sku")
            good[index] = row
        except Refusal as refusal:
            refusals[index] = refusal
    refusals |= await _unknown_suppliers(gateway.mongo, good)
    for refused in refusals.values():
        gateway.refusals.note(codes_of(refused))
    good = {index: row for index, row in good.items() if index not in refusals}
    outcomes = await _write(gateway.mongo, good.values())
    results = [
        refused_item(index, refusals[index]) if index in refusals else _result(index, good[index].id, outcomes)
        for index in range(len(values))
    ]
    return answer(counted(results, network_version=0))


async def _unknown_suppliers(mongo: Mongo, rows: Mapping[int, SourcingUpsert]) -> dict[int, Refusal]:
    named = sorted({row.supplier for row in rows.values()})
    known = {row["_id"] async for row in mongo.partners.find({"_id": {"$in": named}, "kind": "supplier"}, {"_id": 1})}
    remedy = "Correct the id; suppliers are partners of the kind supplier, and apply with POST /v1/applications."
    return {
        index: Refusal("unknown_supplier", f"There is no supplier {row.supplier}.", remedy=remedy, field="supplier")
        for index, row in rows.items()
        if row.supplier not in known
    }


async def _write(mongo: Mongo, rows: Iterable[SourcingUpsert]) -> dict[str, str]:
    wanted = {row.id: row.model_dump() for row in rows}
    found = mongo.sourcing.find({"_id": {"$in": sorted(wanted)}})
    before = {row.pop("_id"): row async for row in found}
    outcomes = {
        name: "unchanged" if before.get(name) == fields else "updated" if name in before else "created"
        for name, fields in wanted.items()
    }
    writes = [
        UpdateOne({"_id": name}, {"$set": fields}, upsert=True)
        for name, fields in wanted.items()
        if outcomes[name] != "unchanged"
    ]
    if writes:
        await mongo.sourcing.bulk_write(writes, ordered=False)
    return outcomes


def _result(index: int, row: str, outcomes: Mapping[str, str]) -> dict[str, Any]:
    return {"index": index, "status": 201 if outcomes[row] == "created" else 200, "id": row, "outcome": outcomes[row]}


@router.get(
    "/v1/supply/sourcing",
    **operation("List sourcing", {200: answers_with(SourcingPage, "A page, by id.")}, scope=Scope.SUPPLY_READ),
)
async def list_sourcing(
    request: Request,
    caller: Reads,
    sku: Annotated[str | None, Query(max_length=64)] = None,
    supplier: Annotated[str | None, Query(max_length=64)] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Who supplies what to where, at which price and in which time."""
    query: dict[str, Any] = {name: value for name, value in (("sku", sku), ("supplier", supplier)) if value}
    if cursor is not None:
        query["_id"] = {"$gt": position_of(cursor, (str,))[0]}
    found = gateway_of(request).mongo.sourcing.find(query).sort("_id", 1).limit(limit + 1)
    rows = [Sourcing.from_row(row) async for row in found]
    following = cursor_of(rows[limit - 1].id) if len(rows) > limit else None
    return answer({"sourcing": [row.model_dump(mode="json") for row in rows[:limit]], "next": following}).response()
