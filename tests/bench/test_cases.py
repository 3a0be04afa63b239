"""The bench of cases: that a small one measures what it says, and that its goals can be missed."""

import copy
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bench import cases_day, cases_timers
from bench.cases_check import Minutes, Told, check
from contracts.caseclock import CaseClocks, meet, noted, notices, start
from contracts.cases import CaseRecord, CustomerOf
from contracts.service_calendar import BUILTIN
from contracts.service_policy import DEFAULT
from infra.service_book import Book

SERVICE = BUILTIN["cn-service"]
MONDAY = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
BOOK = Book(stamp=0, policies={"default": DEFAULT}, calendars=BUILTIN, teams={}, rotas={})


def timers(**changes: Any) -> dict[str, Any]:
    good: dict[str, Any] = {
        "filled": {"lost": 0},
        "soon": {"lost": 0},
        "fired": {"not_fired": 0, "early": 0, "p99_ms": 900.0},
        "kib_per_case": {"temporal": 30.0, "mongo": 5.0, "worker": 1.0},
        "histories": {"asleep": {"events_each": 12.0}},
    }
    made = copy.deepcopy(good)
    for path, value in changes.items():
        name, _, key = path.partition("__")
        made[name][key] = value
    return made


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({}, []),
        ({"fired__not_fired": 1}, [0]),
        ({"soon__lost": 1}, [0]),
        ({"fired__p99_ms": 10_001.0}, [1]),
        ({"kib_per_case__worker": 30.0}, [2]),
        ({"histories__asleep": {"events_each": 14.0}}, [3]),
    ],
)
def test_each_goal_of_timers_can_be_missed(changes: dict[str, Any], missed: list[int]) -> None:
    goals = cases_timers.goals_of(timers(**changes))
    assert [place for place, goal in enumerate(goals) if not goal["met"]] == missed


def a_case(met_after_min: float | None, *, told: bool = True) -> tuple[CaseRecord, list[Told]]:
    """A case of normal priority, whose first response has an hour; closed."""
    first = start("first_response", 3600, MONDAY, SERVICE)
    said: list[Told] = []
    met = MONDAY + timedelta(minutes=met_after_min) if met_after_min is not None else None
    given = [one for one in notices(first, SERVICE, met or MONDAY + timedelta(days=1)) if one.percent == 100]
    if given and told:
        said = [Told("case-1", "first_response", 100, given[0].at, None, given[0].at)]
        said.append(Told("case-1", "first_response", 100, given[0].at, 2, given[0].at))
    first = noted(first, given)
    first = meet(first, met, SERVICE) if met is not None else first
    record = CaseRecord(
        id="case-1",
        kind="complaint",
        region="330106",
        channel="app",
        customer=CustomerOf(),
        state="closed",
        opened_at=MONDAY,
        opened_by="app",
        clocks=CaseClocks(first_response=first),
    )
    return record, said


class TestCheck:
    def test_what_was_kept_and_what_was_breached_and_told_is_well(self) -> None:
        for minutes in (30.0, 60.0, 90.0):
            record, said = a_case(minutes)
            found = check([record], said, BOOK, 1)
            assert (found["lost"], found["unnoticed"], found["off_ladder"]) == (0, [], [])
            assert found["breaches"] == (minutes >= 60)

    def test_a_breach_that_was_not_told_is_found(self) -> None:
        record, _ = a_case(90.0, told=False)
        assert check([record], [], BOOK, 1)["unnoticed"] == ["case-1 first_response: told 0 times"]

    def test_a_breach_that_was_told_at_another_moment_is_found(self) -> None:
        record, said = a_case(90.0)
        wrong = [
            Told(one.case, one.clock, 100, one.at - timedelta(minutes=5), one.escalated_to, one.at) for one in said
        ]
        assert len(check([record], wrong, BOOK, 1)["unnoticed"]) == 1

    def test_a_breach_that_left_the_case_on_its_level_is_found(self) -> None:
        record, said = a_case(90.0)
        assert len(check([record], said[:1], BOOK, 1)["off_ladder"]) == 1

    def test_a_case_that_is_not_there_is_lost(self) -> None:
        record, said = a_case(30.0)
        assert check([record], said, BOOK, 2)["lost"] == 1

    def test_minutes_are_counted_over_noon_and_night(self) -> None:
        minutes = Minutes(SERVICE, MONDAY)
        begun = MONDAY + timedelta(hours=2, minutes=30, seconds=20)
        assert minutes.after(begun, 3600) == MONDAY + timedelta(hours=4, minutes=30, seconds=20)
        assert minutes.counted_s(begun, MONDAY + timedelta(days=1, minutes=30, seconds=20)) == 11 * 3600


def test_a_day_is_the_same_for_the_same_seed() -> None:
    made = [cases_day.plans(50, MONDAY, random.Random(7)) for _ in range(2)]
    assert made[0] == made[1]
    assert all(a.at <= b.at for a, b in zip(made[0], made[0][1:], strict=False))


@pytest.mark.timeout(600)
async def test_a_small_floor_of_cases_with_timers(tmp_path: Path) -> None:
    """A busy machine may be slow; nothing may be lost, and no timer may fire early."""
    result = await cases_timers.measure(160, 5.0, 1, tmp_path, Console(quiet=True))
    assert result["goals"][0]["met"] and result["goals"][3]["met"]
    assert result["fired"]["timers"] > 0


@pytest.mark.timeout(600)
async def test_a_small_day_of_cases(tmp_path: Path) -> None:
    """Thirty cases: enough for breaches and the ladder, too few for load to be even."""
    result = await cases_day.measure(30, 7, tmp_path, Console(quiet=True))
    assert [goal["met"] for goal in result["goals"][:4]] == [True] * 4, result
    assert result["breaches"] > 0 and result["rises"] > 0
