"""Routes of service cases: opened and written in by channels, worked on by people, seen by operators."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field, TypeAdapter

from activities.service.explaining import DeadlineExplained, explained
from activities.service.office import promise_for
from activities.service.opening import open_case
from contracts.base import Moment
from contracts.base import Request as Asked
from contracts.cases import (
    LIVE,
    REQUESTS,
    CaseKind,
    CaseMessage,
    CaseRecord,
    CaseState,
    Doing,
    Opening,
)
from contracts.casework import waits_for
from contracts.divisions import DivisionCode
from contracts.refusals import Refusal
from infra.keys import Scope
from infra.service_book import read_book
from workers.gateway import case_examples as examples
from workers.gateway.answers import Answer, answer
from workers.gateway.body import parse
from workers.gateway.carried import Work, carried_out
from workers.gateway.casedesk import CaseView, carry_out, case_view, known_case, sees_inside, wake
from workers.gateway.cursors import cursor_of, from_milliseconds, position_of, to_milliseconds
from workers.gateway.openapi import answers_with, operation
from workers.gateway.queues import CaseQueues, queues
from workers.gateway.security import Caller, needs
from workers.gateway.services import Gateway, gateway_of

router = APIRouter(tags=["cases"])
Reads = Annotated[Caller, Depends(needs(Scope.CASES_READ))]
Writes = Annotated[Caller, Depends(needs(Scope.CASES_WRITE))]
Serves = Annotated[Caller, Depends(needs(Scope.SERVICE))]
Approves = Annotated[Caller, Depends(needs(Scope.SERVICE_APPROVE))]
CaseInPath = Annotated[str, Path(alias="id", max_length=40, examples=["case-01kjt3w9x8c4m2p7q5"])]

_OPENING: TypeAdapter[Opening] = TypeAdapter(Opening)
_ADAPTERS: Mapping[Doing, TypeAdapter[Any]] = {what: TypeAdapter(model) for what, model in REQUESTS.items()}


class CaseOpened(CaseView):
    """`merged`: a live case of the same matter has taken this one in."""

    merged: bool


class CasePage(BaseModel):
    """`next` is the cursor of the following page; null on the last one."""

    cases: list[CaseView]
    next: str | None


class MessagePage(BaseModel):
    """Messages in their order; those among people of service only for who may see them."""

    messages: list[CaseMessage]


class CaseWhy(BaseModel):
    """Why a case stands as it does."""

    case: str
    state: CaseState
    waits_for: str = Field(description="In words.")
    deadlines: list[DeadlineExplained]
    next_at: Moment | None = Field(description="When something happens by itself.")


@router.post(
    "/v1/cases",
    **operation(
        "Open a case",
        {201: answers_with(CaseOpened, "Opened, or taken in by a live case of the same matter.")},
        scope=Scope.CASES_WRITE,
        body=Opening,
        examples={"where is my order": examples.OPENING, "a complaint": examples.COMPLAINT},
    ),
)
async def open_a_case(request: Request, caller: Writes) -> Response:
    """With the customer's first words, which the bot answers at once where it can; then with `messages`. A case about
    the same order, or of the same customer about the same thing, is not opened twice."""

    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        asked = parse(_OPENING, body)
        case = f"case-{request_id}"
        opened = await open_case(gateway.cases, case, asked, caller.name, gateway.mongo.clock.now())
        found = await known_case(gateway, opened.case)
        try:
            await wake(gateway, found)
        except Refusal as refusal:
            # It is open; whoever looks after overdue cases starts its process.
            if refusal.status != 503:
                raise
        now = await known_case(gateway, opened.case)
        headers = {"Location": f"/v1/cases/{now.id}"}
        return answer({**case_view(gateway, now), "merged": opened.merged}, 201, headers)

    return await carried_out(request, caller, work)


@router.get(
    "/v1/cases",
    **operation(
        "List cases, the oldest first",
        {200: answers_with(CasePage, "A page of cases.")},
        scope=Scope.CASES_READ,
    ),
)
async def list_cases(
    request: Request,
    caller: Reads,
    state: Annotated[CaseState | Literal["live"] | None, Query(description="`live`: not resolved.")] = None,
    kind: CaseKind | None = None,
    team: Annotated[str | None, Query(max_length=40)] = None,
    assignee: Annotated[str | None, Query(max_length=64)] = None,
    region: Annotated[DivisionCode | None, Query(description="Exactly this division.")] = None,
    order: Annotated[str | None, Query(max_length=64)] = None,
    customer: Annotated[str | None, Query(max_length=64)] = None,
    partner: Annotated[str | None, Query(max_length=64)] = None,
    breached: Annotated[bool | None, Query(description="A promise is broken.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=400, description="`next` of the page before.")] = None,
) -> Response:
    """By what they are about and whose they are."""
    gateway = gateway_of(request)
    wanted: dict[str, Any] = {
        "kind": kind,
        "team": team,
        "assignee": assignee,
        "region": region,
        "order": order,
        "customer.reference": customer,
        "partner": partner,
        "breached": breached,
        "state": {"$in": sorted(LIVE)} if state == "live" else state,
    }
    conditions: list[dict[str, Any]] = [{name: value for name, value in wanted.items() if value is not None}]
    if cursor is not None:
        moment, last = position_of(cursor, (int, str))
        at = from_milliseconds(moment)
        conditions.append({"$or": [{"opened_at": {"$gt": at}}, {"opened_at": at, "_id": {"$gt": last}}]})
    found = gateway.mongo.cases.find({"$and": conditions}).sort([("opened_at", 1), ("_id", 1)]).limit(limit + 1)
    rows = [gateway.cases.of_row(row) async for row in found]
    page, more = rows[:limit], len(rows) > limit
    following = cursor_of(to_milliseconds(page[-1].opened_at), page[-1].id) if more else None
    return answer({"cases": [case_view(gateway, one) for one in page], "next": following}).response()


@router.get(
    "/v1/cases/queues",
    **operation(
        "See the queues",
        {200: answers_with(CaseQueues, "Open cases by team, with the oldest, breaches, and who has how much.")},
        scope=Scope.SERVICE,
    ),
)
async def see_queues(request: Request, caller: Serves) -> Response:
    """Everything that is not resolved."""
    gateway = gateway_of(request)
    return answer(await queues(gateway.mongo, gateway.mongo.clock.now())).response()


@router.get(
    "/v1/cases/{id}",
    **operation("See a case", {200: answers_with(CaseView, "How it stands.")}, scope=Scope.CASES_READ, problems=[404]),
)
async def see_case(request: Request, caller: Reads, case: CaseInPath) -> Response:
    """Its clocks, its money, what was done with it."""
    gateway = gateway_of(request)
    return answer(case_view(gateway, await known_case(gateway, case))).response()


@router.get(
    "/v1/cases/{id}/messages",
    **operation(
        "Read a case's messages",
        {200: answers_with(MessagePage, "In their order.")},
        scope=Scope.CASES_READ,
        problems=[404],
    ),
)
async def read_messages(
    request: Request, caller: Reads, case: CaseInPath, after: Annotated[int, Query(ge=0, le=1_000_000)] = 0
) -> Response:
    """Those with numbers above `after`; at most a thousand. Channels see what is for the customer."""
    gateway = gateway_of(request)
    await known_case(gateway, case)
    inside = sees_inside(caller)
    found = [one for one in await gateway.cases.messages(case, after) if inside or not one.internal]
    return answer({"messages": [one.model_dump(mode="json") for one in found]}).response()


@router.get(
    "/v1/cases/{id}/why",
    **operation(
        "Explain a case's deadlines",
        {200: answers_with(CaseWhy, "Which hours count, and what comes next.")},
        scope=Scope.SERVICE,
        problems=[404],
    ),
)
async def explain(request: Request, caller: Serves, case: CaseInPath) -> Response:
    """By the calendar and policy that count now."""
    gateway = gateway_of(request)
    record = await known_case(gateway, case)
    return answer(await why(gateway, record)).response()


async def why(gateway: Gateway, case: CaseRecord) -> dict[str, Any]:
    given = promise_for(await read_book(gateway.mongo), case)
    now = gateway.mongo.clock.now()
    deadlines = [explained(clock, given, now).model_dump(mode="json") for clock in case.clocks.each()]
    return {
        "case": case.id,
        "state": case.state,
        "waits_for": waits_for(case),
        "deadlines": deadlines,
        "next_at": case.due,
    }


def _work(caller: Caller, case: str, what: Doing) -> Work:
    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        asked: Asked = parse(_ADAPTERS[what], body)
        return await carry_out(gateway, caller, case, what, asked, request_id)

    return work


def _command(summary: str, what: Doing, scope: Scope) -> dict[str, Any]:
    answers = {200: answers_with(CaseView, "How it stands now.")}
    shown = {"example": examples.COMMANDS[what]}
    return operation(summary, answers, scope=scope, body=REQUESTS[what], examples=shown, problems=[404])


@router.post("/v1/cases/{id}/messages", **_command("Tell what the customer writes", "say", Scope.CASES_WRITE))
async def say(request: Request, caller: Writes, case: CaseInPath) -> Response:
    """While the bot has the case it answers at once: read `messages`. A case that was resolved is open again."""
    return await carried_out(request, caller, _work(caller, case, "say"))


@router.post("/v1/cases/{id}/rating", **_command("Tell how satisfied the customer is", "rate", Scope.CASES_WRITE))
async def rate(request: Request, caller: Writes, case: CaseInPath) -> Response:
    """Once, when the case is resolved. It counts in the score of the partner that it concerned."""
    return await carried_out(request, caller, _work(caller, case, "rate"))


@router.post("/v1/cases/{id}/reply", **_command("Answer the customer", "reply", Scope.SERVICE))
async def reply(request: Request, caller: Serves, case: CaseInPath) -> Response:
    """Then it is the customer's turn, and the clocks stand; with `wait: false` they run on."""
    return await carried_out(request, caller, _work(caller, case, "reply"))


@router.post("/v1/cases/{id}/notes", **_command("Write among colleagues", "note", Scope.SERVICE))
async def note(request: Request, caller: Serves, case: CaseInPath) -> Response:
    """Customers and partners do not see it."""
    return await carried_out(request, caller, _work(caller, case, "note"))


@router.post("/v1/cases/{id}/assignment", **_command("Give a case to somebody", "assign", Scope.SERVICE))
async def assign(request: Request, caller: Serves, case: CaseInPath) -> Response:
    """To a person, to a team, or to whom the rules choose now."""
    return await carried_out(request, caller, _work(caller, case, "assign"))


@router.post("/v1/cases/{id}/escalation", **_command("Ask for the next level", "escalate", Scope.SERVICE))
async def escalate(request: Request, caller: Serves, case: CaseInPath) -> Response:
    """Its own rule says who has it there."""
    return await carried_out(request, caller, _work(caller, case, "escalate"))


@router.post("/v1/cases/{id}/priority", **_command("Change a case's priority", "prioritise", Scope.SERVICE))
async def prioritise(request: Request, caller: Serves, case: CaseInPath) -> Response:
    """Deadlines that are not broken are reckoned anew."""
    return await carried_out(request, caller, _work(caller, case, "prioritise"))


@router.post("/v1/cases/{id}/partner-question", **_command("Ask the partner", "ask_partner", Scope.SERVICE))
async def ask_partner(request: Request, caller: Serves, case: CaseInPath) -> Response:
    """On its stream, where it answers with `case.replies.v1`."""
    return await carried_out(request, caller, _work(caller, case, "ask_partner"))


@router.post("/v1/cases/{id}/compensations", **_command("Give the customer money", "compensate", Scope.SERVICE))
async def compensate(request: Request, caller: Serves, case: CaseInPath) -> Response:
    """Within the limit of the case's level it is paid at once, by the order; above it waits for approval."""
    return await carried_out(request, caller, _work(caller, case, "compensate"))


@router.post("/v1/cases/{id}/decision", **_command("Approve or refuse money", "decide", Scope.SERVICE_APPROVE))
async def decide(request: Request, caller: Approves, case: CaseInPath) -> Response:
    """By somebody else than who has offered it, and in time."""
    return await carried_out(request, caller, _work(caller, case, "decide"))


@router.post("/v1/cases/{id}/corrections", **_command("Have an order corrected", "correct", Scope.SERVICE))
async def correct(request: Request, caller: Serves, case: CaseInPath) -> Response:
    """By the order's own commands; what the order says to it stands in the case."""
    return await carried_out(request, caller, _work(caller, case, "correct"))


@router.post("/v1/cases/{id}/resolution", **_command("Resolve a case", "resolve", Scope.SERVICE))
async def resolve(request: Request, caller: Serves, case: CaseInPath) -> Response:
    """The customer is asked how it was, and may still write for some days."""
    return await carried_out(request, caller, _work(caller, case, "resolve"))


@router.post("/v1/cases/{id}/reopening", **_command("Reopen a case", "reopen", Scope.SERVICE))
async def reopen(request: Request, caller: Serves, case: CaseInPath) -> Response:
    """One that is resolved, as long as it is not closed."""
    return await carried_out(request, caller, _work(caller, case, "reopen"))


@router.post("/v1/cases/{id}/merging", **_command("Merge a case into another", "merge", Scope.SERVICE))
async def merge(request: Request, caller: Serves, case: CaseInPath) -> Response:
    """The other one goes on; here nothing is done any more."""

    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        asked = parse(_ADAPTERS["merge"], body)
        other = await known_case(gateway, asked.into)
        if other.state not in LIVE:
            raise Refusal(
                "case_not_live",
                f"The case {other.id} is {other.state}.",
                remedy="Merge into a live case.",
                field="into",
                status=409,
            )
        return await carry_out(gateway, caller, case, "merge", asked, request_id)

    return await carried_out(request, caller, work)
