"""Routes by which an applicant, and later the partner, sees its own agreement, its links to sign by, and its files."""

from typing import Any

from fastapi import APIRouter, Request, Response

from contracts.agreement_record import Agreement
from contracts.partnership import PartnerRecord
from contracts.refusals import Refusal
from infra.keys import Scope
from workers.gateway.agreement_views import AgreementView, agreement_view
from workers.gateway.agreements import PDF_ANSWER, FileAsked, pdf_of
from workers.gateway.answers import answer
from workers.gateway.applicants import Applies
from workers.gateway.openapi import answers_with, operation
from workers.gateway.partner.access import Partners
from workers.gateway.services import Gateway, gateway_of

router = APIRouter(tags=["agreements"])
_SEEN = {200: answers_with(AgreementView, "How it stands. Who has a `link` of a signer can sign for it: pass it on.")}


@router.get("/v1/applications/{id}/agreement", **operation("See your agreement", _SEEN, scope=None, applicant=True))
async def see_as_applicant(request: Request, applicant: Applies) -> Response:
    """The newest, with the links of your signers and what they were told."""
    known = await _newest(gateway_of(request), applicant.application)
    return _answered(known, f"/v1/applications/{applicant.application}/agreement")


@router.get(
    "/v1/applications/{id}/agreement/pdf",
    response_class=Response,
    **operation("Your agreement as PDF", {200: PDF_ANSWER}, scope=None, applicant=True),
)
async def pdf_as_applicant(request: Request, applicant: Applies, file: FileAsked = None) -> Response:
    """What is signed, or the file with all signatures."""
    gateway = gateway_of(request)
    return await pdf_of(gateway, await _newest(gateway, applicant.application), file)


@router.get("/v1/partner/agreement", **operation("See your agreement", _SEEN, scope=Scope.PARTNER, problems=[404]))
async def see_as_partner(request: Request, caller: Partners) -> Response:
    """The newest: of a partner whose agreement is being renewed, the one that is to be signed."""
    gateway = gateway_of(request)
    return _answered(await _newest(gateway, await _application(gateway, caller.partner)), "/v1/partner/agreement")


@router.get(
    "/v1/partner/agreement/pdf",
    response_class=Response,
    **operation("Your agreement as PDF", {200: PDF_ANSWER}, scope=Scope.PARTNER, problems=[404]),
)
async def pdf_as_partner(request: Request, caller: Partners, file: FileAsked = None) -> Response:
    """What is signed, or the file with all signatures."""
    gateway = gateway_of(request)
    return await pdf_of(gateway, await _newest(gateway, await _application(gateway, caller.partner)), file)


async def _application(gateway: Gateway, partner: str | None) -> str:
    """Raises Refusal: a key that belongs to no partner, or a place of the retailer's, has no agreement."""
    row = await gateway.mongo.partners.find_one({"_id": partner}) if partner is not None else None
    if row is None:
        raise _no_agreement("This key belongs to no partner that has an agreement.")
    return PartnerRecord.from_row(row).application


async def _newest(gateway: Gateway, application: str) -> Agreement:
    """Raises Refusal 404."""
    known = await gateway.agreements.newest(application)
    if known is None:
        raise _no_agreement("There is no agreement yet.")
    return known


def _no_agreement(detail: str) -> Refusal:
    remedy = "An agreement is drafted when the application is approved; look at the application."
    return Refusal("no_agreement", detail, remedy=remedy, status=404)


def _answered(agreement: Agreement, path: str) -> Response:
    shown: dict[str, Any] = agreement_view(agreement, "partner", path, None)
    return answer(shown).response()
