"""What the workflow of onboarding, its activities and those who call them say to each other.

Personal data stays in the application's document; what travels here are ids, codes, digests and moments.
"""

import re
from typing import Literal

from pydantic import Field

from contracts.base import Document, Moment, Request
from contracts.hours import TIME_ZONE
from contracts.partnership import PartnerKind
from contracts.personal import Remark
from contracts.subjects import RETAILER

WORKFLOW = "PartnerOnboarding"
TASK_QUEUE = "partners"

OPEN = "onboarding.open"
"""Step -> Standing: how the application stands; its document was written before the workflow is started."""
CHECK = "onboarding.check"
"""Step -> Standing: all checks by machine. From checking to bank, where an account is to be proved, or to review."""
DEPOSIT = "onboarding.deposit"
"""Step -> Standing: a small deposit; stays at bank, or goes to review when the bank refuses the account."""
CARRY_OUT = "onboarding.carry_out"
"""CarryOut -> Standing: what somebody wants done. A refusal is not tried again."""
MOVE = "onboarding.move"
"""Move -> Standing: the process goes on by itself."""
REMIND = "onboarding.remind"
"""Remind -> Standing: whose turn it is, until when; they are told, reminded, and in the end somebody else is."""
PROVISION = "onboarding.provision"
"""Provide -> None: one step of making the partner. Not tried again when it can never work."""
UNDO = "onboarding.undo"
"""Provide -> None: takes one step back, also one that was made half or not at all."""
SEND_TEST = "onboarding.send_test"
"""Step -> None: the test event, on the partner's own stream; once."""
LOOK_FOR_TEST = "onboarding.look_for_test"
"""Look -> bool: whether the partner has acknowledged it."""

Stage = Literal[
    "draft",
    "checking",
    "bank",
    "review",
    "revision",
    "agreement",
    "provisioning",
    "testing",
    "active",
    "rejected",
    "withdrawn",
    "expired",
]
"""draft and revision: the applicant's turn. bank: a deposit was sent, its amount is to be confirmed. review: people's
turn. agreement: signers' turn. testing: the partner's systems' turn."""
EDITABLE: frozenset[Stage] = frozenset({"draft", "revision"})
ENDED: frozenset[Stage] = frozenset({"active", "rejected", "withdrawn", "expired"})

ItemState = Literal["missing", "supplied", "accepted", "returned", "waived"]
"""Of one item of the requirement set. returned: to be supplied anew, with a comment that says why."""
Verdict = Literal["passed", "failed", "doubtful", "not_checked"]
"""doubtful: a person must look. not_checked: what it needs was not supplied."""

ProvisionStep = Literal["partner", "territory", "price_list", "locations", "streams", "access", "training"]
PROVISION_STEPS: tuple[ProvisionStep, ...] = (
    "partner",
    "territory",
    "price_list",
    "locations",
    "streams",
    "access",
    "training",
)
"""In this order; undone in the reverse one. access: that the partner may fetch its API key and NATS credentials."""

Who = Literal["applicant", "reviewer", "signers", "partner"]


def onboarding_id(application: str) -> str:
    """The workflow that carries the application."""
    return f"onboarding-{application}"


_PARTNER = "partner-"
_IS_PARTNER = re.compile(r"partner-[0-9a-hjkmnp-tv-z]{18}")


def partner_of(application: str) -> str:
    """The id of the partner that an application leads to."""
    return f"{_PARTNER}{application.removeprefix('app-')}"


def is_partner(name: str) -> bool:
    """Whether it is an id as `partner_of` makes them."""
    return _IS_PARTNER.fullmatch(name) is not None


def is_reserved(place: str) -> bool:
    """Whether an applicant cannot call a place so. A place's id is that of its stream, and who has the place hears and
    answers on it: those of partners, of their places without a name, and of the retailer's own systems are taken."""
    return place.casefold().startswith(_PARTNER) or place.casefold() == RETAILER


def test_event_id(application: str, step: int) -> str:
    """Of the event that a partner acknowledges before it is activated; told again, it is another one."""
    return f"{application}:test:{step}"


class Deadlines(Document):
    """Seconds; `_work_s` are seconds of working time."""

    draft_s: float = 60 * 86_400
    revision_s: float = 30 * 86_400
    bank_s: float = 14 * 86_400
    review_work_s: float = 2 * 8 * 3600
    escalated_work_s: float = 8 * 3600
    """For each role to which a turn is escalated; the last one is told again after each such time."""
    remind_after: float = 0.5
    """Of each time, the part after which whose turn it is is reminded."""
    agreement_s: float = 14 * 86_400
    testing_s: float = 14 * 86_400
    look_s: float = 600
    """So long one look for the acknowledgement of the test event lasts."""
    look_again_s: float = 0
    """And so long it is waited before the next."""
    zone: str = TIME_ZONE


class Apply(Document):
    """Input of `PartnerOnboarding`, and of its update `apply`, with which it is started."""

    application: str
    kind: PartnerKind
    region: str
    """Division code of the applicant's seat."""
    requirements: str
    """The requirement set that counts for it, pinned: `<id>@<version>`."""
    deadlines: Deadlines = Deadlines()


class ItemStanding(Document):
    item: str
    state: ItemState = "missing"
    verdict: Verdict = "not_checked"
    must_pass: bool = False
    """A check of it failed that nobody may waive."""
    comment: str | None = None
    by: str | None = None


class Turn(Document):
    """Who is waited for, and until when. Kept, so that a table of holidays that changes later changes no turn."""

    who: Who
    since: Moment
    remind_at: Moment | None = None
    """Null: they were reminded."""
    due: Moment
    reminders: int = 0
    escalated: int = 0
    """How often it was given to somebody above."""
    role: str | None = None
    """To whom it was escalated last."""


class Standing(Document):
    """How an application stands, as its workflow knows it."""

    application: str
    stage: Stage = "draft"
    revision: int = 0
    """How often it was submitted."""
    items: list[ItemStanding] = []
    risk: int | None = None
    """0 to 100; null before it was checked."""
    reviewers_needed: int = 1
    approved_by: list[str] = []
    reasons: list[str] = []
    """Codes of why it was rejected or returned, or came back to review."""
    comment: str | None = None
    """What the reviewer said who rejected it; the applicant reads it."""
    agreement: str | None = None
    agreements: int = 0
    """How many were drafted."""
    signed: bool = False
    """Whether the agreement was signed by all."""
    agreement_until: Moment | None = None
    """And until when it counts."""
    partner: str | None = None
    turn: Turn | None = None
    """Null while nobody is waited for, and before those who are were told."""
    step: int = 0
    """The last step that was carried out."""

    def item(self, name: str) -> ItemStanding | None:
        return next((item for item in self.items if item.item == name), None)

    @property
    def undecided(self) -> list[str]:
        return [item.item for item in self.items if item.state not in ("accepted", "waived")]

    @property
    def returned(self) -> list[str]:
        return [item.item for item in self.items if item.state == "returned"]


class Step(Document):
    """One thing to be done with an application. `number` counts its steps: what was carried out is not done again."""

    application: str
    number: int
    now: Moment


class Move(Step):
    """On to the next stage, with what is known from then on."""

    to: Stage
    reasons: list[str] = []
    agreement: str | None = None
    signed: bool = False
    agreement_until: Moment | None = None


class Remind(Step):
    """`what`: turn, to begin with; reminder; escalation, when the time is over."""

    what: Literal["turn", "reminder", "escalation"]
    deadlines: Deadlines


class Provide(Document):
    """One step of making a partner. Nothing of it is counted: to do it again, or to undo it again, changes nothing."""

    application: str
    partner: str
    step: ProvisionStep
    now: Moment


class Look(Document):
    """Look for the acknowledgement of the test event, for so many seconds at most."""

    application: str
    partner: str
    for_s: float


class Submit(Request):
    """The applicant says that everything is there."""


class Withdraw(Request):
    reason: Remark | None = None


class ConfirmDeposit(Request):
    """The amount of the small deposit, in fen, as the applicant's bank shows it."""

    amount: int = Field(ge=1, le=99, strict=True)


class ReviewItem(Request):
    """What a reviewer decides about one item. A comment is needed to return, a reason to waive."""

    item: str = Field(min_length=1, max_length=64)
    decision: Literal["accept", "return", "waive"]
    comment: Remark | None = None


class Decide(Request):
    """What a reviewer decides about the whole: approve it, send it back for what was returned, or reject it."""

    decision: Literal["approve", "return", "reject"]
    reason: Remark | None = None


class Command(Document):
    """What somebody wants done with an application, one of five. `by`: the key's or applicant's name."""

    by: str
    submit: Submit | None = None
    withdraw: Withdraw | None = None
    confirm_deposit: ConfirmDeposit | None = None
    review: ReviewItem | None = None
    decide: Decide | None = None


Doing = Literal["submit", "withdraw", "confirm_deposit", "review", "decide"]
DOINGS: tuple[Doing, ...] = ("submit", "withdraw", "confirm_deposit", "review", "decide")


def doing(command: Command) -> Doing:
    """Which of the five it is."""
    for name in DOINGS:
        if getattr(command, name) is not None:
            return name
    raise ValueError("a command without anything to do")


class CarryOut(Step):
    """A command that the workflow has let pass; it is looked at once more where it is written."""

    command: Command
