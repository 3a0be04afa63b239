"""Every answer that is a refusal, as a problem of RFC 9457: which field, why, and what to do."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from contracts.refusals import Refusal
from infra.hearing import BusSilent
from infra.mongo import PyMongoError, passes
from workers.gateway.answers import PROBLEM, to_json
from workers.gateway.faults import codes_of, faults_of, refused
from workers.gateway.paths import allowed_methods

log = logging.getLogger(__name__)

_TYPE = "urn:tongqu:problem:"
_MEMBERS = ("errors", "retry_after", "oldest")


def problem(refusal: Refusal) -> dict[str, Any]:
    """The members of a problem document. `type` is a name, not an address: nothing need be fetched."""
    members = {
        "type": _TYPE + refusal.code.replace("_", "-"),
        "title": refusal.code.replace("_", " ").capitalize(),
        "status": refusal.status,
        "detail": refusal.detail,
        "code": refusal.code,
        "field": refusal.field,
        "remedy": refusal.remedy,
        **{name: refusal.extra.get(name) for name in _MEMBERS},
    }
    return {name: value for name, value in members.items() if value is not None}


def problem_response(refusal: Refusal) -> Response:
    return Response(to_json(problem(refusal)), refusal.status, _headers(refusal), PROBLEM)


def _headers(refusal: Refusal) -> Mapping[str, str]:
    headers = dict(refusal.extra.get("headers", {}))
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="tongqu"'
    if refusal.status == HTTPStatus.FORBIDDEN and "scope" in refusal.extra:
        scope = refusal.extra["scope"]
        headers["WWW-Authenticate"] = f'Bearer realm="tongqu", error="insufficient_scope", scope="{scope}"'
    if "retry_after" in refusal.extra:
        headers["Retry-After"] = str(refusal.extra["retry_after"])
    return headers


def unavailable(detail: str, retry_after: int = 1) -> Refusal:
    remedy = "Send the same request again after the seconds that Retry-After names."
    return Refusal("store_unavailable", detail, remedy=remedy, status=503, retry_after=retry_after)


def install_problems(app: FastAPI) -> None:
    """Let every error of the app be answered as a problem, and counted."""
    app.add_exception_handler(Refusal, _on_refusal)
    app.add_exception_handler(RequestValidationError, _on_bad_parameter)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(PyMongoError, _on_store)
    app.add_exception_handler(BusSilent, _on_bus)
    app.add_exception_handler(Exception, _on_bug)


def _answer(request: Request, refusal: Refusal) -> Response:
    request.app.state.gateway.refusals.note(codes_of(refusal))
    return problem_response(refusal)


async def _on_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return _answer(request, error)


async def _on_bad_parameter(request: Request, error: Exception) -> Response:
    """Parameters are named by their own name, without the place (path, query, header) they are in."""
    assert isinstance(error, RequestValidationError)
    errors = [{**fault, "loc": fault["loc"][1:]} for fault in error.errors()]
    return _answer(request, refused(faults_of(errors)))


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.NOT_FOUND:
        detail = f"There is nothing at {request.url.path[:200]}."
        refusal = Refusal("not_found", detail, remedy="See /openapi.json for what there is.", status=404)
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = ", ".join(allowed_methods(request.app, request.url.path))
        refusal = Refusal(
            "method_not_allowed",
            f"{request.method} cannot be used here.",
            remedy=f"Use {allowed}.",
            status=405,
            headers={"Allow": allowed},
        )
    else:
        refusal = Refusal(
            f"http_{error.status_code}",
            str(error.detail),
            remedy="Correct the request.",
            status=error.status_code,
        )
    return _answer(request, refusal)


async def _on_store(request: Request, error: Exception) -> Response:
    """A database that cannot be reached comes back; one that objects to what we ask is a mistake of ours."""
    assert isinstance(error, PyMongoError)
    if not passes(error):
        raise error
    log.warning("the database did not answer %s %s: %s", request.method, request.url.path, error)
    return _answer(request, unavailable("The database does not answer at the moment."))


async def _on_bus(request: Request, error: Exception) -> Response:
    log.warning("the bus did not answer %s %s: %s", request.method, request.url.path, error)
    remedy = "Send the same request again after the seconds that Retry-After names."
    refusal = Refusal("bus_unavailable", "The bus does not answer.", remedy=remedy, status=503, retry_after=2)
    return _answer(request, refusal)


async def _on_bug(request: Request, error: Exception) -> Response:
    """Says nothing of the inside; the log has it."""
    detail = "The gateway failed on this request."
    remedy = "Send it again with the same Idempotency-Key; if it fails again, tell whoever runs this system."
    return _answer(request, Refusal("internal_error", detail, remedy=remedy, status=500))
