"""What the workflow of an objection to a line of a score, its activities and those who call them say to each other."""

from contracts.base import Document, Moment
from contracts.refusals import Refusal
from contracts.scoring import DisputeState

WORKFLOW = "ScoreDispute"
STAND = "disputes.stand"
"""Step -> Standing: how the objection stands. Changes nothing."""
ANSWER = "disputes.answer"
"""CarryOut -> Standing. A refusal is not tried again."""
TIME = "disputes.time"
"""Step -> Standing: a moment has come: remind, escalate, accept what nobody has answered."""


class Judge(Document):
    """Input of `ScoreDispute`."""

    dispute: str


class Standing(Document):
    """How an objection stands, as its workflow knows it. `waits`: what for, in words."""

    dispute: str
    supplier: str
    order: str
    line: int
    state: DisputeState
    waits: str
    role: str | None = None
    reminders: int = 0
    escalated: int = 0
    next_at: Moment | None = None
    step: int = 0


class Step(Document):
    """One thing to be done with an objection. `number` counts its steps: one that was carried out is not done again."""

    dispute: str
    number: int
    now: Moment


class Command(Document):
    """Somebody answers. `by`: the key's name; `reason` is told to the supplier."""

    by: str
    accept: bool
    reason: str


class CarryOut(Step):
    """A command that the workflow has let pass; it is looked at once more where it is written."""

    command: Command


def workflow_id(dispute: str) -> str:
    return f"objection-{dispute}"


def refuse(dispute: str, state: DisputeState | None) -> None:
    """Raises Refusal when there is nothing to answer; None: there is no such objection."""
    if state == "open":
        return
    raise Refusal(
        "no_open_dispute",
        f"No objection to the line {dispute} waits for an answer.",
        remedy="Look at the objections that are open first.",
        field="line",
        status=409,
    )
