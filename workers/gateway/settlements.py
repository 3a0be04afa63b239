"""Routes of settlements: start them, see statements and their files, approve, object, answer and mark as paid."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, TypeAdapter

from activities.settlement.changing import standing_of
from activities.settlement.freezing import find_statement
from contracts.base import milliseconds
from contracts.refusals import Refusal
from contracts.settlement import Statement, StatementContent, StatementState, end_of_period, statement_id
from contracts.settling import (
    ALL_WORKFLOW,
    TASK_QUEUE,
    Approve,
    Command,
    Doing,
    Object,
    Paid,
    SettleAll,
    SettlementsAsked,
    refuse,
)
from contracts.settling import Answer as DisputeAnswer
from infra.files import fetch
from infra.keys import Scope
from infra.mongo import Mongo
from workers.gateway import examples
from workers.gateway.answers import JSON, Answer, answer
from workers.gateway.body import parse
from workers.gateway.carried import Work, carried_out
from workers.gateway.cursors import cursor_of, from_milliseconds, position_of, to_milliseconds
from workers.gateway.openapi import answers_with, operation
from workers.gateway.rules import Reads
from workers.gateway.security import Caller, Operates, needs
from workers.gateway.services import Gateway, gateway_of

router = APIRouter(tags=["settlements"])
Writes = Annotated[Caller, Depends(needs(Scope.SETTLEMENTS_WRITE))]
StatementInPath = Annotated[str, Path(alias="id", max_length=100, examples=["settlement-store-hangzhou-01-2026-10"])]
RevisionAsked = Annotated[int | None, Query(ge=1, le=10_000, description="Left out: the newest.")]

PDF = "application/pdf"
_UPDATES = {"approve": "approve", "object": "dispute", "answer": "answer_dispute", "paid": "paid"}
_APPROVE: TypeAdapter[Approve] = TypeAdapter(Approve)
_OBJECT: TypeAdapter[Object] = TypeAdapter(Object)
_ANSWER: TypeAdapter[DisputeAnswer] = TypeAdapter(DisputeAnswer)
_PAID: TypeAdapter[Paid] = TypeAdapter(Paid)
_ASKED: TypeAdapter[SettlementsAsked] = TypeAdapter(SettlementsAsked)


class SettlementsStarted(BaseModel):
    """`statements`: their ids, where partners were named; others show in the list as they are made."""

    period: str
    until: datetime
    statements: list[str] | None


class StatementLinks(BaseModel):
    """`workflow`: in the Temporal UI."""

    self: str
    json_file: str
    pdf_file: str
    workflow: str | None


class StatementView(Statement):
    links: StatementLinks


class StatementPage(BaseModel):
    """`next` is the cursor of the following page; null on the last one."""

    statements: list[StatementView]
    next: str | None


@router.post(
    "/v1/settlements",
    **operation(
        "Settle a period with partners",
        {202: answers_with(SettlementsStarted, "Started.")},
        scope=Scope.OPERATE,
        body=SettlementsAsked,
        examples={"one partner": examples.SETTLEMENTS},
    ),
)
async def settle(request: Request, caller: Operates) -> Response:
    """Each partner's statement is a workflow of its own. A statement that exists is left as it is."""
    return await carried_out(request, caller, _settle)


async def _settle(gateway: Gateway, body: Any, request_id: str) -> Answer:
    asked = parse(_ASKED, body)
    now = gateway.mongo.clock.now()
    until = milliseconds(asked.until or end_of_period(asked.period))
    if until > now:
        ends = f"ends only at {until:%Y-%m-%d %H:%M} UTC" if asked.until is None else "is still to come"
        detail = f"The period {asked.period} {ends}." if asked.until is None else f"The moment {asked.until} {ends}."
        remedy = "Send a period that has ended, or until: a moment that has passed, to close it early."
        raise Refusal("not_ended", detail, remedy=remedy, field="period" if asked.until is None else "until")
    await _refuse_unknown(gateway.mongo, asked.partners or [])
    everybody = SettleAll(period=asked.period, until=until, partners=asked.partners, approval=asked.approval)
    summary = f"settlements of {asked.period}"
    await gateway.durable.start(ALL_WORKFLOW, everybody, f"settlements-{request_id}", TASK_QUEUE, summary)
    statements = asked.partners and [statement_id(partner, asked.period) for partner in asked.partners]
    return answer({"period": asked.period, "until": until, "statements": statements}, 202)


async def _refuse_unknown(mongo: Mongo, partners: list[str]) -> None:
    known = {row["_id"] async for row in mongo.locations.find({"_id": {"$in": partners}}, {"_id": 1})}
    for place, partner in enumerate(partners):
        if partner not in known:
            remedy = "Correct the id, or leave partners out to settle with all."
            detail = f"There is no location {partner}."
            raise Refusal("unknown_location", detail, remedy=remedy, field=f"partners.{place}")


@router.get(
    "/v1/settlements",
    **operation(
        "List statements, the newest first",
        {200: answers_with(StatementPage, "A page of statements.")},
        scope=Scope.SETTLEMENTS_READ,
    ),
)
async def list_statements(
    request: Request,
    caller: Reads,
    partner: Annotated[str | None, Query(max_length=64)] = None,
    period: Annotated[str | None, Query(max_length=10, examples=["2026-10"])] = None,
    state: StatementState | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=400, description="`next` of the page before.")] = None,
) -> Response:
    """How each stands, with its balances, its objections and where its files are."""
    gateway = gateway_of(request)
    wanted = {"partner": partner, "period": period, "state": state}
    conditions: list[dict[str, Any]] = [{name: value for name, value in wanted.items() if value is not None}]
    if cursor is not None:
        moment, last = position_of(cursor, (int, str))
        at = from_milliseconds(moment)
        conditions.append({"$or": [{"frozen_at": {"$lt": at}}, {"frozen_at": at, "_id": {"$gt": last}}]})
    found = gateway.mongo.statements.find({"$and": conditions}).sort([("frozen_at", -1), ("_id", 1)]).limit(limit + 1)
    rows = [Statement.from_row(row) async for row in found]
    page, more = rows[:limit], len(rows) > limit
    following = cursor_of(to_milliseconds(page[-1].frozen_at), page[-1].id) if more else None
    return answer({"statements": [_view(gateway, one) for one in page], "next": following}).response()


@router.get(
    "/v1/settlements/{id}",
    **operation(
        "See a statement",
        {200: answers_with(StatementView, "How it stands.")},
        scope=Scope.SETTLEMENTS_READ,
        problems=[404],
    ),
)
async def see_statement(request: Request, caller: Reads, statement: StatementInPath) -> Response:
    """Balances, revisions with the sums of their files, objections and their answers. Its lines are in the files."""
    gateway = gateway_of(request)
    return answer(_view(gateway, await _known(gateway, statement))).response()


@router.get(
    "/v1/settlements/{id}/json",
    **operation(
        "A statement's lines, as JSON",
        {
            200: answers_with(
                StatementContent, "The file of a revision; it never changes.", ETag="SHA-256 of the bytes."
            )
        },
        scope=Scope.SETTLEMENTS_READ,
        problems=[404],
    ),
)
async def see_json(
    request: Request, caller: Reads, statement: StatementInPath, revision: RevisionAsked = None
) -> Response:
    """The bytes whose sum the statement names."""
    return await _file(gateway_of(request), statement, revision, "json")


@router.get(
    "/v1/settlements/{id}/pdf",
    response_class=Response,
    **operation(
        "A statement as PDF, in Chinese and English",
        {
            200: {
                "description": "The file of a revision; it never changes.",
                "content": {PDF: {"schema": {"type": "string", "format": "binary"}}},
                "headers": {"ETag": {"schema": {"type": "string"}, "description": "SHA-256 of the bytes."}},
            }
        },
        scope=Scope.SETTLEMENTS_READ,
        problems=[404],
    ),
)
async def see_pdf(
    request: Request, caller: Reads, statement: StatementInPath, revision: RevisionAsked = None
) -> Response:
    """Balances, lines, and page numbers."""
    return await _file(gateway_of(request), statement, revision, "pdf")


async def _file(gateway: Gateway, statement: str, revision: int | None, kind: Literal["json", "pdf"]) -> Response:
    known = await _known(gateway, statement)
    number = len(known.revisions) if revision is None else revision
    if not 1 <= number <= len(known.revisions):
        detail = f"The statement {statement} has {len(known.revisions)} revisions."
        remedy = "Leave revision out for the newest; if there is none yet, try again in a moment."
        raise Refusal("unknown_revision", detail, remedy=remedy, field="revision", status=404)
    made = known.revisions[number - 1]
    sha256 = made.pdf_sha256 if kind == "pdf" else made.json_sha256
    content = await fetch(gateway.mongo, sha256)
    if content is None:
        raise LookupError(f"the file {sha256} of {statement} is not there")
    headers = {"ETag": f'"{sha256}"', "Content-Disposition": f'inline; filename="{statement}-r{number}.{kind}"'}
    return Response(content, 200, headers, PDF if kind == "pdf" else JSON)


def _command(summary: str, body: type[BaseModel], scope: Scope, example: Any) -> dict[str, Any]:
    answers = {200: answers_with(StatementView, "How it stands now.")}
    return operation(summary, answers, scope=scope, body=body, examples={"example": example}, problems=[404])


@router.post(
    "/v1/settlements/{id}/approval",
    **_command("Approve a statement", Approve, Scope.SETTLEMENTS_WRITE, examples.APPROVAL),
)
async def approve(request: Request, caller: Writes, statement: StatementInPath) -> Response:
    """Every objection must have been answered. Approved is approved: later corrections are lines of later ones."""
    return await carried_out(request, caller, _work(caller, statement, "approve", _APPROVE))


@router.post(
    "/v1/settlements/{id}/disputes",
    **_command("Object to lines of a statement", Object, Scope.SETTLEMENTS_WRITE, examples.OBJECTION),
)
async def object_to(request: Request, caller: Writes, statement: StatementInPath) -> Response:
    """Each line with a reason, once. The statement then waits for answers, and silence does not approve it."""
    return await carried_out(request, caller, _work(caller, statement, "object", _OBJECT))


@router.post(
    "/v1/settlements/{id}/answers",
    **_command("Answer an objection", DisputeAnswer, Scope.OPERATE, examples.DISPUTE_ANSWER),
)
async def answer_to(request: Request, caller: Operates, statement: StatementInPath) -> Response:
    """Accepted: the line is corrected by entries that balance. When the last objection is answered, a new revision is
    made if anything was corrected."""
    return await carried_out(request, caller, _work(caller, statement, "answer", _ANSWER))


@router.post(
    "/v1/settlements/{id}/payment",
    **_command("Mark a statement as paid", Paid, Scope.OPERATE, examples.PAID),
)
async def mark_paid(request: Request, caller: Operates, statement: StatementInPath) -> Response:
    """The closing balance was paid outside of this system; the next statement shows it."""
    return await carried_out(request, caller, _work(caller, statement, "paid", _PAID))


def _work(caller: Caller, statement: str, what: Doing, adapter: TypeAdapter[Any]) -> Work:
    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        command = Command.model_validate({"by": caller.name, what: parse(adapter, body)})
        known = await _known(gateway, statement)
        if not await gateway.durable.update(statement, _UPDATES[what], command, request_id):
            refuse(standing_of(known), command)
            detail = f"Nothing takes care of the statement {statement} at the moment."
            remedy = "Start its settlement again with POST /v1/settlements; it goes on where it stood."
            raise Refusal("settlement_not_running", detail, remedy=remedy, status=409)
        return answer(_view(gateway, await _known(gateway, statement)))

    return work


async def _known(gateway: Gateway, statement: str) -> Statement:
    known = await find_statement(gateway.mongo, statement)
    if known is None:
        remedy = "Check the id, or start the settlement with POST /v1/settlements."
        detail = f"There is no statement {statement}."
        raise Refusal("unknown_statement", detail, remedy=remedy, field="id", status=404)
    return known


def _view(gateway: Gateway, statement: Statement) -> dict[str, Any]:
    path = f"/v1/settlements/{statement.id}"
    links = {
        "self": path,
        "json_file": f"{path}/json",
        "pdf_file": f"{path}/pdf",
        "workflow": gateway.workflows.link(statement.id),
    }
    return {**statement.model_dump(mode="json"), "links": links}
