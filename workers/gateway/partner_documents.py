"""Routes of a partner's documents: a new one in place of one that ends, sent by the partner or for it, and the file
that a reviewer looks at."""

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from activities.onboarding.provisioning import end_of_day
from contracts.ids import sortable
from contracts.lifecycle import Command, OfferDocument
from contracts.living import refuse, refuse_endless, standing_of
from contracts.partnership import Offered
from contracts.refusals import Refusal
from infra.audit import audit_row, write_audit
from infra.files import fetch
from infra.filetypes import media_type_of
from infra.keys import Scope
from workers.gateway.answers import answer
from workers.gateway.openapi import answers_with, operation
from workers.gateway.partners import PartnerInPath, Reviews, carry_out, known_partner
from workers.gateway.security import Caller, needs
from workers.gateway.services import gateway_of
from workers.gateway.uploading import FILE_CONTENT, read_file

router = APIRouter(tags=["partners"])
Operates = Annotated[Caller, Depends(needs(Scope.PARTNERS_OPERATE))]
Partners = Annotated[Caller, Depends(needs(Scope.PARTNER))]
RequirementInPath = Annotated[str, Path(alias="requirement", max_length=64, examples=["food_licence"])]
ValidUntil = Annotated[
    date | None, Query(description="Last day on which it is valid, in China; needed, unless it is long_term.")
]
LongTerm = Annotated[bool, Query(description="It says that it is valid without end; then valid_until is left out.")]
CompanyName = Annotated[str | None, Query(min_length=1, max_length=200, description="As the document says.")]
CreditCode = Annotated[str | None, Query(min_length=1, max_length=40, description="As the document says.")]


def _offering(summary: str, scope: Scope) -> dict[str, Any]:
    answers = {200: answers_with(Offered, "It is checked, and waits for a reviewer.")}
    return operation(summary, answers, scope=scope, content=FILE_CONTENT, problems=[404])


@router.put(
    "/v1/partners/{id}/documents/{requirement}", **_offering("A new document of a partner", Scope.PARTNERS_OPERATE)
)
async def offer_for(
    request: Request,
    caller: Operates,
    partner: PartnerInPath,
    requirement: RequirementInPath,
    valid_until: ValidUntil = None,
    long_term: LongTerm = False,
    name: CompanyName = None,
    credit_code: CreditCode = None,
) -> Response:
    """In place of one that ends: PDF, PNG or JPEG, 10 MiB at most."""
    return await _offer(request, caller, partner, requirement, (valid_until, long_term), name, credit_code)


@router.put("/v1/partner/documents/{requirement}", **_offering("A new document of one's own", Scope.PARTNER))
async def offer_own(
    request: Request,
    caller: Partners,
    requirement: RequirementInPath,
    valid_until: ValidUntil = None,
    long_term: LongTerm = False,
    name: CompanyName = None,
    credit_code: CreditCode = None,
) -> Response:
    """By the partner's own key, also while it is suspended. One file at a time, and seldom: each is kept."""
    if caller.partner is None:
        raise Refusal(
            "no_partner",
            f"The key of {caller.name} belongs to no partner.",
            remedy="Use a partner's key, or PUT /v1/partners/{id}/documents/{requirement}.",
            status=403,
        )
    return await _offer(request, caller, caller.partner, requirement, (valid_until, long_term), name, credit_code)


async def _offer(
    request: Request,
    caller: Caller,
    partner: str,
    requirement: str,
    validity: tuple[date | None, bool],
    name: str | None,
    credit_code: str | None,
) -> Response:
    """Refused before the file is read where it cannot be taken anyway. `validity`: its last day, and whether it has
    none."""
    gateway = gateway_of(request)
    valid_until, _ = validity
    record = await known_partner(gateway, partner)
    until = end_of_day(valid_until.isoformat()) if valid_until else None
    offer = OfferDocument(
        requirement=requirement, digest="0" * 64, valid_until=until, name=name, credit_code=credit_code
    )
    refuse(standing_of(record), Command(by=caller.name, offer=offer))
    refuse_endless(*validity)
    with gateway.uploads.one(partner):
        if caller.partner is not None:
            gateway.documents.count(partner)
        file = await read_file(request, gateway)
    command = Command(by=caller.name, offer=offer.model_copy(update={"digest": file.digest}))
    await carry_out(gateway, partner, "offer", command, sortable())
    after = await known_partner(gateway, partner)
    offered = next((one for one in after.offered if one.requirement == requirement), None)
    if offered is None:
        raise LookupError(f"the new {requirement} of {partner} was decided about at once")
    return answer(offered.model_dump(mode="json")).response()


@router.get(
    "/v1/partners/{id}/documents/{requirement}",
    response_class=Response,
    **operation(
        "A document of a partner",
        {200: {"description": "The file as it was uploaded.", "content": FILE_CONTENT}},
        scope=Scope.PARTNERS_REVIEW,
        problems=[404],
    ),
)
async def see_document(
    request: Request,
    caller: Reviews,
    partner: PartnerInPath,
    requirement: RequirementInPath,
    held: Annotated[bool, Query(description="The one that counts; else the new one, where there is one.")] = False,
) -> Response:
    """That it was looked at, and by whom, is written down."""
    gateway = gateway_of(request)
    record = await known_partner(gateway, partner)
    known = {one.requirement: one.digest for one in record.documents}
    if not held:
        known |= {one.requirement: one.digest for one in record.offered}
    content = await fetch(gateway.mongo, known[requirement]) if requirement in known else None
    kind = media_type_of(content) if content is not None else None
    if content is None or kind is None:
        raise Refusal(
            "unknown_document",
            f"The partner has no file for {requirement}.",
            remedy="Look at the partner to see its documents.",
            field="requirement",
            status=404,
        )
    at = gateway.mongo.clock.now()
    row = audit_row(partner, f"saw:{sortable()}", caller.name, "saw", at, what=requirement)
    await write_audit(gateway.mongo, [row])
    headers = {"ETag": f'"{known[requirement]}"', "Content-Disposition": "attachment"}
    return Response(content, 200, headers, kind)
