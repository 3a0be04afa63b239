"""What is said to a signature provider, and what it answers. The provider knows the signers' names: it identifies
them; a callback and a Temporal payload never do."""

from typing import Final, Literal

from pydantic import Field

from contracts.agreements import Role, SignerState, Way
from contracts.base import Document, Moment

IDEMPOTENCY_HEADER: Final = "Idempotency-Key"
ALREADY: Final = "already-answered"
"""The signer has signed or declined meanwhile, or the envelope is closed: look at it."""

EnvelopeState = Literal["open", "complete", "declined", "void"]


class EnvelopeSigner(Document):
    """Who signs, as the provider must know it. `name` and `organisation` go into the certificate."""

    id: str
    role: Role
    order: int
    way: Way
    name: str
    organisation: str
    email: str | None = None
    phone: str | None = None


class Envelope(Document):
    """A document and who is to sign it. The same id always means the same content."""

    id: str
    title: str
    document: str
    """The PDF, base64."""
    sha256: str
    """Of the PDF, hex."""
    signers: list[EnvelopeSigner] = Field(min_length=1, max_length=10)


class LinkAsked(Document):
    """A new link for a signer; links made for it before are dead from then on."""

    signer: str
    expires_at: Moment


class Link(Document):
    signer: str
    url: str
    """Good for one answer, until it expires. Whoever has it can sign."""
    expires_at: Moment


class SignerAsked(Document):
    """Of a reminder (the link stays) and of a seal (the provider signs with what it keeps)."""

    signer: str


class Void(Document):
    reason: str


class SignerView(Document):
    """waiting: no link was asked for yet."""

    id: str
    state: SignerState
    at: Moment | None = None
    """Of the last change."""
    reason: str | None = None
    """Of a signer that declined, in its own words."""


class EnvelopeView(Document):
    """The truth about an envelope. `version` grows with every change."""

    id: str
    state: EnvelopeState
    version: int
    signers: list[SignerView]


class Callback(Document):
    """Something may have happened. It is not believed: the envelope is looked at."""

    envelope: str = Field(min_length=1, max_length=200)
