"""Whose turn it is with an application, until when, and who hears of it when nothing is done. Pure."""

from datetime import datetime, timedelta

from contracts.base import milliseconds
from contracts.onboarding import ENDED, Apply, Deadlines, Stage, Standing, Turn, Who
from contracts.worktime import OFFICE, add_work_time

ROLES: dict[Who, tuple[str, ...]] = {
    "reviewer": ("partner_review_lead", "partner_director"),
    "partner": ("partner_operations",),
    "applicant": (),
    "signers": (),
}
"""To whom a turn is given when it was not taken in time, from the first to the last. Without any it ends there:
an application that its applicant forgot expires."""

TURNS: dict[Stage, Who] = {
    "draft": "applicant",
    "revision": "applicant",
    "bank": "applicant",
    "review": "reviewer",
    "agreement": "signers",
    "testing": "partner",
}


_BY_ITSELF: dict[Stage, str] = {
    "checking": "checks by machine",
    "agreement": "an agreement to be drafted",
    "provisioning": "the partner to be made",
}
"""What is done meanwhile where it is nobody's turn."""


def first_turn(stage: Stage, deadlines: Deadlines, now: datetime) -> Turn | None:
    """None where nobody is waited for."""
    who = TURNS.get(stage)
    if who is None:
        return None
    due = _after(stage, deadlines, now, 1.0)
    # Signers are reminded by the workflow of the signing.
    remind_at = None if who == "signers" else _after(stage, deadlines, now, deadlines.remind_after)
    return Turn(who=who, since=now, remind_at=remind_at, due=due)


def reminded(turn: Turn) -> Turn:
    """Once in each time."""
    return turn.model_copy(update={"reminders": turn.reminders + 1, "remind_at": None})


def escalated(turn: Turn, deadlines: Deadlines, now: datetime) -> Turn:
    """To the next role, or once more to the last, with a time of its own. Raises ValueError where there is no role."""
    roles = ROLES[turn.who]
    if not roles:
        raise ValueError(f"there is nobody above the {turn.who}")
    count = turn.escalated + 1
    due = _escalated_until(turn.who, deadlines, now)
    role = roles[min(count, len(roles)) - 1]
    return turn.model_copy(update={"escalated": count, "role": role, "remind_at": None, "due": due})


def ends_when_due(turn: Turn) -> bool:
    """Whether the application expires when the turn is due. Reviews never do: to be forgotten is not the applicant's
    fault. A partner that does not acknowledge has its time twice."""
    return turn.who == "applicant" or (turn.who == "partner" and turn.escalated > 0)


def why_expired(stage: Stage) -> str:
    """The code of why an application expired at a stage."""
    codes: dict[Stage, str] = {
        "bank": "deposit_not_confirmed",
        "testing": "test_not_acknowledged",
        "revision": "not_corrected",
    }
    return codes.get(stage, "not_submitted")


def next_moment(turn: Turn) -> datetime:
    return min(turn.remind_at, turn.due) if turn.remind_at is not None else turn.due


def waits_for(standing: Standing) -> str:
    """In words, for those who look."""
    turn = standing.turn
    if turn is None:
        return "nothing any more" if standing.stage in ENDED else _BY_ITSELF.get(standing.stage, "its next step")
    whom = {
        "draft": "the applicant to submit",
        "revision": f"the applicant to correct {', '.join(standing.returned[:10]) or 'what was returned'}",
        "bank": "the applicant to confirm the amount of the deposit",
        "review": _reviewers(standing),
        "agreement": f"the signers of {standing.agreement}",
        "testing": f"{standing.partner} to acknowledge the test event",
    }[standing.stage]
    words = f"{whom} until {_at(turn.due)}"
    if turn.role is not None:
        words += f"; escalated to {turn.role}"
    if turn.remind_at is not None:
        words += f"; reminder at {_at(turn.remind_at)}"
    back = standing.stage == "review" and standing.reasons
    return f"{words}; back because of {', '.join(standing.reasons)}" if back else words


def facts_of(start: Apply, standing: Standing) -> list[tuple[str, object]]:
    """Of an application, for those who look."""
    return [
        ("application", standing.application),
        ("kind", start.kind),
        ("region", start.region),
        ("requirements", start.requirements),
        ("stage", standing.stage),
        ("revision", standing.revision),
        ("risk", "not known" if standing.risk is None else f"{standing.risk} of 100"),
        ("items undecided", ", ".join(standing.undecided[:20]) or "none"),
        ("approved by", f"{', '.join(standing.approved_by) or 'nobody'}, of {standing.reviewers_needed}"),
        ("agreement", standing.agreement or "none"),
        ("partner", standing.partner or "none"),
    ]


def _reviewers(standing: Standing) -> str:
    left = standing.reviewers_needed - len(standing.approved_by)
    if standing.approved_by:
        return f"{left} more reviewer than {', '.join(standing.approved_by)}"
    return "two different reviewers" if left > 1 else "a reviewer"


def _after(stage: Stage, deadlines: Deadlines, now: datetime, part: float) -> datetime:
    if stage == "review":
        return milliseconds(add_work_time(OFFICE, deadlines.zone, now, deadlines.review_work_s * part))
    seconds = {
        "draft": deadlines.draft_s,
        "revision": deadlines.revision_s,
        "bank": deadlines.bank_s,
        "agreement": deadlines.agreement_s,
        "testing": deadlines.testing_s,
    }[stage]
    return milliseconds(now + timedelta(seconds=seconds * part))


def _escalated_until(who: Who, deadlines: Deadlines, now: datetime) -> datetime:
    if who == "partner":
        return milliseconds(now + timedelta(seconds=deadlines.testing_s))
    return milliseconds(add_work_time(OFFICE, deadlines.zone, now, deadlines.escalated_work_s))


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
