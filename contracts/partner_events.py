"""Data of the events about applications and partners (see contracts.events). Nothing personal is in them."""

from typing import Literal

from contracts.base import Document, Moment


class Bilingual(Document):
    """What a person reads, in both languages."""

    zh: str
    en: str


class ApplicationChanged(Document):
    """`application.changed.v1`, to the retailer: an application to become a partner came to another stage."""

    application: str
    kind: str
    region: str
    stage: str
    revision: int
    risk: int | None = None
    """0 to 100."""
    reasons: list[str] = []
    agreement: str | None = None
    partner: str | None = None


class ApplicationWaits(Document):
    """`application.waits.v1`, to the retailer: somebody is waited for; told again as a reminder, and when the turn was
    given to a role above because nothing was done."""

    application: str
    stage: str
    who: str
    """applicant, reviewer, signers or partner."""
    due: Moment
    reminder: int = 0
    escalated_to: str | None = None
    words: Bilingual


class PartnerTest(Document):
    """`partner.test.v1`, to a new partner: acknowledge this event, and you are activated."""

    partner: str
    words: Bilingual


class PartnerChanged(Document):
    """`partner.changed.v1`, to the partner and to the retailer: how the partner stands from now on."""

    partner: str
    state: str
    reasons: list[str] = []
    """Codes, such as `document_expired:business_licence`."""
    note: str | None = None
    """What was said with it."""
    words: Bilingual


class PartnerEnding(Document):
    """`partner.ending.v1`, to the partner and to the retailer: a document or the agreement ends; without a new one the
    partner is suspended then."""

    partner: str
    what: str
    """`agreement`, or the requirement that the document fulfils."""
    until: Moment
    days: int
    words: Bilingual


class PartnerDocument(Document):
    """`partner.document.v1`, to the partner and to the retailer: what became of a new document."""

    partner: str
    requirement: str
    state: Literal["offered", "accepted", "returned", "waits"]
    """waits: no reviewer has looked in time; it was given to `escalated_to`."""
    due: Moment | None = None
    escalated_to: str | None = None
    comment: str | None = None
    words: Bilingual


class PartnerRenewal(Document):
    """`partner.renewal.v1`, to the partner and to the retailer: how the signing of the next agreement ended."""

    partner: str
    agreement: str
    outcome: str
    """signed, declined, expired, cancelled or failed."""
    until: Moment | None = None
    """The next agreement counts until then."""
    words: Bilingual
