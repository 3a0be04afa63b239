"""An agreement with a partner as it is kept in `agreements`: its terms, its envelope, what was told, the evidence.

Names and addresses of persons, links and reasons are here and nowhere else (see contracts/agreements.py).
"""

from typing import Annotated, Literal

from pydantic import Field

from contracts.agreements import (
    AgreementState,
    Outcome,
    Role,
    Sequence,
    SignerStanding,
    SignerState,
    Standing,
)
from contracts.base import Document, Moment
from contracts.carriers import DivisionPrefix
from contracts.partnership import PartnerKind
from contracts.personal import Email, Personal, PersonalText, PersonName, Phone
from contracts.requirements import Words

Finding = Literal[
    "unreadable",
    "not_the_pinned_document",
    "signature_missing",
    "signature_unexpected",
    "signature_broken",
    "certificate_untrusted",
    "timestamp_invalid",
    "signer_differs",
    "changed_after_signing",
    "not_covered",
]
"""Why a signed file is not taken."""


class Party(Document):
    """One side of the agreement."""

    name: str
    credit_code: str
    address: str
    represented_by: PersonName


class Terms(Document):
    """What is agreed, beyond the clauses of the template."""

    kind: PartnerKind
    territory: list[DivisionPrefix] = []
    exclusive: bool = False
    categories: list[str] = []
    commission_bp: int | None = None
    """Basis points; null where none is agreed."""
    price_list: str | None = None
    currency: str = "CNY"
    term_months: int
    notice_days: int
    begins: Moment | None = None
    """Of a renewal: when the agreement before it ends. Null: on the day on which the last one signs."""
    renews: str | None = None


class Content(Document):
    """All that the PDF shows. The same content makes the same bytes."""

    agreement: str
    template: str
    retailer: Party
    partner: Party
    terms: Terms
    areas: list[str] = []
    """The territory in words; names of divisions may change later, this does not."""
    categories: list[str] = []
    """In words."""
    signers: list[tuple[Role, str]]
    """Role and name, in their order."""


class Signer(SignerStanding):
    """One row of the envelope, with who it is."""

    name: PersonName
    organisation: str
    email: Email | None = None
    phone: Phone | None = None
    link: Annotated[str, Personal("secret")] | None = None
    """The last one that was made; null once it is dead. Whoever has it can sign."""
    sent_at: Moment | None = None
    seen_at: Moment | None = None
    answered_at: Moment | None = None
    reason: PersonalText | None = None
    """Why it declined, in its own words."""


NoticeKind = Literal["asked", "reminded", "declined", "expired", "cancelled", "signed"]


class NoticeWords(Words):
    """They call persons by their names, and hold links."""

    zh: PersonalText
    en: PersonalText


class Notice(Document):
    """What a signer is told, in both languages."""

    to: str
    """Id of the signer."""
    kind: NoticeKind
    words: NoticeWords
    at: Moment


class SignatureEvidence(Document):
    """What was found about one signature."""

    signer: str
    subject: PersonalText
    """Of the certificate, for people."""
    certificate_sha256: str
    digest_algorithm: str
    signed_at: Moment | None
    """By the timestamp; without one as the signer says."""
    timestamped: bool
    intact: bool
    """The signed bytes are those that were signed."""
    valid: bool
    """The signature is that of the certificate's key."""
    anchored: bool
    """The certificate leads to a pinned root."""
    coverage: str
    changes_after: str
    """Kind of the changes in later revisions; other signatures are allowed."""


class Evidence(Document):
    """Of one verification. What is listed as `findings` made it fail."""

    verified_at: Moment
    base_sha256: str
    """Of the beginning of the file, as long as the document that was to be signed."""
    sha256: str
    bytes: int
    roots: list[str]
    """SHA-256 of the certificates that were trusted."""
    signatures: list[SignatureEvidence] = []
    findings: list[Finding] = []


class Agreement(Document):
    """Whoever writes it checks `step` and counts it up."""

    id: str
    application: str
    number: int
    template: str
    template_digest: str
    """SHA-256 of the template's data and layout."""
    terms: Terms
    terms_digest: str
    retailer: Party
    partner: Party
    digest: str
    """SHA-256 of the PDF that is to be signed; the file is kept under it."""
    size: int
    """Its bytes."""
    signers: list[Signer]
    sequence: Sequence
    state: AgreementState = "drafted"
    version_seen: int = 0
    """Of the provider's envelope, when it was looked at last."""
    created_at: Moment
    sent_at: Moment | None = None
    expires_at: Moment | None = None
    reminders: int = 0
    declined_by: str | None = None
    cancelled_by: str | None = None
    cancel_reason: PersonalText | None = None
    signed_digest: str | None = None
    signed_at: Moment | None = None
    """When the last one signed."""
    effective_from: Moment | None = None
    effective_until: Moment | None = None
    evidence: Evidence | None = None
    """Of the last verification."""
    notices: list[Notice] = []
    step: int = 0

    def signer(self, name: str) -> Signer:
        """Raises StopIteration for one that there is not."""
        return next(signer for signer in self.signers if signer.id == name)


def standing_of(agreement: Agreement) -> Standing:
    """What the workflow may know of it."""
    return Standing.model_validate(agreement.model_dump() | {"agreement": agreement.id})


# What the retailer's systems are told.


class SignerTold(Document):
    id: str
    role: Role
    state: SignerState


class AgreementSent(Document):
    """Signers were asked. `again`: reminded, or with a new link."""

    agreement: str
    application: str
    signers: list[SignerTold]
    asked: list[str]
    again: bool = False
    expires_at: Moment


class AgreementSigned(Document):
    """All have signed, and the file was verified."""

    agreement: str
    application: str
    kind: PartnerKind
    digest: str
    signed_digest: str
    signed_at: Moment
    effective_from: Moment
    effective_until: Moment


class AgreementEnded(Document):
    """There will be no signature of all: declined, expired or cancelled."""

    agreement: str
    application: str
    outcome: Outcome
    declined_by: str | None = Field(default=None, description="Id of the signer.")


class AgreementDoubtful(Document):
    """The signed file was refused. It is fetched and verified again, until it is right or somebody cancels."""

    agreement: str
    application: str
    findings: list[Finding]
