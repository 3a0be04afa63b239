"""How a purchase order moves: approval, sending, counter-offers, what is cancelled, and what goes elsewhere.

Pure: no clock, no I/O. Each function changes the order of its `Moves` in place, and says there what else follows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from activities.buying.deadlines import escalated, reminded, roles_for, roles_of, turn_of
from activities.buying.limits import either, refuse_beyond
from activities.buying.telling import Told, told_cancelled, told_changed, told_ordered, told_waits
from contracts.buying import TIMELINE_KEPT, Invoice, PurchaseEntry, PurchaseOrder, PurchaseState
from contracts.buying_terms import Approvers
from contracts.purchasing import AnswerCounter, CancelRest
from contracts.refusals import Refusal
from contracts.workdays import day_of


@dataclass(slots=True)
class Completed:
    """A line of which everything has come: what a lead time is learned from."""

    line: int
    sku: str
    units: int


@dataclass(slots=True)
class Moves:
    """The outcome of a step. `goods`: good units by SKU that came under `reference`; `elsewhere`: units by line that
    another supplier is to deliver."""

    order: PurchaseOrder
    now: datetime
    by: str
    told: list[Told] = field(default_factory=list)
    goods: dict[str, int] = field(default_factory=dict)
    reference: str | None = None
    completed: list[Completed] = field(default_factory=list)
    elsewhere: dict[int, int] = field(default_factory=dict)

    def note(self, what: str, note: str | None = None) -> None:
        entry = PurchaseEntry(at=self.now, what=what, by=self.by, note=note)
        self.order.timeline = [*self.order.timeline, entry][-TIMELINE_KEPT:]

    def enter(self, state: PurchaseState, why: str | None = None, note: str | None = None) -> None:
        """Another state, with its turn; both sides are told."""
        self.order.state, self.order.why = state, why
        self.order.turn = turn_of(self.order, self.now)
        self.note(state, note or why)
        self.told += told_changed(self.order, note)


def begin(order: PurchaseOrder, now: datetime) -> Moves:
    """A new order: sent at once when its value needs nobody, or when it stands in for one that was approved."""
    moves = Moves(order, now, order.asked_by)
    if order.approved_by is not None or not roles_of(order):
        order.approved_by = order.approved_by or "policy"
        send(moves)
        return moves
    order.state, order.turn = "approval", None
    order.turn = turn_of(order, now)
    moves.note("approval", f"by {order.turn.role}" if order.turn else None)
    moves.told += told_waits(order)
    return moves


def send(moves: Moves) -> None:
    """To the supplier, which has to answer."""
    order = moves.order
    order.sent_at = order.sent_at or moves.now
    moves.enter("sent")
    moves.told += told_ordered(order)


def approve(moves: Moves, note: str | None, approvers: Approvers) -> None:
    """Raises Refusal when it is one's own order, and too large for that, or beyond one's limit."""
    order = moves.order
    refuse_alone(moves, order.value, approvers)
    order.approved_by = moves.by
    moves.note("approved", note)
    send(moves)


def refuse_alone(moves: Moves, value: int, approvers: Approvers, invoice: Invoice | None = None) -> None:
    """Raises Refusal when who acts may not take so much on, of an order or an invoice of their own not at all. What
    needs nobody needs no second person either."""
    order = moves.order
    limit = order.terms.four_eyes_above
    needed = roles_for(order.terms.levels, value)
    if needed and limit is not None and value > limit:
        remedy = f"Let somebody else approve it, who is {either(needed)}."
        if moves.by == order.asked_by:
            detail = f"{moves.by} has asked for this order, and may not approve it too."
            raise Refusal("own_order", detail, remedy=remedy, status=403)
        if invoice is not None and moves.by == invoice.by:
            detail = f"{moves.by} has taken this invoice in, and may not accept it too."
            raise Refusal("own_invoice", detail, remedy=remedy, status=403)
    refuse_beyond(order, value, moves.by, approvers)


def reject(moves: Moves, reason: str) -> None:
    _cancel(moves, {line.line: line.open for line in moves.order.lines})
    moves.enter("rejected", note=reason)


def answer_counter(moves: Moves, asked: AnswerCounter, approvers: Approvers) -> None:
    """Raises Refusal as `approve`, by what it is worth as it is offered now."""
    if asked.accept:
        refuse_alone(moves, moves.order.offered_value, approvers)
        accept_counter(moves, asked.reason)
        return
    order = moves.order
    order.counter = None
    if asked.elsewhere:
        give_up(moves, "declined", "counter_refused")
        return
    moves.enter("sent", "counter_refused", asked.reason)
    moves.told += told_ordered(order)


def accept_counter(moves: Moves, note: str | None = None) -> None:
    order = moves.order
    assert order.counter is not None
    changed = {one.line: one for one in order.counter.lines}
    for line in order.lines:
        offer = changed.get(line.line)
        line.confirmed = offer.quantity if offer else line.ordered
        line.unit_price = offer.unit_price if offer else line.unit_price
        line.promised = line.promised or (offer.due if offer else line.due)
    order.counter = None
    moves.enter("confirmed", "counter_accepted", note)


def confirm(moves: Moves) -> None:
    """As it was ordered; lines keep the days that were promised for them already."""
    for line in moves.order.lines:
        line.confirmed = line.ordered
        line.promised = line.promised or line.due
    moves.order.counter = None
    moves.enter("confirmed")


def give_up(moves: Moves, state: PurchaseState, why: str) -> None:
    """The supplier does not deliver what is open: another one is to. What has come already stays this order's."""
    order = moves.order
    units = {line.line: line.open for line in order.lines if line.open}
    moves.elsewhere = units
    if state == "silent" or why == "counter_refused":
        moves.told += told_cancelled(order, units, why)
    _cancel(moves, units)
    order.counter = None
    if any(line.received for line in order.lines):
        moves.enter("received", why)
    else:
        moves.enter(state, why)


def cancel_rest(moves: Moves, asked: CancelRest) -> None:
    """Raises Refusal for lines that are none, or of which nothing is open."""
    order = moves.order
    chosen = asked.lines if asked.lines is not None else [line.line for line in order.open_lines]
    for place, number in enumerate(chosen):
        line = order.line_of(number)
        if line is None or not line.open:
            raise Refusal(
                "nothing_open",
                f"Nothing is open of line {number}.",
                remedy=f"Name lines of which something is open: {', '.join(str(x.line) for x in order.open_lines)}.",
                field=f"lines.{place}",
                status=409,
            )
    units = {number: line.open for number in chosen if (line := order.line_of(number)) is not None}
    moves.told += told_cancelled(order, units, asked.reason)
    today = day_of(moves.now, order.terms.zone)
    for line in order.lines:
        if today <= (line.promised or line.due):
            line.withdrawn += units.get(line.line, 0)
    _cancel(moves, units)
    moves.note("cancelled", asked.reason)
    if order.open_lines:
        order.turn = turn_of(order, moves.now) if order.state == "confirmed" else order.turn
        return
    if any(line.received for line in order.lines):
        moves.enter("received", "rest_cancelled", asked.reason)
    else:
        moves.enter("cancelled", note=asked.reason)


def _cancel(moves: Moves, units: Mapping[int, int]) -> None:
    for line in moves.order.lines:
        line.cancelled += units.get(line.line, 0)


def time_for_approval(moves: Moves) -> None:
    """Reminded once, then given to the next role; after the last one it is not approved."""
    order = moves.order
    turn = order.turn
    assert turn is not None and turn.due is not None
    if moves.now < turn.due:
        order.turn = reminded(turn)
        moves.note("reminded", turn.role)
        moves.told += told_waits(order, order.turn.reminders)
        return
    following = escalated(order, turn, moves.now)
    if following is not None:
        order.turn = following
        moves.note("escalated", following.role)
        moves.told += told_waits(order)
    elif turn.kind == "decision":
        order.counter = None
        give_up(moves, "declined", "counter_refused")
    else:
        _cancel(moves, {line.line: line.open for line in order.lines})
        moves.enter("expired", "not_approved_in_time")


def time_for_answer(moves: Moves) -> None:
    """Reminded once; then it is bought elsewhere."""
    order = moves.order
    turn = order.turn
    assert turn is not None and turn.due is not None
    if moves.now >= turn.due:
        give_up(moves, "silent", "no_answer")
        return
    order.turn = reminded(turn)
    moves.note("reminded", order.supplier)
    moves.told += told_ordered(order, order.turn.reminders)
