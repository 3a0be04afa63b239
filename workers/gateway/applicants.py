"""Who applies: by the token of one application, which opens that one and no other."""

import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Request

from contracts.applications import Application
from contracts.ids import sortable
from contracts.refusals import Refusal
from contracts.requirements import RequirementSet
from infra.keys import hash_key
from infra.mongo import Session
from workers.gateway.paths import refuse_strange_parameters
from workers.gateway.rates import address_of
from workers.gateway.security import Caller
from workers.gateway.services import Gateway, gateway_of

_PREFIX = "app_"
_CHANCE_BYTES = 32
_ID = re.compile(r"app-[0-9a-hjkmnp-tv-z]{18}")
_NOBODYS = "0" * 64
"""Compared with where there is no application, so that both take the same time."""
IdInPath = Annotated[str, Path(alias="id", max_length=64, examples=["app-01kjt3w9x8c4m2p7q5"])]


@dataclass(frozen=True, slots=True)
class Applicant:
    """Whoever has the token."""

    application: str
    token: str
    """Its hash."""

    @property
    def caller(self) -> Caller:
        """As idempotency keys know it."""
        return Caller(f"applicant:{self.application}", frozenset(), self.token)


def new_application_id() -> str:
    return f"app-{sortable()}"


def new_token() -> str:
    """256 bits of chance. Kept only as a hash, as API keys are."""
    return _PREFIX + secrets.token_urlsafe(_CHANCE_BYTES)


async def _applicant(request: Request, application: IdInPath) -> Applicant:
    """Raises Refusal 401 without a token; 404 with one that is not this application's, whether or not there is such an
    application. It comes before the body is read."""
    gateway = gateway_of(request)
    hashed = hash_key(_token_of(request))
    known = await gateway.applications.token_hash(application) if _ID.fullmatch(application) else None
    if not hmac.compare_digest(hashed, known or _NOBODYS) or known is None:
        gateway.guesses.count(address_of(request))
        raise unknown_application()
    gateway.partner_calls.count(hashed)
    refuse_strange_parameters(request)
    return Applicant(application, hashed)


Applies = Annotated[Applicant, Depends(_applicant)]


def unknown_application() -> Refusal:
    return Refusal(
        "unknown_application",
        "There is no such application, or the token is not its own.",
        remedy="Send the id and the token that the application was answered with.",
        field="id",
        status=404,
    )


def _token_of(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip().startswith(_PREFIX):
        raise Refusal(
            "token_missing",
            "The request carries no token of an application.",
            remedy="Send the header Authorization: Bearer app_...",
            field="Authorization",
            status=401,
        )
    return token.strip()


async def known_application(
    gateway: Gateway, application: str, session: Session | None = None
) -> tuple[Application, RequirementSet]:
    """With the set that it is asked by. Raises Refusal 404."""
    known = await gateway.applications.find(application, session)
    if known is None:
        raise unknown_application()
    return known, await gateway.book.pinned(known.requirements, session)
