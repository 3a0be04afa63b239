"""How an envelope goes on: by what the provider says of it, by what was sent, by time, by commands. Pure.

Every function returns a new agreement and leaves the one it was given as it was.
"""

from calendar import monthrange
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from activities.agreements.words import words_of
from contracts.agreement_record import Agreement, Evidence, Notice, NoticeKind, Signer
from contracts.agreements import ASKED, ENDED, SignerState
from contracts.base import milliseconds
from contracts.hours import TIME_ZONE
from contracts.signatures import EnvelopeView, Link, SignerView

PROVIDER = "provider"
_RANK: dict[SignerState, int] = {"waiting": 0, "sent": 1, "seen": 2, "signed": 3, "declined": 3, "expired": 3}
_ANSWERED = 3


def observed(agreement: Agreement, view: EnvelopeView, now: datetime, *, ours: bool = False) -> Agreement:
    """With what the provider says. A view older than one seen before changes nothing; no signer goes backwards.

    `ours`: we have just told it to close the envelope; else one that is void was closed by the provider.
    """
    if agreement.state in ENDED or view.version <= agreement.version_seen:
        return agreement
    told = {signer.id: signer for signer in view.signers}
    signers = [_moved(signer, told[signer.id]) if signer.id in told else signer for signer in agreement.signers]
    seen = agreement.model_copy(update={"signers": signers, "version_seen": view.version})
    declined = next((signer.id for signer in signers if signer.state == "declined"), None)
    if declined is not None:
        return _ended(seen.model_copy(update={"state": "declined", "declined_by": declined}), now)
    if agreement.state == "out" and all(signer.state == "signed" for signer in signers):
        return seen.model_copy(update={"state": "complete", "signers": [_without_link(s) for s in signers]})
    if agreement.state == "out" and view.state == "void" and not ours:
        over = agreement.expires_at is not None and now >= agreement.expires_at
        return expired(seen, now) if over else cancelled(seen, PROVIDER, "", now)
    return seen


def _moved(signer: Signer, told: SignerView) -> Signer:
    """On to what the provider says of it. What it says of links is known from their making."""
    if _RANK[told.state] <= _RANK[signer.state] or told.state == "sent":
        return signer
    if told.state == "seen":
        return signer.model_copy(update={"state": "seen", "seen_at": told.at})
    return signer.model_copy(update={"state": told.state, "answered_at": told.at, "reason": told.reason, "link": None})


def begun(agreement: Agreement, now: datetime, expires_at: datetime) -> Agreement:
    """The first signers are asked: from now on the time runs."""
    if agreement.state != "drafted":
        return agreement
    return agreement.model_copy(update={"state": "out", "sent_at": now, "expires_at": expires_at})


def sent(agreement: Agreement, link: Link, now: datetime, expires_at: datetime) -> Agreement:
    """A link was made for a signer: the first one, or a new one in place of another. Those that answered stay so."""
    known = agreement.signer(link.signer)
    if _RANK[known.state] == _ANSWERED:
        return agreement
    changes = {"state": "sent", "sends": known.sends + 1, "link": link.url, "sent_at": now, "seen_at": None}
    asked = _with(begun(agreement, now, expires_at), known.model_copy(update=changes))
    return _telling(asked, [link.signer], "asked", now)


def sealing(agreement: Agreement, signer: str) -> Agreement:
    """The provider was told to put a seal; that it is there is seen when it is looked at."""
    known = agreement.signer(signer)
    if _RANK[known.state] > _RANK["waiting"]:
        return agreement
    return _with(agreement, known.model_copy(update={"state": "sent", "sends": known.sends + 1}))


def reminded(agreement: Agreement, now: datetime) -> Agreement:
    asked = [signer.id for signer in agreement.signers if signer.state in ASKED and signer.way == "link"]
    return _telling(agreement.model_copy(update={"reminders": agreement.reminders + 1}), asked, "reminded", now)


def expired(agreement: Agreement, now: datetime) -> Agreement:
    """Whoever has not answered has not done so in time. Ended and complete agreements stay as they are."""
    if agreement.state not in ("drafted", "out"):
        return agreement
    late = [s if _RANK[s.state] == _ANSWERED else s.model_copy(update={"state": "expired"}) for s in agreement.signers]
    return _ended(agreement.model_copy(update={"state": "expired", "signers": late}), now)


def cancelled(agreement: Agreement, by: str, reason: str, now: datetime) -> Agreement:
    if agreement.state in ENDED:
        return agreement
    return _ended(agreement.model_copy(update={"state": "cancelled", "cancelled_by": by, "cancel_reason": reason}), now)


def verified(agreement: Agreement, evidence: Evidence, now: datetime) -> Agreement:
    """With the evidence of the fetched file: signed when nothing is wrong with it, else doubtful."""
    if agreement.state not in ("complete", "doubtful"):
        return agreement
    kept = agreement.model_copy(update={"evidence": evidence})
    if evidence.findings:
        return kept.model_copy(update={"state": "doubtful"})
    signed_at = max(one.signed_at for one in evidence.signatures if one.signed_at is not None)
    begins, ends = effective(signed_at, agreement.terms.begins, agreement.terms.term_months)
    changes = {
        "state": "signed",
        "signed_digest": evidence.sha256,
        "signed_at": signed_at,
        "effective_from": begins,
        "effective_until": ends,
    }
    everybody = [signer.id for signer in agreement.signers]
    return _telling(kept.model_copy(update=changes), everybody, "signed", now)


def effective(signed_at: datetime, begins: datetime | None, months: int) -> tuple[datetime, datetime]:
    """From when until when an agreement counts: from its signing, or, of a renewal that was signed in time, from when
    the one before it ends; until midnight, in China, after the same day so many months later. One that goes on at
    midnight counts from the day that ends there: twelve months are a year, and not a day more each time."""
    start = max(signed_at, begins) if begins is not None else signed_at
    counted = start - timedelta(microseconds=1) if start == begins else start
    last = months_later(counted.astimezone(ZoneInfo(TIME_ZONE)).date(), months)
    midnight = datetime.combine(last + timedelta(days=1), time(), ZoneInfo(TIME_ZONE))
    return start, milliseconds(midnight)


def months_later(day: date, months: int) -> date:
    """The same day of the month, or the last one where the month is too short."""
    month = day.year * 12 + day.month - 1 + months
    year, number = divmod(month, 12)
    return date(year, number + 1, min(day.day, monthrange(year, number + 1)[1]))


def _ended(agreement: Agreement, now: datetime) -> Agreement:
    """No link is good any more, and everybody who had been asked is told, with the retailer's own signers."""
    signers = [_without_link(signer) for signer in agreement.signers]
    told = [s.id for s in signers if (s.sends or s.role == "retailer") and s.id != agreement.declined_by]
    kind = agreement.state
    assert kind == "declined" or kind == "expired" or kind == "cancelled"
    return _telling(agreement.model_copy(update={"signers": signers}), told, kind, now)


def _without_link(signer: Signer) -> Signer:
    return signer.model_copy(update={"link": None})


def _with(agreement: Agreement, changed: Signer) -> Agreement:
    signers = [changed if signer.id == changed.id else signer for signer in agreement.signers]
    return agreement.model_copy(update={"signers": signers})


def _telling(agreement: Agreement, signers: list[str], kind: NoticeKind, now: datetime) -> Agreement:
    words = words_of(agreement, kind)
    notices = [Notice(to=signer, kind=kind, words=words, at=now) for signer in signers]
    return agreement.model_copy(update={"notices": [*agreement.notices, *notices]})
