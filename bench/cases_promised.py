"""The cases of the bench of timers, and the promises that they have."""

from datetime import UTC, datetime
from typing import Any

from contracts.base import milliseconds
from contracts.cases import CaseRecord, CustomerOf, new_case_id
from contracts.service_policy import DEFAULT, LadderLevel, ServicePolicy, ServicePolicyDraft
from infra.mongo import Mongo, Session
from infra.service_book import POLICIES, keep

FIRST_RESPONSE_S = 3_600


def record(opened_at: datetime, priority: Any) -> CaseRecord:
    return CaseRecord(
        id=new_case_id(),
        kind="complaint",
        region="330106",
        channel="bench",
        customer=CustomerOf(),
        priority=priority,
        state="open",
        opened_at=milliseconds(opened_at),
        opened_by="bench",
        due=milliseconds(opened_at),
    )


def policy() -> ServicePolicyDraft:
    """Around the clock; `low` has weeks, and one level, so that nothing but the promises has a timer."""
    weeks = dict.fromkeys(("first_response_s", "next_response_s", "resolution_s"), 30 * 86400)
    targets = [
        one.model_copy(update=weeks if one.priority == "low" else {**weeks, "first_response_s": FIRST_RESPONSE_S})
        for one in DEFAULT.targets
    ]
    ladder = [LadderLevel(title=DEFAULT.title, message=DEFAULT.ladder[0].message)]
    changed = {"calendar": "around-the-clock", "targets": targets, "ladder": ladder}
    return ServicePolicyDraft.model_validate(DEFAULT.model_copy(update=changed).model_dump(exclude={"version", "at"}))


async def keep_policy(mongo: Mongo) -> None:
    async def work(session: Session) -> ServicePolicy:
        return await keep(mongo, POLICIES, policy(), datetime.now(UTC), session)

    await mongo.transaction(work)
