"""Routes of applicants: begin an application without a key, and go on with it by its token."""

import logging
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, TypeAdapter

from activities.onboarding.checking import opened
from activities.onboarding.supplying import (
    refuse_no_document,
    refuse_when_closed,
    with_facts,
    with_fields,
    with_file,
)
from contracts.applications import Application, ApplicationRequest, Facts, FieldsSent
from contracts.deciding import refuse
from contracts.onboarding import (
    TASK_QUEUE,
    WORKFLOW,
    Apply,
    Command,
    ConfirmDeposit,
    Doing,
    Standing,
    Submit,
    Withdraw,
    onboarding_id,
)
from contracts.refusals import Refusal
from contracts.requirements import RequirementSet, categories
from infra.audit import audit_row, write_audit
from infra.files import fetch
from infra.keys import hash_key
from infra.mongo import Session
from workers.gateway import examples
from workers.gateway.answers import Answer, answer
from workers.gateway.applicants import (
    Applicant,
    Applies,
    IdInPath,
    known_application,
    new_application_id,
    new_token,
)
from workers.gateway.applying import ApplicationView, StandingView, application_view, standing_view
from workers.gateway.body import parse, read_json
from workers.gateway.carried import Work, carried_out
from workers.gateway.openapi import answers_with, operation
from workers.gateway.rates import seldom
from workers.gateway.services import Gateway, gateway_of
from workers.gateway.uploading import FILE_CONTENT, read_file

log = logging.getLogger(__name__)
router = APIRouter(tags=["applications"])
ItemInPath = Annotated[str, Path(alias="item", max_length=64, examples=["business_licence"])]

APPLICANT = "applicant"
"""Who is named in the audit; whoever it is, it has the token."""
_CARRIED_WITHIN_S = 10.0
_APPLY: TypeAdapter[ApplicationRequest] = TypeAdapter(ApplicationRequest)
_FIELDS: TypeAdapter[FieldsSent] = TypeAdapter(FieldsSent)
_FACTS: TypeAdapter[Facts] = TypeAdapter(Facts)
_SUBMIT: TypeAdapter[Submit] = TypeAdapter(Submit)
_WITHDRAW: TypeAdapter[Withdraw] = TypeAdapter(Withdraw)
_CONFIRM: TypeAdapter[ConfirmDeposit] = TypeAdapter(ConfirmDeposit)
Supply = Callable[[Application, RequirementSet, datetime], tuple[Application, list[str]]]
"""Gives the application as it is then, and the items that are new by it."""


class Begun(BaseModel):
    """`token`: shown this once. With it the application is gone on with, from anywhere."""

    id: str
    token: str
    application: ApplicationView


@router.post(
    "/v1/applications",
    dependencies=[Depends(seldom())],
    **operation(
        "Apply to become a partner",
        {201: answers_with(Begun, "Begun. `application` says what is asked.")},
        scope=None,
        anybody=True,
        once=False,
        body=ApplicationRequest,
        examples={"a franchise store": examples.APPLICATION},
    ),
)
async def apply(request: Request) -> Response:
    """Needs no key. The answer holds a token, once; who loses it begins anew, and who has it is the applicant."""
    gateway = gateway_of(request)
    asked = parse(_APPLY, await read_json(request, gateway.limits.body_bytes))
    requirements = await _requirements_for(gateway, asked)
    token, now = new_token(), gateway.mongo.clock.now()
    made = _begun(new_application_id(), asked, requirements, hash_key(token), now)
    note = f"{asked.kind}, {asked.region}, {requirements.pinned}"
    row = audit_row(made.id, "applied", APPLICANT, "applied", now, note=note)

    async def work(session: Session) -> None:
        await gateway.applications.insert(opened(made, requirements), session)
        await write_audit(gateway.mongo, [row], session=session)

    await gateway.mongo.transaction(work)
    await _carry(gateway, made)
    known, requirements = await known_application(gateway, made.id)
    view = {"id": made.id, "token": token, "application": application_view(known, requirements)}
    return answer(view, 201, {"Location": f"/v1/applications/{made.id}"}).response()


async def _carry(gateway: Gateway, application: Application) -> None:
    """Have a workflow carry it, if none does yet. Its document is written: where Temporal is away or slow the applicant
    goes on all the same, and the next thing that it does starts the workflow."""
    if application.standing.step:
        return
    start = Apply(
        application=application.id,
        kind=application.kind,
        region=application.region,
        requirements=application.requirements,
    )
    summary = f"{application.kind}, {application.region}"
    try:
        await gateway.durable.start_with(
            WORKFLOW, start, onboarding_id(application.id), TASK_QUEUE, "apply", summary, _CARRIED_WITHIN_S
        )
    except Refusal as refusal:
        if refusal.status != HTTPStatus.SERVICE_UNAVAILABLE:
            raise
        log.warning("%s is not carried yet: %s", application.id, refusal.detail)


async def _requirements_for(gateway: Gateway, asked: ApplicationRequest) -> RequirementSet:
    for place, category in enumerate(asked.categories):
        if category not in categories():
            raise Refusal(
                "unknown_category",
                f"There is no category {category}.",
                remedy=f"Send one of {', '.join(categories())}.",
                field=f"categories.{place}",
            )
    choice = await gateway.book.choose(asked.kind, asked.region, asked.categories)
    if choice.chosen is None:
        raise Refusal(
            "no_requirements",
            f"Partners of the kind {asked.kind} are not sought there.",
            remedy="Apply for another kind or region, or ask the retailer.",
            field="kind",
        )
    return choice.chosen


def _begun(
    name: str, asked: ApplicationRequest, requirements: RequirementSet, token_hash: str, now: datetime
) -> Application:
    return Application(
        id=name,
        kind=asked.kind,
        region=asked.region,
        categories=list(dict.fromkeys(asked.categories)),
        language=asked.language,
        requirements=requirements.pinned,
        token_hash=token_hash,
        standing=Standing(application=name),
        created_at=now,
        updated_at=now,
    )


@router.get(
    "/v1/applications/{id}",
    **operation(
        "See one's application",
        {200: answers_with(ApplicationView, "What is asked, what was supplied, what comes next.")},
        scope=None,
        applicant=True,
    ),
)
async def see_application(request: Request, applicant: Applies, application: IdInPath) -> Response:
    """With what reviewers say of items that they returned, and what checks by machine found in what was supplied."""
    known, requirements = await known_application(gateway_of(request), applicant.application)
    return answer(application_view(known, requirements)).response()


@router.put(
    "/v1/applications/{id}/fields",
    **operation(
        "Fill in forms, make declarations",
        {200: answers_with(StandingView, "How the application stands.")},
        scope=None,
        applicant=True,
        body=FieldsSent,
        examples={"a company and a declaration": examples.APPLICATION_FIELDS},
    ),
)
async def put_fields(request: Request, applicant: Applies, application: IdInPath) -> Response:
    """A form is sent whole; forms that are left out stay as they are. What was accepted and is changed is to be looked
    at again."""

    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        sent = parse(_FIELDS, body)
        return await _supplied(gateway, applicant, "fields", lambda a, r, now: with_fields(a, r, sent, now))

    return await carried_out(request, applicant.caller, work)


@router.put(
    "/v1/applications/{id}/documents/{item}",
    **operation(
        "Upload a document",
        {200: answers_with(StandingView, "Kept. How the application stands.")},
        scope=None,
        applicant=True,
        content=FILE_CONTENT,
    ),
)
async def put_document(request: Request, applicant: Applies, application: IdInPath, item: ItemInPath) -> Response:
    """The file itself is the body: PDF, PNG or JPEG, of 10 MiB at most. A PDF must hold no scripts, actions, forms with
    programs and other files, and no password. One file of an application at a time."""
    gateway = gateway_of(request)
    known, requirements = await known_application(gateway, applicant.application)
    refuse_when_closed(known)
    refuse_no_document(known, requirements, item)
    with gateway.uploads.one(applicant.application):
        file = await read_file(request, gateway)
        made = await _supplied(gateway, applicant, "uploaded", lambda a, r, now: with_file(a, r, item, file, now))
    return made.response()


@router.put(
    "/v1/applications/{id}/documents/{item}/facts",
    **operation(
        "Say what a document says",
        {200: answers_with(StandingView, "How the application stands.")},
        scope=None,
        applicant=True,
        body=Facts,
        examples={"a business licence": examples.DOCUMENT_FACTS},
    ),
)
async def put_facts(request: Request, applicant: Applies, application: IdInPath, item: ItemInPath) -> Response:
    """Typed from the document, character by character; checks by machine compare them."""

    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        facts = parse(_FACTS, body)
        return await _supplied(gateway, applicant, "facts", lambda a, r, now: with_facts(a, r, item, facts, now))

    return await carried_out(request, applicant.caller, work)


@router.get(
    "/v1/applications/{id}/documents/{item}",
    response_class=Response,
    **operation(
        "See a document that was uploaded",
        {200: {"description": "The file as it was uploaded.", "content": FILE_CONTENT}},
        scope=None,
        applicant=True,
    ),
)
async def see_document(request: Request, applicant: Applies, application: IdInPath, item: ItemInPath) -> Response:
    """To be saved, not shown in the browser."""
    gateway = gateway_of(request)
    known, _ = await known_application(gateway, applicant.application)
    document = known.documents.get(item)
    content = await fetch(gateway.mongo, document.file.digest) if document and document.file else None
    if document is None or document.file is None or content is None:
        detail = f"No file was uploaded for {item}."
        raise Refusal("document_missing", detail, remedy="Upload it first.", field="item", status=404)
    headers = {"ETag": f'"{document.file.digest}"', "Content-Disposition": "attachment"}
    return Response(content, 200, headers, document.file.media_type)


def _command(summary: str, body: type[BaseModel], example: Any) -> dict[str, Any]:
    answers = {200: answers_with(StandingView, "How the application stands.")}
    return operation(summary, answers, scope=None, applicant=True, body=body, examples={"example": example})


@router.post("/v1/applications/{id}/submit", **_command("Submit an application", Submit, {}))
async def submit(request: Request, applicant: Applies, application: IdInPath) -> Response:
    """All that is asked must be there. It is then checked by machine, and after that by people."""
    return await carried_out(request, applicant.caller, _work(applicant, "submit", _SUBMIT))


@router.post("/v1/applications/{id}/withdraw", **_command("Withdraw an application", Withdraw, {}))
async def withdraw(request: Request, applicant: Applies, application: IdInPath) -> Response:
    """For good. What was made for it is undone."""
    return await carried_out(request, applicant.caller, _work(applicant, "withdraw", _WITHDRAW))


@router.post(
    "/v1/applications/{id}/deposit", **_command("Name the amount of the deposit", ConfirmDeposit, {"amount": 37})
)
async def confirm_deposit(request: Request, applicant: Applies, application: IdInPath) -> Response:
    """In fen, as the statement shows it. Three tries; then people decide. `deposit` tells what came of it."""
    return await carried_out(request, applicant.caller, _work(applicant, "confirm_deposit", _CONFIRM))


def _work(applicant: Applicant, what: Doing, adapter: TypeAdapter[Any]) -> Work:
    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        command = Command.model_validate({"by": APPLICANT, what: parse(adapter, body)})
        before, _ = await known_application(gateway, applicant.application)
        await _carry(gateway, before)
        if not await gateway.durable.update(onboarding_id(before.id), what, command, request_id):
            refuse(before.standing, command)
            raise Refusal(
                "onboarding_not_running",
                "Nothing takes care of the application at the moment.",
                remedy="Send the same request later; if that does not help, tell the retailer.",
                status=409,
            )
        after, _ = await known_application(gateway, applicant.application)
        return answer(standing_view(after))

    return work


async def _supplied(gateway: Gateway, applicant: Applicant, did: str, supply: Supply) -> Answer:
    """One transaction: the application with what is new, and a line in the audit. Raises Refusal."""
    now = gateway.mongo.clock.now()

    async def work(session: Session) -> Application:
        known, requirements = await known_application(gateway, applicant.application, session)
        changed, items = supply(known, requirements, now)
        if not items:
            return known
        row = audit_row(known.id, f"v{known.version}", APPLICANT, did, now, what=", ".join(items))
        await write_audit(gateway.mongo, [row], session=session)
        return await gateway.applications.replace(changed, session)

    written = await gateway.mongo.transaction(work)
    await _carry(gateway, written)
    return answer(standing_view(written))
