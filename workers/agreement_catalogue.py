"""Events about agreements with partners: all go to the retailer. No names, links or reasons are in them."""

from datetime import UTC, datetime, timedelta

from pydantic import BaseModel

from contracts.agreement_record import (
    AgreementDoubtful,
    AgreementEnded,
    AgreementSent,
    AgreementSigned,
    SignerTold,
)
from contracts.subjects import RETAILER
from workers.catalogue import Told

_AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_APPLICATION = "app-01kjt3w9x8c4m2p7q5"
_AGREEMENT = f"{_APPLICATION}-a1"
_SIGNERS = [
    SignerTold(id="partner-1", role="legal_representative", state="sent"),
    SignerTold(id="retailer", role="retailer", state="waiting"),
]


def _told(event: str, meaning: str, data: BaseModel) -> Told:
    return Told(f"agreement.{event}.v1", RETAILER, meaning, _AGREEMENT, data)


OF_AGREEMENTS: tuple[Told, ...] = (
    _told(
        "sent",
        "Signers were asked to sign, each by a link of its own. Told for those whose turn it is; `again` is a reminder "
        "or a new link.",
        AgreementSent(
            agreement=_AGREEMENT,
            application=_APPLICATION,
            signers=_SIGNERS,
            asked=["partner-1"],
            expires_at=_AT + timedelta(days=14),
        ),
    ),
    _told(
        "signed",
        "All have signed, and the signed file was verified and kept.",
        AgreementSigned(
            agreement=_AGREEMENT,
            application=_APPLICATION,
            kind="franchise",
            digest="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            signed_digest="60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
            signed_at=_AT,
            effective_from=_AT,
            effective_until=_AT + timedelta(days=731, hours=7),
        ),
    ),
    _told(
        "declined",
        "A signer has declined. The agreement is not concluded; the other signers were told.",
        AgreementEnded(agreement=_AGREEMENT, application=_APPLICATION, outcome="declined", declined_by="partner-1"),
    ),
    _told(
        "expired",
        "Not all have signed in time. The agreement is not concluded.",
        AgreementEnded(agreement=_AGREEMENT, application=_APPLICATION, outcome="expired"),
    ),
    _told(
        "cancelled",
        "The agreement was withdrawn before all had signed.",
        AgreementEnded(agreement=_AGREEMENT, application=_APPLICATION, outcome="cancelled"),
    ),
    _told(
        "doubtful",
        "The signed file does not pass its verification; see `findings`. It is fetched again every few hours, until it "
        "does or somebody withdraws the agreement.",
        AgreementDoubtful(agreement=_AGREEMENT, application=_APPLICATION, findings=["signature_broken"]),
    ),
)
