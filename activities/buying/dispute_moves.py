"""How an objection to a line of a score moves: reminders, the next role, answers, and silence. Pure.

Silence speaks for the supplier: who keeps the score has the proof, and has had every role's time to show it.
"""

from datetime import datetime

from activities.buying.deadlines import moments
from activities.buying.limits import refuse_other_role
from contracts.buying_events import SupplierDispute
from contracts.buying_terms import Approvers, BuyingTerms
from contracts.disputing import Command, refuse
from contracts.partner_events import Bilingual
from contracts.scoring import DisputeTurn, LineDispute
from contracts.subjects import RETAILER

Told = tuple[str, SupplierDispute]
"""To whom, and what."""
TIMER = "timer"
_WORDS = {
    "open": ("异议已收到，等待核实。", "Your objection was taken in and is looked at."),
    "escalated": ("异议已转交上一级处理。", "Nobody has answered in time; the objection was given to the next role."),
    "reminder": ("提醒：供应商的异议等待答复。", "Reminder: a supplier's objection waits for an answer."),
    "accepted": ("异议成立，该行不再计入评分。", "Accepted: the line does not count any more."),
    "not_answered": (
        "期限内无人答复，异议成立，该行不再计入评分。",
        "Nobody has answered in time, so it is accepted: the line does not count any more.",
    ),
    "rejected": ("异议不成立，该行仍计入评分。", "Not accepted: the line counts as before."),
}


def turn_of(terms: BuyingTerms, place: int, now: datetime) -> DisputeTurn | None:
    """The turn of the role in its place; None: there is none."""
    if place >= len(terms.objections.roles):
        return None
    remind_at, due = moments(terms, terms.objections.answer_work_s, now)
    return DisputeTurn(role=terms.objections.roles[place], since=now, remind_at=remind_at, due=due, place=place)


def begin(dispute: LineDispute, terms: BuyingTerms, now: datetime) -> LineDispute:
    return _in_turn(dispute, turn_of(terms, 0, now))


def answer(
    dispute: LineDispute, terms: BuyingTerms, approvers: Approvers, asked: Command, now: datetime
) -> tuple[LineDispute, list[Told]]:
    """Those whose turn it is may, and those above them. Raises Refusal."""
    refuse(dispute.id, dispute.state)
    place = dispute.turn.place if dispute.turn is not None else 0
    refuse_other_role(asked.by, terms.objections.roles[place:] or terms.objections.roles[-1:], approvers)
    change = {
        "state": "accepted" if asked.accept else "rejected",
        "answer": asked.reason,
        "answered_by": asked.by,
        "answered_at": now,
    }
    answered = _in_turn(dispute.model_copy(update=change), None)
    return answered, told(answered, answered.state)


def time_has_come(dispute: LineDispute, terms: BuyingTerms, now: datetime) -> tuple[LineDispute, list[Told]] | None:
    """None: nothing is due. Reminded once, then given to the next role; accepted when there is none."""
    turn = dispute.turn
    if dispute.state != "open":
        return None
    if turn is None:
        begun = begin(dispute, terms, now)
        return begun, told(begun, "open")
    if now < turn.next_at:
        return None
    if now < turn.due:
        reminded = turn.model_copy(update={"remind_at": None, "reminders": turn.reminders + 1})
        waits = _in_turn(dispute, reminded)
        return waits, [one for one in told(waits, "reminder") if one[0] == RETAILER]
    following = turn_of(terms, turn.place + 1, now)
    if following is not None:
        given = _in_turn(dispute, following)
        return given, told(given, "escalated")
    change = {"state": "accepted", "why": "not_answered", "answered_by": TIMER, "answered_at": now}
    silent = _in_turn(dispute.model_copy(update=change), None)
    return silent, told(silent, "not_answered")


def _in_turn(dispute: LineDispute, turn: DisputeTurn | None) -> LineDispute:
    return dispute.model_copy(update={"turn": turn, "next_at": turn.next_at if turn is not None else None})


def told(dispute: LineDispute, what: str) -> list[Told]:
    """To the supplier and the retailer, who alone hears whose turn it is inside."""
    zh, en = _WORDS[what]
    turn = dispute.turn
    data = SupplierDispute(
        supplier=dispute.supplier,
        order=dispute.order,
        line=dispute.line,
        state=dispute.state,
        reason=dispute.reason,
        answer=dispute.answer,
        why=dispute.why,
        answer_by=turn.due if turn is not None else None,
        escalated=turn.place if turn is not None else 0,
        words=Bilingual(zh=zh, en=en),
    )
    inside = {"role": turn.role, "reminder": turn.reminders} if turn is not None else {}
    return [(dispute.supplier, data), (RETAILER, data.model_copy(update=inside))]


def waits_for(dispute: LineDispute) -> str:
    """In words, for those who look."""
    turn = dispute.turn
    if dispute.state != "open":
        return "nothing any more"
    if turn is None:
        return "its turn"
    words = f"an answer by {turn.role}; looked at again at {turn.due:%Y-%m-%d %H:%M} UTC"
    return words if turn.remind_at is None else f"{words}; reminder at {turn.remind_at:%Y-%m-%d %H:%M} UTC"
