"""Routes of webhooks: where a partner's events are sent, with which secret, and from which number on."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, TypeAdapter

from contracts.base import Moment
from contracts.refusals import Refusal
from contracts.webhooks import (
    SECRETS_MAX,
    Failure,
    Nothing,
    PauseReason,
    ReplayAsked,
    Secret,
    SecretRotation,
    Webhook,
    WebhookPlacement,
    WebhookState,
)
from infra.hearing import Gone
from infra.keys import Scope
from infra.mongo import Session
from infra.webhooks import revoke_webhooks
from workers.gateway.answers import Answer, answer
from workers.gateway.body import parse
from workers.gateway.carried import Work, carried_out
from workers.gateway.openapi import answers_with, operation
from workers.gateway.partner.access import Named, Partners, Stream, stream_for, streams_of
from workers.gateway.partner.reading import gone
from workers.gateway.security import Caller, unknown_key
from workers.gateway.services import Gateway, gateway_of
from workers.webhooks.addresses import refuse_address
from workers.webhooks.keeping import COLLECTION, FREE
from workers.webhooks.signing import new_secret

router = APIRouter(tags=["partner"])
Id = Annotated[str, Path(alias="id", pattern=r"^wh-[a-z0-9]{1,40}$", examples=["wh-01kjt3w9x8c4m2p7q5"])]
_PLACEMENT: TypeAdapter[WebhookPlacement] = TypeAdapter(WebhookPlacement)
_ROTATION: TypeAdapter[SecretRotation] = TypeAdapter(SecretRotation)
_REPLAY: TypeAdapter[ReplayAsked] = TypeAdapter(ReplayAsked)
_NOTHING: TypeAdapter[Nothing] = TypeAdapter(Nothing)
_LISTED_MAX = 1_000


class WebhookView(BaseModel):
    """`position` is the last number that was sent. `secrets_until`: when each secret that is on its way out ends."""

    id: str
    stream: str
    url: str
    state: WebhookState
    paused_for: PauseReason | None
    position: int
    attempts: int
    failing_since: Moment | None
    next_at: Moment | None
    last_failure: Failure | None
    secrets_until: list[Moment]
    created_at: Moment


class WebhookMade(WebhookView):
    """`secret` is shown only here."""

    secret: str


class WebhookList(BaseModel):
    webhooks: list[WebhookView]


@router.post(
    "/v1/partner/webhooks",
    **operation(
        "Have your events sent to an address",
        {201: answers_with(WebhookMade, "The webhook, with its secret.")},
        scope=Scope.PARTNER,
        body=WebhookPlacement,
        examples={"from now on": {"url": "https://shop.example/tongqu"}},
    ),
)
async def make_webhook(request: Request, caller: Partners, stream: Stream) -> Response:
    """Each event is one request, signed by the scheme of Standard Webhooks; the next is sent when it was answered 2xx.
    Any other answer, or none, has it sent again, at growing intervals."""

    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        asked = parse(_PLACEMENT, body)
        refuse_address(asked.url, private=gateway.limits.webhook_private)
        known = await gateway.mongo.webhooks.find_one({"_id": f"wh-{request_id}"})
        if known is None:
            known = gateway.sealing.row(await _new(gateway, caller, stream, asked, request_id), COLLECTION)
            await _insert(gateway, known)
        await _end_if_revoked(gateway, caller, stream)
        made = _opened(gateway, known)
        return replace(answer({**_view(made), "secret": made.secrets[-1].secret}, 201), secret=True)

    return await carried_out(request, caller, work)


async def _insert(gateway: Gateway, row: Mapping[str, Any]) -> None:
    """One at a time of a stream, so that those which come at once are counted too. Raises Refusal 409."""
    mongo, stream, most = gateway.mongo, row["stream"], gateway.limits.webhooks_per_stream

    async def work(session: Session) -> None:
        turn = {"$inc": {"webhooks_made": 1}}
        await mongo.positions.update_one({"_id": stream}, turn, upsert=True, session=session)
        if await mongo.webhooks.count_documents({"stream": stream}, session=session) >= most:
            raise Refusal(
                "too_many_webhooks",
                f"{stream} has {most} webhooks.",
                remedy="Delete one that is not used any more.",
                status=409,
            )
        await mongo.webhooks.insert_one(dict(row), session=session)

    await mongo.transaction(work)


async def _end_if_revoked(gateway: Gateway, caller: Caller, stream: str) -> None:
    """A key that was taken back is let in for a moment more, and must leave nothing behind that goes on without it.

    Keys are taken back before webhooks are: what was written before is found then, what is written after is ended
    here. Raises Refusal 401.
    """
    if caller.partner is not None and await gateway.keys.revoked([caller.key]):
        await revoke_webhooks(gateway.mongo, [stream])
        raise unknown_key()


async def _new(gateway: Gateway, caller: Caller, stream: str, asked: WebhookPlacement, request_id: str) -> Webhook:
    position = await _position(gateway, stream, asked.after)
    return Webhook.model_validate(
        {
            "id": f"wh-{request_id}",
            "stream": stream,
            "url": asked.url,
            "secrets": [{"secret": new_secret()}],
            "position": position,
            "lease": FREE,
            "by": caller.name,
            "created_at": gateway.mongo.clock.now(),
        }
    )


async def _position(gateway: Gateway, stream: str, after: int | None, field: str = "after") -> int:
    """Raises Refusal for what is kept no more, and for what lies ahead of all that was told."""
    newest = await gateway.hearing.newest(stream)
    if after is None:
        return newest
    if after > newest:
        detail = f"{newest} is the newest number of {stream}."
        raise Refusal("not_told_yet", detail, remedy="Name a number that you have.", field=field)
    try:
        await gateway.hearing.read(stream, after, 1)
    except Gone as error:
        raise gone(error, field) from error
    return after


@router.get(
    "/v1/partner/webhooks",
    **operation("List webhooks", {200: answers_with(WebhookList, "By id.")}, scope=Scope.PARTNER),
)
async def list_webhooks(
    request: Request,
    caller: Partners,
    stream: Named = None,
    state: Annotated[WebhookState | None, Query(description="Only those that stand like this.")] = None,
) -> Response:
    """Of one stream; without one, of all that are yours, which for operators is every one."""
    gateway = gateway_of(request)
    mongo = gateway.mongo
    query: dict[str, Any] = {} if state is None else {"state": state}
    if stream is not None or (caller.partner is None and Scope.OPERATE not in caller.scopes):
        query["stream"] = await stream_for(mongo, caller, stream)
    elif caller.partner is not None:
        query["stream"] = {"$in": await streams_of(mongo, caller.partner)}
    found = mongo.webhooks.find(query).sort("_id", 1).limit(_LISTED_MAX)
    return answer({"webhooks": [_view(_opened(gateway, row)) async for row in found]}).response()


@router.get(
    "/v1/partner/webhooks/{id}",
    **operation("See a webhook", {200: answers_with(WebhookView, "The webhook.")}, scope=Scope.PARTNER, problems=[404]),
)
async def see_webhook(request: Request, caller: Partners, hook_id: Id) -> Response:
    """How far it has come, and what went wrong last."""
    return answer(_view(await _find(gateway_of(request), caller, hook_id))).response()


@router.delete(
    "/v1/partner/webhooks/{id}",
    **operation("Delete a webhook", {204: {"description": "It is deleted."}}, scope=Scope.PARTNER, problems=[404]),
)
async def delete_webhook(request: Request, caller: Partners, hook_id: Id) -> Response:
    """Nothing is sent to it any more, but for what may be on its way at this moment."""
    gateway = gateway_of(request)
    found = await _find(gateway, caller, hook_id)
    await gateway.mongo.webhooks.delete_one({"_id": found.id})
    return Response(status_code=204)


@router.post(
    "/v1/partner/webhooks/{id}/secret",
    **operation(
        "Give a webhook a new secret",
        {200: answers_with(WebhookMade, "The webhook, with its new secret.")},
        scope=Scope.PARTNER,
        body=SecretRotation,
        examples={"a day for both": {"overlap_s": 86_400}},
        problems=[404],
    ),
)
async def rotate_secret(request: Request, caller: Partners, hook_id: Id) -> Response:
    """For a while every request carries two signatures, the old secret's and the new one's. Without an overlap the old
    secret ends at once."""

    def change(gateway: Gateway, hook: Webhook, body: Any) -> dict[str, Any]:
        asked = parse(_ROTATION, body)
        secrets = rotated(hook.secrets, new_secret(), gateway.mongo.clock.now(), asked.overlap_s)
        row = gateway.sealing.row(hook.model_copy(update={"secrets": secrets}), COLLECTION)
        return {"secrets": row["secrets"]}

    return await carried_out(request, caller, _changing(caller, hook_id, change, shows_secret=True))


def rotated(known: list[Secret], secret: str, now: datetime, overlap_s: int) -> list[Secret]:
    """The newest one stays for the overlap; older ones end."""
    leaving = known[-1].model_copy(update={"until": now + timedelta(seconds=overlap_s)})
    return [*([leaving] if overlap_s else []), Secret(secret=secret)][-SECRETS_MAX:]


@router.post(
    "/v1/partner/webhooks/{id}/replay",
    **operation(
        "Send events again from a number on",
        {200: answers_with(WebhookView, "The webhook.")},
        scope=Scope.PARTNER,
        body=ReplayAsked,
        examples={"from 17 on": {"from": 17}},
        problems=[404, 410],
    ),
)
async def replay_webhook(request: Request, caller: Partners, hook_id: Id) -> Response:
    """Every event from that number on, as it was sent before, under the same ids. A webhook that rests is resumed."""

    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        asked = parse(_REPLAY, body)
        hook = await _find(gateway, caller, hook_id)
        _refuse_revoked(caller, hook)
        position = await _position(gateway, hook.stream, asked.begin - 1, "from")
        changed = await _change(gateway, caller, hook, {**_RESUMED, "position": position})
        return answer(_view(changed))

    return await carried_out(request, caller, work)


_RESUMED: dict[str, Any] = {
    "state": "active",
    "paused_for": None,
    "attempts": 0,
    "failing_since": None,
    "next_at": None,
}


@router.post(
    "/v1/partner/webhooks/{id}/resume",
    **operation(
        "Go on sending to a webhook",
        {200: answers_with(WebhookView, "The webhook.")},
        scope=Scope.PARTNER,
        body=Nothing,
        examples={"resume": {}},
        problems=[404],
    ),
)
async def resume_webhook(request: Request, caller: Partners, hook_id: Id) -> Response:
    """From where it was, at once; also for one that waits for its next try."""

    def change(gateway: Gateway, hook: Webhook, body: Any) -> dict[str, Any]:
        parse(_NOTHING, body)
        _refuse_revoked(caller, hook)
        return _RESUMED

    return await carried_out(request, caller, _changing(caller, hook_id, change))


def _refuse_revoked(caller: Caller, hook: Webhook) -> None:
    if hook.paused_for == "revoked" and caller.partner is not None:
        raise Refusal(
            "access_revoked",
            f"Nothing is sent to {hook.id} any more, because access to {hook.stream} was taken back.",
            remedy="Ask the retailer to give access again.",
            status=409,
        )


def _changing(caller: Caller, hook_id: str, change: Any, *, shows_secret: bool = False) -> Work:
    async def work(gateway: Gateway, body: Any, request_id: str) -> Answer:
        hook = await _find(gateway, caller, hook_id)
        changed = await _change(gateway, caller, hook, change(gateway, hook, body))
        more = {"secret": changed.secrets[-1].secret} if shows_secret else {}
        return replace(answer({**_view(changed), **more}), secret=shows_secret)

    return work


async def _change(gateway: Gateway, caller: Caller, hook: Webhook, changes: dict[str, Any]) -> Webhook:
    """Whoever sends sees by the generation that something has changed."""
    await gateway.mongo.webhooks.update_one({"_id": hook.id}, {"$set": changes, "$inc": {"generation": 1}})
    await _end_if_revoked(gateway, caller, hook.stream)
    return await _find(gateway, caller, hook.id)


async def _find(gateway: Gateway, caller: Caller, hook_id: str) -> Webhook:
    """Raises Refusal 404, also for what is somebody else's."""
    row = await gateway.mongo.webhooks.find_one({"_id": hook_id})
    if row is not None:
        try:
            await stream_for(gateway.mongo, caller, row["stream"])
            return _opened(gateway, row)
        except Refusal:
            pass
    remedy = "Check the id; GET /v1/partner/webhooks lists yours."
    raise Refusal("unknown_webhook", f"There is no webhook {hook_id}.", remedy=remedy, field="id", status=404)


def _opened(gateway: Gateway, row: Mapping[str, Any]) -> Webhook:
    return Webhook.from_row(gateway.sealing.opened(row, COLLECTION))


def _view(hook: Webhook) -> dict[str, Any]:
    fields = hook.model_dump(exclude={"secrets", "acknowledged", "generation", "lease", "by"})
    return {**fields, "secrets_until": [one.until for one in hook.secrets if one.until is not None]}
