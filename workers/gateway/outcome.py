"""What is said about an order is written down, and what came of it is told to callers that prefer to wait."""

from collections.abc import Callable

from fastapi import Request

from contracts.orders import InboxEvent
from workers.gateway.accept import OrderDocument
from workers.gateway.answers import Answer, answer
from workers.gateway.inbox import write_event
from workers.gateway.openapi import answers_with
from workers.gateway.orders import find_order
from workers.gateway.services import Gateway
from workers.gateway.views import OrderView, order_path, order_view
from workers.gateway.waiting import seconds_to_wait, taken_in

ANSWERS = {
    202: answers_with(OrderView, "Taken down; the outcome is not known yet.", Location="Where the order can be seen."),
    200: answers_with(OrderView, "The outcome.", Preference_Applied="wait=N, when it was waited for."),
}


async def written_down(
    gateway: Gateway,
    request: Request,
    order: OrderDocument,
    event: InboxEvent,
    check: Callable[[OrderDocument], None] | None = None,
) -> Answer:
    """Write the event; tell what came of it, if the caller prefers to wait and it is known in time.

    `check` raises Refusal when the order, as it stands afterwards, shows that it was not done.
    """
    await write_event(gateway.mongo, gateway.wakes, order, event)
    seconds = seconds_to_wait(request.headers.getlist("prefer"), gateway.limits.wait_s)
    known = seconds > 0 and await taken_in(gateway.mongo, event.id, seconds)
    now = await find_order(gateway, event.order)
    headers = {"Preference-Applied": f"wait={seconds}"} if seconds else {}
    if not known:
        headers["Location"] = order_path(event.order)
    elif check is not None:
        check(now)
    return answer(order_view(now, gateway.workflows), 200 if known else 202, headers)
