"""The state machine of a return: requested, approved, in transit, received, refunded, closed.

Pure: no clock, no I/O. The money is the order's: it is told the units that came; the return waits until they are paid.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from activities.orders.money import owes_nothing
from activities.orders.moves import Tell
from activities.orders.returning import paid_back
from contracts.orders import InboxEvent, OrderState
from contracts.returns import AWAITED, ENDED, NEVER_HAD, Return, ReturnEntry, ReturnEvent, ReturnState
from contracts.routing import Policy
from contracts.subjects import RETAILER

_LOOK_AGAIN = timedelta(seconds=5)
_LOOK_AT_MOST = timedelta(hours=6)


@dataclass(slots=True)
class ReturnMoves:
    """The outcome of a step. `received`: what the order is to be told."""

    returned: Return
    before: Return
    tells: list[Tell] = field(default_factory=list)
    received: InboxEvent | None = None

    def note(self, what: str, at: datetime, **more: Any) -> None:
        self.returned.timeline.append(ReturnEntry(at=at, what=what, **more))


def advance_return(returned: Return, order: OrderState, now: datetime, policy: Policy) -> ReturnMoves:
    """Take in what was said about a return, and what its deadlines and its order's money ask for."""
    moves = ReturnMoves(returned.model_copy(deep=True), returned)
    at_hand, moves.returned.unread = moves.returned.unread, []
    for event in sorted(at_hand, key=lambda e: (e.at, e.id)):
        _deadline(moves, min(event.at, now), policy)
        _take(moves, event, min(event.at, now), policy)
    _deadline(moves, now, policy)
    _paid_back(moves, order, now)
    _tell(moves)
    moves.returned.next_due = _next_due(moves.returned, now)
    return moves


def _take(moves: ReturnMoves, event: ReturnEvent, at: datetime, policy: Policy) -> None:
    """What comes too late, or twice, is noted and changes nothing."""
    one = moves.returned
    reason = event.data.get("reason")
    if event.kind == "approved" and one.state is ReturnState.REQUESTED:
        _approve(moves, at, policy, event.by, reason)
    elif event.kind == "refused" and one.state in (ReturnState.REQUESTED, ReturnState.APPROVED):
        one.note = str(reason or "")
        _enter(moves, ReturnState.REFUSED, at, by=event.by, reason=reason)
    elif event.kind == "sent" and one.state is ReturnState.APPROVED:
        one.tracking = event.data.get("tracking")
        _enter(moves, ReturnState.IN_TRANSIT, at, by=event.by, reason=one.tracking)
    elif event.kind == "received" and one.state in AWAITED:
        one.location = event.data.get("location") or one.location
        _receive(moves, event.data["lines"], at, event.by)
    else:
        moves.note("return.ignored", at, reason=f"{event.kind}: it is {one.state}", by=event.by)


def _deadline(moves: ReturnMoves, at: datetime, policy: Policy) -> None:
    """Requests within the policy need nobody. Goods that never come: the customer who has them pays them."""
    one = moves.returned
    if one.state is ReturnState.REQUESTED and one.approve_until is not None and one.opened_at <= one.approve_until:
        _approve(moves, at, policy, "policy", None)
    if one.due is None or one.due > at or one.state not in AWAITED:
        return
    if one.reason in NEVER_HAD:
        missing = [{"line": line.line, "missing": line.quantity} for line in one.lines]
        _receive(moves, missing, one.due, "timer")
    else:
        one.note = "not_received"
        _enter(moves, ReturnState.CLOSED, one.due, by="timer", reason="not_received")


def _approve(moves: ReturnMoves, at: datetime, policy: Policy, by: str, reason: str | None) -> None:
    moves.returned.due = at + timedelta(seconds=policy.return_arrival_s)
    _enter(moves, ReturnState.APPROVED, at, by=by, reason=reason)


def _receive(moves: ReturnMoves, conditions: Sequence[dict[str, Any]], at: datetime, by: str) -> None:
    one = moves.returned
    found = {row["line"]: row for row in conditions}
    for line in one.lines:
        row = found.get(line.line, {})
        line.sellable, line.damaged = row.get("sellable", 0), row.get("damaged", 0)
        line.missing = line.quantity - line.sellable - line.damaged
    one.due = None
    _enter(moves, ReturnState.RECEIVED, at, by=by)
    refund = paid_back(one)
    lines = [
        {**line.model_dump(include={"line", "sellable", "damaged", "missing"}), "refund": refund[line.line]}
        for line in one.lines
    ]
    moves.received = InboxEvent(
        id=f"{one.id}:received",
        order=one.order,
        kind="return.received",
        received_at=at,
        by=by,
        parcel=one.parcel,
        data={"return": one.id, "location": one.location, "lines": lines},
    )


def _paid_back(moves: ReturnMoves, order: OrderState, now: datetime) -> None:
    """`amount` is there once the order has taken the units in, in the transaction that did so."""
    one = moves.returned
    if one.state is ReturnState.RECEIVED and one.amount is not None and owes_nothing(order):
        if one.amount:
            _enter(moves, ReturnState.REFUNDED, now)
        _enter(moves, ReturnState.CLOSED, now)


def _enter(moves: ReturnMoves, state: ReturnState, at: datetime, **more: Any) -> None:
    one = moves.returned
    one.state = state
    one.closed_at = at if state in ENDED else None
    moves.note(f"return.{state}", at, **more)


def _tell(moves: ReturnMoves) -> None:
    """The location hears what is to come once, the retailer of every state in which a step leaves the return."""
    one = moves.returned
    if one.state in (ReturnState.APPROVED, ReturnState.IN_TRANSIT) and not one.announced:
        one.announced = True
        items = [{"line": line.line, "sku": line.sku, "quantity": line.quantity} for line in one.lines]
        told = {"return": one.id, "order": one.order, "parcel": one.parcel, "items": items, "reason": one.reason}
        moves.tells.append(Tell(one.location, "return.announced.v1", one.id, told))
    if one.told is not one.state:
        one.told = one.state
        changed = {
            "return": one.id,
            "order": one.order,
            "parcel": one.parcel,
            "state": one.state,
            "reason": one.reason,
            "amount": one.amount,
            "note": one.note,
        }
        moves.tells.append(Tell(RETAILER, "return.changed.v1", one.id, changed))


def _next_due(one: Return, now: datetime) -> datetime | None:
    if one.state is ReturnState.RECEIVED:
        since = next(entry.at for entry in reversed(one.timeline) if entry.what == "return.received")
        return now + min(max(now - since, _LOOK_AGAIN), _LOOK_AT_MOST)
    return one.due if one.state in AWAITED else None
