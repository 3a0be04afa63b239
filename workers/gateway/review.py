"""Routes of reviewers: what waits for them, all of one application, and what they decide."""

from typing import Annotated, Any, get_args

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, TypeAdapter

from contracts.applications import Application
from contracts.deciding import refuse
from contracts.ids import sortable
from contracts.onboarding import Command, Decide, Doing, ReviewItem, Stage, Standing, onboarding_id
from contracts.partnership import PartnerKind
from contracts.refusals import Refusal
from infra.audit import audit_row, write_audit
from infra.files import fetch
from infra.keys import Scope
from workers.gateway import examples
from workers.gateway.answers import Answer, answer
from workers.gateway.body import parse
from workers.gateway.carried import Work, carried_out
from workers.gateway.listing import division_prefix
from workers.gateway.openapi import answers_with, operation
from workers.gateway.reviewing import QUEUED, Queue, ReviewPage, ReviewView
from workers.gateway.security import Caller, needs
from workers.gateway.services import Gateway, gateway_of
from workers.gateway.uploading import FILE_CONTENT

router = APIRouter(tags=["reviews"])
Reviews = Annotated[Caller, Depends(needs(Scope.PARTNERS_REVIEW))]
ApplicationInPath = Annotated[str, Path(alias="id", max_length=64, examples=["app-01kjt3w9x8c4m2p7q5"])]
ItemInPath = Annotated[str, Path(alias="item", max_length=64, examples=["business_licence"])]

_REVIEW: TypeAdapter[ReviewItem] = TypeAdapter(ReviewItem)
_DECIDE: TypeAdapter[Decide] = TypeAdapter(Decide)


class DecidedView(BaseModel):
    """How the application stands now."""

    standing: Standing


@router.get(
    "/v1/reviews",
    **operation(
        "What waits for reviewers, what is due first at the top",
        {200: answers_with(ReviewPage, "A page of applications.")},
        scope=Scope.PARTNERS_REVIEW,
    ),
)
async def list_reviews(
    request: Request,
    caller: Reviews,
    stage: Annotated[
        Stage | None, Query(description="Left out: those that wait for reviewers; with `company`, of any.")
    ] = None,
    company: Annotated[
        str | None, Query(min_length=2, max_length=200, description="Credit code, or a part of the name.")
    ] = None,
    kind: PartnerKind | None = None,
    region: Annotated[str | None, Query(pattern=r"^[1-9][0-9]{1,5}$", examples=["33"])] = None,
    overdue: Annotated[bool | None, Query(description="Only those that are late, or that are not.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=400, description="`next` of the page before.")] = None,
) -> Response:
    """Whose turn it is with each, until when, and to whom it was escalated. No personal data is in it."""
    gateway = gateway_of(request)
    stages: tuple[Stage, ...] = (stage,) if stage else QUEUED if company is None else get_args(Stage)
    prefix = division_prefix(region) if region is not None else None
    now = gateway.mongo.clock.now()
    page = await _queue(gateway).page(now, stages, kind, prefix, overdue, limit, cursor, company)
    return answer(page).response()


@router.get(
    "/v1/reviews/{id}",
    **operation(
        "See all of an application",
        {200: answers_with(ReviewView, "Forms, documents, checks with their evidence, decisions and who saw what.")},
        scope=Scope.PARTNERS_REVIEW,
        problems=[404],
    ),
)
async def see_review(request: Request, caller: Reviews, application: ApplicationInPath) -> Response:
    """It holds personal data: that it was looked at, and by whom, is written down."""
    gateway = gateway_of(request)
    known = await _known(gateway, application)
    await _saw(gateway, caller, application, None)
    return answer(await _queue(gateway).whole(known, gateway.mongo.clock.now())).response()


@router.get(
    "/v1/reviews/{id}/documents/{item}",
    response_class=Response,
    **operation(
        "A document of an application",
        {
            200: {
                "description": "The file as it was uploaded.",
                "content": FILE_CONTENT,
            }
        },
        scope=Scope.PARTNERS_REVIEW,
        problems=[404],
    ),
)
async def see_document(request: Request, caller: Reviews, application: ApplicationInPath, item: ItemInPath) -> Response:
    """That it was looked at, and by whom, is written down."""
    gateway = gateway_of(request)
    document = (await _known(gateway, application)).documents.get(item)
    content = await fetch(gateway.mongo, document.file.digest) if document and document.file else None
    if document is None or document.file is None or content is None:
        raise Refusal(
            "unknown_document",
            f"The application has no file for {item}.",
            remedy="Look at the application to see what was supplied.",
            field="item",
            status=404,
        )
    await _saw(gateway, caller, application, item)
    headers = {"ETag": f'"{document.file.digest}"', "Content-Disposition": "attachment"}
    return Response(content, 200, headers, document.file.media_type)


@router.post(
    "/v1/applications/{id}/review",
    **operation(
        "Accept, return or waive an item",
        {200: answers_with(DecidedView, "How the application stands now.")},
        scope=Scope.PARTNERS_REVIEW,
        body=ReviewItem,
        examples={"a licence that ran out": examples.REVIEW_ITEM},
        problems=[404],
    ),
)
async def review_item(request: Request, caller: Reviews, application: ApplicationInPath) -> Response:
    """To return needs a comment, which the applicant reads; to waive a reason. An item with a failed check cannot be
    accepted, and with some checks not be waived either."""
    return await carried_out(request, caller, _work(caller, application, "review", _REVIEW))


@router.post(
    "/v1/applications/{id}/decide",
    **operation(
        "Approve, return or reject an application",
        {200: answers_with(DecidedView, "How the application stands now.")},
        scope=Scope.PARTNERS_REVIEW,
        body=Decide,
        examples={"approve": examples.DECISION},
        problems=[404],
    ),
)
async def decide(request: Request, caller: Reviews, application: ApplicationInPath) -> Response:
    """Above the limit of risk two reviewers must approve; who they are is told by their keys' names."""
    return await carried_out(request, caller, _work(caller, application, "decide", _DECIDE))


def _work(caller: Caller, application: str, what: Doing, adapter: TypeAdapter[Any]) -> Work:
    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        command = Command.model_validate({"by": caller.name, what: parse(adapter, body)})
        before = await _known(gateway, application)
        if not await gateway.durable.update(onboarding_id(application), what, command, request_id):
            refuse(before.standing, command)
            raise Refusal(
                "onboarding_not_running",
                f"Nothing takes care of the application {application} at the moment.",
                remedy="Ask an operator to start its workflow again; it goes on where it stood.",
                status=409,
            )
        after = await _known(gateway, application)
        return answer({"standing": after.standing.model_dump(mode="json")})

    return work


async def _known(gateway: Gateway, application: str) -> Application:
    known = await gateway.applications.find(application)
    if known is None:
        raise Refusal(
            "unknown_application",
            f"There is no application {application[:64]}.",
            remedy="Check the id; GET /v1/reviews lists those that wait.",
            field="id",
            status=404,
        )
    return known


async def _saw(gateway: Gateway, caller: Caller, application: str, item: str | None) -> None:
    at = gateway.mongo.clock.now()
    await write_audit(gateway.mongo, [audit_row(application, f"saw:{sortable()}", caller.name, "saw", at, what=item)])


def _queue(gateway: Gateway) -> Queue:
    return Queue(gateway.mongo, gateway.workflows.link)
