"""What is asked of a service case: by channels, people, partners, and the system itself."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from contracts.applications import Language
from contracts.base import Request
from contracts.bot import Intent
from contracts.caseclock import Priority
from contracts.divisions import DivisionCode
from contracts.ids import OrderId, Sku
from contracts.money import Amount, Currency
from contracts.partnership import Category
from contracts.personal import PersonalText, PersonName, Phone, Remark
from contracts.service_policy import STANDARD, Tier
from contracts.service_teams import AgentId, Dialect, TeamId

CaseId = Annotated[str, StringConstraints(pattern=r"^case-[0-9a-hjkmnp-tv-z]{18}$")]
Words = Annotated[PersonalText, StringConstraints(min_length=1, max_length=4000, strip_whitespace=True)]
Reason = Remark

CaseKind = Literal[
    Intent,
    "late_predicted",
    "late_missed",
    "order_refused",
    "refund_failed",
    "partner_silent",
    "repeat_complaint",
]
"""What a case is about: an intent of a customer, or what the system found by itself."""
Action = Literal["reroute", "cancel", "reship", "refund", "take_back"]


class Opening(Request):
    """What a caller says to open a case; a live case of the same matter takes it in instead."""

    kind: CaseKind | None = Field(default=None, description="Left out: the bot finds out.")
    region: DivisionCode | None = Field(default=None, description="Left out: the order's.")
    language: Language = "zh"
    dialect: Dialect | None = None
    channel: str = Field(default="app", pattern=r"^[a-z0-9_-]{1,40}$")
    customer: str | None = Field(default=None, min_length=1, max_length=64, description="Your own id of the customer.")
    name: PersonName | None = None
    phone: Phone | None = None
    tier: Tier = STANDARD
    order: OrderId | None = None
    sku: Sku | None = None
    product: Category | None = None
    priority: Priority | None = None
    text: Words | None = None
    person: bool = Field(default=False, description="Straight to people, without the bot.")


class Say(Request):
    """Words of the customer."""

    text: Words
    language: Language | None = None


class ReplyToCustomer(Request):
    """Words of an agent to the customer. `wait`: the customer's turn; clocks stand until they write."""

    text: Words
    wait: bool = True


class Note(Request):
    """Among colleagues."""

    text: Words


class Assign(Request):
    """To a person or a team; neither: to whom the rules choose."""

    assignee: AgentId | None = None
    team: TeamId | None = None


class Escalate(Request):
    reason: Reason


class Prioritise(Request):
    priority: Priority
    reason: Reason


class AskPartner(Request):
    """What a partner is to answer. It is told on its stream; nothing personal may be in it."""

    text: Reason
    partner: str | None = Field(default=None, min_length=1, max_length=64, description="Left out: the case's.")


class Compensate(Request):
    """Money for the customer, in minor units of the order's currency; above the limit it waits for approval."""

    amount: Annotated[Amount, Field(ge=1)]
    currency: Currency = "CNY"
    reason: Reason


class DecideMoney(Request):
    """About a compensation that waits."""

    number: int = Field(ge=1, le=1_000_000, strict=True)
    approve: bool = Field(strict=True)
    note: Reason | None = None


class Correct(Request):
    """reroute, cancel: what has not been shipped. reship, refund: a parcel that is lost is sent again, or paid back.
    take_back: its goods are to come back."""

    action: Action
    parcel: str | None = Field(default=None, min_length=1, max_length=100)
    reason: Reason


class Resolve(Request):
    code: Literal["solved", "answered", "compensated", "corrected", "not_justified", "given_up"] = "solved"
    fault: Literal["partner", "carrier", "retailer", "customer", "nobody"] = "nobody"
    note: Reason | None = None
    text: Words | None = Field(default=None, description="Told to the customer.")


class Reopen(Request):
    reason: Reason


class Merge(Request):
    """Into another live case, which takes its messages."""

    into: CaseId


class Rating(Request):
    """How satisfied the customer is."""

    score: int = Field(ge=1, le=5, strict=True)
    text: Words | None = None


class PartnerSays(Request):
    """Words of a partner about a case that concerns it."""

    text: Words


class Found(Request):
    """Something that the system noticed. `cause`: the id of the event."""

    kind: CaseKind
    cause: str
    priority: Priority = "normal"
    note: Reason | None = None


class Settled(Request):
    """What the system had noticed is over. `by`: the type of the event that told it; `cause`: its id."""

    by: Literal["order.shipped.v1", "order.delivered.v1", "order.cancelled.v1"]
    cause: str


Doing = Literal[
    "say", "reply", "note", "assign", "escalate", "prioritise", "ask_partner", "compensate", "decide", "correct",
    "resolve", "reopen", "merge", "rate", "partner_says", "found", "settled",
    "recount",
]  # fmt: skip


class Recount(Request):
    """Reckon the clocks anew, by the policy and calendar that hold now."""


REQUESTS: dict[Doing, type[Request]] = {
    "say": Say,
    "reply": ReplyToCustomer,
    "note": Note,
    "assign": Assign,
    "escalate": Escalate,
    "prioritise": Prioritise,
    "ask_partner": AskPartner,
    "compensate": Compensate,
    "decide": DecideMoney,
    "correct": Correct,
    "resolve": Resolve,
    "reopen": Reopen,
    "merge": Merge,
    "rate": Rating,
    "partner_says": PartnerSays,
    "found": Found,
    "settled": Settled,
    "recount": Recount,
}
