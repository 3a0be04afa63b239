"""How a partner changes: each step reads its record, changes it and writes it with its events and its line in the
audit, or not at all."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from activities.partners.places import open_places
from activities.partners.telling import Told, told_state
from contracts.lifecycle import Standing, Step
from contracts.living import standing_of
from contracts.partnership import PartnerRecord
from infra.audit import audit_row, write_audit
from infra.mongo import Mongo, Session
from infra.outbox import outgoing, rows_of

Change = Callable[[PartnerRecord, Session], Awaitable[tuple[PartnerRecord, list[Told]]]]
"""Takes the record, and returns how it is then and what is to be told besides a change of its state."""


class UnknownPartner(LookupError):
    def __init__(self, partner: str) -> None:
        super().__init__(f"there is no partner {partner}")


async def find_partner(mongo: Mongo, partner: str, session: Session | None = None) -> PartnerRecord:
    """Raises UnknownPartner."""
    row = await mongo.partners.find_one({"_id": partner}, session=session)
    if row is None:
        raise UnknownPartner(partner)
    return PartnerRecord.from_row(row)


async def change(
    mongo: Mongo, step: Step, by: str, did: str, work: Change, what: str | None = None, note: str | None = None
) -> Standing:
    """Carry a step out once. Its locations take orders exactly while it is active. Raises UnknownPartner, and what
    `work` raises."""

    async def carry_out(session: Session) -> Standing:
        before = await find_partner(mongo, step.partner, session)
        if before.step >= step.number:
            return standing_of(before)
        after, events = await work(before, session)
        after = after.model_copy(update={"step": step.number, "version": before.version + 1})
        await mongo.partners.replace_one({"_id": after.id}, after.as_row(), session=session)
        await write_audit(
            mongo, [audit_row(after.id, str(step.number), by, did, step.now, what=what, note=note)], session
        )
        if (before.state == "active") != (after.state == "active"):
            await open_places(mongo, after.id, session, active=after.state == "active")
        rows = rows_of(_outgoing(step, [*_state_told(before, after, note), *events]), step.now)
        if rows:
            await mongo.outbox.insert_many(rows, session=session)
        return standing_of(after)

    return await mongo.transaction(carry_out)


def _state_told(before: PartnerRecord, after: PartnerRecord, note: str | None) -> list[Told]:
    """What it is told as: a partner that is leaving is suspended, and told that it leaves."""
    same = (before.state, before.suspended_for, before.terminating) == (
        after.state,
        after.suspended_for,
        after.terminating,
    )
    if same:
        return []
    leaves = after.terminating and after.state != "terminated"
    return told_state(after.id, "terminating" if leaves else after.state, after.suspended_for, note)


def _outgoing(step: Step, events: Sequence[Told]) -> list[dict[str, Any]]:
    return [
        outgoing(
            whom,
            f"{step.partner}:{step.number}:{place}",
            kind,
            step.partner,
            step.now,
            data.model_dump(mode="json", exclude_none=True),
        )
        for place, (whom, kind, data) in enumerate(events)
    ]
