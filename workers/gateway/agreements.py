"""Routes of agreements: see one with its envelope and files, send a new link, withdraw it; and the provider's calls."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import TypeAdapter

from contracts.agreement_record import Agreement, standing_of
from contracts.agreements import WAKE, Cancel, Command, Resend, refuse, signing_id
from contracts.ids import sortable
from contracts.refusals import Refusal
from contracts.signatures import Callback
from infra.audit import audit_row, write_audit
from infra.files import fetch
from infra.keys import Scope
from infra.signatures import CallbackForged, read_callback
from workers.gateway import examples
from workers.gateway.agreement_views import AgreementView, Side, agreement_view
from workers.gateway.answers import JSON, Answer, answer
from workers.gateway.body import parse, read_bytes
from workers.gateway.carried import Work, carried_out
from workers.gateway.openapi import answers_with, operation
from workers.gateway.rates import address_of
from workers.gateway.security import Caller, needs
from workers.gateway.services import Gateway, gateway_of

router = APIRouter(tags=["agreements"])
Operates = Annotated[Caller, Depends(needs(Scope.PARTNERS_OPERATE))]
AgreementInPath = Annotated[str, Path(alias="id", max_length=80, examples=["app-01kjt3w9x8c4m2p7q5-a1"])]
File = Literal["draft", "signed"]
FileAsked = Annotated[File | None, Query(alias="file", description="Left out: signed where it is, else draft.")]

PDF = "application/pdf"
PDF_ANSWER: dict[str, Any] = {
    "description": "The file; it never changes.",
    "content": {PDF: {"schema": {"type": "string", "format": "binary"}}},
    "headers": {"ETag": {"schema": {"type": "string"}, "description": "SHA-256 of the bytes."}},
}
_CALLBACK_BYTES = 4096
_RESEND: TypeAdapter[Resend] = TypeAdapter(Resend)
_CANCEL: TypeAdapter[Cancel] = TypeAdapter(Cancel)


@router.get(
    "/v1/agreements/{id}",
    **operation(
        "See an agreement",
        {200: answers_with(AgreementView, "How it stands, and who has signed.")},
        scope=Scope.PARTNERS_OPERATE,
        problems=[404],
    ),
)
async def see_agreement(request: Request, caller: Operates, agreement: AgreementInPath) -> Response:
    """Its terms, its envelope, what the signers were told, and the evidence of the verification. A link to sign by is
    shown for the retailer's own signer. It is written down that you looked."""
    gateway = gateway_of(request)
    known = await known_agreement(gateway, agreement)
    await _note(gateway, known, caller, "saw_agreement")
    return answer(_view(gateway, known)).response()


@router.get(
    "/v1/agreements/{id}/pdf",
    response_class=Response,
    **operation("An agreement as PDF", {200: PDF_ANSWER}, scope=Scope.PARTNERS_OPERATE, problems=[404]),
)
async def see_pdf(request: Request, caller: Operates, agreement: AgreementInPath, file: FileAsked = None) -> Response:
    """What is signed, or, when all have signed, the file with the signatures; docs/agreements.md says how to verify
    it."""
    gateway = gateway_of(request)
    known = await known_agreement(gateway, agreement)
    await _note(gateway, known, caller, "saw_agreement_pdf")
    return await pdf_of(gateway, known, file)


def _command(summary: str, body: type[Resend | Cancel], example: Any) -> dict[str, Any]:
    answers = {200: answers_with(AgreementView, "How it stands now.")}
    return operation(
        summary, answers, scope=Scope.PARTNERS_OPERATE, body=body, examples={"example": example}, problems=[404]
    )


@router.post("/v1/agreements/{id}/resend", **_command("Send a signer a new link", Resend, examples.RESEND))
async def resend(request: Request, caller: Operates, agreement: AgreementInPath) -> Response:
    """The old link is dead from then on. Until when all must have signed stays as it is."""
    return await carried_out(request, caller, _work(caller, agreement, "resend", _RESEND))


@router.post("/v1/agreements/{id}/cancel", **_command("Withdraw an agreement", Cancel, examples.CANCEL_AGREEMENT))
async def cancel(request: Request, caller: Operates, agreement: AgreementInPath) -> Response:
    """Before all have signed. Its links are dead, its signers are told why; an application goes back to review."""
    return await carried_out(request, caller, _work(caller, agreement, "cancel", _CANCEL))


@router.post(
    "/v1/signatures/callbacks",
    response_class=Response,
    **operation(
        "For the signature provider",
        {204: {"description": "Heard. What has happened is read from the provider."}},
        scope=None,
        anybody=True,
        once=False,
        content={JSON: {"schema": Callback.model_json_schema()}},
        problems=[401, 503],
    ),
)
async def hear_provider(request: Request) -> Response:
    """Signed by the Standard Webhooks scheme. It wakes whoever waits for this envelope and says nothing else."""
    gateway = gateway_of(request)
    body = await read_bytes(request, _CALLBACK_BYTES)
    try:
        if gateway.signature_secret is None:
            raise CallbackForged("no secret is known")
        callback = read_callback(gateway.signature_secret, request.headers, body)
    except CallbackForged as error:
        gateway.guesses.count(address_of(request))
        raise Refusal(
            "callback_forged",
            "This call does not carry the provider's signature, or is too old.",
            remedy="Sign id, time and body with the secret that was agreed, and send it within five minutes.",
            field="webhook-signature",
            status=401,
        ) from error
    await gateway.durable.signal(signing_id(callback.envelope), WAKE)
    return Response(status_code=204)


def _work(caller: Caller, agreement: str, what: str, adapter: TypeAdapter[Any]) -> Work:
    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        command = Command.model_validate({"by": caller.name, what: parse(adapter, body)})
        known = await known_agreement(gateway, agreement)
        if not await gateway.durable.update(signing_id(agreement), what, command, request_id):
            refuse(standing_of(known), command)
            raise Refusal(
                "signing_not_running",
                f"Nothing takes care of the agreement {agreement} at the moment.",
                remedy="Look at the application's workflow in the Temporal UI; it has the agreement signed.",
                status=409,
            )
        return answer(_view(gateway, await known_agreement(gateway, agreement)))

    return work


async def known_agreement(gateway: Gateway, agreement: str) -> Agreement:
    """Raises Refusal 404."""
    known = await gateway.agreements.find(agreement)
    if known is None:
        remedy = "Check the id; an application shows that of its agreement when it has one."
        raise Refusal("unknown_agreement", f"There is no agreement {agreement}.", remedy=remedy, field="id", status=404)
    return known


async def pdf_of(gateway: Gateway, agreement: Agreement, file: File | None) -> Response:
    """Raises Refusal 404 where there is no signed file yet."""
    kind: File = file or ("signed" if agreement.signed_digest else "draft")
    digest = agreement.signed_digest if kind == "signed" else agreement.digest
    if digest is None:
        remedy = "Wait until all have signed, or ask for file=draft."
        detail = f"The agreement {agreement.id} is {agreement.state}: there is no signed file."
        raise Refusal("not_signed_yet", detail, remedy=remedy, field="file", status=404)
    content = await fetch(gateway.mongo, digest)
    if content is None:
        raise LookupError(f"the file {digest} of {agreement.id} is not there")
    name = f"{agreement.id}-{kind}.pdf"
    headers = {"ETag": f'"{digest}"', "Content-Disposition": f'inline; filename="{name}"'}
    return Response(content, 200, headers, PDF)


def _view(gateway: Gateway, agreement: Agreement, side: Side = "retailer") -> dict[str, Any]:
    return agreement_view(agreement, side, f"/v1/agreements/{agreement.id}", gateway.workflows)


async def _note(gateway: Gateway, agreement: Agreement, caller: Caller, did: str) -> None:
    now = gateway.mongo.clock.now()
    row = audit_row(agreement.application, f"saw:{sortable()}", caller.name, did, now, what=agreement.id)
    await write_audit(gateway.mongo, [row])
