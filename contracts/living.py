"""How an active partner stands, what may be done with it, and what comes next. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from contracts.base import milliseconds
from contracts.lifecycle import (
    AGREEMENT,
    Command,
    Ending,
    OfferDocument,
    Open,
    Pace,
    ReviewDocument,
    Standing,
    Terminate,
    doing,
)
from contracts.onboarding import Deadlines
from contracts.partnership import HeldDocument, Offered, PartnerRecord
from contracts.refusals import Refusal
from contracts.turns import ROLES
from contracts.worktime import OFFICE, add_work_time

BY_OPERATOR = "suspended_by_operator"
LEAVING = "terminating"

Kind = Literal["remind", "expire", "urge", "look"]


@dataclass(frozen=True, slots=True)
class Due:
    """What comes next: when, of which kind, about what, and of reminders how many days before the end."""

    at: datetime
    kind: Kind
    what: str = ""
    days: int = 0


def standing_of(record: PartnerRecord) -> Standing:
    documents = [
        Ending(what=held.requirement, until=held.valid_until, reminded=record.reminded.get(held.requirement, []))
        for held in record.documents
        if held.valid_until is not None
    ]
    agreement = Ending(what=AGREEMENT, until=record.agreement_until, reminded=record.reminded.get(AGREEMENT, []))
    return Standing(
        partner=record.id,
        application=record.application,
        state=record.state,
        suspended_for=record.suspended_for,
        terminating=record.terminating,
        endings=[agreement, *documents],
        offered=record.offered,
        agreement=record.agreement,
        agreements=record.agreements,
        renewing=record.renewing,
        step=record.step,
    )


def why_ended(what: str) -> str:
    """The code for which a partner is suspended when something has ended."""
    return "agreement_expired" if what == AGREEMENT else f"document_expired:{what}"


def next_due(standing: Standing, pace: Pace, now: datetime) -> Due | None:
    """The earliest of what is to come; what is over already comes at once. Of reminders that were missed only the one
    that is nearest to the end is told."""
    if standing.state == "terminated":
        return None
    found = [Due(one.remind_at or one.due, "urge", one.requirement) for one in standing.offered]
    if standing.terminating:
        found.append(Due(now + timedelta(seconds=pace.look_s), "look"))
    else:
        for ending in standing.endings:
            found += _of_ending(standing, ending, pace, now)
    return min(found, key=lambda due: (due.at, due.kind, due.what), default=None)


def _of_ending(standing: Standing, ending: Ending, pace: Pace, now: datetime) -> list[Due]:
    if why_ended(ending.what) in standing.suspended_for:
        return []
    found = [Due(ending.until, "expire", ending.what)]
    days = sorted(pace.reminders_days)
    missed = [one for one in days if ending.until - timedelta(days=one) <= now]
    told = min(ending.reminded, default=None)
    if missed and (told is None or told > missed[0]):
        found.append(Due(now, "remind", ending.what, missed[0]))
    else:
        ahead = [one for one in days if one not in missed]
        if ahead:
            found.append(Due(ending.until - timedelta(days=ahead[-1]), "remind", ending.what, ahead[-1]))
    return [one for one in found if one.kind == "expire" or one.at < ending.until]


def waits_for(standing: Standing, due: Due | None) -> str:
    """In words, for those who look."""
    renewal = f"; agreement {standing.renewing} is out for signature" if standing.renewing else ""
    renewal += _again(standing)
    if due is None:
        return f"nothing{renewal}"
    when = _moment(due.at)
    words = {
        "remind": f"{when}, {due.days} days before the end of {due.what}",
        "expire": f"{when}, when {due.what} ends and the partner is suspended",
        "urge": f"a reviewer of the new {due.what} until {_until(standing, due)}",
        "look": f"open orders and money; looked at again by {when}",
    }
    return f"{words[due.kind]}{renewal}"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _until(standing: Standing, due: Due) -> str:
    """A reviewer has the whole time, also where a reminder comes first."""
    offer = standing.offer(due.what)
    if offer is None or offer.remind_at is None:
        return _moment(due.at)
    return f"{_moment(offer.due)}; reminded at {_moment(offer.remind_at)}"


def _again(standing: Standing) -> str:
    """What must come before a suspended partner gets orders again."""
    if standing.state != "suspended" or standing.terminating:
        return ""
    needed = []
    for reason in standing.suspended_for:
        what = reason.removeprefix("document_expired:")
        if reason == BY_OPERATOR:
            needed.append("an operator resumes it")
        elif what != reason:
            needed.append(f"a new {what} is accepted")
        else:
            needed.append("the next agreement is signed")
    return f"; suspended until {' and '.join(needed)}"


def refuse(standing: Standing, command: Command) -> None:
    """Raises Refusal when a partner that stands so cannot take the command; it then changes nothing. What it has open
    is looked at where the termination is written."""
    what = doing(command)
    if standing.state == "terminated":
        raise Refusal(
            "partner_terminated",
            "The partner is terminated.",
            remedy="Have it apply anew.",
            status=409,
        )
    if standing.terminating and what in ("suspend", "resume", "renew", "offer"):
        raise Refusal(
            "partner_terminating",
            "The partner is leaving; it goes when nothing is open any more.",
            remedy="Let it finish, or have it apply anew afterwards.",
            status=409,
        )
    if what == "suspend" and BY_OPERATOR in standing.suspended_for:
        raise Refusal("suspended_already", "It is suspended already.", remedy="There is nothing to do.", status=409)
    if what == "resume":
        _refuse_resume(standing)
    if what == "renew" and standing.renewing is not None:
        raise Refusal(
            "renewal_under_way",
            f"The agreement {standing.renewing} is out for signature already.",
            remedy="Wait for its signers, or cancel it first (tongqu partner agreement cancel).",
            status=409,
        )
    if command.offer is not None:
        _refuse_offer(standing, command.offer)
    if command.review is not None:
        _refuse_review(standing, command.review)


def _refuse_resume(standing: Standing) -> None:
    if standing.state != "suspended":
        raise Refusal("not_suspended", "It is not suspended.", remedy="There is nothing to do.", status=409)
    if BY_OPERATOR not in standing.suspended_for:
        raise Refusal(
            "still_expired",
            f"It is suspended for {', '.join(standing.suspended_for)}.",
            remedy="Have the document supplied anew and accepted, or the agreement renewed; it then resumes by itself.",
            status=409,
        )


def _refuse_offer(standing: Standing, asked: OfferDocument) -> None:
    known = [one.what for one in standing.endings if one.what != AGREEMENT]
    if asked.requirement not in known:
        raise Refusal(
            "unknown_document",
            f"No document {asked.requirement} of the partner ends.",
            remedy=f"Send one of {', '.join(known)}." if known else "None of its documents ends.",
            field="requirement",
        )
    held = standing.ending(asked.requirement)
    if held is not None and asked.valid_until is not None and asked.valid_until <= held.until:
        raise Refusal(
            "not_valid_longer",
            "The new document is not valid for longer than the one that is held.",
            remedy="Send a document that is valid for longer.",
            field="valid_until",
        )


def refuse_endless(valid_until: date | None, long_term: bool) -> None:
    """Raises Refusal where it is not said until when a new document is valid: what was forgotten would never end."""
    if (valid_until is None) != long_term:
        raise Refusal(
            "validity_unclear",
            "It is not clear until when the document is valid.",
            remedy="Send valid_until, its last day, such as 2031-12-31; or long_term=true, where it says so.",
            field="valid_until",
        )


def _refuse_review(standing: Standing, asked: ReviewDocument) -> None:
    offer = standing.offer(asked.requirement)
    if offer is None:
        raise Refusal(
            "nothing_offered",
            f"No new document {asked.requirement} waits for a decision.",
            remedy="Look at the partner to see what does.",
            field="requirement",
            status=409,
        )
    if asked.decision == "return" and asked.comment is None:
        raise Refusal(
            "comment_missing", "To return a document needs words that say why.", remedy="Send comment.", field="comment"
        )
    if asked.decision == "accept" and offer.found:
        raise Refusal(
            "check_failed",
            f"Checks of the document failed: {', '.join(offer.found)}.",
            remedy="Return it with a comment.",
            field="decision",
            status=409,
        )


def refuse_open(asked: Terminate, still: Open) -> None:
    """Raises Refusal when a partner is to go at once and has something open."""
    if still.nothing or asked.when_done:
        return
    raise Refusal(
        "still_open",
        f"The partner has {still.words()}.",
        remedy="Wait until it is done; or send when_done: true (--when-done), and it goes by itself when it is.",
        field="when_done",
        status=409,
        open=still.model_dump(mode="json"),
    )


def offered(asked: OfferDocument, found: list[str], by: str, deadlines: Deadlines, now: datetime) -> Offered:
    def after(part: float) -> datetime:
        return milliseconds(add_work_time(OFFICE, deadlines.zone, now, deadlines.review_work_s * part))

    return Offered(
        requirement=asked.requirement,
        digest=asked.digest,
        valid_until=asked.valid_until,
        offered_at=now,
        by=by,
        found=found,
        remind_at=after(deadlines.remind_after),
        due=after(1.0),
    )


def urged(offer: Offered, deadlines: Deadlines, now: datetime) -> Offered:
    """Reminded once; then to the next role above, or once more to the last."""
    if offer.remind_at is not None:
        return offer.model_copy(update={"remind_at": None})
    roles, count = ROLES["reviewer"], offer.escalated + 1
    due = milliseconds(add_work_time(OFFICE, deadlines.zone, now, deadlines.escalated_work_s))
    return offer.model_copy(update={"escalated": count, "role": roles[min(count, len(roles)) - 1], "due": due})


def without_offer(record: PartnerRecord, requirement: str) -> PartnerRecord:
    return record.model_copy(update={"offered": [one for one in record.offered if one.requirement != requirement]})


def accepted(record: PartnerRecord, offer: Offered) -> PartnerRecord:
    """With the new document in place of the old one; a suspension for that ends."""
    new = HeldDocument(requirement=offer.requirement, digest=offer.digest, valid_until=offer.valid_until)
    documents = [new if one.requirement == offer.requirement else one for one in record.documents]
    reminded = {what: days for what, days in record.reminded.items() if what != offer.requirement}
    changed = without_offer(record, offer.requirement)
    changed = changed.model_copy(update={"documents": documents, "reminded": reminded})
    return without_reason(changed, why_ended(offer.requirement))


def renewed(record: PartnerRecord, agreement: str, until: datetime) -> PartnerRecord:
    reminded = {what: days for what, days in record.reminded.items() if what != AGREEMENT}
    change = {"agreement": agreement, "agreement_until": until, "renewing": None, "reminded": reminded}
    return without_reason(record.model_copy(update=change), why_ended(AGREEMENT))


def with_reasons(record: PartnerRecord, reasons: list[str]) -> PartnerRecord:
    """Suspended for these too."""
    both = [*record.suspended_for, *(one for one in reasons if one not in record.suspended_for)]
    return record.model_copy(update={"suspended_for": both, "state": "suspended" if both else record.state})


def without_reason(record: PartnerRecord, reason: str) -> PartnerRecord:
    """Active again when it was the last one."""
    left = [one for one in record.suspended_for if one != reason]
    state = "active" if not left and record.state == "suspended" else record.state
    return record.model_copy(update={"suspended_for": left, "state": state})


def ended_by(record: PartnerRecord, now: datetime) -> list[str]:
    """Why it is to be suspended now, besides what it is suspended for already."""
    over = [why_ended(one.what) for one in standing_of(record).endings if one.until <= now]
    return [one for one in over if one not in record.suspended_for]
