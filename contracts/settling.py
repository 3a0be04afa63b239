"""What the workflows of settlement, their activities and those who call them say to each other."""

from typing import Literal

from pydantic import Field

from contracts.base import Document, Moment, Request
from contracts.ids import LocationId
from contracts.personal import Remark
from contracts.refusals import Refusal
from contracts.settlement import Approval, Dispute, Period, StatementState

WORKFLOW = "Settlement"
ALL_WORKFLOW = "Settlements"
TASK_QUEUE = "settlement"
SCHEDULE = "settlements-monthly"
FREEZE = "settlement.freeze"
PUBLISH = "settlement.publish"
CARRY_OUT = "settlement.carry_out"
REMIND = "settlement.remind"
PARTNERS = "settlement.partners"
CARRIED = "carried"
"""The signal that a later statement has taken a statement's balance over."""

LINES_MAX = 200
"""Lines objected to at once."""


class Settle(Document):
    """Input of `Settlement`: one partner's statement of one period."""

    statement: str
    partner: str
    period: str
    until: Moment
    approval: Approval = Approval()


class SettleAll(Document):
    """Input of `Settlements`. Without a period the month that ended last, without partners all that have entries."""

    period: str | None = None
    until: Moment | None = None
    partners: list[str] | None = None
    approval: Approval = Approval()
    started: int = 0


class SettlementsAsked(Request):
    """Settle a period. It must have ended, unless `until` closes it earlier; what comes later falls in the next."""

    period: Period
    until: Moment | None = None
    partners: list[LocationId] | None = Field(
        default=None, min_length=1, max_length=1000, description="Locations; left out: all that have entries."
    )
    approval: Approval = Approval()


class FindPartners(Document):
    period: str | None
    until: Moment | None
    partners: list[str] | None
    now: Moment


class Found(Document):
    period: str
    until: Moment
    partners: list[str]


class Standing(Document):
    """How a statement stands, as its workflow knows it."""

    state: StatementState = "frozen"
    revision: int = 0
    lines: int = 0
    balances: list[str] = []
    """In words, such as "CNY 12.34", for those who look."""
    payable: bool = False
    """Whether any currency closes with something else than zero."""
    disputes: list[Dispute] = []
    previous: str | None = None
    waits_for: str | None = None
    """The statement before it, which must be closed first: nothing is frozen yet."""
    unpublished: bool = False
    """Whether a revision is to be made: the first one, or one with the corrections that were accepted."""
    step: int = 0
    """The last step that was carried out."""

    def dispute(self, line: int) -> Dispute | None:
        return next((dispute for dispute in self.disputes if dispute.line == line), None)

    @property
    def open_disputes(self) -> list[int]:
        return [dispute.line for dispute in self.disputes if dispute.state == "open"]


class Freeze(Settle):
    """Take the entries in. `now`: the workflow's time."""

    now: Moment


class Step(Document):
    """One thing to be done with a statement. `number` counts its steps: one that was carried out is not done again."""

    statement: str
    number: int
    now: Moment


class Publish(Step):
    """Make the next revision and its files, and tell the partner to answer by then."""

    answer_by: Moment


class Remind(Step):
    """Tell again who is waited for: the partner or, where objections are open, the retailer."""

    answer_by: Moment
    reminder: int


class Approve(Request):
    note: Remark | None = None


class Objection(Request):
    line: int = Field(ge=1, le=1_000_000, strict=True)
    reason: Remark


class Object(Request):
    """The lines that are wrong, and why."""

    lines: list[Objection] = Field(min_length=1, max_length=LINES_MAX)


class Answer(Request):
    """accept: the line is corrected to `correct_amount` in a new revision; else it stands, and `reason` says why."""

    line: int = Field(ge=1, le=1_000_000, strict=True)
    accept: bool
    reason: Remark
    correct_amount: int | None = Field(
        default=None, strict=True, ge=-(10**12), le=10**12, description="What the line should be, in minor units."
    )


class Paid(Request):
    """The balance was paid outside of this system."""

    reference: str = Field(min_length=1, max_length=100)


class Command(Document):
    """What somebody wants done with a statement, one of four."""

    by: str
    approve: Approve | None = None
    object: Object | None = None
    answer: Answer | None = None
    paid: Paid | None = None


class CarryOut(Step):
    """A command that the workflow has let pass; it is looked at once more where it is written."""

    command: Command


Doing = Literal["approve", "object", "answer", "paid"]


def doing(command: Command) -> Doing:
    """Which of the four it is."""
    for name in ("approve", "object", "answer", "paid"):
        if getattr(command, name) is not None:
            return name
    raise ValueError("a command without anything to do")


def refuse(standing: Standing, command: Command) -> None:
    """Raises Refusal when a statement that stands so cannot take the command; it then changes nothing."""
    what = doing(command)
    if what == "paid":
        _refuse_paid(standing)
        return
    if standing.state not in ("ready", "disputed"):
        early = standing.state in ("freezing", "frozen")
        raise Refusal(
            "statement_not_ready" if early else "statement_closed",
            "The statement is still being made." if early else f"The statement is {standing.state} already.",
            remedy="Try again in a moment." if early else "Object to the next statement, which can correct it.",
            status=409,
        )
    if what == "approve" and standing.open_disputes:
        lines = ", ".join(str(line) for line in standing.open_disputes[:10])
        raise Refusal(
            "dispute_open",
            f"Objections to these lines are not answered yet: {lines}.",
            remedy="Answer them first.",
            status=409,
        )
    if command.object is not None:
        _refuse_objections(standing, command.object)
    if command.answer is not None:
        _refuse_answer(standing, command.answer)


def _refuse_paid(standing: Standing) -> None:
    if standing.state == "closed" and standing.payable:
        return
    words = {
        "closed": ("nothing_to_pay", "Its balance is zero.", "There is nothing left to do."),
        "paid": ("statement_paid", "It is marked as paid already.", "There is nothing left to do."),
        "carried": (
            "balance_carried",
            "Its balance was taken over by a later statement.",
            "Mark the later statement as paid.",
        ),
    }
    early = ("statement_not_closed", "The statement has not been approved yet.", "Let it be approved first.")
    code, detail, remedy = words.get(standing.state, early)
    raise Refusal(code, detail, remedy=remedy, status=409)


def _refuse_objections(standing: Standing, asked: Object) -> None:
    seen: set[int] = set()
    for place, objection in enumerate(asked.lines):
        field, line = f"lines.{place}.line", objection.line
        if line > standing.lines:
            raise Refusal(
                "unknown_line",
                f"The statement has {standing.lines} lines; there is no line {line}.",
                remedy="Send the number of a line of the newest revision.",
                field=field,
            )
        if line in seen:
            raise Refusal("line_twice", f"Line {line} comes twice.", remedy="Send each line once.", field=field)
        if standing.dispute(line) is not None:
            raise Refusal(
                "line_disputed",
                f"Line {line} has been objected to before.",
                remedy="Object to a line once; a correction is a new line.",
                field=field,
                status=409,
            )
        seen.add(line)


def _refuse_answer(standing: Standing, asked: Answer) -> None:
    dispute = standing.dispute(asked.line)
    if dispute is None or dispute.state != "open":
        open_lines = ", ".join(str(line) for line in standing.open_disputes[:10])
        raise Refusal(
            "no_open_dispute",
            f"No objection to line {asked.line} waits for an answer.",
            remedy=f"Answer one of {open_lines}." if open_lines else "There is nothing to answer.",
            field="line",
            status=409,
        )
    if asked.accept and asked.correct_amount is None:
        raise Refusal(
            "amount_missing",
            "An objection that is accepted needs the right amount of the line.",
            remedy="Send correct_amount, in minor units, below zero where the partner owes it.",
            field="correct_amount",
        )
    if not asked.accept and asked.correct_amount is not None:
        raise Refusal(
            "amount_not_wanted",
            "An objection that is rejected changes no amount.",
            remedy="Leave correct_amount out, or accept the objection.",
            field="correct_amount",
        )
