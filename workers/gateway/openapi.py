"""The OpenAPI document: what each operation takes, answers and refuses, with examples."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from contracts.agreements import Cancel, Resend
from contracts.applications import ApplicationRequest, Facts, FieldsSent
from contracts.buying import PurchaseAsked
from contracts.buying_terms import Approvers, BuyingTerms
from contracts.cases import REQUESTS, Opening
from contracts.lifecycle import Renew, Resume, ReviewDocument, Suspend, Terminate
from contracts.onboarding import ConfirmDeposit, Decide, ReviewItem, Submit, Withdraw
from contracts.orders import (
    AddressChange,
    CancelRequest,
    CommandRequest,
    GoodwillRequest,
    OrderPlacement,
    PaymentReport,
)
from contracts.purchasing import (
    AnswerCounter,
    ApprovePurchase,
    CancelRest,
    DecideInvoice,
    Receive,
    RejectPurchase,
    TakeInvoice,
)
from contracts.requirements import RequirementSet
from contracts.returns import ReturnReceipt, ReturnRequest, ReturnSending
from contracts.scoring import AnswerToLine, ObjectToLine
from contracts.service_calendar import CalendarDraft
from contracts.service_policy import ServicePolicyDraft
from contracts.service_teams import RotaDraft, TeamDraft
from contracts.settling import Answer as DisputeAnswer
from contracts.settling import Approve, Object, Paid, SettlementsAsked
from contracts.webhooks import ReplayAsked, SecretRotation, WebhookPlacement
from infra.keys import Scope
from workers.gateway.access import Nothing, Rotation
from workers.gateway.answers import JSON, PROBLEM
from workers.gateway.bodies import (
    Acknowledgement,
    CarrierBatch,
    LocationBatch,
    OrderBatch,
    PartnerEvent,
    RerouteRequest,
    RuleBatch,
    SkuBatch,
    StockBatch,
    TrackingBatch,
)
from workers.gateway.examples import placed
from workers.gateway.policybook import PolicyDraft
from workers.gateway.results import Problem
from workers.gateway.security import SECURITY_SCHEMES, TOKEN_SCHEME
from workers.gateway.supply_bodies import SUPPLY_BODIES
from workers.gateway.views import OrderView

_SCHEMAS: tuple[type[BaseModel], ...] = (
    OrderPlacement,
    OrderBatch,
    CommandRequest,
    CancelRequest,
    RerouteRequest,
    PaymentReport,
    AddressChange,
    GoodwillRequest,
    ReturnRequest,
    ReturnSending,
    ReturnReceipt,
    LocationBatch,
    StockBatch,
    SkuBatch,
    CarrierBatch,
    TrackingBatch,
    PolicyDraft,
    ServicePolicyDraft,
    CalendarDraft,
    TeamDraft,
    RotaDraft,
    RuleBatch,
    SettlementsAsked,
    Approve,
    Object,
    DisputeAnswer,
    Paid,
    ReviewItem,
    Decide,
    Suspend,
    Resume,
    Terminate,
    Renew,
    ReviewDocument,
    Rotation,
    Nothing,
    PartnerEvent,
    Acknowledgement,
    ApplicationRequest,
    FieldsSent,
    Facts,
    Submit,
    Withdraw,
    ConfirmDeposit,
    RequirementSet,
    WebhookPlacement,
    SecretRotation,
    ReplayAsked,
    Resend,
    Cancel,
    PurchaseAsked,
    ApprovePurchase,
    RejectPurchase,
    AnswerCounter,
    Receive,
    TakeInvoice,
    DecideInvoice,
    CancelRest,
    BuyingTerms,
    Approvers,
    ObjectToLine,
    AnswerToLine,
    *SUPPLY_BODIES,
    Opening,
    *REQUESTS.values(),
    Problem,
)
_REF = "#/components/schemas/{model}"
_REASONS = {
    400: "The body is no JSON.",
    401: "No API key, or an unknown one.",
    403: "The key lacks a scope.",
    404: "There is no such thing.",
    409: "It is in the way of what was done before; see `code`.",
    413: "The body is too large: JSON may be 8 MiB, a file 10 MiB.",
    415: "The body is not of the type that is asked.",
    422: "Something in the request is wrong; see `field` and `remedy`.",
    410: "It is kept no more; see `remedy`.",
    429: "Too many, or too many at once; see Retry-After.",
    500: "The gateway failed. Nothing of the inside is told.",
    503: "Not now; see Retry-After.",
}
_HEADERS = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    429: {"Retry-After": {"schema": {"type": "string"}, "description": "Seconds."}},
    503: {"Retry-After": {"schema": {"type": "string"}, "description": "Seconds."}},
}
_ALWAYS = (401, 403, 422, 429, 500, 503)
_OF_TOKEN = (401, 404, 422, 429, 500, 503)
_OF_ANYBODY = (422, 429, 500, 503)
_WITH_BODY = (400, 409, 413, 415)
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key with the same body is answered again without being done again, for 72 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
    "example": "7f4df0a2-51f5-4f1c-9f5b-8b9f0f5c9a11",
}
PREFER_WAIT = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": "`wait=N`: answer with the outcome when it is known within N seconds, 30 at most (RFC 7240).",
    "schema": {"type": "string"},
    "example": "wait=10",
}


def answers_with(model: type[BaseModel], description: str, example: Any = None, **headers: str) -> dict[str, Any]:
    """A response of an operation. `headers`: their descriptions by name, with _ for -."""
    made: dict[str, Any] = {"model": model, "description": description}
    if example is not None:
        made["content"] = {JSON: {"example": example}}
    if headers:
        made["headers"] = {
            name.replace("_", "-"): {"schema": {"type": "string"}, "description": words}
            for name, words in headers.items()
        }
    return made


def operation(
    summary: str,
    responses: Mapping[int, dict[str, Any]],
    *,
    scope: Scope | None,
    body: type[BaseModel] | None = None,
    examples: Mapping[str, Any] | None = None,
    parameters: Sequence[dict[str, Any]] = (),
    problems: Sequence[int] = (),
    applicant: bool = False,
    anybody: bool = False,
    once: bool = True,
    content: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Arguments for a route. The first of `responses` is its usual one.

    `applicant`: the token of an application is needed. `anybody`: nothing is. `once`: whether an Idempotency-Key makes
    a body count once. `content`: of a body that is no JSON.
    """
    extra: dict[str, Any] = {"parameters": list(parameters)}
    if scope is not None:
        extra["security"] = [{scheme: [scope.value]} for scheme in SECURITY_SCHEMES]
    elif applicant or anybody:
        extra["security"] = [{scheme: []} for scheme in TOKEN_SCHEME] if applicant else []
    if content is not None:
        extra["requestBody"] = {"required": True, "content": dict(content)}
    if body is not None:
        extra["parameters"] += [_IDEMPOTENCY_KEY] if once else []
        described: dict[str, Any] = {"schema": {"$ref": _REF.format(model=body.__name__)}}
        if examples:
            described["examples"] = {name: {"value": value} for name, value in examples.items()}
        extra["requestBody"] = {"required": True, "content": {JSON: described}}
    always = _ALWAYS if scope else _OF_TOKEN if applicant else _OF_ANYBODY if anybody else ()
    statuses = {*problems, *always, *(_WITH_BODY if body or content else ())}
    return {
        "summary": summary,
        "status_code": next(iter(responses)),
        "responses": {**responses, **{status: _refusal(status) for status in sorted(statuses)}},
        "openapi_extra": extra,
    }


def _refusal(status: int) -> dict[str, Any]:
    schema = {"$ref": _REF.format(model=Problem.__name__)}
    made: dict[str, Any] = {"description": _REASONS[status], "content": {PROBLEM: {"schema": schema}}}
    return {**made, "headers": _HEADERS[status]} if status in _HEADERS else made


def document(app: FastAPI) -> dict[str, Any]:
    """The app's document, made once. Bodies are read by the gateway itself, so their schemas are added here."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title,
            version=app.version,
            openapi_version="3.1.0",
            summary=app.summary,
            description=app.description,
            routes=app.routes,
            tags=app.openapi_tags,
        )
        _, schemas = models_json_schema([(model, "validation") for model in _SCHEMAS], ref_template=_REF)
        components = made.setdefault("components", {})
        components.setdefault("schemas", {}).update(schemas["$defs"])
        # Here and not beside the operation, where FastAPI would drop the fields that are null.
        components["schemas"][OrderView.__name__]["examples"] = [placed()]
        components["securitySchemes"] = {**SECURITY_SCHEMES, **TOKEN_SCHEME}
        app.openapi_schema = made
    return app.openapi_schema
