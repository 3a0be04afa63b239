"""Service cases: what a customer, a partner or the system itself has found wrong, until it is put right.

A case is one document in `cases`; what was written in it lies in `case_messages`, and what has come in and was not yet
taken in `case_inbox`. Personal data (names, phones, words of persons) is sealed there and is in no workflow and no
event.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from contracts.applications import Language
from contracts.base import Document, Moment, Request
from contracts.caseclock import CaseClocks, Priority
from contracts.divisions import DivisionCode
from contracts.ids import OrderId, Sku, sortable
from contracts.money import Amount, Currency
from contracts.partnership import Category
from contracts.personal import PersonalText, PersonName, Phone
from contracts.service_policy import STANDARD, OnLadder, Tier
from contracts.service_teams import AgentId, Dialect, TeamId

WORKFLOW = "ServiceCase"
TASK_QUEUE = "service"
CARRY = "cases.carry"
"""Carry -> Standing: takes in what has come in, does what is due and what can be done at once, and says what is waited
for. To do it again changes nothing."""
LOOK = "look"
"""The update (and signal `bell`) of the workflow: something has come in."""
BELL = "bell"

CaseId = Annotated[str, StringConstraints(pattern=r"^case-[0-9a-hjkmnp-tv-z]{18}$")]
Words = Annotated[PersonalText, StringConstraints(min_length=1, max_length=4000, strip_whitespace=True)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]

CaseKind = Literal[
    "order_status",
    "delivery_eta",
    "cancel_order",
    "change_address",
    "return_request",
    "refund_status",
    "price_protection",
    "invoice",
    "nearest_outlet",
    "opening_hours",
    "complaint",
    "talk_to_human",
    "other",
    "late_predicted",
    "late_missed",
    "order_refused",
    "refund_failed",
    "partner_silent",
    "repeat_complaint",
]
"""What a case is about: an intent of a customer, or what the system found by itself."""
FOUND_BY_SYSTEM: frozenset[CaseKind] = frozenset(
    {"late_predicted", "late_missed", "order_refused", "refund_failed", "partner_silent", "repeat_complaint"}
)

CaseState = Literal["bot", "open", "waiting_customer", "waiting_partner", "waiting_approval", "resolved", "closed"]
"""bot: the first level answers. open: people's turn. waiting_approval: a compensation above the limit. resolved: put
right, and may still be reopened. closed: for good; what comes later is a new case."""
LIVE: frozenset[CaseState] = frozenset({"bot", "open", "waiting_customer", "waiting_partner", "waiting_approval"})
PEOPLE: frozenset[CaseState] = LIVE - {"bot"}

Sender = Literal["customer", "bot", "agent", "partner", "system"]


def new_case_id() -> str:
    return f"case-{sortable()}"


def workflow_id(case: str) -> str:
    """The workflow that carries the case has the case's id."""
    return case


class CustomerOf(Document):
    """Who the case is about. `reference`: the retailer's own id of the customer, as orders have it."""

    reference: str | None = None
    name: PersonName | None = None
    phone: Phone | None = None
    tier: str = STANDARD


class CaseMessage(Document):
    """One row of `case_messages`; `id` is `<case>:<number>`, numbers without gaps."""

    id: str
    case: str
    number: int
    at: Moment
    sender: Sender
    by: str
    """The key's name; `bot`, `tongqu`, or a partner's stream."""
    text: PersonalText
    language: Language
    internal: bool = False
    """Not for the customer: among colleagues, or with a partner."""


class Compensation(Document):
    """Money offered to the customer. `key`: idempotency key under which it is paid, once."""

    number: int
    amount: int
    currency: str
    reason: str
    by: str
    at: Moment
    state: Literal["waits", "approved", "rejected", "lapsed", "paid", "declined"]
    """waits: for approval until `due`; lapsed: nobody decided in time. declined: the order has no such money left."""
    due: Moment | None = None
    decided_by: str | None = None
    key: str
    code: str | None = None


Action = Literal["reroute", "cancel", "reship", "refund", "take_back"]


class Correction(Document):
    """Something done to the order through its own commands. `key`: the request's idempotency key."""

    number: int
    action: Action
    parcel: str | None = None
    reason: str
    by: str
    at: Moment
    key: str
    state: Literal["todo", "done", "refused"] = "todo"
    code: str | None = None


class Outcome(Document):
    """How it ended. `fault` is whose it was; it counts in a partner's score when it was the partner's."""

    code: Literal["solved", "answered", "compensated", "corrected", "not_justified", "given_up", "merged"]
    by: str
    at: Moment
    note: str | None = None
    fault: Literal["partner", "carrier", "retailer", "customer", "nobody"] = "nobody"


class Satisfaction(Document):
    score: int
    """1 to 5."""
    at: Moment


class CaseEntry(Document):
    """What happened, for people: nothing personal."""

    at: Moment
    what: str
    by: str
    note: str | None = None


class CaseRecord(Document):
    """A case as it is kept in `cases`."""

    id: str
    kind: CaseKind
    region: str
    """Division code; empty when neither the customer nor an order has told it."""
    language: Language = "zh"
    dialect: str | None = None
    channel: str
    customer: CustomerOf
    order: str | None = None
    parcel: str | None = None
    partner: str | None = None
    """The stream of the location or partner that it concerns."""
    product: str | None = None
    """Category of goods, for the choice of a team."""
    priority: Priority = "normal"
    state: CaseState = "bot"
    ladder: OnLadder | None = None
    """Null: people have not got it yet."""
    team: str | None = None
    assignee: str | None = None
    assigned_at: Moment | None = None
    passed: list[str] = []
    """Those who had it and were silent."""
    wants: bool = False
    """Whether somebody is to be chosen who takes it."""
    choose_at: Moment | None = None
    """When somebody comes on duty who may, while nobody can."""
    clocks: CaseClocks = CaseClocks()
    policy: str | None = None
    """`<id>@<version>` by which targets were taken."""
    messages: int = 0
    """How many there are."""
    unanswered_since: Moment | None = None
    """When the customer wrote what nobody has answered yet."""
    answered_by_bot: int = 0
    """The last message that the bot has dealt with."""
    dialogue: dict[str, Any] | None = None
    """What the bot knows of the conversation."""
    partners_told: list[str] = []
    """Those that know of it."""
    causes: list[str] = []
    """Ids of the events that opened it, or were merged into it."""
    same: str | None = None
    """What tells duplicates; held by one live case at a time."""
    follows: str | None = None
    """The closed case of the same matter."""
    merged_into: str | None = None
    opened_at: Moment
    opened_by: str
    resolved_at: Moment | None = None
    ends_at: Moment | None = None
    """Until when its state waits: resolved, it may be reopened; a customer or a partner may answer."""
    reopened: int = 0
    compensations: list[Compensation] = []
    corrections: list[Correction] = []
    outcome: Outcome | None = None
    satisfaction: Satisfaction | None = None
    timeline: list[CaseEntry] = []
    taken_up: bool = False
    """Whether its first step was done."""
    look_at: Moment | None = None
    """When something outside is looked at again: an answer of the bot, a correction, a payment."""
    looks: int = 0
    """How often in a row that came to nothing."""
    due: Moment | None = None
    """When something must happen without anybody doing anything."""
    version: int = 0

    @property
    def level(self) -> int:
        return self.ladder.level if self.ladder is not None else 0

    @property
    def holder(self) -> str | None:
        """In whose hands it is and counts."""
        return self.assignee if self.state in PEOPLE else None


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

    number: int = Field(ge=1, strict=True)
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


Doing = Literal[
    "say", "reply", "note", "assign", "escalate", "prioritise", "ask_partner", "compensate", "decide", "correct",
    "resolve", "reopen", "merge", "rate", "partner_says", "found", "recount",
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
    "recount": Recount,
}


class CaseEvent(Document):
    """A row of `case_inbox`: something that has come in for a case, written down before anybody is told that it was.
    `id` is unique for ever."""

    id: str
    case: str
    at: Moment
    by: str
    what: Doing
    data: dict[str, Any] = {}
    """The fields of the request `what`, without its words."""
    text: PersonalText | None = None
    taken: Moment | None = None
    refused: dict[str, Any] | None = None
    """Why it was not carried out: code, detail, remedy, field, status."""


class Carry(Document):
    """One step. `now` is the workflow's clock."""

    case: str
    now: Moment


class Live(Document):
    """Input of `ServiceCase`. `grid_s`: deadlines are rounded up to so many seconds, so that those that fall together
    are one timer."""

    case: str
    grid_s: int = 60


class Standing(Document):
    """How a case stands, as its workflow knows it. `until`: when it must be carried without anything coming in."""

    case: str
    kind: CaseKind
    state: CaseState
    region: str
    order: str | None = None
    partner: str | None = None
    priority: Priority = "normal"
    level: int = 0
    team: str | None = None
    assignee: str | None = None
    clocks: list[tuple[str, Moment | None, bool]] = []
    """Kind, due, breached; of those that have not ended."""
    waits: str = ""
    until: Moment | None = None
    version: int = 0
