"""Routes of stock transfers: see them, ship, receive, cancel, and say what is lost."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, TypeAdapter

from activities.supply.moving import find_transfer
from contracts.refusals import Refusal
from contracts.supply import TransferState
from contracts.transfers import (
    Because,
    Command,
    ReceiveTransfer,
    ShipTransfer,
    Transfer,
    known_receipt,
    refuse,
    standing_of,
)
from infra.keys import Scope
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
TransferInPath = Annotated[
    str, Path(alias="id", max_length=120, examples=["st-supply-east-2026-11-23T030000Z-0a1b2c3d4e"])
]
_ADAPTERS: dict[str, TypeAdapter[Any]] = {
    "ship": TypeAdapter(ShipTransfer),
    "receive": TypeAdapter(ReceiveTransfer),
    "cancel": TypeAdapter(Because),
    "lose": TypeAdapter(Because),
}


class TransferPage(BaseModel):
    """`next` is the cursor of the following page; null on the last one."""

    transfers: list[Transfer]
    next: str | None


@router.get(
    "/v1/supply/transfers",
    **operation(
        "List transfers, the newest first", {200: answers_with(TransferPage, "A page.")}, scope=Scope.SUPPLY_READ
    ),
)
async def list_transfers(
    request: Request,
    caller: Reads,
    state: TransferState | None = None,
    source: Annotated[str | None, Query(max_length=64)] = None,
    destination: Annotated[str | None, Query(max_length=64)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """What is to be shipped, under way, and what came."""
    wanted = {"state": state, "source": source, "destination": destination}
    conditions: list[dict[str, Any]] = [{name: value for name, value in wanted.items() if value is not None}]
    if cursor is not None:
        moment, last = position_of(cursor, (int, str))
        at = from_milliseconds(moment)
        conditions.append({"$or": [{"approved_at": {"$lt": at}}, {"approved_at": at, "_id": {"$gt": last}}]})
    found = gateway_of(request).mongo.transfers.find({"$and": conditions})
    rows = [Transfer.from_row(row) async for row in found.sort([("approved_at", -1), ("_id", 1)]).limit(limit + 1)]
    page = rows[:limit]
    following = cursor_of(to_milliseconds(page[-1].approved_at), page[-1].id) if len(rows) > limit else None
    return answer({"transfers": [row.model_dump(mode="json") for row in page], "next": following}).response()


@router.get(
    "/v1/supply/transfers/{id}",
    **operation("See a transfer", {200: answers_with(Transfer, "It.")}, scope=Scope.SUPPLY_READ, problems=[404]),
)
async def see_transfer(request: Request, caller: Reads, transfer: TransferInPath) -> Response:
    """What was approved, held, shipped, received, damaged and lost of each SKU."""
    found = await _known(gateway_of(request), transfer)
    return answer(found.model_dump(mode="json")).response()


def _command(summary: str, body: type[BaseModel], example: Any) -> dict[str, Any]:
    answers = {200: answers_with(Transfer, "How it stands now.")}
    return operation(
        summary, answers, scope=Scope.SUPPLY_WRITE, body=body, examples={"example": example}, problems=[404, 409]
    )


@router.post("/v1/supply/transfers/{id}/shipment", **_command("Ship a transfer", ShipTransfer, examples.SHIP))
async def ship(request: Request, caller: Writes, transfer: TransferInPath) -> Response:
    """The goods have left the source's shelf. What of them is not named is free again."""
    return await carried_out(request, caller, _work(caller, transfer, "ship"))


@router.post("/v1/supply/transfers/{id}/receipt", **_command("Receive a transfer", ReceiveTransfer, examples.RECEIVE))
async def receive(request: Request, caller: Writes, transfer: TransferInPath) -> Response:
    """In one delivery or in several, each under a reference of its own; the same reference counts once."""
    return await carried_out(request, caller, _work(caller, transfer, "receive"))


@router.post("/v1/supply/transfers/{id}/cancellation", **_command("Cancel a transfer", Because, examples.BECAUSE))
async def cancel(request: Request, caller: Writes, transfer: TransferInPath) -> Response:
    """Before it is shipped: its goods are free again at the source."""
    return await carried_out(request, caller, _work(caller, transfer, "cancel"))


@router.post("/v1/supply/transfers/{id}/loss", **_command("Say that the rest is lost", Because, examples.BECAUSE))
async def lose(request: Request, caller: Writes, transfer: TransferInPath) -> Response:
    """What is still under way will not arrive; the transfer ends with it."""
    return await carried_out(request, caller, _work(caller, transfer, "lose"))


def _work(caller: Caller, transfer: str, what: str) -> Work:
    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        command = Command.model_validate({"by": caller.name, what: parse(_ADAPTERS[what], body)})
        known = await _known(gateway, transfer)
        if not await gateway.durable.update(transfer, "command", command, request_id):
            refuse(standing_of(known), command)
            if not known_receipt(standing_of(known), command):
                detail = f"Nothing takes care of the transfer {transfer} at the moment."
                raise Refusal("transfer_not_running", detail, remedy="Try again in a moment.", status=409)
        return answer((await _known(gateway, transfer)).model_dump(mode="json"))

    return work


async def _known(gateway: Gateway, transfer: str) -> Transfer:
    found = await find_transfer(gateway.mongo, transfer)
    if found is None:
        remedy = "Check the id; GET /v1/supply/transfers lists them."
        raise Refusal("unknown_transfer", f"There is no transfer {transfer}.", remedy=remedy, field="id", status=404)
    return found
