"""Routes of partners: see them, suspend, resume, terminate and renew them, their new documents, their keys."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, TypeAdapter

from contracts.ids import sortable
from contracts.lifecycle import (
    Command,
    Doing,
    Renew,
    Resume,
    ReviewDocument,
    Suspend,
    Terminate,
    lifecycle_id,
)
from contracts.living import refuse, standing_of
from contracts.partnership import PartnerKind, PartnerRecord, PartnerState
from contracts.refusals import Refusal
from infra.audit import audit_row, write_audit
from infra.credentials import BusNotTold
from infra.keys import Scope
from workers.gateway import examples
from workers.gateway.access import BusCredentials, Nothing, PartnerKey, Revoked, Rotation, shown
from workers.gateway.answers import Answer, answer
from workers.gateway.body import parse, read_json
from workers.gateway.carried import Work, carried_out
from workers.gateway.collecting import unavailable
from workers.gateway.cursors import cursor_of, position_of
from workers.gateway.openapi import answers_with, operation
from workers.gateway.partnering import PartnerPage, PartnerView, partner_row, partner_view
from workers.gateway.security import Caller, needs
from workers.gateway.services import Gateway, gateway_of
from workers.gateway.suppliers import ScoreView, score_view

router = APIRouter(tags=["partners"])
Operates = Annotated[Caller, Depends(needs(Scope.PARTNERS_OPERATE))]
Reviews = Annotated[Caller, Depends(needs(Scope.PARTNERS_REVIEW))]
PartnerInPath = Annotated[str, Path(alias="id", max_length=64, examples=["partner-01kjt3w9x8c4m2p7q5"])]

_SUSPEND: TypeAdapter[Suspend] = TypeAdapter(Suspend)
_RESUME: TypeAdapter[Resume] = TypeAdapter(Resume)
_TERMINATE: TypeAdapter[Terminate] = TypeAdapter(Terminate)
_RENEW: TypeAdapter[Renew] = TypeAdapter(Renew)
_REVIEW: TypeAdapter[ReviewDocument] = TypeAdapter(ReviewDocument)


@router.get(
    "/v1/partners",
    **operation("List partners", {200: answers_with(PartnerPage, "A page of them.")}, scope=Scope.PARTNERS_OPERATE),
)
async def list_partners(
    request: Request,
    caller: Operates,
    state: PartnerState | None = None,
    kind: PartnerKind | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=400, description="`next` of the page before.")] = None,
) -> Response:
    """By id, with what comes next for each."""
    gateway = gateway_of(request)
    wanted: dict[str, Any] = {name: value for name, value in (("state", state), ("kind", kind)) if value is not None}
    if cursor is not None:
        wanted["_id"] = {"$gt": position_of(cursor, (str,))[0]}
    found = gateway.mongo.partners.find(wanted).sort("_id", 1).limit(limit + 1)
    records = [PartnerRecord.from_row(row) async for row in found]
    now = gateway.mongo.clock.now()
    rows = [partner_row(record, gateway.workflows, now) for record in records[:limit]]
    following = cursor_of(records[limit - 1].id) if len(records) > limit else None
    return answer({"partners": rows, "next": following}).response()


@router.get(
    "/v1/partners/{id}",
    **operation(
        "See a partner",
        {200: answers_with(PartnerView, "How it stands, what it has open, and what was done with it.")},
        scope=Scope.PARTNERS_OPERATE,
        problems=[404],
    ),
)
async def see_partner(request: Request, caller: Operates, partner: PartnerInPath) -> Response:
    """Its documents and until when they count, its agreement, its places, its open orders and unsettled money."""
    gateway = gateway_of(request)
    record = await known_partner(gateway, partner)
    return answer(await partner_view(gateway.mongo, gateway.js, record, gateway.workflows)).response()


@router.get(
    "/v1/partners/{id}/score",
    **operation(
        "See a partner's score",
        {200: answers_with(ScoreView, "The score, without lines.")},
        scope=Scope.PARTNERS_OPERATE,
        problems=[404],
    ),
)
async def see_score(request: Request, caller: Operates, partner: PartnerInPath) -> Response:
    """What closed service cases said about its parcels, and for who supplies, its deliveries; of 365 days. Also for a
    location of the retailer's own."""
    gateway = gateway_of(request)
    if not await gateway.mongo.locations.find_one({"_id": partner}, {"_id": 1}):
        await known_partner(gateway, partner)
    return answer(await score_view(gateway.mongo, partner, lines=False)).response()


def _command(
    summary: str, body: type[BaseModel], example: Any, scope: Scope = Scope.PARTNERS_OPERATE
) -> dict[str, Any]:
    answers = {200: answers_with(PartnerView, "How it stands now.")}
    return operation(summary, answers, scope=scope, body=body, examples={"example": example}, problems=[404])


@router.post("/v1/partners/{id}/suspend", **_command("Suspend a partner", Suspend, examples.SUSPENSION))
async def suspend(request: Request, caller: Operates, partner: PartnerInPath) -> Response:
    """Its places get no new orders; those that it has, it finishes, with the keys and credentials that it has."""
    return await carried_out(request, caller, _work(caller, partner, "suspend", _SUSPEND))


@router.post("/v1/partners/{id}/resume", **_command("End a suspension", Resume, examples.RESUMPTION))
async def resume(request: Request, caller: Operates, partner: PartnerInPath) -> Response:
    """One that an operator has begun. A partner whose document or agreement has ended resumes when it has a new one."""
    return await carried_out(request, caller, _work(caller, partner, "resume", _RESUME))


@router.post("/v1/partners/{id}/terminate", **_command("Terminate a partner", Terminate, examples.TERMINATION))
async def terminate(request: Request, caller: Operates, partner: PartnerInPath) -> Response:
    """Refused while orders are open or money is not settled; with `when_done` it goes when nothing is open any more.
    Its keys and credentials end with it. There is no way back."""
    return await carried_out(request, caller, _work(caller, partner, "terminate", _TERMINATE))


@router.post("/v1/partners/{id}/renew", **_command("Renew an agreement", Renew, examples.RENEWAL))
async def renew(request: Request, caller: Operates, partner: PartnerInPath) -> Response:
    """Drafts the next agreement and asks its signers. The present one counts until its end."""
    return await carried_out(request, caller, _work(caller, partner, "renew", _RENEW))


@router.post(
    "/v1/partners/{id}/review",
    **_command("Accept or return a new document", ReviewDocument, examples.DOCUMENT_REVIEW, Scope.PARTNERS_REVIEW),
)
async def review_document(request: Request, caller: Reviews, partner: PartnerInPath) -> Response:
    """Accepted, it counts from now on, and a suspension because of the old one ends."""
    return await carried_out(request, caller, _work(caller, partner, "review", _REVIEW))


_ROTATION: TypeAdapter[Rotation] = TypeAdapter(Rotation)
_NOTHING: TypeAdapter[Nothing] = TypeAdapter(Nothing)


def _secret(summary: str, body: type[BaseModel], model: type[BaseModel]) -> dict[str, Any]:
    """Answers that hold secrets are not kept for a repetition, so that no idempotency key is taken."""
    answers = {200: answers_with(model, "Shown once.")}
    return operation(
        summary, answers, scope=Scope.PARTNERS_OPERATE, body=body, examples={"example": {}}, once=False, problems=[404]
    )


@router.post("/v1/partners/{id}/credentials/rotate", **_secret("New credentials for the bus", Rotation, BusCredentials))
async def rotate(request: Request, caller: Operates, partner: PartnerInPath) -> Response:
    """The old ones count for `overlap_s` more; no event is lost."""
    gateway = gateway_of(request)
    asked = parse(_ROTATION, await read_json(request, gateway.limits.body_bytes))
    record = await _alive(gateway, partner)
    try:
        made = await gateway.access.rotate(record, asked.overlap_s)
    except BusNotTold as error:
        raise unavailable() from error
    await _note(gateway, caller, partner, "rotated credentials", made.public_key)
    return answer(shown(made)).response()


@router.post("/v1/partners/{id}/credentials/revoke", **_secret("Take keys and credentials back", Nothing, Revoked))
async def revoke(request: Request, caller: Operates, partner: PartnerInPath) -> Response:
    """All of them, at once: connections end, nothing is sent to its webhooks, and what it has not collected yet it
    cannot collect any more. The partner stays what it is; new ones are made with rotate and keys."""
    gateway = gateway_of(request)
    parse(_NOTHING, await read_json(request, gateway.limits.body_bytes))
    await known_partner(gateway, partner)
    try:
        ended = await gateway.access.end(partner)
    except BusNotTold as error:
        raise unavailable() from error
    await _note(gateway, caller, partner, "revoked access", f"{ended.keys} keys, {ended.webhooks} webhooks")
    told = {"keys": ended.keys, "webhooks": ended.webhooks, "revoked_at": ended.at}
    return answer(told).response()


@router.post("/v1/partners/{id}/keys", **_secret("A further API key of a partner", Nothing, PartnerKey))
async def new_key(request: Request, caller: Operates, partner: PartnerInPath) -> Response:
    """Beside those that it has."""
    gateway = gateway_of(request)
    parse(_NOTHING, await read_json(request, gateway.limits.body_bytes))
    await _alive(gateway, partner)
    key = await gateway.access.key(partner)
    await _note(gateway, caller, partner, "made a key", None)
    return answer({"key": key}).response()


def _work(caller: Caller, partner: str, what: Doing, adapter: TypeAdapter[Any]) -> Work:
    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        command = Command.model_validate({"by": caller.name, what: parse(adapter, body)})
        return await carry_out(gateway, partner, what, command, request_id)

    return work


async def carry_out(gateway: Gateway, partner: str, what: Doing, command: Command, request_id: str) -> Answer:
    """By the workflow of the partner. Raises Refusal."""
    before = await known_partner(gateway, partner)
    if not await gateway.durable.update(lifecycle_id(partner), what, command, request_id):
        refuse(standing_of(before), command)
        early = before.state in ("provisioning", "testing")
        raise Refusal(
            "partner_not_active" if early else "lifecycle_not_running",
            "The partner is not active yet." if early else f"Nothing takes care of {partner} at the moment.",
            remedy="Wait until it is active, or decide about its application."
            if early
            else "Ask an operator to start its workflow again; it goes on where it stood.",
            status=409,
        )
    after = await known_partner(gateway, partner)
    return answer(await partner_view(gateway.mongo, gateway.js, after, gateway.workflows))


async def known_partner(gateway: Gateway, partner: str) -> PartnerRecord:
    """Raises Refusal 404."""
    row = await gateway.mongo.partners.find_one({"_id": partner})
    if row is None:
        raise Refusal(
            "unknown_partner",
            f"There is no partner {partner[:64]}.",
            remedy="Check the id; GET /v1/partners lists them.",
            field="id",
            status=404,
        )
    return PartnerRecord.from_row(row)


async def _alive(gateway: Gateway, partner: str) -> PartnerRecord:
    record = await known_partner(gateway, partner)
    if record.state in ("provisioning", "terminated"):
        raise Refusal(
            "partner_not_active",
            f"The partner is {record.state}.",
            remedy="Only a partner that is being tested, active or suspended has keys and credentials.",
            status=409,
        )
    return record


async def _note(gateway: Gateway, caller: Caller, partner: str, did: str, note: str | None) -> None:
    row = audit_row(partner, f"access:{sortable()}", caller.name, did, gateway.mongo.clock.now(), note=note)
    await write_audit(gateway.mongo, [row])
