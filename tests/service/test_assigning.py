"""Whose case it is: by what they can, whether they are there, and in turn; a day of five thousand comes out even."""

import heapq
import random
from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from activities.service.assigning import Desk, assign
from contracts.service_policy import AssigneeRule
from contracts.service_teams import Agent, Duty, Load, Need, Rota, Team
from tests.service.clockwork import here

NOON = here("2026-11-23T12:00")
TITLE = {"zh": "组", "en": "team"}
SKILLED = AssigneeRule()


def a_team(name: str, agents: list[Agent], level: int = 1, **more: Any) -> Team:
    return Team.model_validate({"id": name, "title": TITLE, "level": level, "agents": agents, **more})


def a_rota(team: Team, *, begins: str = "08:00", minutes: int = 720) -> Rota:
    every = [Duty(agent=one.id, day=0, begins=begins, minutes=minutes) for one in team.agents]
    return Rota(team=team.id, anchor=date(2026, 1, 1), cycle_days=1, duties=every)


def a_desk(*teams: Team, loads: dict[str, Load] | None = None, **rotas: Rota) -> Desk:
    return Desk(
        list(teams), {one.id: rotas.get(one.id) or a_rota(one) for one in teams}, {}, {} if loads is None else loads
    )


def need(**changes: Any) -> Need:
    return Need.model_validate({"case": "case-1", "region": "330106", **changes})


def why(looked: Any) -> dict[str, str]:
    return {one.agent: one.because for one in looked}


ANY = Agent(id="any")
TEA = Agent(id="tea", products=["tea"])
ENGLISH = Agent(id="english", languages=["zh", "en"])
SOUTH = Agent(id="south", dialects=["cantonese"])


@pytest.mark.parametrize(
    ("wants", "gets"),
    [
        ({"language": "en"}, "english"),
        ({"dialect": "cantonese"}, "south"),
        ({"product": "tea", "avoid": ["any", "english", "south"]}, "tea"),
        ({"product": "food", "avoid": ["any", "english", "south"]}, None),
        ({"language": "pt"}, None),
        # Who speaks a dialect is preferred; without one the case is not left.
        ({"dialect": "wu", "avoid": ["any", "english", "tea"]}, "south"),
    ],
)
def test_it_goes_to_somebody_who_can(wants: dict[str, Any], gets: str | None) -> None:
    assert assign(a_desk(a_team("line", [ANY, TEA, ENGLISH, SOUTH])), need(**wants), SKILLED, NOON).agent == gets


def test_it_says_why_each_does_not_get_it() -> None:
    full = {"any": Load(agent="any", open=30, turn=3, turned_at=NOON)}
    got = assign(
        a_desk(a_team("line", [ANY, TEA, ENGLISH, SOUTH]), loads=full),
        need(product="food", avoid=["south"]),
        SKILLED,
        NOON,
    )
    assert got.agent == "english"
    assert why(got.looked) == {
        "english": "their turn",
        "any": "has 30 of 30 in hand",
        "south": "has had it and was silent",
        "tea": "does not know food",
    }


def test_the_closest_team_of_the_level_gets_it_and_the_next_one_when_nobody_is_there() -> None:
    country = a_team("country", [Agent(id="c")])
    east = a_team("east", [Agent(id="e")], regions=["33"])
    experts = a_team("experts", [Agent(id="x")], level=2)
    desk = a_desk(country, east, experts)
    assert assign(desk, need(), SKILLED, NOON).agent == "e"
    assert assign(desk, need(region="440106"), SKILLED, NOON).agent == "c"
    assert assign(desk, need(level=2), SKILLED, NOON).agent == "x"
    # A level that no team has is the nearest above; beyond the highest, the highest.
    assert assign(desk, need(level=7), SKILLED, NOON).agent == "x"
    night = a_desk(country, east, east=a_rota(east, begins="20:00"))
    assert assign(night, need(), SKILLED, NOON).agent == "c"


def test_where_nobody_is_there_it_waits_for_who_comes_first() -> None:
    country, east = a_team("country", [Agent(id="c")]), a_team("east", [Agent(id="e")], regions=["33"])
    night = a_desk(
        country,
        east,
        east=a_rota(east, begins="20:00", minutes=60),
        country=a_rota(country, begins="18:00", minutes=60),
    )
    got = assign(night, need(), SKILLED, NOON)
    assert (got.agent, got.team, got.next_at) == (None, "country", here("2026-11-23T18:00"))
    got = assign(night, need(language="en"), SKILLED, NOON)
    assert (got.agent, got.team, got.next_at) == (None, "east", None)
    assert assign(a_desk(), need(), SKILLED, NOON).team is None


def test_leads_and_who_is_named() -> None:
    line = a_team("line", [ANY, ENGLISH], lead="english")
    desk = a_desk(line, a_team("experts", [Agent(id="x")], level=2))
    assert assign(desk, need(level=3), AssigneeRule(kind="lead"), NOON).agent == "english"
    assert assign(desk, need(), AssigneeRule(kind="named", agent="x"), NOON).agent == "x"
    assert assign(desk, need(), AssigneeRule(kind="skilled", team="experts"), NOON).agent == "x"
    kept = assign(desk, need(holder="any"), AssigneeRule(kind="keep"), NOON)
    assert (kept.agent, kept.turn) == ("any", None)


def test_dialect_gives_way_when_its_speakers_have_had_many_more() -> None:
    ahead = {
        "south": Load(agent="south", turn=9, turned_at=NOON),
        "any": Load(agent="any", turn=4, turned_at=NOON),
    }
    got = assign(a_desk(a_team("line", [ANY, SOUTH]), loads=ahead), need(dialect="cantonese"), SKILLED, NOON)
    assert got.looked[0].because == "their turn; who speaks cantonese is more than 4 cases ahead"
    assert got.agent == "any"


def test_half_a_position_has_half_as_many() -> None:
    line = a_team("line", [Agent(id="whole", capacity=1000), Agent(id="half", share=0.5, capacity=1000)])
    taken, loads = defaultdict[str, int](int), dict[str, Load]()
    for number in range(300):
        got = assign(a_desk(line, loads=loads), need(case=f"case-{number}"), SKILLED, NOON)
        assert got.agent is not None and got.turn is not None
        loads[got.agent] = Load(agent=got.agent, turn=got.turn, turned_at=NOON)
        taken[got.agent] += 1
    assert abs(taken["whole"] - 200) <= 2


def test_a_day_of_five_thousand_cases_is_even_within_a_tenth() -> None:
    """Forty people in six shifts that overlap; languages, dialects and products; more cases at noon than at night.
    Among those of one shift no one has a tenth more or less than the others on average."""
    chance = random.Random(20261123)
    people = [
        Agent(
            id=f"p{number:02}",
            languages=["zh", "en"] if number % 5 == 0 else ["zh"],
            dialects=["cantonese"] if number % 4 == 0 else [],
            products=["tea", "food"] if number % 7 == 0 else [],
            capacity=60,
        )
        for number in range(40)
    ]
    team = a_team("line", people)
    shifts = [
        Duty(agent=one.id, day=0, begins=f"{number % 6 * 4:02}:00", minutes=480) for number, one in enumerate(people)
    ]
    rota = Rota(team="line", anchor=date(2026, 1, 1), cycle_days=1, duties=shifts)
    loads: dict[str, Load] = {}
    desk, begun = a_desk(team, loads=loads, line=rota), here("2026-11-23T00:00")
    taken, in_hand = defaultdict[str, int](int), list[tuple[datetime, str, int]]()
    for number, part in enumerate(sorted(chance.betavariate(2, 2) for _ in range(5_000))):
        at = begun + timedelta(seconds=part * 86_399)
        while in_hand and in_hand[0][0] <= at:
            _, agent, weight = heapq.heappop(in_hand)
            loads[agent].open -= weight
        wants = need(
            case=f"case-{number}",
            language="en" if chance.random() < 0.1 else "zh",
            dialect="cantonese" if chance.random() < 0.3 else None,
            product=chance.choice(["tea", "food", "pots"]),
            weight=2 if chance.random() < 0.1 else 1,
        )
        got = assign(desk, wants, SKILLED, at)
        assert got.agent is not None and got.turn is not None
        load = loads.setdefault(got.agent, Load(agent=got.agent))
        load.open, load.turn, load.turned_at = load.open + wants.weight, got.turn, at
        taken[got.agent] += wants.weight
        heapq.heappush(in_hand, (at + timedelta(minutes=chance.expovariate(1 / 40)), got.agent, wants.weight))
    for shift in range(6):
        mine = [taken[f"p{number:02}"] for number in range(40) if number % 6 == shift]
        mean = sum(mine) / len(mine)
        assert max(abs(one - mean) for one in mine) <= 0.1 * mean, (shift, mine)
