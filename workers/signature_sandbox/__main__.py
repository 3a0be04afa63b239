"""`python -m workers.signature_sandbox --port N --db FILE`: the sandbox signature provider.

The retailer's side asks with the provider's key (`/v1/...`); signers come with a link (`/sign/<token>`).
"""

import argparse
import asyncio
import contextlib
import hmac
import json
import logging
from asyncio import wrap_future
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import parse_qs

import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from contracts.base import Document
from contracts.signatures import IDEMPOTENCY_HEADER, Envelope, LinkAsked, SignerAsked, Void
from workers.signature_sandbox.authority import Authority
from workers.signature_sandbox.desk import Desk, Refused
from workers.signature_sandbox.pages import said_page, signing_page
from workers.signature_sandbox.telling import Teller

PDF: Final = "application/pdf"
BODY_MAX: Final = 20 * 1024 * 1024
_PRIVATE: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
_Result = TypeVar("_Result")
_Body = TypeVar("_Body", bound=Document)
Handler = Callable[[Request], Awaitable[Response]]


class Provider:
    """The HTTP side. SQLite and signing have a thread of their own."""

    def __init__(self, desk: Desk, authority: Authority, thread: ThreadPoolExecutor, api_key: str) -> None:
        self._desk = desk
        self._authority = authority
        self._thread = thread
        self._api_key = api_key.encode()

    async def _do(self, work: Callable[..., _Result], *arguments: Any) -> _Result:
        return await wrap_future(self._thread.submit(work, *arguments))

    def _admit(self, request: Request) -> None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(key.encode(), self._api_key):
            raise Refused(401, "unknown-key", "Send the provider's key as bearer token.")

    async def create(self, request: Request) -> Response:
        self._admit(request)
        return _json(await self._do(self._desk.create, await _body(request, Envelope)))

    async def view(self, request: Request) -> Response:
        self._admit(request)
        return _json(await self._do(self._desk.view, request.path_params["id"]))

    async def document(self, request: Request) -> Response:
        self._admit(request)
        return Response(await self._do(self._desk.pdf, request.path_params["id"]), media_type=PDF)

    async def link(self, request: Request) -> Response:
        self._admit(request)
        asked, key = await _body(request, LinkAsked), _key(request)
        return _json(await self._do(self._desk.link, request.path_params["id"], asked, key))

    async def remind(self, request: Request) -> Response:
        self._admit(request)
        asked, key = await _body(request, SignerAsked), _key(request)
        return _json(await self._do(self._desk.remind, request.path_params["id"], asked, key))

    async def seal(self, request: Request) -> Response:
        self._admit(request)
        asked, key = await _body(request, SignerAsked), _key(request)
        return _json(await self._do(self._desk.seal, request.path_params["id"], asked, key))

    async def void(self, request: Request) -> Response:
        self._admit(request)
        return _json(await self._do(self._desk.void, request.path_params["id"], await _body(request, Void)))

    async def root(self, _: Request) -> Response:
        """The authority's certificate; it is no secret."""
        return Response(self._authority.root_pem, media_type="application/x-pem-file")

    async def health(self, _: Request) -> Response:
        await self._do(self._desk.due, 1)
        return JSONResponse({"status": "ok"})

    async def page(self, request: Request) -> Response:
        token = request.path_params["token"]
        signer = await self._do(self._desk.by_token, token)
        title = await self._do(self._desk.title, signer.envelope)
        shown = signing_page(f"/sign/{token}", title, signer.who.name, signer.who.organisation)
        return HTMLResponse(shown, headers=_PRIVATE)

    async def read(self, request: Request) -> Response:
        content = await self._do(self._desk.read, request.path_params["token"])
        return Response(content, media_type=PDF, headers=_PRIVATE)

    async def sign(self, request: Request) -> Response:
        await self._do(self._desk.sign, request.path_params["token"])
        return _said(request, "已签署。", "Signed. You may close this page.", "signed")

    async def decline(self, request: Request) -> Response:
        await self._do(self._desk.decline, request.path_params["token"], await _reason(request))
        return _said(request, "已拒绝签署。", "You have declined to sign.", "declined")


async def _body(request: Request, model: type[_Body]) -> _Body:
    if int(request.headers.get("content-length") or 0) > BODY_MAX:
        raise Refused(413, "too-large", f"At most {BODY_MAX} bytes.")
    return model.model_validate_json(await request.body())


def _key(request: Request) -> str:
    key = request.headers.get(IDEMPOTENCY_HEADER)
    if not key:
        raise Refused(422, "key-missing", f"Send the header {IDEMPOTENCY_HEADER}.")
    return key


async def _reason(request: Request) -> str:
    """From the page's form, or from JSON."""
    if request.headers.get("content-type", "").startswith("application/json"):
        given = json.loads(await request.body())
        reason = given.get("reason") if isinstance(given, dict) else None
    else:
        form = parse_qs((await request.body()).decode(), max_num_fields=5)
        reason = form.get("reason", [None])[0]
    if not isinstance(reason, str) or not 1 <= len(reason.strip()) <= 500:
        raise Refused(422, "reason-missing", "Say why, in at most 500 characters.")
    return reason.strip()


def _json(model: Document) -> Response:
    return Response(model.model_dump_json(), media_type="application/json")


def _said(request: Request, chinese: str, english: str, state: str) -> Response:
    """A page for a browser, JSON for a program."""
    if "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(said_page(chinese, english), headers=_PRIVATE)
    return JSONResponse({"state": state})


async def refuse(request: Request, error: Exception) -> Response:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        error = Refused(422, "invalid-request", f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
    elif isinstance(error, ValueError):
        error = Refused(422, "invalid-request", "The body cannot be read.")
    if not isinstance(error, Refused):
        error = Refused(500, "internal-error", "The provider itself failed; try again under the same key.")
    if request.url.path.startswith("/sign/") and "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(said_page("此链接不可用。", error.detail), error.status, _PRIVATE)
    body = {"status": error.status, "code": error.code, "detail": error.detail}
    return JSONResponse(body, error.status, media_type="application/problem+json")


def application(provider: Provider, teller: Teller | None) -> Starlette:
    """Without a teller nobody is called back; whoever wants to know asks."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        telling = asyncio.create_task(teller.run()) if teller else None
        yield
        if telling:
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await telling

    def post(path: str, handler: Handler) -> Route:
        return Route(path, handler, methods=["POST"])

    routes = [
        post("/v1/envelopes", provider.create),
        Route("/v1/envelopes/{id}", provider.view),
        Route("/v1/envelopes/{id}/document", provider.document),
        post("/v1/envelopes/{id}/links", provider.link),
        post("/v1/envelopes/{id}/reminders", provider.remind),
        post("/v1/envelopes/{id}/seals", provider.seal),
        post("/v1/envelopes/{id}/void", provider.void),
        Route("/v1/authority", provider.root),
        Route("/sign/{token}", provider.page),
        Route("/sign/{token}/document", provider.read),
        post("/sign/{token}/signature", provider.sign),
        post("/sign/{token}/refusal", provider.decline),
        Route("/healthz", provider.health),
    ]
    return Starlette(
        routes=routes, exception_handlers=dict.fromkeys((Refused, ValueError, Exception), refuse), lifespan=lifespan
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="A signature provider for the demo and for tests.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--db", type=Path, required=True, help="SQLite file, made when missing")
    parser.add_argument("--authority", type=Path, required=True, help="folder of the test authority, made when missing")
    parser.add_argument("--keys", type=Path, required=True, help="JSON file with api_key and callback_secret")
    parser.add_argument("--gateway", help="where changes are told; without it nobody is called back")
    o = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    keys: dict[str, str] = json.loads(o.keys.read_text())
    authority = Authority(o.authority)
    desk = Desk(o.db, authority, f"http://{o.host}:{o.port}")
    thread = ThreadPoolExecutor(max_workers=1)
    teller = Teller(desk, thread, o.gateway, keys["callback_secret"]) if o.gateway else None
    app = application(Provider(desk, authority, thread, keys["api_key"]), teller)
    # Longer than clients keep an idle connection, so that none is closed while a request is on its way.
    uvicorn.run(app, host=o.host, port=o.port, log_level="warning", access_log=False, timeout_keep_alive=60)


if __name__ == "__main__":
    main()
