"""The steps of a partner's life: what ends, what is supplied anew, and how it goes."""

from collections.abc import Mapping
from typing import Any

from activities.partners.open import what_is_open
from activities.partners.papers import days_asked, found_wrong
from activities.partners.steps import change, find_partner
from activities.partners.telling import Told, told_document, told_ending, told_renewal
from contracts.agreements import agreement_id
from contracts.lifecycle import CarryOut, Command, Doing, Remind, Renewed, Standing, Step, Urge, doing
from contracts.living import (
    BY_OPERATOR,
    LEAVING,
    accepted,
    ended_by,
    offered,
    refuse,
    refuse_open,
    renewed,
    standing_of,
    urged,
    with_reasons,
    without_offer,
    without_reason,
)
from contracts.partnership import PartnerRecord
from infra.mongo import Mongo, Session

_SYSTEM = "tongqu"


async def stand(mongo: Mongo, partner: str) -> Standing:
    return standing_of(await find_partner(mongo, partner))


async def remind(mongo: Mongo, step: Remind) -> Standing:
    """Something ends in so many days."""

    async def work(record: PartnerRecord, _: Session) -> tuple[PartnerRecord, list[Told]]:
        ending = standing_of(record).ending(step.what)
        if ending is None or step.days in ending.reminded:
            return record, []
        reminded = {**record.reminded, step.what: [*ending.reminded, step.days]}
        return record.model_copy(update={"reminded": reminded}), told_ending(record.id, ending, step.days)

    return await change(mongo, step, _SYSTEM, "reminded", work, what=step.what, note=f"{step.days} days")


async def expire(mongo: Mongo, step: Step) -> Standing:
    """Suspended for what has ended by now."""

    async def work(record: PartnerRecord, _: Session) -> tuple[PartnerRecord, list[Told]]:
        return with_reasons(record, ended_by(record, step.now)), []

    return await change(mongo, step, _SYSTEM, "expired", work)


async def urge(mongo: Mongo, step: Urge) -> Standing:
    async def work(record: PartnerRecord, _: Session) -> tuple[PartnerRecord, list[Told]]:
        changed = [
            urged(one, step.deadlines, step.now) if one.requirement == step.requirement else one
            for one in record.offered
        ]
        told = [
            event for one in changed if one.requirement == step.requirement for event in told_document(record.id, one)
        ]
        return record.model_copy(update={"offered": changed}), told

    return await change(mongo, step, _SYSTEM, "urged", work, what=step.requirement)


async def conclude_renewal(mongo: Mongo, step: Renewed) -> Standing:
    """How the signing of the next agreement ended."""

    async def work(record: PartnerRecord, _: Session) -> tuple[PartnerRecord, list[Told]]:
        if record.renewing != step.agreement:
            return record, []
        if step.outcome == "signed" and step.until is not None:
            changed = renewed(record, step.agreement, step.until)
        else:
            changed = record.model_copy(update={"renewing": None})
        return changed, told_renewal(record.id, step.agreement, step.outcome, step.until)

    return await change(mongo, step, _SYSTEM, "renewal", work, what=step.agreement, note=step.outcome)


async def leave(mongo: Mongo, step: Step) -> Standing:
    """Terminated, when nothing is open any more."""

    async def work(record: PartnerRecord, session: Session) -> tuple[PartnerRecord, list[Told]]:
        if not record.terminating or not (await what_is_open(mongo, record, session)).nothing:
            return record, []
        gone: dict[str, Any] = {"state": "terminated", "offered": [], "renewing": None, "access": "revoked"}
        return record.model_copy(update=gone), []

    return await change(mongo, step, _SYSTEM, "looked at what is open", work)


async def carry_out(mongo: Mongo, step: CarryOut) -> Standing:
    """Raises Refusal when the partner stands otherwise than its workflow thought."""
    command = step.command

    async def work(record: PartnerRecord, session: Session) -> tuple[PartnerRecord, list[Told]]:
        refuse(standing_of(record), command)
        if command.terminate is not None:
            refuse_open(command.terminate, await what_is_open(mongo, record, session))
            leaving = record.model_copy(update={"terminating": True, "renewing": None})
            return with_reasons(leaving, [LEAVING]), []
        if command.offer is not None:
            days = await days_asked(mongo, record, command.offer.requirement, session)
            found = found_wrong(record, command.offer, days, step.now)
            offer = offered(command.offer, found, command.by, step.deadlines, step.now)
            rest = without_offer(record, offer.requirement)
            return rest.model_copy(update={"offered": [*rest.offered, offer]}), told_document(record.id, offer)
        if command.review is not None:
            return _reviewed(record, command)
        return _changed(record, command), []

    what, note = _noted(command)
    return await change(mongo, step, command.by, doing(command), work, what=what, note=note)


def _changed(record: PartnerRecord, command: Command) -> PartnerRecord:
    if command.suspend is not None:
        return with_reasons(record, [BY_OPERATOR])
    if command.resume is not None:
        return without_reason(record, BY_OPERATOR)
    assert command.renew is not None
    number = record.agreements + 1
    return record.model_copy(update={"agreements": number, "renewing": agreement_id(record.application, number)})


def _reviewed(record: PartnerRecord, command: Command) -> tuple[PartnerRecord, list[Told]]:
    asked = command.review
    assert asked is not None
    offer = next(one for one in record.offered if one.requirement == asked.requirement)
    if asked.decision == "accept":
        return accepted(record, offer), told_document(record.id, offer, "accepted", asked.comment)
    return without_offer(record, offer.requirement), told_document(record.id, offer, "returned", asked.comment)


def _noted(command: Command) -> tuple[str | None, str | None]:
    """What it was about, and what was said."""
    notes: Mapping[Doing, str | None] = {
        "suspend": command.suspend.reason if command.suspend else None,
        "resume": command.resume.note if command.resume else None,
        "terminate": command.terminate.reason if command.terminate else None,
        "offer": command.offer.digest if command.offer else None,
        "review": command.review.comment if command.review else None,
    }
    what = None
    if command.offer is not None:
        what = command.offer.requirement
    if command.review is not None:
        what = f"{command.review.requirement}: {command.review.decision}"
    return what, notes.get(doing(command))
