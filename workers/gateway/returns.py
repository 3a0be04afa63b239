"""Routes of returns: open one, see it, and say what becomes of it."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, TypeAdapter

from contracts.base import Moment
from contracts.orders import CommandRequest, InboxEvent
from contracts.returns import (
    AWAITED,
    NEVER_HAD,
    ReturnEntry,
    ReturnEvent,
    ReturnLine,
    ReturnReceipt,
    ReturnRequest,
    ReturnSending,
    ReturnState,
)
from infra.keys import Scope
from workers.gateway import examples
from workers.gateway.answers import Answer, answer
from workers.gateway.body import parse
from workers.gateway.carried import Work, carried_out
from workers.gateway.faults import Fault, refused
from workers.gateway.inbox import write_event
from workers.gateway.openapi import answers_with, operation
from workers.gateway.orders import OrderIdInPath, Reads, Writes, find_order
from workers.gateway.returning import (
    ReturnDocument,
    check_receipt,
    find_return,
    open_return,
    parcel_of,
    refuse_unapproved,
    refuse_unless,
    tell_return,
)
from workers.gateway.security import Caller, Operates, needs
from workers.gateway.services import Gateway, gateway_of

router = APIRouter(tags=["returns"])
ReturnIdInPath = Annotated[str, Path(alias="id", max_length=100, examples=["shop-100042.r1"])]
Receives = Annotated[Caller, Depends(needs(Scope.STOCK_WRITE))]

_REQUEST: TypeAdapter[ReturnRequest] = TypeAdapter(ReturnRequest)
_REASON: TypeAdapter[CommandRequest] = TypeAdapter(CommandRequest)
_SENDING: TypeAdapter[ReturnSending] = TypeAdapter(ReturnSending)
_RECEIPT: TypeAdapter[ReturnReceipt] = TypeAdapter(ReturnReceipt)
_VIEW = ("order", "parcel", "location", "lines", "reason", "wish", "state", "by", "opened_at", "due", "tracking")
_VIEW_END = ("amount", "closed_at", "note", "timeline")


class ReturnView(BaseModel):
    """`amount`: minor units that the return takes off the order's price; null until they are booked."""

    id: str
    order: str
    parcel: str
    location: str
    lines: list[ReturnLine]
    reason: str
    wish: str
    state: ReturnState
    by: str
    opened_at: Moment
    due: Moment | None
    tracking: str | None
    amount: int | None
    closed_at: Moment | None
    note: str | None
    timeline: list[ReturnEntry]


class ReturnTaken(BaseModel):
    """A parcel was reported as lost or refused at the door; its return is opened when the order has taken this in."""

    id: str
    order: str
    parcel: str


class ReturnList(BaseModel):
    returns: list[ReturnView]


_SEEN = {200: answers_with(ReturnView, "The return as it stands."), 202: answers_with(ReturnView, "Taken down.")}


@router.post(
    "/v1/orders/{id}/returns",
    **operation(
        "Open a return",
        {
            201: answers_with(ReturnView, "The return was opened."),
            202: answers_with(ReturnTaken, "Taken down: the parcel is reported as lost, or refused at the door."),
        },
        scope=Scope.ORDERS_WRITE,
        body=ReturnRequest,
        examples={"some units": examples.RETURN, "lost, send again": examples.LOST},
        problems=[404],
    ),
)
async def open_a_return(request: Request, caller: Writes, order_id: OrderIdInPath) -> Response:
    """Goods that come back, or a parcel that was refused at the door or lost, also after the order was closed."""
    return await carried_out(request, caller, _open(caller, order_id))


def _open(caller: Caller, order_id: str) -> Work:
    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        asked = parse(_REQUEST, body)
        order = await find_order(gateway, order_id)
        now = gateway.mongo.clock.now()
        if asked.reason not in NEVER_HAD:
            made = await open_return(gateway.mongo, gateway.policies, order, asked, caller.name, request_id, now)
            return answer(return_view(made), 201, {"Location": f"/v1/returns/{made['_id']}"})
        parcel = parcel_of(order, asked)
        event = InboxEvent(
            id=f"{asked.reason}:{parcel['id']}",
            order=order_id,
            kind="reply.lost" if asked.reason == "lost" else "reply.refused_at_door",
            received_at=now,
            by=caller.name,
            parcel=parcel["id"],
            data={"wish": asked.wish},
        )
        await write_event(gateway.mongo, gateway.wakes, order, event)
        taken = {"id": f"{parcel['id']}.{asked.reason}", "order": order_id, "parcel": parcel["id"]}
        return answer(taken, 202, {"Location": f"/v1/returns/{taken['id']}"})

    return work


@router.get(
    "/v1/orders/{id}/returns",
    **operation(
        "See an order's returns",
        {200: answers_with(ReturnList, "All of them, the oldest first.")},
        scope=Scope.ORDERS_READ,
        problems=[404],
    ),
)
async def list_returns(request: Request, caller: Reads, order_id: OrderIdInPath) -> Response:
    """Goods that come back, came back, or were lost, with their states and amounts."""
    gateway = gateway_of(request)
    await find_order(gateway, order_id)
    found = gateway.mongo.returns.find({"order": order_id}).sort("opened_at", 1)
    return answer({"returns": [return_view(row) async for row in found]}).response()


@router.get(
    "/v1/returns/{id}",
    **operation("See a return", {200: _SEEN[200]}, scope=Scope.ORDERS_READ, problems=[404]),
)
async def see_return(request: Request, caller: Reads, return_id: ReturnIdInPath) -> Response:
    """Its state, its units by condition, its timeline, and what it takes off the order's price."""
    return answer(return_view(await find_return(gateway_of(request).mongo, return_id))).response()


def _said(summary: str, scope: Scope, body: type[BaseModel], example: Any) -> dict[str, Any]:
    return operation(summary, {202: _SEEN[202]}, scope=scope, body=body, examples={"usual": example}, problems=[404])


@router.post("/v1/returns/{id}/approval", **_said("Approve", Scope.OPERATE, CommandRequest, examples.REASON))
async def approve_return(request: Request, caller: Operates, return_id: ReturnIdInPath) -> Response:
    """For requests that came after the policy's time."""
    return await carried_out(request, caller, _decided(caller, return_id, "approved"))


@router.post("/v1/returns/{id}/refusal", **_said("Refuse", Scope.OPERATE, CommandRequest, examples.REASON))
async def refuse_return(request: Request, caller: Operates, return_id: ReturnIdInPath) -> Response:
    """As long as the goods are not on their way."""
    return await carried_out(request, caller, _decided(caller, return_id, "refused"))


def _decided(caller: Caller, return_id: str, kind: str) -> Work:
    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        asked = parse(_REASON, body)
        found = await find_return(gateway.mongo, return_id)
        states = [ReturnState.REQUESTED, *([ReturnState.APPROVED] if kind == "refused" else [])]
        refuse_unless(found, kind, *states)
        return await _tell(gateway, caller, found, kind, request_id, asked.model_dump())

    return work


@router.post("/v1/returns/{id}/sending", **_said("Say it is sent", Scope.ORDERS_WRITE, ReturnSending, examples.SENDING))
async def send_return(request: Request, caller: Writes, return_id: ReturnIdInPath) -> Response:
    """The customer has handed the goods to a carrier."""

    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        sending = parse(_SENDING, body)
        found = await find_return(gateway.mongo, return_id)
        refuse_unless(found, "sent", ReturnState.REQUESTED, ReturnState.APPROVED)
        refuse_unapproved(found)
        return await _tell(gateway, caller, found, "sent", request_id, sending.model_dump(exclude_none=True))

    return await carried_out(request, caller, work)


@router.post("/v1/returns/{id}/receipt", **_said("Receive", Scope.STOCK_WRITE, ReturnReceipt, examples.RETURN_RECEIPT))
async def receive_return(request: Request, caller: Receives, return_id: ReturnIdInPath) -> Response:
    """What arrived, in which condition. Sellable units are on the location's shelf from then on."""

    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        receipt = parse(_RECEIPT, body)
        found = await find_return(gateway.mongo, return_id)
        refuse_unless(found, "received", *AWAITED)
        check_receipt(found, receipt)
        location = receipt.location or found["location"]
        if not await gateway.mongo.locations.find_one({"_id": location}, {"_id": 1}):
            detail = f"There is no location {location}."
            raise refused([Fault("location", "unknown_location", detail, "Name a location that is registered.")])
        return await _tell(gateway, caller, found, "received", request_id, receipt.model_dump(exclude_none=True))

    return await carried_out(request, caller, work)


async def _tell(
    gateway: Gateway, caller: Caller, found: ReturnDocument, kind: str, request_id: str, data: dict[str, Any]
) -> Answer:
    said = {"id": f"{kind}:{request_id}", "kind": kind, "at": gateway.mongo.clock.now(), "by": caller.name}
    await tell_return(gateway.mongo, found["_id"], ReturnEvent.model_validate({**said, "data": data}))
    gateway.wakes.inbox({found["_id"]})
    return answer(return_view(await find_return(gateway.mongo, found["_id"])), 202)


def return_view(row: ReturnDocument) -> dict[str, Any]:
    return {"id": row["_id"], **{name: row.get(name) for name in (*_VIEW, *_VIEW_END)}}
