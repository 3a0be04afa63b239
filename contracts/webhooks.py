"""Webhooks: an address of a partner's to which its events are sent, and how it stands."""

from typing import Annotated, Literal

from pydantic import Field

from contracts.base import Document, Moment, Request
from contracts.personal import SharedSecret

WebhookState = Literal["active", "paused"]
PauseReason = Literal["endpoint_gone", "failing", "events_gone"]
"""endpoint_gone: it answered 410. failing: no 2xx for days. events_gone: what comes next is kept no more."""
SECRETS_MAX = 2
"""With the one that is on its way out."""

_NUMBER_MAX = 2**53 - 1


class Secret(Document):
    """`whsec_` and 32 bytes in base64, sealed in the database. `until`: when it ends; null: it was made last."""

    secret: SharedSecret
    until: Moment | None = None


class Failure(Document):
    """The last try that failed: the HTTP status, or in words why there was none."""

    at: Moment
    status: int | None = None
    detail: str


class Lease(Document):
    """Who sends at the moment, until when. `token` grows at each take-over."""

    owner: str | None = None
    token: int = 0
    until: Moment


class Webhook(Document):
    """As it is kept in `webhooks`. `position` is the last number that was sent, `acknowledged` the highest that ever
    was answered 2xx. `generation` grows when anything is changed from outside, so that whoever sends looks again."""

    id: str
    stream: str
    url: str
    state: WebhookState = "active"
    paused_for: PauseReason | None = None
    secrets: list[Secret]
    position: int
    acknowledged: int = 0
    attempts: int = 0
    """Tries of the next event that failed."""
    failing_since: Moment | None = None
    next_at: Moment | None = None
    last_failure: Failure | None = None
    generation: int = 1
    lease: Lease
    by: str
    created_at: Moment


class WebhookPlacement(Request):
    """`after`: send what follows this number; without it what is told from now on."""

    url: str = Field(min_length=1, max_length=2000, examples=["https://shop.example/tongqu"])
    after: int | None = Field(default=None, ge=0, le=_NUMBER_MAX, strict=True)


class SecretRotation(Request):
    """For so many seconds every request is signed with the old secret too."""

    overlap_s: int = Field(default=86_400, ge=0, le=7 * 86_400, strict=True)


class ReplayAsked(Request):
    """Send again from this number on."""

    begin: Annotated[int, Field(alias="from", ge=1, le=_NUMBER_MAX, strict=True)]


class Nothing(Request):
    """A body without fields: `{}`."""
