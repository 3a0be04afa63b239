"""Routes that explain: why an order goes where it goes, as data and as a picture."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import HTMLResponse

from activities.orders.explaining import number_of, why_of
from activities.orders.looking_back import look_back
from activities.orders.verdicts import Hindsight, near_ruled_out, recompute
from contracts.explanations import Why
from contracts.orders import OrderState, TimelineEntry
from contracts.partners import Location
from contracts.refusals import Refusal
from contracts.routing import Decision
from infra.keys import Scope
from infra.mongo import Mongo
from workers.gateway.answers import answer
from workers.gateway.openapi import answers_with, operation
from workers.gateway.orders import find_order
from workers.gateway.security import Caller, needs
from workers.gateway.services import gateway_of
from workers.picture.page import POLICY, page_of
from workers.picture.scene import concerned, scene_of

router = APIRouter(tags=["orders"])
Reads = Annotated[Caller, Depends(needs(Scope.ORDERS_READ))]
OrderIdInPath = Annotated[str, Path(alias="id", max_length=64, examples=["shop-100042"])]
DecisionAsked = Annotated[
    int | None, Query(ge=1, le=1_000_000, description="Counted from 1; the newest when left out.")
]

_NEAR = 5
"""So many of those that were ruled out are named for each reason."""


@router.get(
    "/v1/orders/{id}/why",
    **operation(
        "See why an order goes where it goes",
        {200: answers_with(Why, "The decision, put the way it is read.")},
        scope=Scope.ORDERS_READ,
        problems=[404, 409],
    ),
)
async def see_why(
    request: Request,
    caller: Reads,
    order_id: OrderIdInPath,
    decision: DecisionAsked = None,
    location: Annotated[
        str | None, Query(max_length=64, description="Reckon the verdict on this location anew.")
    ] = None,
) -> Response:
    """Winner, runner-up and by how much, candidates with what each would cost, and who was ruled out for what. With
    `location` that location's verdict is reckoned anew, on the stock that the decision saw."""
    mongo = gateway_of(request).mongo
    order, decisions = read_decisions(await find_order(gateway_of(request), order_id))
    why, then = await _explained(mongo, order, decisions, decision)
    if location is not None:
        if isinstance(then, Refusal):
            raise then
        if location not in then.network.index:
            detail, remedy = f"There is no location {location}.", "Check the id; GET /v1/locations lists them."
            raise Refusal("unknown_location", detail, remedy=remedy, field="location", status=404)
        why.location = recompute(then, location)
    return answer(why.model_dump()).response()


@router.get(
    "/v1/orders/{id}/why.html",
    response_class=HTMLResponse,
    **operation(
        "See why as a picture",
        {200: {"description": "A page of its own: a map, the costs and the story. It loads nothing and runs nothing."}},
        scope=Scope.ORDERS_READ,
        problems=[404],
    ),
)
async def see_picture(
    request: Request,
    caller: Reads,
    order_id: OrderIdInPath,
    decision: DecisionAsked = None,
    lang: Annotated[Literal["en", "zh"], Query(description="Language of the page.")] = "en",
) -> Response:
    """Save it, send it, print it: there is nothing in it that comes from elsewhere."""
    mongo = gateway_of(request).mongo
    document = await find_order(gateway_of(request), order_id)
    order, decisions = read_decisions(document)
    why, _ = await _explained(mongo, order, decisions, decision)
    rows = mongo.locations.find({"_id": {"$in": concerned(order, why)}})
    locations = {row["_id"]: Location.from_row(row) async for row in rows}
    timeline = [TimelineEntry.model_validate(entry) for entry in document["timeline"]]
    page = page_of(scene_of(order, why, decisions, timeline, locations), lang)
    return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})


def read_decisions(document: dict[str, Any]) -> tuple[OrderState, list[Decision]]:
    order = OrderState.from_row(document)
    return order, [Decision.model_validate(one) for one in document["decisions"]]


async def _explained(
    mongo: Mongo, order: OrderState, decisions: list[Decision], number: int | None
) -> tuple[Why, Hindsight | Refusal]:
    """What was decided can always be told; reckoned anew it can be while what it was made on is kept."""
    chosen = number_of(order.id, decisions, number)
    try:
        then = await look_back(mongo, order, decisions[chosen - 1])
    except Refusal as refusal:
        return why_of(order.id, order.currency, decisions, chosen), refusal
    return why_of(order.id, order.currency, decisions, chosen, near_ruled_out(then, _NEAR)), then
