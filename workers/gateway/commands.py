"""Routes of commands about an order: cancel it; for operators retry, reroute and release."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import TypeAdapter

from contracts.orders import CancelRequest, CommandKind, CommandRequest
from contracts.refusals import Refusal
from infra.keys import Scope
from workers.gateway import examples
from workers.gateway.answers import Answer, answer
from workers.gateway.bodies import RerouteRequest
from workers.gateway.body import parse
from workers.gateway.carried import Work, carried_out
from workers.gateway.commanding import cancelled_before, refuse_cancelling, refuse_moving, write_command
from workers.gateway.openapi import PREFER_WAIT, answers_with, operation
from workers.gateway.orders import OrderIdInPath, Writes, find_order
from workers.gateway.security import Caller, needs
from workers.gateway.services import Gateway
from workers.gateway.views import OrderView, order_path, order_view
from workers.gateway.waiting import seconds_to_wait, taken_in

router = APIRouter(tags=["commands"])
Operates = Annotated[Caller, Depends(needs(Scope.OPERATE))]

_COMMAND: TypeAdapter[CommandRequest] = TypeAdapter(CommandRequest)
_BODIES: dict[CommandKind, TypeAdapter[Any]] = {
    "cancel": TypeAdapter(CancelRequest),
    "reroute": TypeAdapter(RerouteRequest),
}
_ANSWERS = {
    202: answers_with(OrderView, "Taken down; the outcome is not known yet.", Location="Where the order can be seen."),
    200: answers_with(OrderView, "The outcome.", Preference_Applied="wait=N, when it was waited for."),
}


def _command(summary: str, scope: Scope, body: type[CommandRequest] = CommandRequest) -> dict[str, Any]:
    shown = {"with a reason": examples.REASON}
    return operation(
        summary, _ANSWERS, scope=scope, body=body, examples=shown, parameters=[PREFER_WAIT], problems=[404]
    )


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
        event = await write_command(
            gateway.mongo,
            gateway.wakes,
            order,
            kind,
            by=caller.name,
            data={"reason": asked.reason, **({"force": True} if force else {})},
            parcel=parcel,
            request_id=request_id,
        )
        return await _outcome(gateway, request, order_id, kind, event)

    return work


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


async def _outcome(gateway: Gateway, request: Request, order_id: str, kind: CommandKind, event: str) -> Answer:
    """What came of the command, if the caller prefers to wait and it is known in time."""
    seconds = seconds_to_wait(request.headers.getlist("prefer"), gateway.limits.wait_s)
    known = seconds > 0 and await taken_in(gateway.mongo, event, seconds)
    order = await find_order(gateway, order_id)
    headers = {"Preference-Applied": f"wait={seconds}"} if seconds else {}
    if not known:
        headers["Location"] = order_path(order_id)
        return answer(order_view(order, gateway.workflows), 202, headers)
    if kind == "cancel" and not cancelled_before(order):
        refuse_cancelling(order)
    return answer(order_view(order, gateway.workflows), 200, headers)
