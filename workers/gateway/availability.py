"""The route of availability to promise."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import TypeAdapter, ValidationError

from contracts.divisions import DivisionCode
from contracts.geo import Point
from contracts.ids import Sku
from contracts.refusals import Refusal
from infra.keys import Scope
from workers.gateway.answers import answer
from workers.gateway.faults import Fault, fault_of, refused
from workers.gateway.openapi import answers_with, operation
from workers.gateway.promising import Availability, availability, centre_of
from workers.gateway.security import Caller, needs
from workers.gateway.services import gateway_of

router = APIRouter(tags=["stock"])
Reads = Annotated[Caller, Depends(needs(Scope.STOCK_READ))]

_POINT: TypeAdapter[Point] = TypeAdapter(Point)


@router.get(
    "/v1/availability",
    **operation(
        "See what can be promised",
        {200: answers_with(Availability, "Units by SKU, and by location: the nearest first.")},
        scope=Scope.STOCK_READ,
    ),
)
async def see_availability(
    request: Request,
    caller: Reads,
    sku: Annotated[list[Sku], Query(min_length=1, max_length=50, examples=[["tea-250g"]])],
    channel: Annotated[str, Query(min_length=1, max_length=40)] = "online",
    division: Annotated[
        DivisionCode | None, Query(description="Where it is to go; the centre of the prefecture is taken.")
    ] = None,
    lat: Annotated[float | None, Query(description="Where it is to go, with lon and datum.")] = None,
    lon: Annotated[float | None, Query()] = None,
    datum: Annotated[str | None, Query(description="WGS84, GCJ02 or BD09.", examples=["GCJ02"])] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Most locations to name for each SKU.")] = 50,
) -> Response:
    """On hand less reserved, at active locations that serve the channel. Nothing is held by asking."""
    near = _point(lat, lon, datum)
    if near is None and division is not None:
        near = centre_of(division)
    found = await availability(gateway_of(request).mongo, list(dict.fromkeys(sku)), channel, near, limit)
    return answer(found).response()


def _point(lat: float | None, lon: float | None, datum: str | None) -> Point | None:
    """Raises Refusal for half a point, and for one that does not say its datum."""
    given: dict[str, Any] = {"lat": lat, "lon": lon, "datum": datum}
    if all(value is None for value in given.values()):
        return None
    missing = [name for name in ("lat", "lon") if given[name] is None]
    if missing:
        raise refused(
            [Fault(name, "missing", "A point needs lat, lon and datum.", f"Send {name}.") for name in missing]
        )
    try:
        return _POINT.validate_python(given)
    except ValidationError as error:
        raise _refused(error) from error


def _refused(error: ValidationError) -> Refusal:
    return refused([fault_of(one) for one in error.errors(include_url=False)])
