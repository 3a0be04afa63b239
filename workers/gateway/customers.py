"""Routes of what happens on a customer's side after an order was placed: it is paid, goes to another address, and what
went wrong is made good for."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter

from activities.orders.money import wanted_value
from contracts.orders import LIVE, UNSHIPPED, AddressChange, GoodwillRequest, InboxEvent, OrderState, PaymentReport
from contracts.refusals import Refusal
from infra.keys import Scope
from workers.gateway import examples
from workers.gateway.accept import OrderDocument
from workers.gateway.answers import Answer
from workers.gateway.body import parse
from workers.gateway.carried import Work, carried_out
from workers.gateway.commanding import cancelled_before
from workers.gateway.faults import Fault, refused
from workers.gateway.openapi import PREFER_WAIT, operation
from workers.gateway.orders import OrderIdInPath, Writes, find_order
from workers.gateway.outcome import ANSWERS, written_down
from workers.gateway.security import Caller, Operates
from workers.gateway.services import Gateway

router = APIRouter(tags=["commands"])

_PAYMENT: TypeAdapter[PaymentReport] = TypeAdapter(PaymentReport)
_ADDRESS: TypeAdapter[AddressChange] = TypeAdapter(AddressChange)
_GOODWILL: TypeAdapter[GoodwillRequest] = TypeAdapter(GoodwillRequest)


@router.post(
    "/v1/orders/{id}/payment",
    **operation(
        "Report the payment of an order",
        ANSWERS,
        scope=Scope.ORDERS_WRITE,
        body=PaymentReport,
        examples={"paid": examples.PAYMENT},
        parameters=[PREFER_WAIT],
        problems=[404],
    ),
)
async def report_payment(request: Request, caller: Writes, order_id: OrderIdInPath) -> Response:
    """For orders with the payment method `later`. What is held for it is offered to stores; what is not held any more
    is looked for again, and if it is sold out the order is cancelled and the payment goes back."""
    return await carried_out(request, caller, _payment(request, caller, order_id))


def _payment(request: Request, caller: Caller, order_id: str) -> Work:
    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        report = parse(_PAYMENT, body)
        order = await find_order(gateway, order_id)
        refuse_payment(order, report)
        event = InboxEvent(
            id=f"payment:{order_id}:{report.reference}",
            order=order_id,
            kind="payment.received",
            received_at=gateway.mongo.clock.now(),
            by=caller.name,
            data=report.model_dump(),
        )
        return await written_down(gateway, request, order, event)

    return work


@router.post(
    "/v1/orders/{id}/address",
    **operation(
        "Send an order to another address",
        ANSWERS,
        scope=Scope.ORDERS_WRITE,
        body=AddressChange,
        examples={"moved": examples.ADDRESS},
        parameters=[PREFER_WAIT],
        problems=[404],
    ),
)
async def change_address(request: Request, caller: Writes, order_id: OrderIdInPath) -> Response:
    """As long as nothing has been shipped. Offers are withdrawn and made anew when the order goes to another
    prefecture; otherwise, and once a store has accepted, the stores are told the new address."""
    return await carried_out(request, caller, _address(request, caller, order_id))


def _address(request: Request, caller: Caller, order_id: str) -> Work:
    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        asked = parse(_ADDRESS, body)
        order = await find_order(gateway, order_id)
        refuse_address(order)
        event = InboxEvent(
            id=f"address:{order_id}:{request_id}",
            order=order_id,
            kind="command.address",
            received_at=gateway.mongo.clock.now(),
            by=caller.name,
            data={"ship_to": asked.ship_to.model_dump(exclude_none=True)},
        )

        def goes_there(now: OrderDocument) -> None:
            if now["ship_to"] != event.data["ship_to"]:
                refuse_address(now)

        return await written_down(gateway, request, order, event, goes_there)

    return work


@router.post(
    "/v1/orders/{id}/goodwill",
    **operation(
        "Give money back for what went wrong",
        ANSWERS,
        scope=Scope.OPERATE,
        body=GoodwillRequest,
        examples={"a late parcel": examples.GOODWILL},
        parameters=[PREFER_WAIT],
        problems=[404],
    ),
)
async def give_goodwill(request: Request, caller: Operates, order_id: OrderIdInPath) -> Response:
    """The customer pays so much less of what is kept: less is captured, or some of it is given back, once for a `key`.
    Never more than the customer pays. Goods that come back are paid back as far as they were paid."""
    return await carried_out(request, caller, _goodwill(request, caller, order_id))


def _goodwill(request: Request, caller: Caller, order_id: str) -> Work:
    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        asked = parse(_GOODWILL, body)
        order = await find_order(gateway, order_id)
        if not any(one["key"] == asked.key for one in order.get("goodwill") or []):
            refuse_goodwill(order, asked.amount)
        event = InboxEvent(
            id=f"goodwill:{order_id}:{asked.key}",
            order=order_id,
            kind="command.goodwill",
            received_at=gateway.mongo.clock.now(),
            by=caller.name,
            data=asked.model_dump(),
        )
        return await written_down(gateway, request, order, event)

    return work


def refuse_goodwill(order: OrderDocument, amount: int) -> None:
    """Raises Refusal when the customer pays less than that."""
    left = wanted_value(OrderState.from_row(order))
    if amount > left:
        raise Refusal(
            "over_what_is_paid",
            f"Of order {order['_id']} the customer pays {left}, and {amount} cannot be given back.",
            remedy=f"Send {left} or less." if left else "There is nothing left to give back.",
            field="amount",
        )


def refuse_address(order: OrderDocument) -> None:
    """Raises Refusal when some of the order has left its store, or it was cancelled."""
    left = [parcel["id"] for parcel in order["parcels"] if parcel["state"] in LIVE - UNSHIPPED]
    if left or cancelled_before(order):
        why = f"its parcel {left[0]} has left the store" if left else "it was cancelled"
        raise Refusal(
            "already_shipped" if left else "order_cancelled",
            f"Order {order['_id']} cannot go to another address: {why}.",
            remedy="Let the carrier redirect the parcel, or the customer refuse it." if left else "Place a new order.",
            field="ship_to",
            status=409,
        )


def refuse_payment(order: OrderDocument, report: PaymentReport) -> None:
    """Raises Refusal for a payment that this order does not await."""
    pay = order["payment"]
    if pay["method"] != "later" or order["total"] == 0:
        raise Refusal(
            "payment_not_awaited",
            f"Order {order['_id']} awaits no payment: its method is {pay['method']}, its total {order['total']}.",
            remedy="Report payments of orders that were placed with payment.method later.",
            status=409,
        )
    if report.amount != order["total"]:
        detail = f"{report.amount} was paid, but the order's total is {order['total']}."
        remedy = "Send the order's total in minor units; give another amount back and ask for the right one."
        raise refused([Fault("amount", "wrong_amount", detail, remedy)])
    if pay["receipt"] not in (None, report.reference):
        raise Refusal(
            "already_paid",
            f"Order {order['_id']} was paid before, under the reference {pay['receipt']}.",
            remedy="Give this payment back to the customer.",
            field="reference",
            status=409,
        )
