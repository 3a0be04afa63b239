"""Commission rules as they are kept: every change is a new version, because entries name the one they were made by."""

from collections.abc import Sequence

from contracts.settlement import CommissionRule, Rule
from contracts.versions import newest
from infra.mongo import Mongo, Session

_COUNTER = {"_id": "commission_rules"}
"""Says to whoever keeps rules in memory that they have changed."""


async def write_rules(mongo: Mongo, rules: Sequence[CommissionRule]) -> dict[str, tuple[Rule, str]]:
    """By id: the rule with its version, and whether it was created, updated or is unchanged."""

    async def work(session: Session) -> dict[str, tuple[Rule, str]]:
        return await put_rules(mongo, rules, session)

    return await mongo.transaction(work) if rules else {}


async def put_rules(mongo: Mongo, rules: Sequence[CommissionRule], session: Session) -> dict[str, tuple[Rule, str]]:
    """The same within a transaction."""
    await _changed(mongo, session)
    known = {rule.id: rule for rule in await read_rules(mongo, [rule.id for rule in rules], session)}
    outcomes: dict[str, tuple[Rule, str]] = {}
    rows = []
    for asked in rules:
        before = known.get(asked.id)
        rule = Rule(**asked.model_dump(), version=before.version + 1 if before else 1)
        if before is not None and before == rule.model_copy(update={"version": before.version}):
            outcomes[asked.id] = (before, "unchanged")
            continue
        outcomes[asked.id] = (rule, "updated" if before else "created")
        rows.append({"_id": rule.reference, **rule.model_dump()})
    if rows:
        await mongo.commission_rules.insert_many(rows, ordered=False, session=session)
    return outcomes


async def read_rules(mongo: Mongo, ids: Sequence[str] | None = None, session: Session | None = None) -> list[Rule]:
    """Of each rule, or of those named, the newest version."""
    query = {} if ids is None else {"id": {"$in": list(ids)}}
    rows = mongo.commission_rules.find(query, {"_id": 0}, session=session)
    return newest([Rule.model_validate(row) async for row in rows])


async def drop_rules(mongo: Mongo, beginning: str, session: Session) -> None:
    """All whose id begins so, with all versions: only of rules by which nothing was ever booked."""
    after = beginning[:-1] + chr(ord(beginning[-1]) + 1)
    gone = await mongo.commission_rules.delete_many({"id": {"$gte": beginning, "$lt": after}}, session=session)
    if gone.deleted_count:
        await _changed(mongo, session)


async def _changed(mongo: Mongo, session: Session) -> None:
    await mongo.counters.update_one(_COUNTER, {"$inc": {"version": 1}}, upsert=True, session=session)
