"""Where operators' tools open what workflows say: the remote codec of Temporal's UI and of its `temporal` command.

Both ask with an API key; the UI, which cannot send one, with a cookie that a browser gets for a key at `/codec`. The
key is looked up at every call, so that one that was revoked opens nothing more, whatever cookies there are of it.
"""

import logging
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import parse_qs

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from pydantic import BaseModel
from temporalio.api.common.v1 import Payload, Payloads

from contracts.refusals import Refusal
from infra.codec import SealingCodec
from infra.keyring import Keyring, NotGenuine, UnknownKey
from infra.keys import Scope
from workers.gateway.answers import JSON, answer
from workers.gateway.body import read_bytes, read_json
from workers.gateway.codec_page import page
from workers.gateway.openapi import answers_with, operation
from workers.gateway.security import Caller, key_sent, needs
from workers.gateway.services import gateway_of

router = APIRouter(tags=["codec"])
log = logging.getLogger(__name__)
COOKIE = "tongqu_codec"
_PATH = "/codec"
_PURPOSE = "session"
_SIGNED_IN_FOR = timedelta(hours=8)
_FORM = "application/x-www-form-urlencoded"
_FORM_BYTES = 4096
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"payloads": {"type": "array", "items": {"type": "object"}}},
                }
            }
        },
    }
}


class Opened(BaseModel):
    """Payloads as in Temporal's HTTP API: `metadata` and `data` in base64."""

    payloads: list[dict[str, Any]]


def _key_of(request: Request) -> str:
    """The key that is sent, else that in the cookie, which counts for calls from the UI's own pages only."""
    gateway = gateway_of(request)
    cookie = request.cookies.get(COOKIE)
    sent = "authorization" in request.headers or "x-api-key" in request.headers
    from_ui = gateway.ui_origin is not None and request.headers.get("origin") == gateway.ui_origin
    if sent or cookie is None or not from_ui:
        return key_sent(request)
    return _key_in(gateway.keyring, cookie, datetime.now(UTC))


Reads = Annotated[Caller, Depends(needs(Scope.CODEC_READ, _key_of))]
Writes = Annotated[Caller, Depends(needs(Scope.CODEC_WRITE, _key_of))]
Storage = Annotated[str | None, Query(alias="preserveStorageRefs", description="Sent by the UI; changes nothing.")]


def _coding(what: str, scope: Scope) -> dict[str, Any]:
    made = operation(
        what, {200: answers_with(Opened, "As many, in the same order.")}, scope=scope, problems=[400, 413, 415]
    )
    made["openapi_extra"] |= _BODY
    return made


@router.post("/codec/decode", **_coding("Open payloads", Scope.CODEC_READ))
async def decode(request: Request, caller: Reads, _storage: Storage = None) -> Response:
    """For the UI's remote codec, and `temporal --codec-endpoint <gateway>/codec --codec-auth "Bearer <key>"`."""
    gateway = gateway_of(request)
    payloads = await _payloads(request)
    try:
        opened = await SealingCodec(gateway.keyring).decode(payloads)
    except (UnknownKey, NotGenuine) as error:
        remedy = "Ask whoever runs this system for the key; docs/security.md says how keys are changed."
        raise Refusal("payload_not_opened", f"A payload cannot be opened: {error}.", remedy=remedy) from error
    log.info("%s opened %d payloads", caller.name, len(opened))
    return _answer(opened)


@router.post("/codec/encode", **_coding("Seal payloads", Scope.CODEC_WRITE))
async def encode(request: Request, caller: Writes, _storage: Storage = None) -> Response:
    """For what operators send to workflows with the UI or the `temporal` command."""
    return _answer(await SealingCodec(gateway_of(request).keyring).encode(await _payloads(request)))


@router.get(
    "/codec",
    response_class=HTMLResponse,
    **operation("A page to sign in on", {200: {"description": "For browsers that show Temporal's UI."}}, scope=None),
)
async def see_page(request: Request) -> Response:
    """It asks for an API key, and says how the UI is told to use what a browser gets for it."""
    return HTMLResponse(page(_own(request), gateway_of(request).ui_origin))


@router.post(
    "/codec/session",
    response_class=HTMLResponse,
    **operation(
        "Sign a browser in",
        {200: {"description": "A page; the browser has a cookie now."}},
        scope=None,
        problems=[401, 403, 413, 415],
    ),
)
async def sign_in(request: Request) -> Response:
    """`key` as of a form. The cookie holds it encrypted, goes to this codec only, and ends after eight hours."""
    key = await _key_in_form(request)
    caller = await needs(Scope.CODEC_READ, lambda _: key)(request)
    gateway = gateway_of(request)
    until = datetime.now(UTC) + _SIGNED_IN_FOR
    kept = orjson.dumps({"key": key, "until": until.timestamp()})
    key_id, sealed = gateway.keyring.encrypt(_PURPOSE, kept)
    shown = HTMLResponse(page(_own(request), gateway.ui_origin, caller.name))
    shown.set_cookie(
        COOKIE,
        f"{key_id}.{sealed.hex()}",
        int(_SIGNED_IN_FOR.total_seconds()),
        path=_PATH,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return shown


def _key_in(keyring: Keyring, cookie: str, now: datetime) -> str:
    key_id, _, sealed = cookie.partition(".")
    try:
        kept = orjson.loads(keyring.decrypt(key_id, _PURPOSE, bytes.fromhex(sealed)))
    except (UnknownKey, NotGenuine, ValueError):
        raise _signed_out("The cookie is not one of ours.") from None
    if kept["until"] <= now.timestamp():
        raise _signed_out("You signed in too long ago.")
    return str(kept["key"])


def _signed_out(detail: str) -> Refusal:
    return Refusal("signed_out", detail, remedy="Sign in again at /codec.", status=401)


async def _key_in_form(request: Request) -> str:
    """Raises Refusal 415, 413 or 403: forms of other pages are not taken."""
    origin = request.headers.get("origin")
    if origin is not None and origin != _own(request):
        remedy = "Sign in on the page /codec of this gateway."
        raise Refusal("foreign_form", "This form comes from another site.", remedy=remedy, status=403)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise Refusal("not_a_form", "This is no form.", remedy=f"Send key=… as {_FORM}.", status=415)
    form = parse_qs((await read_bytes(request, _FORM_BYTES)).decode("ascii", "replace"), max_num_fields=4)
    return form.get("key", [""])[0].strip()


def _own(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}"


async def _payloads(request: Request) -> list[Payload]:
    """Raises Refusal 400, 413, 415 or 422."""
    body = await read_json(request, gateway_of(request).limits.body_bytes)
    try:
        # Temporal's command sends {} where there is nothing to be opened.
        sent = body.get("payloads", []) if isinstance(body, dict) and body.keys() <= {"payloads"} else None
        if not isinstance(sent, list) or not all(isinstance(one, dict) for one in sent):
            raise ParseError
        return list(ParseDict(body, Payloads(), ignore_unknown_fields=True).payloads)
    except (ParseError, AttributeError, TypeError, ValueError):
        remedy = 'Send {"payloads": [{"metadata": {"encoding": "<base64>"}, "data": "<base64>"}]}.'
        raise Refusal("bad_payloads", "These are no payloads.", remedy=remedy) from None


def _answer(payloads: list[Payload]) -> Response:
    return answer({"payloads": [MessageToDict(payload) for payload in payloads]}).response()
