"""Service cases: what a customer, a partner or the system itself has found wrong, until it is put right.

A case is one document in `cases`; what was written in it lies in `case_messages`, and what has come in and was not yet
taken in `case_inbox`. Personal data (names, phones, words of persons) is sealed there and is in no workflow and no
event.
"""

from collections.abc import Mapping
from typing import Any, Literal

from contracts.applications import Language
from contracts.base import Document, Moment
from contracts.case_requests import REQUESTS as REQUESTS
from contracts.case_requests import Action as Action
from contracts.case_requests import AskPartner as AskPartner
from contracts.case_requests import Assign as Assign
from contracts.case_requests import CaseId as CaseId
from contracts.case_requests import CaseKind as CaseKind
from contracts.case_requests import Compensate as Compensate
from contracts.case_requests import Correct as Correct
from contracts.case_requests import DecideMoney as DecideMoney
from contracts.case_requests import Doing as Doing
from contracts.case_requests import Escalate as Escalate
from contracts.case_requests import Found as Found
from contracts.case_requests import Merge as Merge
from contracts.case_requests import Note as Note
from contracts.case_requests import Opening as Opening
from contracts.case_requests import PartnerSays as PartnerSays
from contracts.case_requests import Prioritise as Prioritise
from contracts.case_requests import Rating as Rating
from contracts.case_requests import Reason as Reason
from contracts.case_requests import Recount as Recount
from contracts.case_requests import Reopen as Reopen
from contracts.case_requests import ReplyToCustomer as ReplyToCustomer
from contracts.case_requests import Resolve as Resolve
from contracts.case_requests import Say as Say
from contracts.case_requests import Settled as Settled
from contracts.case_requests import Words as Words
from contracts.caseclock import CaseClocks, Priority
from contracts.ids import sortable
from contracts.personal import PersonalText, PersonName, Phone
from contracts.service_policy import STANDARD, OnLadder

WORKFLOW = "ServiceCase"
TASK_QUEUE = "service"
CARRY = "cases.carry"
"""Carry -> Standing: takes in what has come in, does what is due and what can be done at once, and says what is waited
for. To do it again changes nothing."""
LOOK = "look"
"""The update (and signal `bell`) of the workflow: something has come in."""
BELL = "bell"

FOUND_BY_SYSTEM: frozenset[CaseKind] = frozenset(
    {"late_predicted", "late_missed", "order_refused", "refund_failed", "partner_silent", "repeat_complaint"}
)
_OF_STORES: frozenset[CaseKind] = frozenset({"order_refused", "partner_silent"})
SETTLES: Mapping[str, frozenset[CaseKind]] = {
    "order.shipped.v1": _OF_STORES,
    "order.delivered.v1": _OF_STORES | {"late_predicted"},
    "order.cancelled.v1": _OF_STORES | {"late_predicted"},
}
"""What is over with an event of the order. A parcel that was late stays a matter for people when it has come."""
PRIORITY_OF: Mapping[CaseKind, Priority] = {
    "late_missed": "high",
    "refund_failed": "high",
    "repeat_complaint": "high",
    "complaint": "high",
}
"""What nobody has given a priority; all others are normal."""

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
    """Who the case is about. `reference`: the retailer's own id of the customer, as orders have it. `inferred`: out of
    the order that was named, and not said by the channel; who writes may be anybody who knows the order's number."""

    reference: str | None = None
    inferred: bool = False
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
    complained: str | None = None
    """The customer's last complaint, not long ago, while it is not known yet what this case is about."""
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
    """How a case stands, as its workflow knows it. `until`: when it must be carried without anything coming in. `busy`:
    there was more to do than one step does; the next one is at once."""

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
    busy: bool = False
    version: int = 0
