"""What is seen of an agreement: by the retailer's people, and by the partner. Each sees the links of its own signers
only: whoever has a link can sign."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from contracts.agreement_record import Agreement, Evidence, NoticeKind, Terms
from contracts.agreements import AgreementState, Role, Sequence, SignerState, Way, signing_id
from contracts.personal import mask
from contracts.requirements import Words
from workers.gateway.views import Workflows

Side = Literal["retailer", "partner"]


class SignerView(BaseModel):
    """`link`: to sign by; shown to the signer's own side, as long as it is good."""

    id: str
    role: Role
    order: int
    way: Way
    state: SignerState
    name: str
    email: str | None
    phone: str | None
    sends: int
    sent_at: datetime | None
    seen_at: datetime | None
    answered_at: datetime | None
    reason: str | None
    link: str | None


class NoticeView(BaseModel):
    to: str
    kind: NoticeKind
    words: Words
    at: datetime


class AgreementLinks(BaseModel):
    """`workflow`: in the Temporal UI."""

    self: str
    pdf: str
    workflow: str | None


class AgreementView(BaseModel):
    """`digest` (SHA-256) and `size` (bytes): of the PDF that is to be signed, with which the signed one begins;
    `signed_digest`: of the one with all signatures."""

    id: str
    application: str
    number: int
    state: AgreementState
    template: str
    terms: Terms
    sequence: Sequence
    digest: str
    size: int
    signed_digest: str | None
    signers: list[SignerView]
    created_at: datetime
    sent_at: datetime | None
    expires_at: datetime | None
    reminders: int
    declined_by: str | None
    cancelled_by: str | None
    cancel_reason: str | None
    signed_at: datetime | None
    effective_from: datetime | None
    effective_until: datetime | None
    evidence: Evidence | None
    notices: list[NoticeView]
    links: AgreementLinks


def agreement_view(agreement: Agreement, side: Side, path: str, workflows: Workflows | None) -> dict[str, Any]:
    """`path`: under which this side reaches it. Mail addresses and numbers are masked. Pure."""
    own = {signer.id for signer in agreement.signers if (signer.role == "retailer") == (side == "retailer")}
    signers = [
        {
            **signer.model_dump(),
            "email": mask("email", signer.email) if signer.email else None,
            "phone": mask("phone", signer.phone) if signer.phone else None,
            "link": signer.link if signer.id in own else None,
        }
        for signer in agreement.signers
    ]
    notices = [notice.model_dump() for notice in agreement.notices if side == "retailer" or notice.to in own]
    links = {
        "self": path,
        "pdf": f"{path}/pdf",
        "workflow": workflows.link(signing_id(agreement.id)) if workflows else None,
    }
    shown = {**agreement.model_dump(), "signers": signers, "notices": notices, "links": links}
    return AgreementView.model_validate(shown).model_dump(mode="json")
