"""Routes of carriers' master data: where they go, what they ask, how long they take."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, TypeAdapter

from contracts.carriers import Carrier, CarrierUpsert
from contracts.refusals import Refusal
from infra.keys import Scope
from infra.mongo import Mongo
from workers.gateway import examples
from workers.gateway.answers import Answer, answer
from workers.gateway.bodies import CarrierBatch
from workers.gateway.body import listed
from workers.gateway.carried import carried_out
from workers.gateway.openapi import answers_with, operation
from workers.gateway.results import UpsertResults
from workers.gateway.security import Caller, Operates, needs
from workers.gateway.services import Gateway, gateway_of
from workers.gateway.upserts import read_upserts, refuse_wrong_prefixes, write_upserts

router = APIRouter(tags=["carriers"])
Reads = Annotated[Caller, Depends(needs(Scope.STOCK_READ))]

_UPSERT: TypeAdapter[CarrierUpsert] = TypeAdapter(CarrierUpsert)


class CarrierView(CarrierUpsert):
    """`version` grows with every change."""

    version: int


class CarrierList(BaseModel):
    carriers: list[CarrierView]


def refuse_carrier(carrier: CarrierUpsert) -> None:
    """Raises Refusal for what no schema can say: a rate that no zone leads to, a division that does not exist."""
    for number, service in enumerate(carrier.services):
        here = f"services.{number}"
        unused = sorted(set(service.rates) - {rule.zone for rule in service.zones})
        if unused:
            detail = f"No zone rule leads to {unused[0]}."
            remedy = "Add a zone rule for it, or take the rate out."
            raise Refusal("rate_without_zone", detail, remedy=remedy, field=f"{here}.rates")
        prefixes = {f"{here}.zones.{at}.origin": rule.origin for at, rule in enumerate(service.zones)}
        prefixes |= {f"{here}.zones.{at}.destination": rule.destination for at, rule in enumerate(service.zones)}
        prefixes |= {
            f"{here}.surcharges.{at}.destination": one.destination for at, one in enumerate(service.surcharges)
        }
        refuse_wrong_prefixes(prefixes)


@router.put(
    "/v1/carriers",
    **operation(
        "Describe up to 1,000 carriers",
        {200: answers_with(UpsertResults, "A result for each carrier, in their order.", examples.UPSERT_RESULTS)},
        scope=Scope.OPERATE,
        body=CarrierBatch,
        examples={"one carrier": examples.CARRIERS},
    ),
)
async def put_carriers(request: Request, caller: Operates) -> Response:
    """Replaces what was known under each id. Set `active` to false to take a carrier out; none is ever deleted."""
    return await carried_out(request, caller, _put)


async def _put(gateway: Gateway, body: Any, request_id: str) -> Answer:
    values = listed(body, "carriers", gateway.limits.items_per_request)
    read = read_upserts(gateway, values, _UPSERT, refuse_carrier)
    documents = {carrier: one.model_dump(exclude={"id"}) for carrier, one in read.good.items()}
    return answer(read.answer(await write_upserts(gateway.mongo, gateway.mongo.carriers, documents)))


@router.get(
    "/v1/carriers",
    **operation("List carriers", {200: answers_with(CarrierList, "All carriers, by id.")}, scope=Scope.STOCK_READ),
)
async def list_carriers(request: Request, caller: Reads) -> Response:
    """With their services, zones and rates."""
    found = gateway_of(request).mongo.carriers.find({}).sort("_id", 1)
    carriers = [Carrier.from_row(row).model_dump(mode="json") async for row in found]
    return answer({"carriers": carriers}).response()


@router.get(
    "/v1/carriers/{id}",
    **operation(
        "See a carrier", {200: answers_with(CarrierView, "The carrier.")}, scope=Scope.STOCK_READ, problems=[404]
    ),
)
async def see_carrier(
    request: Request, caller: Reads, carrier: Annotated[str, Path(alias="id", max_length=30, examples=["shun"])]
) -> Response:
    """Its services, zones and rates."""
    found = await find_carrier(gateway_of(request).mongo, carrier)
    return answer(found.model_dump(mode="json")).response()


async def find_carrier(mongo: Mongo, carrier: str) -> Carrier:
    """Raises Refusal 404."""
    row = await mongo.carriers.find_one({"_id": carrier})
    if row is None:
        remedy = "Check the id, or register the carrier with PUT /v1/carriers."
        raise Refusal("unknown_carrier", f"There is no carrier {carrier}.", remedy=remedy, field="id", status=404)
    return Carrier.from_row(row)
