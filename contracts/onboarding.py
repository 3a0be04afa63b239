"""What the workflow of onboarding, its activities and those who call them say to each other.

Personal data stays in the application's document; what travels here are ids, codes, digests and moments.
"""

from typing import Literal

from pydantic import Field

from contracts.base import Document, Moment, Request
from contracts.partnership import PartnerKind

WORKFLOW = "PartnerOnboarding"
TASK_QUEUE = "partners"

OPEN = "onboarding.open"
CHECK = "onboarding.check"
DEPOSIT = "onboarding.deposit"
CARRY_OUT = "onboarding.carry_out"
REMIND = "onboarding.remind"
DRAFT_AGREEMENT = "onboarding.draft_agreement"
PROVISION = "onboarding.provision"
UNDO = "onboarding.undo"
SEND_TEST = "onboarding.send_test"
LOOK_FOR_TEST = "onboarding.look_for_test"
ACTIVATE = "onboarding.activate"

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


def onboarding_id(application: str) -> str:
    """The workflow that carries the application."""
    return f"onboarding-{application}"


class Apply(Document):
    """Input of `PartnerOnboarding`, and of its update `apply`, with which it is started."""

    application: str
    kind: PartnerKind
    region: str
    """Division code of the applicant's seat."""
    requirements: str
    """The requirement set that counts for it, pinned: `<id>@<version>`."""


class Deadlines(Document):
    """Seconds; `_work_s` are seconds of working time."""

    draft_s: float = 60 * 86_400
    revision_s: float = 30 * 86_400
    bank_s: float = 14 * 86_400
    review_work_s: float = 2 * 8 * 3600
    escalated_work_s: float = 8 * 3600
    remind_after: float = 0.5
    """Of each time, the part after which whose turn it is is reminded."""
    agreement_s: float = 14 * 86_400
    testing_s: float = 14 * 86_400


class ItemStanding(Document):
    item: str
    state: ItemState = "missing"
    verdict: Verdict = "not_checked"
    comment: str | None = None
    by: str | None = None


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
    """Codes of why it was rejected or returned."""
    agreement: str | None = None
    partner: str | None = None
    step: int = 0
    """The last step that was carried out."""

    def item(self, name: str) -> ItemStanding | None:
        return next((item for item in self.items if item.item == name), None)

    @property
    def undecided(self) -> list[str]:
        return [item.item for item in self.items if item.state not in ("accepted", "waived")]


class Step(Document):
    """One thing to be done with an application. `number` counts its steps: what was carried out is not done again."""

    application: str
    number: int
    now: Moment


class Submit(Request):
    """The applicant says that everything is there."""


class Withdraw(Request):
    reason: str | None = Field(default=None, max_length=500)


class ConfirmDeposit(Request):
    """The amount of the small deposit, in fen, as the applicant's bank shows it."""

    amount: int = Field(ge=1, le=99, strict=True)


class ReviewItem(Request):
    """What a reviewer decides about one item. A comment is needed to return, a reason to waive."""

    item: str = Field(min_length=1, max_length=64)
    decision: Literal["accept", "return", "waive"]
    comment: str | None = Field(default=None, min_length=1, max_length=500)


class Decide(Request):
    """What a reviewer decides about the whole: approve it, send it back for what was returned, or reject it."""

    decision: Literal["approve", "return", "reject"]
    reason: str | None = Field(default=None, min_length=1, max_length=500)


class Command(Document):
    """What somebody wants done with an application, one of five. `by`: the key's or applicant's name."""

    by: str
    submit: Submit | None = None
    withdraw: Withdraw | None = None
    confirm_deposit: ConfirmDeposit | None = None
    review: ReviewItem | None = None
    decide: Decide | None = None


class CarryOut(Step):
    """A command that the workflow has let pass; it is looked at once more where it is written."""

    command: Command
