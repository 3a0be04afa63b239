"""What the first level does with a case: its answer, or that people are to have it. Pure; who answers is elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from activities.service.timing import clock_time_after, to_people
from activities.service.work import BOT, Work
from contracts.caseclock import PRIORITIES
from contracts.cases import PRIORITY_OF, CaseKind, CaseMessage, CaseRecord


@dataclass(frozen=True, slots=True)
class BotTurn:
    """answered: for now there is nothing more to do. asks: the customer is to say more. hands_over: to people, with
    `why`. `dialogue`: what it must know next time."""

    does: Literal["answered", "asks", "hands_over"]
    text: str | None
    kind: CaseKind | None
    why: str = ""
    dialogue: dict[str, Any] = field(default_factory=dict)
    order: str | None = None
    """The order that the customer means, when it has found out."""


class FirstLevel(Protocol):
    """Who answers at first. What it does to orders it does once for a case's message, however often it is asked."""

    async def answer(self, case: CaseRecord, messages: Sequence[CaseMessage], now: datetime) -> BotTurn: ...


def to_answer(case: CaseRecord) -> bool:
    """Whether the customer has written what the bot has not dealt with."""
    return case.state == "bot" and case.unanswered_since is not None


def take_turn(work: Work, up_to: int, turn: BotTurn, at: datetime) -> None:
    """`up_to`: the last message that it has seen. What was answered by then is answered once."""
    case = work.case
    if case.state != "bot" or case.answered_by_bot >= up_to:
        return
    newer = case.messages > up_to
    case.answered_by_bot = up_to
    case.dialogue = turn.dialogue
    turned = known_as(case, turn.kind or case.kind)
    case.kind, case.follows, case.priority = turned.kind, turned.follows, turned.priority
    work.regard()
    case.order = case.order or turn.order
    if turn.text:
        work.say(at, "bot", BOT, turn.text)
    if turn.does == "hands_over":
        to_people(work, at, turn.why)
        return
    case.unanswered_since = at if newer else None
    limits = work.given.policy.limits
    quiet_s = limits.bot_quiet_s if turn.does == "answered" else limits.customer_s
    case.ends_at = clock_time_after(at, quiet_s)
    work.note(at, f"bot_{turn.does}", BOT, turn.kind)


def known_as(case: CaseRecord, kind: CaseKind, **more: Any) -> CaseRecord:
    """What a case turns out to be about. A complaint soon after another is a repeated one; it may be graver then."""
    follows = case.follows
    if kind == "complaint" and case.complained is not None:
        kind, follows = "repeat_complaint", case.complained
    priority = min(case.priority, PRIORITY_OF.get(kind, case.priority), key=PRIORITIES.index)
    return case.model_copy(update={"kind": kind, "follows": follows, "priority": priority, **more})
