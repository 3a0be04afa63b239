"""Routes of commands about an order: cancel it; for operators retry, reroute and release."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter

from contracts.orders import CancelRequest, CommandKind, CommandRequest
from contracts.refusals import Refusal
from infra.keys import Scope
from workers.gateway import examples
from workers.gateway.accept import OrderDocument
from workers.gateway.answers import Answer, answer
from workers.gateway.bodies import RerouteRequest
from workers.gateway.body import parse
from workers.gateway.carried import Work, carried_out
from workers.gateway.commanding import cancelled_before, command, refuse_cancelling, refuse_moving
from workers.gateway.openapi import PREFER_WAIT, operation
from workers.gateway.orders import OrderIdInPath, Writes, find_order
from workers.gateway.outcome import ANSWERS, written_down
from workers.gateway.security import Caller, Operates
from workers.gateway.services import Gateway
from workers.gateway.views import order_view

router = APIRouter(tags=["commands"])

_COMMAND: TypeAdapter[CommandRequest] = TypeAdapter(CommandRequest)
_BODIES: dict[CommandKind, TypeAdapter[Any]] = {
    "cancel": TypeAdapter(CancelRequest),
    "reroute": TypeAdapter(RerouteRequest),
}


def _command(summary: str, scope: Scope, body: type[CommandRequest] = CommandRequest) -> dict[str, Any]:
    shown = {"with a reason": examples.REASON}
    return operation(summary, ANSWERS, scope=scope, body=body, examples=shown, parameters=[PREFER_WAIT], problems=[404])


@router.post("/v1/orders/{id}/cancellation", **_command("Cancel an order", Scope.ORDERS_WRITE, CancelRequest))
async def cancel_order(request: Request, caller: Writes, order_id: OrderIdInPath) -> Response:
    """Cancels what has not been shipped and gives its money back. Stores that have accepted are asked first: until
    they have answered `cancellation.outcome` is `pending`; then it is `cancelled`, `partly` or `refused`. With `force`
    (scope operate) they are not asked."""
    return await carried_out(request, caller, _work(request, caller, order_id, "cancel"))


@router.post("/v1/orders/{id}/retry", **_command("Try an order again", Scope.OPERATE))
async def retry_order(request: Request, caller: Operates, order_id: OrderIdInPath) -> Response:
    """Clears what holds the order up, and lets every store be asked once more."""
    return await carried_out(request, caller, _work(request, caller, order_id, "retry"))


@router.post("/v1/orders/{id}/reroute", **_command("Give an order to other stores", Scope.OPERATE, RerouteRequest))
async def reroute_order(request: Request, caller: Operates, order_id: OrderIdInPath) -> Response:
    """Takes the unshipped parcels, or the one named, away from their stores and looks for others."""
    return await carried_out(request, caller, _work(request, caller, order_id, "reroute"))


@router.post("/v1/orders/{id}/release", **_command("Give an order's goods back and hold it", Scope.OPERATE))
async def release_order(request: Request, caller: Operates, order_id: OrderIdInPath) -> Response:
    """The order stands still until it is retried or cancelled."""
    return await carried_out(request, caller, _work(request, caller, order_id, "release"))


def _work(request: Request, caller: Caller, order_id: str, kind: CommandKind) -> Work:
    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        asked: CommandRequest = parse(_BODIES.get(kind, _COMMAND), body)
        parcel = asked.parcel if isinstance(asked, RerouteRequest) else None
        force = isinstance(asked, CancelRequest) and asked.force
        if force:
            refuse_forcing(caller)
        order = await find_order(gateway, order_id)
        if kind != "cancel":
            refuse_moving(order, kind, parcel)
        elif cancelled_before(order) and not force:
            return answer(order_view(order, gateway.workflows))
        else:
            refuse_cancelling(order)
        data = {"reason": asked.reason, **({"force": True} if force else {})}
        event = command(
            order_id, kind, request_id, at=gateway.mongo.clock.now(), by=caller.name, data=data, parcel=parcel
        )
        return await written_down(gateway, request, order, event, _refuse_if_going if kind == "cancel" else None)

    return work


def _refuse_if_going(order: OrderDocument) -> None:
    if not cancelled_before(order):
        refuse_cancelling(order)


def refuse_forcing(caller: Caller) -> None:
    """Raises Refusal for who is no operator."""
    if Scope.OPERATE not in caller.scopes:
        raise Refusal(
            "scope_missing",
            f"Taking parcels from stores unasked needs the scope {Scope.OPERATE}, which {caller.name} does not have.",
            remedy="Leave force out: the stores are asked, and answer within hours.",
            field="force",
            status=403,
        )
