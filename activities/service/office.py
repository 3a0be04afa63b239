"""What counts for a case by the book, and who takes it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from activities.service.assigning import Desk, assign, weight
from activities.service.clocks import Promise, promise
from contracts.cases import CaseRecord
from contracts.service_policy import AssigneeRule
from contracts.service_teams import Assignment, Load, Need, Team
from infra.mongo import Mongo, Session
from infra.service_book import Book

_ANY_LEVEL = 9
"""As many as a ladder can have."""


def promise_for(book: Book, case: CaseRecord) -> Promise:
    """By the newest versions."""
    policies, calendars = book.policies.values(), book.calendars.values()
    found = promise(policies, calendars, case.region, case.priority, case.customer.tier)
    return replace(found, ranks=ranks_of(book.teams.values()))


def ranks_of(teams: Iterable[Team]) -> dict[str, int]:
    """By agent, the highest level whose cases are theirs: of their teams; who leads one may have any. Pure."""
    ranks: dict[str, int] = {}
    for team in teams:
        for agent in team.agents:
            ranks[agent.id] = max(ranks.get(agent.id, 1), team.level)
        if team.lead is not None:
            ranks[team.lead] = _ANY_LEVEL
    return ranks


async def whose(
    mongo: Mongo, book: Book, case: CaseRecord, rule: AssigneeRule, now: datetime, session: Session
) -> Assignment:
    """Who is to have it. Loads are read in the session that writes them: of two cases that are given to the same
    person in the same moment, one is given again."""
    rows = mongo.service_loads.find({}, session=session)
    loads = {row["_id"]: Load.model_validate({"agent": row["_id"], **row}) async for row in rows}
    desk = Desk(teams=list(book.teams.values()), rotas=book.rotas, calendars=book.calendars, loads=loads)
    return assign(desk, need_of(case), rule, now)


def need_of(case: CaseRecord) -> Need:
    return Need(
        case=case.id,
        level=case.level or 1,
        region=case.region,
        language=case.language,
        dialect=case.dialect,
        product=case.product,
        weight=weight(case.priority),
        avoid=case.passed,
        holder=case.assignee,
    )


async def keep_loads(
    mongo: Mongo, before: CaseRecord, after: CaseRecord, turn: float | None, now: datetime, session: Session
) -> None:
    """What agents have in hand from now on; `turn`: of the one who has just been given the case."""
    changes: dict[str, int] = {}
    for case, sign in ((before, -1), (after, 1)):
        if case.holder is not None:
            changes[case.holder] = changes.get(case.holder, 0) + sign * weight(case.priority)
    given = after.assignee if turn is not None else None
    for agent in sorted({*changes, *([given] if given else [])}):
        update: dict[str, dict[str, object]] = {"$inc": {"open": changes.get(agent, 0)}}
        if agent == given:
            update["$set"] = {"turn": turn, "turned_at": now}
        if changes.get(agent) or agent == given:
            await mongo.service_loads.update_one({"_id": agent}, update, upsert=True, session=session)
