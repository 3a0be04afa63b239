"""Money for the customer: given at once within the limits, else after somebody else has approved it in time. Pure.

What is approved is asked of the order, under a key of its own, which pays it through its own payments, once.
"""

from datetime import datetime, timedelta

from activities.service.timing import acted, go_on, to_people, wait, work_time_after
from activities.service.work import BOT, SYSTEM, Work
from contracts.cases import PEOPLE, Compensate, Compensation, Correct, Correction, DecideMoney
from contracts.casework import compensation
from contracts.money import display

COUNTS = frozenset({"waits", "approved", "paid"})
_FIRST_LOOK_S, _LONGEST_LOOK_S = 5.0, 3600.0


def compensate(work: Work, asked: Compensate, by: str, at: datetime) -> None:
    """Within the limit of the case's level at once. Who is of a lower level has that level's limit: to have a case
    escalated, or assigned to oneself, gives no more. What other cases about the order gave counts too."""
    case, policy = work.case, work.given.policy
    if by != BOT:
        acted(work, by, at)
    most = (
        policy.limits.compensation_bot
        if by == BOT
        else policy.level(min(case.level, work.given.ranks.get(by, 1))).compensation_limit
    )
    given = work.elsewhere + sum(one.amount for one in case.compensations if one.state in COUNTS)
    free = given + asked.amount <= most
    number = len(case.compensations) + 1
    made = Compensation(
        number=number,
        amount=asked.amount,
        currency=asked.currency,
        reason=asked.reason,
        by=by,
        at=at,
        state="approved" if free else "waits",
        due=None if free else work_time_after(work, at, policy.approval_s),
        key=f"{case.id}:compensation:{number}",
    )
    case.compensations = [*case.compensations, made]
    work.note(at, "compensation_offered", by, f"{number}: {display(asked.amount, asked.currency)}, {made.state}")
    if free:
        look_soon(work, at)
        return
    if case.state not in PEOPLE:
        to_people(work, at, "compensation to be approved")
    wait(work, "waiting_approval", at)


def decide(work: Work, asked: DecideMoney, by: str, at: datetime) -> None:
    _end(work, asked.number, "approved" if asked.approve else "rejected", at, by, asked.note)
    if asked.approve:
        look_soon(work, at)


def lapse(work: Work, now: datetime) -> None:
    """Nobody has decided in time."""
    for one in work.case.compensations:
        if one.state == "waits" and one.due is not None and one.due <= now:
            _end(work, one.number, "lapsed", one.due)


def paid(work: Work, number: int, at: datetime, code: str | None) -> None:
    """What the order says of it. `code`: why it cannot be paid."""
    one = compensation(work.case, number)
    if one is None or one.state != "approved":
        return
    one.state, one.code = ("declined", code) if code else ("paid", None)
    words = f"{number}: {display(one.amount, one.currency)}{f', {code}' if code else ''}"
    work.note(at, f"compensation_{one.state}", note=words)


def correct(work: Work, asked: Correct, by: str, at: datetime) -> None:
    case = work.case
    acted(work, by, at)
    number = len(case.corrections) + 1
    made = Correction(
        number=number,
        action=asked.action,
        parcel=asked.parcel,
        reason=asked.reason,
        by=by,
        at=at,
        key=f"{case.id}:correction:{number}",
    )
    case.corrections = [*case.corrections, made]
    work.note(at, "correction_wanted", by, f"{number}: {asked.action} {asked.parcel or case.order}")
    look_soon(work, at)


def corrected(work: Work, number: int, at: datetime, code: str | None) -> None:
    """`code`: why the order would not."""
    one = next((one for one in work.case.corrections if one.number == number and one.state == "todo"), None)
    if one is None:
        return
    one.state, one.code = ("refused", code) if code else ("done", None)
    work.note(at, f"correction_{one.state}", note=f"{number}: {one.action}{f', {code}' if code else ''}")


def look_soon(work: Work, at: datetime) -> None:
    work.case.look_at, work.case.looks = at, 0


def look_again(work: Work, now: datetime) -> None:
    """After each look that came to nothing, twice as long."""
    pause = min(_FIRST_LOOK_S * 2**work.case.looks, _LONGEST_LOOK_S)
    work.case.looks = min(work.case.looks + 1, 20)
    work.case.look_at = now + timedelta(seconds=pause)


def _end(work: Work, number: int, state: str, at: datetime, by: str | None = None, note: str | None = None) -> None:
    case = work.case
    one = compensation(case, number)
    assert one is not None
    change = {"state": state, "due": None, "decided_by": by}
    case.compensations = [one.model_copy(update=change) if one.number == number else one for one in case.compensations]
    if case.state == "waiting_approval" and not any(one.state == "waits" for one in case.compensations):
        go_on(work, at)
    words = f"{number}{f': {note}' if note else ''}"
    work.note(at, f"compensation_{state}", by or SYSTEM, words)
