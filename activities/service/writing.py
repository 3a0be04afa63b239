"""A step of a case, written: the case, its messages, what was taken in, who has how much in hand, its partner's score
and the events, in one transaction or not at all."""

from datetime import datetime

from activities.service.office import keep_loads
from activities.service.taking import conclude
from activities.service.work import Work
from contracts.cases import CaseRecord
from contracts.ids import outgoing_event_id
from infra.cases import Cases
from infra.mongo import Session
from infra.outbox import outgoing, rows_of


async def write(cases: Cases, work: Work, turn: float | None, now: datetime, session: Session) -> CaseRecord:
    """Raises Stale when somebody else has written it since it was read."""
    conclude(work)
    before, case = work.before, work.case
    written = await cases.replace(case, session)
    await cases.add_messages(work.messages, session)
    await cases.take(work.verdicts, now, session)
    await cases.write_events(work.passed_on, session)
    await keep_loads(cases.mongo, before, case, turn, now, session)
    await count_for_partner(cases, before, case, session)
    events = [
        outgoing(whom, outgoing_event_id(case.id, written.version, number), kind, case.id, now, data.model_dump())
        for number, (whom, kind, data) in enumerate(work.told)
    ]
    rows = rows_of(events, now)
    if rows:
        await cases.mongo.outbox.insert_many(rows, session=session)
    return written


async def count_for_partner(cases: Cases, before: CaseRecord, case: CaseRecord, session: Session) -> None:
    """`partner_cases`, one row for a partner and month of opening: what its score is made of. A case counts when it is
    closed for good, a rating when it is given; both once, with the step."""
    if case.partner is None or case.merged_into is not None:
        return
    counts: dict[str, int] = {}
    if case.state == "closed" and before.state != "closed":
        counts["cases"] = 1
        counts["at_fault"] = int(case.outcome is not None and case.outcome.fault == "partner")
        counts["reopened"] = case.reopened
        counts["breached"] = int(any(one.breached_at for one in case.clocks.promised()))
        counts["paid"] = sum(one.amount for one in case.compensations if one.state == "paid")
    if case.satisfaction is not None and before.satisfaction is None:
        counts["rated"], counts["stars"] = 1, case.satisfaction.score
    counts = {name: number for name, number in counts.items() if number}
    if counts:
        month = f"{case.opened_at:%Y-%m}"
        await cases.mongo.partner_cases.update_one(
            {"_id": f"{case.partner}:{month}"},
            {"$setOnInsert": {"partner": case.partner, "month": month}, "$inc": counts},
            upsert=True,
            session=session,
        )
