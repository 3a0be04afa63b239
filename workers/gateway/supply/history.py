"""The route by which sales of the past are told, so that forecasts begin with them."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from activities.supply.history import Kept, first_twice, keep_history
from activities.supply.watching import today_of
from contracts.demand_history import EARLIEST, ROWS_MAX, HistoryBatch, HistoryRow
from infra.keys import Scope
from workers.gateway.answers import JSON, JSON_LINES, Answer, answer
from workers.gateway.body import listed, read_rows
from workers.gateway.carried import carried_out
from workers.gateway.faults import SHOWN, Fault, faults_of, refused
from workers.gateway.openapi import answers_with, operation
from workers.gateway.services import Gateway
from workers.gateway.supply import examples
from workers.gateway.supply.access import Writes

router = APIRouter(tags=["supply"])
_ROWS: TypeAdapter[list[HistoryRow]] = TypeAdapter(list[HistoryRow])
_FIELD = "rows"


class HistoryTaken(BaseModel):
    """What became of the rows. All of them count, but for `left_to_orders`: on their days orders of this system asked
    the location for the SKU, and the day is what these asked for."""

    created: int
    unchanged: int
    replaced: int
    left_to_orders: int = Field(description="As far as days are counted; of those above.")


@router.post(
    "/v1/demand/history",
    **operation(
        "Tell sales of the past",
        {200: answers_with(HistoryTaken, "Every row is kept.")},
        scope=Scope.SUPPLY_WRITE,
        body=HistoryBatch,
        examples={"three days of tea": examples.HISTORY},
    ),
)
async def tell_history(
    request: Request,
    caller: Writes,
    replace: Annotated[
        bool, Query(description="Rows may say something else than was told of their day before.")
    ] = False,
) -> Response:
    """Up to 5,000 rows, as JSON or, with `Content-Type: application/x-ndjson`, one JSON object a line; one row for each
    day of a location and SKU. All of them are kept, or, where any is wrong, none: `errors` names each with its number.
    The same row again changes nothing. A day has one source, orders where these asked for anything, else what is told;
    they are not added up. A day without a row, between the first row of a SKU at a location and the last row of the
    location, is one on which nothing was asked for, until its stock is booked here."""

    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        return await _tell(gateway, body, replace)

    return await carried_out(
        request, caller, work, kinds=(JSON, JSON_LINES), reader=partial(read_rows, rows_max=ROWS_MAX)
    )


async def _tell(gateway: Gateway, body: Any, replace: bool) -> Answer:
    rows = _read(listed(body, _FIELD, ROWS_MAX))
    faults = [*_wrong_days(gateway, rows), *_twice(rows), *await _unknown(gateway, rows)]
    if faults:
        raise refused(sorted(faults, key=_number_of))
    kept = await keep_history(gateway.mongo, rows, replace=replace)
    if kept.differs:
        raise refused(list(_differing(rows, kept)), status=409)
    return answer(kept.counts())


def _read(values: list[Any]) -> list[HistoryRow]:
    try:
        return _ROWS.validate_python(values)
    except ValidationError as error:
        found = faults_of(error.errors(include_url=False, include_input=False))
        raise refused([_fault(*_split(one.field), one.code, one.detail, one.remedy) for one in found]) from error


def _split(path: str) -> tuple[int, str]:
    number, _, name = path.partition(".")
    return int(number), name


def _fault(number: int, name: str, code: str, detail: str, remedy: str) -> Fault:
    """Rows are counted from 1 in words, and from 0 in the path, as in all paths."""
    return Fault(f"{_FIELD}.{number}" + (f".{name}" if name else ""), code, f"Row {number + 1}: {detail}", remedy)


def _number_of(fault: Fault) -> int:
    return int(fault.field.split(".")[1])


def _wrong_days(gateway: Gateway, rows: Sequence[HistoryRow]) -> Iterable[Fault]:
    today = today_of(gateway.mongo.clock.now())
    for number, row in enumerate(rows):
        if row.date >= today:
            remedy = f"Send it once {row.date} is over."
            yield _fault(number, "date", "day_not_over", f"{row.date} is not over yet; today is {today}.", remedy)
        elif row.date < EARLIEST:
            remedy = f"Correct the year; the earliest day is {EARLIEST}."
            yield _fault(number, "date", "too_early", f"{row.date} lies before {EARLIEST}.", remedy)


def _twice(rows: Sequence[HistoryRow]) -> Iterable[Fault]:
    for number, before in first_twice(rows).items():
        row = rows[number]
        detail = f"row {before + 1} is of {row.location}, {row.sku} and {row.date} too."
        remedy = "Send one row a day, with the quantities of all tickets added up."
        yield _fault(number, "", "listed_twice", detail, remedy)


async def _unknown(gateway: Gateway, rows: Sequence[HistoryRow]) -> list[Fault]:
    """Sales of what does not exist would be forecast by nobody, unseen."""
    named = {row.location for row in rows}
    locations = named - set(await gateway.mongo.locations.distinct("_id", {"_id": {"$in": sorted(named)}}))
    skus = await gateway.skus.unknown({row.sku for row in rows})
    found = []
    for number, row in enumerate(rows):
        if row.location in locations:
            remedy = "Correct it, or register the location with PUT /v1/locations first."
            detail = f"there is no location {row.location}."
            found.append(_fault(number, "location", "unknown_location", detail, remedy))
        if row.sku in skus:
            remedy = "Correct it, or describe the article with PUT /v1/skus first."
            found.append(_fault(number, "sku", "unknown_sku", f"there is no SKU {row.sku}.", remedy))
    return found


def _differing(rows: Sequence[HistoryRow], kept: Kept) -> Iterable[Fault]:
    for number, before in list(kept.differs.items())[:SHOWN]:
        row = rows[number]
        detail = (
            f"of {row.location}, {row.sku} and {row.date} {before.units:g} sold, out of stock {before.out * 24:g} h "
            f"and {before.promoted:g} with a discount were told before."
        )
        yield _fault(number, "quantity", "told_differently", detail, "Leave the row out, or send it with replace=true.")
