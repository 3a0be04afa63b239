"""Scores of partners, by what they supply and how their customers fare: rates with what they were made of, the lines
that made them, and objections to lines."""

from typing import Literal

from pydantic import Field

from contracts.base import Document, Moment, Request
from contracts.buying import LINES_MAX
from contracts.personal import Remark
from contracts.workdays import Day

WINDOW_DAYS = 365
RANKED_FROM = 5
"""Lines that must have been judged before a supplier is compared with others."""


class Rate(Document):
    """`hits` of `n`, with the Wilson interval at 95 %. Without any there is no data, which is no rate at all."""

    hits: int
    n: int
    value: float | None
    low: float | None
    high: float | None


Verdict = Literal["on_time_in_full", "short", "late", "never"]
"""By what had arrived at the end of the promised day: all; some; nothing, and it came later; nothing, and it never came
until now."""
Left = Literal["not_due", "not_promised", "withdrawn", "disputed"]
"""Why a line does not count: not due yet; never promised (it counts among orders that were not accepted); taken back by
the retailer before it was due; an objection to it was accepted."""


class ScoredLine(Document):
    """A line of an order as the score sees it. `day`: the first day that the supplier has promised, or else the
    order's. Good units only."""

    order: str
    line: int
    sku: str
    location: str
    day: Day
    wanted: int
    arrived_by_day: int
    arrived: int
    last_came: Day | None
    verdict: Verdict | None
    left_out: Left | None = None
    dispute: str | None = None
    """State of the objection to it."""


class Served(Document):
    """What service cases have told about a partner in a window, by the month in which they were opened. `cases`: closed
    for good; `at_fault`: of these, found to be the partner's; `stars`: the sum of `rated` ratings from 1 to 5."""

    cases: int = 0
    at_fault: int = 0
    reopened: int = 0
    breached: int = 0
    paid: int = 0
    """Given to customers, in minor units."""
    rated: int = 0
    stars: int = 0


class Score(Document):
    """`value`: 0 to 100, the weighted mean of the rates that have data; None: no line was judged and no case closed,
    which is no bad score but no data. `comparable`: whether enough lines, or cases, were judged to compare it with
    others'."""

    supplier: str
    since: Day
    until: Day
    value: float | None
    comparable: bool
    lines: Rate
    """Lines on time and in full."""
    units: Rate
    """Units that had arrived at their day; units of one delivery are not independent, so it has no interval."""
    deliveries: Rate
    """Deliveries without damaged, excess or wrong goods."""
    answers: Rate
    """Orders that were answered."""
    acceptance: Rate
    """Orders that were accepted, of those answered or given up."""
    invoices: Rate
    """Invoices that matched."""
    service: Rate
    """Service cases that were closed and were not its fault, of those about its parcels."""
    satisfaction: Rate
    """What customers gave above one star, of the four that each could have given; it has no interval."""
    left_out: dict[str, int] = {}
    disputes_open: int = 0


DisputeState = Literal["open", "accepted", "rejected"]


class DisputeTurn(Document):
    """Who is to answer an objection. `remind_at` None: they were reminded; `place`: which of the roles, from 0."""

    role: str
    since: Moment
    remind_at: Moment | None
    due: Moment
    reminders: int = 0
    place: int = 0

    @property
    def next_at(self) -> Moment:
        return self.due if self.remind_at is None else min(self.remind_at, self.due)


class LineDispute(Document):
    """An objection to a line of a score, as it is kept in `score_disputes`. An accepted one that nobody has answered
    has `why` not_answered, and no answer."""

    id: str
    supplier: str
    order: str
    line: int
    reason: str
    by: str
    at: Moment
    state: DisputeState = "open"
    why: Literal["not_answered"] | None = None
    answer: str | None = None
    answered_by: str | None = None
    answered_at: Moment | None = None
    turn: DisputeTurn | None = None
    """None: it was answered, or was made before there were times to answer and gets its turn with the first look."""
    started: bool = False
    """Whether its workflow was started."""
    next_at: Moment | None = None
    step: int = 0
    """The last step of its workflow that was written here."""


class ObjectToLine(Request):
    """Why a line should not count."""

    order: str = Field(min_length=1, max_length=120)
    line: int = Field(ge=1, le=LINES_MAX, strict=True)
    reason: Remark


class AnswerToLine(ObjectToLine):
    """accept: the line does not count any more. `reason` is told to the supplier."""

    accept: bool


def dispute_id(order: str, line: int) -> str:
    return f"{order}:{line}"
