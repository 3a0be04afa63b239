"""Cases, teams and what happens to them, for tests of service."""

import itertools
from datetime import UTC, date, datetime, timedelta
from typing import Any

from activities.service.clocks import Promise, promise
from activities.service.opening import record_of
from activities.service.taking import conclude, step
from activities.service.work import Work
from contracts.cases import CaseEvent, CaseRecord, Doing, Opening
from contracts.requirements import Words
from contracts.service_policy import ServicePolicy
from contracts.service_teams import Agent, Duty, Rota, Team
from infra.mongo import Mongo, Session
from infra.service_book import ROTAS, TEAMS, keep

MONDAY = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
"""Ten o'clock in Shanghai, on a day like any other."""
ORDER = {
    "_id": "order-1",
    "division": "330106",
    "customer": "c-1",
    "parcels": [{"id": "order-1.p1", "location": "near", "state": "shipped"}],
}
_numbers = itertools.count(1)


def after(hours: float = 0, *, minutes: float = 0, days: float = 0, since: datetime = MONDAY) -> datetime:
    return since + timedelta(days=days, hours=hours, minutes=minutes)


def happened(what: Doing, at: datetime, by: str = "lin", case: str = "case-1", **data: Any) -> CaseEvent:
    text = data.pop("text", None)
    return CaseEvent(id=f"e{next(_numbers)}", case=case, at=at, by=by, what=what, data=data, text=text)


def given(case: CaseRecord, policy: ServicePolicy | None = None) -> Promise:
    return promise([policy] if policy else [], [], case.region, case.priority, case.customer.tier)


def opened(kind: Any = "complaint", *, order: bool = True, **more: Any) -> CaseRecord:
    asked = Opening.model_validate(
        {"kind": kind, "customer": "c-1", "order": "order-1" if order else None, "person": True, **more}
    )
    return record_of("case-1", asked, "app", MONDAY, ORDER if order else None)


class Story:
    """A case that things happen to, without a database."""

    def __init__(self, case: CaseRecord, policy: ServicePolicy | None = None) -> None:
        self.case = case
        self.policy = policy
        self.works: list[Work] = []

    def at(self, now: datetime, *events: CaseEvent) -> Work:
        work = conclude(step(self.case, events, now, given(self.case, self.policy)))
        self.case = work.case
        self.works.append(work)
        return work

    @property
    def told(self) -> list[tuple[str, str, Any]]:
        return [one for work in self.works for one in work.told]

    def happenings(self) -> list[str]:
        return [entry.what for entry in self.case.timeline]


def team(team_id: str, level: int, *agents: str, **more: Any) -> Team:
    return Team.model_validate(
        {
            "id": team_id,
            "title": Words(zh=team_id, en=team_id),
            "level": level,
            "agents": [Agent(id=one, languages=["zh", "en"]) for one in agents],
            "lead": agents[0],
            **more,
        }
    )


def always(of: Team) -> Rota:
    """Everybody, day and night."""
    duties = [Duty(agent=one.id, day=0, begins="00:00", minutes=24 * 60) for one in of.agents]
    return Rota(team=of.id, anchor=date(2026, 3, 2), cycle_days=1, duties=duties)


async def hire(mongo: Mongo, *teams: Team) -> None:
    async def work(session: Session) -> None:
        for one in teams:
            await keep(mongo, TEAMS, one, MONDAY, session)
            await keep(mongo, ROTAS, always(one), MONDAY, session)

    await mongo.transaction(work)
