"""Routes of orders: place one or many, see one, list them."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from contracts.orders import OrderPlacement, Stage
from contracts.refusals import Refusal
from infra.keys import Scope
from workers.gateway import examples
from workers.gateway.accept import OrderDocument, id_taken
from workers.gateway.answers import Answer, answer
from workers.gateway.bodies import OrderBatch
from workers.gateway.body import listed
from workers.gateway.carried import carried_out
from workers.gateway.listing import MomentAsked, OrderFilter, page_of_orders
from workers.gateway.openapi import answers_with, operation
from workers.gateway.placing import (
    document_of,
    place_all,
    read_order,
    refuse_unknown,
    refuse_unknown_seller,
    skus_of,
    unknown_sellers,
)
from workers.gateway.results import OrderResults, counted
from workers.gateway.security import Caller, needs
from workers.gateway.services import Gateway, gateway_of
from workers.gateway.views import OrderPage, OrderView, order_path, order_view

router = APIRouter(tags=["orders"])
Writes = Annotated[Caller, Depends(needs(Scope.ORDERS_WRITE))]
Reads = Annotated[Caller, Depends(needs(Scope.ORDERS_READ))]
OrderIdInPath = Annotated[str, Path(alias="id", max_length=64, examples=["shop-100042"])]


def made_order_id(request_id: str, index: int | None = None) -> str:
    """From the request's id, so that a request that is run again after a crash places the same orders."""
    return f"order-{request_id}" if index is None else f"order-{request_id}-{index}"


async def find_order(gateway: Gateway, order: str) -> OrderDocument:
    """Raises Refusal 404."""
    found = await gateway.mongo.orders.find_one({"_id": order})
    if found is None:
        remedy = "Check the id; it is the one you placed the order under, or the one you were given."
        raise Refusal("unknown_order", f"There is no order {order}.", remedy=remedy, field="id", status=404)
    return dict(found)


@router.post(
    "/v1/orders",
    **operation(
        "Place an order",
        {
            202: answers_with(
                OrderView,
                "Accepted: written and journaled.",
                Location="Where the order can be seen.",
            ),
            200: answers_with(
                OrderView, "The same order was accepted before.", Location="Where the order can be seen."
            ),
        },
        scope=Scope.ORDERS_WRITE,
        body=OrderPlacement,
        examples={"prepaid": examples.ORDER, "card, Brazil": examples.CARD_ORDER, "paid later": examples.LATER_ORDER},
        problems=[429],
    ),
)
async def place_order(request: Request, caller: Writes) -> Response:
    """Answers 202 once the order is written and journaled; it is then carried out whatever crashes."""
    return await carried_out(request, caller, _place_one)


async def _place_one(gateway: Gateway, body: Any, request_id: str) -> Answer:
    gateway.pressure.refuse_orders()
    placement = read_order(body, gateway.limits.lines_per_order)
    unknown = await gateway.skus.unknown(skus_of(placement))
    if unknown:
        refuse_unknown(placement, unknown)
    refuse_unknown_seller(placement, await unknown_sellers(gateway, [placement]))
    gateway.pressure.refuse_orders()
    document = document_of(placement, made_order_id(request_id), gateway.mongo.clock.now())
    await gateway.holds.take(document)
    [placed] = await gateway.acceptance.place([document])
    order = placed.document["_id"]
    if placed.outcome == "taken":
        raise id_taken(order)
    status = 202 if placed.outcome == "created" else 200
    return answer(order_view(placed.document, gateway.workflows), status, {"Location": order_path(order)})


@router.post(
    "/v1/orders/batch",
    **operation(
        "Place up to 1,000 orders",
        {200: answers_with(OrderResults, "A result for each order, in their order.", examples.ORDER_RESULTS)},
        scope=Scope.ORDERS_WRITE,
        body=OrderBatch,
        examples={"two orders": examples.ORDERS},
    ),
)
async def place_orders(request: Request, caller: Writes) -> Response:
    """Every order is accepted or refused by itself, with its own status: 202, 200 (placed before), 409, 422 or 429."""
    return await carried_out(request, caller, _place_many)


async def _place_many(gateway: Gateway, body: Any, request_id: str) -> Answer:
    gateway.pressure.refuse_orders()
    values = listed(body, "orders", gateway.limits.orders_per_request)
    made_ids = [made_order_id(request_id, index) for index in range(len(values))]
    return answer(counted(await place_all(gateway, values, made_ids)))


@router.get(
    "/v1/orders/{id}",
    **operation(
        "See an order",
        {200: answers_with(OrderView, "The whole story of the order.")},
        scope=Scope.ORDERS_READ,
        problems=[404],
    ),
)
async def see_order(request: Request, caller: Reads, order_id: OrderIdInPath) -> Response:
    """Stage, parcels, payment, timeline, every routing decision, and the link to the workflow that carries it."""
    gateway = gateway_of(request)
    return answer(order_view(await find_order(gateway, order_id), gateway.workflows)).response()


@router.get(
    "/v1/orders",
    **operation(
        "List orders, the newest first",
        {200: answers_with(OrderPage, "A page of orders.")},
        scope=Scope.ORDERS_READ,
    ),
)
async def list_orders(
    request: Request,
    caller: Reads,
    stage: Stage | None = None,
    region: Annotated[
        str | None,
        Query(
            pattern=r"^([1-9][0-9]{1}|[1-9][0-9]{3}|[1-9][0-9]{5}|BR-[A-Z]{2})$",
            description="The first 2, 4 or 6 digits of a GB/T 2260 code, or an ISO 3166-2:BR code.",
            examples=["33", "BR-SP"],
        ),
    ] = None,
    channel: Annotated[str | None, Query(max_length=40, examples=["online"])] = None,
    placed_from: Annotated[MomentAsked | None, Query(description="This moment or later.")] = None,
    placed_to: Annotated[MomentAsked | None, Query(description="Before this moment.")] = None,
    location: Annotated[str | None, Query(max_length=64, description="Orders with a parcel at it.")] = None,
    attention: Annotated[bool | None, Query(description="Whether a person must look at the order.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=400, description="`next` of the page before.")] = None,
) -> Response:
    """Pages are stable: orders placed meanwhile neither repeat nor hide others."""
    gateway = gateway_of(request)
    wanted = OrderFilter(stage, region, channel, placed_from, placed_to, location, attention)
    return answer(await page_of_orders(gateway.mongo, wanted, limit, cursor, gateway.workflows)).response()
