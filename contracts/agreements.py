"""What the workflow that has an agreement signed, its activities and those who call them say to each other.

Names of people, their addresses, links and reasons stay in the agreement's document; what travels here are ids,
states, digests and moments.
"""

from datetime import timedelta
from typing import Literal

from pydantic import Field

from contracts.base import Document, Moment, Request
from contracts.partnership import PartnerKind
from contracts.personal import Remark
from contracts.refusals import Refusal

WORKFLOW = "AgreementSigning"
TASK_QUEUE = "partners"

DRAFT = "agreements.draft"
"""Draft -> Sign: makes the document of an application, or of a renewal, and pins its digest."""
STAND = "agreements.stand"
SEND = "agreements.send"
LOOK = "agreements.look"
REMIND = "agreements.remind"
STORE = "agreements.store"
EXPIRE = "agreements.expire"
CARRY_OUT = "agreements.carry_out"
WAKE = "wake"
"""The signal that something may have happened at the provider. It says nothing more: the provider is asked."""

Role = Literal["legal_representative", "second", "retailer"]
"""second: a second signer of the partner, where one is wanted. The retailer countersigns last."""
SignerState = Literal["waiting", "sent", "seen", "signed", "declined", "expired"]
"""waiting: not its turn yet. seen: the document was opened. expired: it did not sign in time."""
ASKED: frozenset[SignerState] = frozenset({"sent", "seen"})
"""Its turn, and no answer yet."""
Way = Literal["link", "seal"]
"""link: a person opens a link, reads and signs. seal: the provider puts the seal it keeps, when it is told to."""
Sequence = Literal["sequential", "parallel"]
"""Whether the partner's signers are asked one after the other or all at once."""

AgreementState = Literal["drafted", "out", "complete", "doubtful", "signed", "declined", "expired", "cancelled"]
"""out: signers are asked. complete: all have signed, the signed file is to be fetched and verified. doubtful: the
file that was fetched is not what was to be signed, or a signature does not hold; it is fetched again and again."""
ENDED: frozenset[AgreementState] = frozenset({"signed", "declined", "expired", "cancelled"})
Outcome = Literal["signed", "declined", "expired", "cancelled"]

_FIRST_LOOK = timedelta(minutes=5)
_LOOK_AT_LEAST_EVERY = timedelta(hours=6)


def agreement_id(application: str, number: int) -> str:
    """The agreement of an application with this number. The first is 1; renewals and new tries go on counting."""
    return f"{application}-a{number}"


def signing_id(agreement: str) -> str:
    """The workflow that has it signed."""
    return f"agreement-{agreement}"


class Offered(Document):
    """Commercial terms that the retailer offers; what is left out is as the template says for the kind."""

    commission_bp: int | None = Field(default=None, ge=0, le=10_000)
    """Basis points of the goods' price that the retailer keeps, or pays to who sells for it."""
    price_list: str | None = None
    term_months: int | None = Field(default=None, ge=1, le=120)
    notice_days: int | None = Field(default=None, ge=0, le=365)


class Draft(Document):
    """Input of `agreements.draft`. To ask again with the same number gives the same agreement."""

    application: str
    number: int = 1
    renews: str | None = None
    """The agreement that ends: its terms go on from its last day."""
    offered: Offered = Offered()
    sequence: Sequence = "sequential"
    countersign: Way = "seal"
    """How the retailer signs, after all others: by the seal that the provider keeps for it, or a person by a link."""
    expires_s: float = 14 * 86_400
    """From its sending, the time in which all must have signed."""
    remind_after_s: float = 3 * 86_400
    """Whose turn it is is reminded every so often."""
    now: Moment


class SignerId(Document):
    """A signer, without a name. Lower `order` comes earlier; equal orders are asked at once."""

    id: str
    role: Role
    order: int
    way: Way = "link"


class Sign(Document):
    """Input of `AgreementSigning`."""

    agreement: str
    application: str
    kind: PartnerKind
    template: str
    """`<id>@<version>`."""
    terms_digest: str
    digest: str
    """SHA-256 of the PDF that is to be signed, hex: pinned before anybody signs."""
    signers: list[SignerId]
    sequence: Sequence
    expires_s: float
    remind_after_s: float


class Signed(Document):
    """What `AgreementSigning` ends with."""

    outcome: Outcome
    agreement: str
    digest: str
    """Of the PDF that was to be signed."""
    signed_digest: str | None = None
    """Of the PDF with all signatures."""
    signed_at: Moment | None = None
    effective_from: Moment | None = None
    effective_until: Moment | None = None
    """The agreement ends here, unless it is renewed."""
    declined_by: str | None = None
    """Id of the signer."""


class SignerStanding(SignerId):
    state: SignerState = "waiting"
    sends: int = 0
    """Links that were made for it; only the last one is good."""


class Standing(Document):
    """How an agreement stands, as its workflow knows it."""

    agreement: str
    digest: str
    state: AgreementState = "drafted"
    signers: list[SignerStanding] = []
    expires_at: Moment | None = None
    """Known once it was sent."""
    signed_digest: str | None = None
    signed_at: Moment | None = None
    effective_from: Moment | None = None
    effective_until: Moment | None = None
    declined_by: str | None = None
    step: int = 0
    """The last step that was carried out."""

    def signer(self, name: str) -> SignerStanding | None:
        return next((signer for signer in self.signers if signer.id == name), None)

    @property
    def asked(self) -> list[SignerStanding]:
        return [signer for signer in self.signers if signer.state in ASKED]

    @property
    def turn(self) -> list[SignerStanding]:
        """Who is to be asked now: all that wait in the first order in which somebody has not signed."""
        if self.state not in ("drafted", "out"):
            return []
        first = min((signer.order for signer in self.signers if signer.state != "signed"), default=0)
        return [signer for signer in self.signers if signer.order == first and signer.state == "waiting"]


class Step(Document):
    """One thing to be done with an agreement. `number` counts its steps: what was carried out is not done again."""

    agreement: str
    number: int
    now: Moment


class Send(Step):
    """Ask those whose turn it is. The first time also fixes until when all must have signed."""

    expires_s: float


class Remind(Step):
    reminder: int


class Resend(Request):
    """Make a new link for a signer whose turn it is; the old one is dead from then on."""

    signer: str = Field(min_length=1, max_length=64, description="Its id, as the agreement shows it.")


class Cancel(Request):
    """The retailer withdraws the agreement before it is signed by all."""

    reason: Remark = Field(description="The signers are told.")


class Command(Document):
    """What somebody wants done with an agreement, one of two."""

    by: str
    resend: Resend | None = None
    cancel: Cancel | None = None


class CarryOut(Step):
    """A command that the workflow has let pass; it is looked at once more where it is written."""

    command: Command


def refuse(standing: Standing, command: Command) -> None:
    """Raises Refusal when an agreement that stands so cannot take the command; it then changes nothing."""
    if standing.state in ENDED:
        raise Refusal(
            "agreement_over",
            f"The agreement is {standing.state} already.",
            remedy="Look at it; a new one is drafted when the application or the partner needs one.",
            status=409,
        )
    if command.resend is not None:
        _refuse_resend(standing, command.resend)
    elif command.cancel is None:
        raise ValueError("a command without anything to do")
    elif standing.state == "complete":
        raise Refusal(
            "agreement_complete",
            "All have signed; the signed file is being fetched and verified.",
            remedy="Terminate the partner instead, when the agreement counts.",
            status=409,
        )


def _refuse_resend(standing: Standing, asked: Resend) -> None:
    signer = standing.signer(asked.signer)
    if signer is None:
        raise Refusal(
            "unknown_signer",
            f"The agreement has no signer {asked.signer}.",
            remedy=f"Send one of {', '.join(one.id for one in standing.signers)}.",
            field="signer",
        )
    if signer.way != "link":
        raise Refusal(
            "signer_without_link",
            f"{signer.id} signs by a seal that the provider keeps; there is no link.",
            remedy="There is nothing to send.",
            field="signer",
            status=409,
        )
    if standing.state != "out" or signer.state not in ASKED:
        raise Refusal(
            "not_its_turn",
            f"The signer {signer.id} is {signer.state}, the agreement {standing.state}.",
            remedy="Send a new link only to a signer that was asked and has not answered.",
            field="signer",
            status=409,
        )


def look_after(quiet: int) -> timedelta:
    """How long after the last look the provider is asked without a callback; `quiet` looks found nothing new."""
    return min(_FIRST_LOOK * (1 << min(quiet, 16)), _LOOK_AT_LEAST_EVERY)
