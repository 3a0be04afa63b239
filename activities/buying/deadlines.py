"""Whose turn it is with a purchase order and until when, in working time. Pure."""

from collections.abc import Sequence
from datetime import datetime

from contracts.base import milliseconds
from contracts.buying import PurchaseLine, PurchaseOrder, PurchaseState, PurchaseTurn, TurnKind
from contracts.buying_terms import BuyingTerms
from contracts.supply import ApprovalLimit
from contracts.workdays import Day, add_workdays, day_of, end_of_day
from contracts.worktime import OFFICE, Region, add_work_time

REGION: Region = "CN"
HIGHEST = "purchasing"
"""Who decides where no level names anybody."""

_TURNS: dict[PurchaseState, TurnKind] = {
    "approval": "approval",
    "sent": "answer",
    "countered": "decision",
    "confirmed": "delivery",
    "received": "invoice",
}


def turn_of(order: PurchaseOrder, now: datetime) -> PurchaseTurn | None:
    """The turn that begins now, by how the order stands; None when it has ended."""
    kind = _TURNS.get(order.state)
    if kind is None:
        return None
    if kind == "delivery":
        return PurchaseTurn(kind=kind, since=now, due=next_late(order))
    if kind == "invoice":
        day = add_workdays(REGION, day_of(now, order.terms.zone), order.terms.invoice_after_days)
        return PurchaseTurn(kind=kind, since=now, due=end_of_day(day, order.terms.zone))
    role = (roles_of(order) or [HIGHEST])[0] if kind in ("approval", "decision") else None
    return _in_work_time(kind, order.terms, now, role)


def roles_of(order: PurchaseOrder) -> list[str]:
    """Roles that may approve an order of its value, the lowest first; empty: it needs nobody. While a counter-offer
    waits, its value counts."""
    return roles_for(order.terms.levels, order.offered_value)


def roles_for(levels: Sequence[ApprovalLimit], value: int) -> list[str]:
    """Roles that may approve so much, the lowest first; empty: it needs nobody. Beyond all limits the last one may."""
    able = [one.role for one in levels if one.up_to is None or one.up_to >= value]
    if able and not able[0]:
        return []
    return [role for role in able or [levels[-1].role] if role] or [HIGHEST]


def reminded(turn: PurchaseTurn) -> PurchaseTurn:
    return turn.model_copy(update={"reminders": turn.reminders + 1, "remind_at": None})


def escalated(order: PurchaseOrder, turn: PurchaseTurn, now: datetime) -> PurchaseTurn | None:
    """The turn of the next role, with a time of its own; None when there is none above."""
    roles = roles_of(order)
    place = turn.escalated + 1
    if place >= len(roles):
        return None
    return _in_work_time(turn.kind, order.terms, now, roles[place]).model_copy(update={"escalated": place})


def _in_work_time(kind: TurnKind, terms: BuyingTerms, now: datetime, role: str | None) -> PurchaseTurn:
    seconds = {"approval": terms.approve_work_s, "answer": terms.answer_work_s, "decision": terms.decide_work_s}[kind]
    remind_at, due = moments(terms, seconds, now)
    return PurchaseTurn(kind=kind, since=now, remind_at=remind_at, due=due, role=role)


def moments(terms: BuyingTerms, seconds: int, now: datetime) -> tuple[datetime, datetime]:
    """When is reminded, and when the time is over; `seconds` of working time."""
    remind_at = add_work_time(OFFICE, terms.zone, now, seconds * terms.remind_after)
    return milliseconds(remind_at), milliseconds(add_work_time(OFFICE, terms.zone, now, seconds))


def late_at(line: PurchaseLine, terms: BuyingTerms) -> datetime:
    """When a line is told as late the next time: after the day on which it is expected, then every few days."""
    day: Day = add_workdays(REGION, line.day, line.late_told * terms.late_again_days) if line.late_told else line.day
    return end_of_day(day, terms.zone)


def next_late(order: PurchaseOrder) -> datetime | None:
    return min((late_at(line, order.terms) for line in order.open_lines), default=None)


def waits_for(order: PurchaseOrder) -> str:
    """In words, for those who look."""
    turn = order.turn
    if turn is None:
        return "nothing any more"
    whom = {
        "approval": f"approval by {turn.role}",
        "answer": f"an answer of {order.supplier}",
        "decision": f"our answer to the counter-offer, by {turn.role}",
        "delivery": f"goods: {sum(line.open for line in order.lines)} units",
        "invoice": "an invoice that matches",
    }[turn.kind]
    wrong = ", ".join(invoice.number for invoice in order.invoices if invoice.state == "mismatch")
    decision = f"our decision about {wrong}, which does not match (tongqu purchase decide)"
    if wrong:
        whom = decision if turn.kind == "invoice" else f"{whom}, and {decision}"
    words = whom if turn.due is None else f"{whom}; looked at again at {turn.due:%Y-%m-%d %H:%M} UTC"
    return words if turn.remind_at is None else f"{words}; reminder at {turn.remind_at:%Y-%m-%d %H:%M} UTC"
