"""What the workflow of a partner's life, its activities and those who call them say to each other."""

from typing import Literal

from pydantic import Field

from contracts.base import Document, Moment, Request
from contracts.money import display
from contracts.onboarding import Deadlines
from contracts.partnership import Offered, PartnerState
from contracts.personal import Remark

WORKFLOW = "PartnerLifecycle"

STAND = "partners.stand"
"""Step -> Standing: how the partner stands."""
CARRY_OUT = "partners.carry_out"
"""CarryOut -> Standing. A refusal is not tried again."""
REMIND = "partners.remind"
"""Remind -> Standing: something will end; told to the partner and to the retailer."""
URGE = "partners.urge"
"""Urge -> Standing: a new document waits for a reviewer for too long."""
EXPIRE = "partners.expire"
"""Step -> Standing: what has ended by now suspends the partner."""
RENEWED = "partners.renewed"
"""Renewed -> Standing: how the signing of the next agreement ended."""
LEAVE = "partners.leave"
"""Step -> Standing: a partner that is terminating leaves when nothing is open any more; its access ends."""

REMINDERS_DAYS = (60, 30, 7)
"""Days before something ends on which it is told."""

AGREEMENT = "agreement"
"""What ends besides documents; documents are named after their requirement."""


def lifecycle_id(partner: str) -> str:
    """The workflow that carries the partner."""
    return f"lifecycle-{partner}"


class Pace(Document):
    """`reminders_days`: days before something ends on which it is told. `look_s`: between two looks at what a partner
    that is leaving has open. `deadlines`: reviewers' and signers'."""

    reminders_days: list[int] = list(REMINDERS_DAYS)
    look_s: float = 3600
    deadlines: Deadlines = Deadlines()


class Live(Document):
    """Input of `PartnerLifecycle`."""

    partner: str
    pace: Pace = Pace()


class Ending(Document):
    """Something that counts for a partner only until a moment: `agreement`, or a requirement's document."""

    what: str
    until: Moment
    reminded: list[int] = []
    """Days before its end on which it was told."""


class Open(Document):
    """What a partner still has to do before it can go."""

    orders: list[str] = []
    """The first twenty of them."""
    order_count: int = 0
    returns: int = 0
    statements: list[str] = []
    """Statements that are not paid."""
    purchases: list[str] = []
    """The first twenty purchase orders that it still has to deliver, or to be paid for."""
    unsettled: dict[str, int] = {}
    """By currency, what no statement has taken in; in minor units, above zero where the partner is owed it."""

    @property
    def nothing(self) -> bool:
        things = self.order_count or self.returns or self.statements or self.purchases
        return not things and not any(self.unsettled.values())

    def words(self) -> str:
        parts = []
        if self.order_count:
            parts.append(f"{self.order_count} open orders ({', '.join(self.orders[:5])})")
        if self.returns:
            parts.append(f"{self.returns} open returns")
        if self.statements:
            parts.append(f"statements that are not paid ({', '.join(self.statements[:5])})")
        if self.purchases:
            parts.append(f"purchase orders that are open ({', '.join(self.purchases[:5])})")
        parts += [f"{display(amount, currency)} not settled" for currency, amount in self.unsettled.items() if amount]
        return "; ".join(parts) or "nothing"


class Standing(Document):
    """How a partner stands, as its workflow knows it."""

    partner: str
    application: str
    state: PartnerState
    suspended_for: list[str] = []
    terminating: bool = False
    endings: list[Ending] = []
    offered: list[Offered] = []
    agreement: str
    agreements: int = 1
    renewing: str | None = None
    step: int = 0

    def ending(self, what: str) -> Ending | None:
        return next((one for one in self.endings if one.what == what), None)

    def offer(self, requirement: str) -> Offered | None:
        return next((one for one in self.offered if one.requirement == requirement), None)


class Step(Document):
    """One thing to be done with a partner. `number` counts its steps: what was carried out is not done again."""

    partner: str
    number: int
    now: Moment


class Remind(Step):
    """`days` before its end, `what` is told to end."""

    what: str
    days: int


class Urge(Step):
    """Reviewers are reminded of a new document, or it goes to a role above."""

    requirement: str
    deadlines: Deadlines


class Renewed(Step):
    agreement: str
    outcome: str
    until: Moment | None = None


class Suspend(Request):
    """No new orders for the partner; those it has, it finishes."""

    reason: Remark = Field(description="Told to the partner.")


class Resume(Request):
    note: Remark | None = None


class Terminate(Request):
    """when_done: no new orders from now on, and the partner goes when nothing is open any more; otherwise it is
    refused while something is open."""

    reason: Remark = Field(description="Told to the partner.")
    when_done: bool = False


class Renew(Request):
    """Have the next agreement signed now."""


class OfferDocument(Request):
    """A new document in place of one that ends; its file was taken in before. Names as the document shows them."""

    requirement: str = Field(min_length=1, max_length=64)
    digest: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the file, hex.")
    valid_until: Moment | None = Field(default=None, description="Left out: valid without end.")
    name: str | None = Field(default=None, min_length=1, max_length=200, description="Of the company.")
    credit_code: str | None = Field(default=None, min_length=1, max_length=40)


class ReviewDocument(Request):
    """What a reviewer decides about a new document."""

    requirement: str = Field(min_length=1, max_length=64)
    decision: Literal["accept", "return"]
    comment: Remark | None = None


class Command(Document):
    """What somebody wants done with a partner, one of six. `by`: the key's name."""

    by: str
    suspend: Suspend | None = None
    resume: Resume | None = None
    terminate: Terminate | None = None
    renew: Renew | None = None
    offer: OfferDocument | None = None
    review: ReviewDocument | None = None


Doing = Literal["suspend", "resume", "terminate", "renew", "offer", "review"]
DOINGS: tuple[Doing, ...] = ("suspend", "resume", "terminate", "renew", "offer", "review")


def doing(command: Command) -> Doing:
    for name in DOINGS:
        if getattr(command, name) is not None:
            return name
    raise ValueError("a command without anything to do")


class CarryOut(Step):
    """A command that the workflow has let pass; it is looked at once more where it is written."""

    command: Command
    deadlines: Deadlines
