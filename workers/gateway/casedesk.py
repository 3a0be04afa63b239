"""What is done with a case is written down first; then its process takes it in, and says what came of it."""

from typing import Any

from pydantic import BaseModel

from contracts.base import Request
from contracts.cases import LOOK, TASK_QUEUE, WORKFLOW, CaseEvent, CaseRecord, Compensate, Doing, Live
from contracts.casework import refuse
from contracts.personal import masked
from contracts.refusals import Refusal
from infra.keys import Scope
from workers.gateway.answers import Answer, answer
from workers.gateway.customers import refuse_goodwill
from workers.gateway.security import Caller
from workers.gateway.services import Gateway

_MOST_AT_ONCE = 5


async def known_case(gateway: Gateway, case: str) -> CaseRecord:
    """Raises Refusal 404."""
    found = await gateway.cases.find(case)
    if found is None:
        raise Refusal(
            "unknown_case",
            f"There is no case {case[:64]}.",
            remedy="Check the id; GET /v1/cases lists them.",
            field="id",
            status=404,
        )
    return found


async def carry_out(gateway: Gateway, caller: Caller, case: str, what: Doing, asked: Request, request: str) -> Answer:
    """By the case's process. Raises Refusal; 503 when the outcome is not known: what was written down is then carried
    out later, and the same request again tells what came of it."""
    before = await known_case(gateway, case)
    event = event_of(case, what, asked, caller.name, request, gateway)
    if await gateway.cases.outcome(event.id) is None:
        refuse(before, what, caller.name, asked)
        if isinstance(asked, Compensate):
            await _refuse_what_is_not_paid(gateway, before, asked)
        await gateway.cases.write_events([event])
    await wake(gateway, before)
    found = await gateway.cases.outcome(event.id)
    if found is None or found["taken"] is None:
        raise Refusal(
            "not_taken_yet",
            f"What you ask of {case} is written down, and not carried out yet.",
            remedy="Send the same request again, with its Idempotency-Key.",
            status=503,
            retry_after=2,
        )
    if found["refused"] is not None:
        raise refusal_of(found["refused"])
    return answer(case_view(gateway, await known_case(gateway, case)))


async def _refuse_what_is_not_paid(gateway: Gateway, case: CaseRecord, asked: Compensate) -> None:
    """Raises Refusal for more than the customer pays as the order stands, or in another currency: nobody need decide on
    what the order would decline. It may still decline later, when goods have come back by then."""
    order = await gateway.mongo.orders.find_one({"_id": case.order})
    if order is None:
        return
    if order["currency"] != asked.currency:
        raise Refusal(
            "other_currency",
            f"Order {case.order} is in {order['currency']}, and the offer in {asked.currency}.",
            remedy=f"Send {order['currency']}, and the amount in it.",
            field="currency",
        )
    refuse_goodwill(order, asked.amount)


async def wake(gateway: Gateway, case: CaseRecord) -> None:
    """Returns when everything that had come in was taken in. Raises Refusal 503."""
    for _ in range(_MOST_AT_ONCE):
        await gateway.durable.wake(WORKFLOW, Live(case=case.id), case.id, TASK_QUEUE, LOOK, case.region)
        if not await gateway.mongo.case_inbox.find_one({"case": case.id, "taken": None}, {"_id": 1}):
            return


def event_of(case: str, what: Doing, asked: Request, by: str, request: str, gateway: Gateway) -> CaseEvent:
    """Once for a request. Words of persons are apart from the rest: they are sealed."""
    data = asked.model_dump(mode="json", exclude_none=True)
    text = data.pop("text", None)
    at = gateway.mongo.clock.now()
    return CaseEvent(id=f"{case}:{what}:{request}", case=case, at=at, by=by, what=what, data=data, text=text)


def refusal_of(row: dict[str, Any]) -> Refusal:
    return Refusal(row["code"], row["detail"], remedy=row["remedy"], field=row["field"], status=row["status"])


class CaseLinks(BaseModel):
    """`workflow`: in the Temporal UI."""

    self: str
    messages: str
    workflow: str | None


class CaseView(CaseRecord):
    """`name` and `phone` are masked."""

    links: CaseLinks


def case_view(gateway: Gateway, case: CaseRecord) -> dict[str, Any]:
    shown = masked(case)
    shown.pop("dialogue")
    path = f"/v1/cases/{case.id}"
    links = {"self": path, "messages": f"{path}/messages", "workflow": gateway.workflows.link(case.id)}
    return {**shown, "dialogue": None, "links": links}


def sees_inside(caller: Caller) -> bool:
    """Whether they see what people of service write among themselves, and with partners."""
    return Scope.SERVICE in caller.scopes
