"""Who gets a case: by level, region, language, dialect and product among those on duty, in turn. Pure.

Turns are those of fair queueing by start times: each case moves an agent's turn on by its weight over their share of a
position, and the lowest turn is next. So totals are even among people who come and go, and whoever has more of the
cases that few can take has fewer of the others. Who comes on duty joins in the middle: nobody is flooded.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median_low

from activities.service.rota import OnDuty, next_duty, on_duty
from contracts.caseclock import Priority
from contracts.service_calendar import ServiceCalendar
from contracts.service_policy import AssigneeRule
from contracts.service_teams import Agent, Assignment, Load, Looked, Need, Rota, Team


@dataclass(frozen=True, slots=True)
class Desk:
    """Everybody there is: teams and rotas in their newest versions, calendars that rotas name, loads by agent."""

    teams: Sequence[Team]
    rotas: Mapping[str, Rota]
    calendars: Mapping[str, ServiceCalendar]
    loads: Mapping[str, Load]

    def calendar_of(self, rota: Rota) -> ServiceCalendar | None:
        return self.calendars.get(rota.calendar) if rota.calendar is not None else None

    def on_duty(self, team: Team, at: datetime) -> dict[str, OnDuty]:
        rota = self.rotas.get(team.id)
        return on_duty(rota, self.calendar_of(rota), at) if rota is not None else {}


def weight(priority: Priority) -> int:
    """What a case counts in the hands of whoever has it."""
    return 2 if priority == "urgent" else 1


def assign(desk: Desk, need: Need, rule: AssigneeRule, at: datetime) -> Assignment:
    """The first team in which somebody can, and in it whose turn it is. Where nobody can, the case waits for the first
    team that is for it at all, and `next_at` is when somebody comes on duty who could."""
    if rule.kind == "keep" and need.holder is not None:
        return Assignment(agent=need.holder, looked=[Looked(team="", agent=need.holder, because="keeps it")])
    looked: list[Looked] = []
    waiting_at: list[tuple[datetime, str]] = []
    teams = list(_teams(desk.teams, need, rule))
    for team in teams:
        there = desk.on_duty(team, at)
        reasons = {one.id: _misfit(one, need, rule, team, there, desk.loads) for one in team.agents}
        able = [one for one in team.agents if reasons[one.id] is None]
        looked += [
            Looked(team=team.id, agent=one, because=why) for one, why in sorted(reasons.items()) if why is not None
        ]
        if able:
            return _chosen(team, able, need, _turns(desk.loads, there), looked)
        soon = _comes(desk, team, [one for one in team.agents if reasons[one.id] == _OFF], at)
        if soon is not None:
            waiting_at.append((soon, team.id))
    return Assignment(
        team=min(waiting_at)[1] if waiting_at else teams[0].id if teams else None,
        next_at=min(waiting_at)[0] if waiting_at else None,
        looked=looked,
    )


_OFF = "is not on duty"


def _teams(teams: Sequence[Team], need: Need, rule: AssigneeRule) -> Iterator[Team]:
    """Those that are for it: of its level, or of the nearest above, then below, that has any; the closest region
    first, then those that are for its product alone."""
    fitting = [one for one in teams if (rule.team is None or one.id == rule.team) and _is_for(one, need, rule)]
    levels = sorted({one.level for one in fitting}, key=lambda level: (level < need.level, abs(level - need.level)))
    nearest = levels[0] if levels else 0
    of_level = [one for one in fitting if one.level == nearest]
    yield from sorted(of_level, key=lambda one: (-_precision(one, need.region), not one.products, one.id))


def _is_for(team: Team, need: Need, rule: AssigneeRule) -> bool:
    if rule.kind == "named":
        return any(one.id == rule.agent for one in team.agents)
    if rule.kind == "lead" and team.lead is None:
        return False
    return _precision(team, need.region) >= 0 and (
        not team.products or (need.product is not None and need.product in team.products)
    )


def _precision(team: Team, region: str) -> int:
    return max((len(prefix) for prefix in team.regions or [""] if region.startswith(prefix)), default=-1)


def _misfit(
    agent: Agent, need: Need, rule: AssigneeRule, team: Team, there: Mapping[str, OnDuty], loads: Mapping[str, Load]
) -> str | None:
    """Why an agent cannot have it; None: they can. That they are off duty is said only of those who could."""
    wanted = {"named": rule.agent, "lead": team.lead}.get(rule.kind, agent.id)
    if agent.id != wanted:
        return f"is not {wanted}, whom the level asks for"
    if agent.id in need.avoid:
        return "has had it and was silent"
    if rule.kind == "skilled" and need.language not in agent.languages:
        return f"does not speak {need.language}"
    if rule.kind == "skilled" and need.product is not None and agent.products and need.product not in agent.products:
        return f"does not know {need.product}"
    if agent.id not in there:
        return _OFF
    open_now = loads[agent.id].open if agent.id in loads else 0
    if open_now + need.weight > agent.capacity:
        return f"has {open_now} of {agent.capacity} in hand"
    return None


def _chosen(
    team: Team, able: Sequence[Agent], need: Need, turns: Mapping[str, tuple[float, bool]], looked: list[Looked]
) -> Assignment:
    """Whose turn it is; of the dialect's speakers, if there are any and the cases that only they get have not put them
    too far ahead. Equal turns go by chance that is the same for the same case."""

    def turn(one: Agent) -> tuple[float, bool, int, str]:
        return *turns[one.id], _chance(need.case, one.id), one.id

    best, why = min(able, key=turn), "their turn"
    speaking = [one for one in able if need.dialect is not None and need.dialect in one.dialects]
    if speaking:
        speaker = min(speaking, key=turn)
        if turns[speaker.id][0] - turns[best.id][0] <= team.dialect_ahead:
            best, why = speaker, f"speaks {need.dialect}; their turn"
        elif best.id not in {one.id for one in speaking}:
            why = f"their turn; who speaks {need.dialect} is more than {team.dialect_ahead} cases ahead"
    rest = [Looked(team=team.id, agent=one.id, because="another's turn") for one in able if one.id != best.id]
    return Assignment(
        team=team.id,
        agent=best.id,
        turn=turns[best.id][0] + need.weight / best.share,
        looked=[Looked(team=team.id, agent=best.id, because=why), *rest, *looked],
    )


def _turns(loads: Mapping[str, Load], there: Mapping[str, OnDuty]) -> dict[str, tuple[float, bool]]:
    """Where each on duty stands, and before whom of equals: who has had nothing since they came joins in the middle of
    those who have, and is the first there; else chance could pass them over while the middle moves on."""
    known = {one: loads[one] for one in there if one in loads}
    settled = {one: load.turn for one, load in known.items() if load.turned_at and load.turned_at >= there[one].start}
    joined = median_low(settled.values()) if settled else max((load.turn for load in known.values()), default=0.0)
    return {one: (settled[one], True) if one in settled else (joined, False) for one in there}


def _comes(desk: Desk, team: Team, agents: Sequence[Agent], at: datetime) -> datetime | None:
    rota = desk.rotas.get(team.id)
    if rota is None or not agents:
        return None
    return next_duty(rota, desk.calendar_of(rota), {one.id for one in agents}, at)


def _chance(case: str, agent: str) -> int:
    return zlib.crc32(f"{case}/{agent}".encode())
