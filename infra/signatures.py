"""The signature port, and the adapter that speaks to a provider over HTTP."""

import base64
import hashlib
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, Protocol, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from contracts.base import Document, Moment
from contracts.signatures import (
    ALREADY,
    IDEMPOTENCY_HEADER,
    Callback,
    Envelope,
    EnvelopeSigner,
    EnvelopeView,
    Link,
    LinkAsked,
    SignerAsked,
    Void,
)
from infra.provider import HttpProvider, Unanswered, excerpt

_DONE: Final = frozenset({HTTPStatus.OK, HTTPStatus.CREATED})
_Answer = TypeVar("_Answer", bound=Document)


class AlreadyAnswered(Exception):
    """The signer has answered, or the envelope is closed: what was asked makes no sense any more. Look at it."""


class SignaturePort(Protocol):
    """What the path of an agreement asks of any provider. All may be asked again; `key` says that it is the same.

    All raise Unanswered when no usable answer came; link, remind and seal raise AlreadyAnswered.
    """

    async def create(self, envelope: str, title: str, pdf: bytes, signers: list[EnvelopeSigner]) -> EnvelopeView: ...

    async def link(self, envelope: str, asked: LinkAsked, key: str) -> Link: ...

    async def remind(self, envelope: str, signer: str, key: str) -> EnvelopeView: ...

    async def seal(self, envelope: str, signer: str, key: str) -> EnvelopeView: ...

    async def void(self, envelope: str, reason: str) -> EnvelopeView | None:
        """The envelope, closed; one that is complete or declined stays so. None: there is no such envelope."""
        ...

    async def view(self, envelope: str) -> EnvelopeView: ...

    async def document(self, envelope: str) -> bytes:
        """The PDF with the signatures that it has by now."""
        ...


class _Problem(BaseModel):
    code: str
    detail: str | None = None


class HttpSignaturePort(HttpProvider):
    """One pool of connections to one provider, with the key under which it knows us."""

    def __init__(self, base_url: str, api_key: str, *, timeout_s: float = 30.0) -> None:
        super().__init__(base_url, timeout_s=timeout_s)
        self._auth = {"Authorization": f"Bearer {api_key}"}

    async def create(self, envelope: str, title: str, pdf: bytes, signers: list[EnvelopeSigner]) -> EnvelopeView:
        sha256 = hashlib.sha256(pdf).hexdigest()
        made = Envelope(
            id=envelope, title=title, document=base64.b64encode(pdf).decode(), sha256=sha256, signers=signers
        )
        return await self._do("/v1/envelopes", made, EnvelopeView, envelope)

    async def link(self, envelope: str, asked: LinkAsked, key: str) -> Link:
        return await self._do(_path(envelope, "links"), asked, Link, key)

    async def remind(self, envelope: str, signer: str, key: str) -> EnvelopeView:
        return await self._do(_path(envelope, "reminders"), SignerAsked(signer=signer), EnvelopeView, key)

    async def seal(self, envelope: str, signer: str, key: str) -> EnvelopeView:
        return await self._do(_path(envelope, "seals"), SignerAsked(signer=signer), EnvelopeView, key)

    async def void(self, envelope: str, reason: str) -> EnvelopeView | None:
        body = Void(reason=reason).model_dump_json()
        status, answer = await self._post(_path(envelope, "void"), body, self._auth)
        if status == HTTPStatus.NOT_FOUND and _problem(answer) is not None:
            return None
        return _read(status, answer, EnvelopeView)

    async def view(self, envelope: str) -> EnvelopeView:
        status, answer = await self._get(_path(envelope), self._auth)
        return _read(status, answer, EnvelopeView)

    async def document(self, envelope: str) -> bytes:
        status, answer = await self._get(_path(envelope, "document"), self._auth)
        if status != HTTPStatus.OK:
            raise Unanswered(f"http-{status}", excerpt(answer))
        return answer

    async def _do(self, path: str, body: Document, model: type[_Answer], key: str) -> _Answer:
        headers = {**self._auth, IDEMPOTENCY_HEADER: key}
        status, answer = await self._post(path, body.model_dump_json(), headers)
        problem = _problem(answer) if status == HTTPStatus.CONFLICT else None
        if problem is not None and problem.code == ALREADY:
            raise AlreadyAnswered(problem.detail or problem.code)
        return _read(status, answer, model)


def _path(envelope: str, *more: str) -> str:
    return "/".join(("/v1/envelopes", quote(envelope, safe=""), *more))


def _problem(body: bytes) -> _Problem | None:
    """A problem that the provider itself worded; a proxy's bare status is none."""
    try:
        return _Problem.model_validate_json(body)
    except ValidationError:
        return None


def _read(status: int, body: bytes, model: type[_Answer]) -> _Answer:
    if status not in _DONE:
        problem = _problem(body)
        raise Unanswered(problem.code if problem else f"http-{status}", excerpt(body))
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise Unanswered(
            "unreadable-answer", f"HTTP {status}: {len(body)} bytes that are no {model.__name__}"
        ) from error


class CallbackForged(Exception):
    """A callback that does not carry the provider's signature, or is too old."""


def sign_callback(secret: str, callback_id: str, at: Moment, body: str) -> dict[str, str]:
    """Headers by the Standard Webhooks scheme: HMAC-SHA256 over id, time and body. `secret`: base64."""
    signature = Webhook(secret).sign(callback_id, at, body)
    return {
        "webhook-id": callback_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
        "Content-Type": "application/json",
    }


def read_callback(secret: str, headers: Mapping[str, str], body: bytes) -> Callback:
    """Raises CallbackForged; a callback that is older than five minutes is none."""
    try:
        Webhook(secret).verify(body, dict(headers), json_parse=False)
        return Callback.model_validate_json(body)
    except (WebhookVerificationError, ValueError) as error:  # headers that are no base64 or no numbers
        raise CallbackForged(type(error).__name__) from error
