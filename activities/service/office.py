"""What the database knows of promises and people: what counts for a case, and who takes it."""

from datetime import datetime

from activities.service.assigning import Desk, assign
from activities.service.clocks import Promise, promise
from contracts.cases import CaseRecord
from contracts.service_calendar import BUILTIN, ServiceCalendar
from contracts.service_policy import AssigneeRule, ServicePolicy
from contracts.service_teams import Assignment, Load, Need, Rota, Team
from contracts.versions import newest
from infra.mongo import Mongo, Session


async def promise_for(mongo: Mongo, case: CaseRecord, session: Session) -> Promise:
    """By the newest versions."""
    policies = [ServicePolicy.model_validate(row) async for row in mongo.service_policies.find({}, session=session)]
    calendars = await _calendars(mongo, session)
    return promise(policies, calendars, case.region, case.priority, case.customer.tier)


async def whose(mongo: Mongo, case: CaseRecord, rule: AssigneeRule, now: datetime, session: Session) -> Assignment:
    """Who is to have it. Read in the session that writes it: of two cases that are given to the same person in the
    same moment, one is given again."""
    teams = [Team.model_validate(row) async for row in mongo.service_teams.find({}, session=session)]
    rotas = [Rota.model_validate(row) async for row in mongo.service_rotas.find({}, session=session)]
    newest_rotas: dict[str, Rota] = {}
    for rota in sorted(rotas, key=lambda one: one.version):
        newest_rotas[rota.team] = rota
    loads = {
        row["_id"]: Load(agent=row["_id"], **_without_id(row))
        async for row in mongo.service_loads.find({}, session=session)
    }
    calendars = {one.id: one for one in [*BUILTIN.values(), *newest(await _calendars(mongo, session))]}
    desk = Desk(teams=newest(teams), rotas=newest_rotas, calendars=calendars, loads=loads)
    return assign(desk, need_of(case), rule, now)


def need_of(case: CaseRecord) -> Need:
    return Need(
        case=case.id,
        level=case.level or 1,
        region=case.region,
        language=case.language,
        dialect=case.dialect,
        product=case.product,
        weight=case.weight,
        avoid=case.passed,
        holder=case.assignee,
    )


async def keep_loads(
    mongo: Mongo, before: CaseRecord, after: CaseRecord, turn: float | None, now: datetime, session: Session
) -> None:
    """What agents have in hand from now on; `turn`: of the one who has just been given the case."""
    changes: dict[str, int] = {}
    for held, sign in ((before.held, -1), (after.held, 1)):
        if held is not None:
            changes[held[0]] = changes.get(held[0], 0) + sign * held[1]
    given = after.assignee if turn is not None else None
    for agent in sorted({*changes, *([given] if given else [])}):
        update: dict[str, dict[str, object]] = {"$inc": {"open": changes.get(agent, 0)}}
        if agent == given:
            update["$set"] = {"turn": turn, "turned_at": now}
        if changes.get(agent) or agent == given:
            await mongo.service_loads.update_one({"_id": agent}, update, upsert=True, session=session)


async def _calendars(mongo: Mongo, session: Session) -> list[ServiceCalendar]:
    return [ServiceCalendar.model_validate(row) async for row in mongo.service_calendars.find({}, session=session)]


def _without_id(row: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in row.items() if name != "_id"}
