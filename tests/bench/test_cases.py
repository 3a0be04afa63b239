"""The bench of cases: that a small one measures what it says, and that its goals can be missed."""

import copy
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from activities.service.carrying import chosen
from activities.service.clocks import promise
from activities.service.opening import record_of
from activities.service.taking import conclude, step
from bench import cases_day, cases_timers
from bench.cases_check import Minutes, Told, check
from contracts.case_events import CaseClock
from contracts.caseclock import CaseClocks, meet, noted, notices, start
from contracts.cases import CaseEntry, CaseEvent, CaseRecord, CustomerOf, Opening
from contracts.service_calendar import BUILTIN
from contracts.service_policy import DEFAULT
from contracts.service_teams import Assignment
from infra.service_book import Book
from workflows.case import on_grid

SERVICE = BUILTIN["cn-service"]
MONDAY = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
BOOK = Book(stamp=0, policies={"default": DEFAULT}, calendars=BUILTIN, teams={}, rotas={})


def timers(**changes: Any) -> dict[str, Any]:
    good: dict[str, Any] = {
        "filled": {"lost": 0, "cases": 95_000},
        "soon": {"lost": 0},
        "fired": {"not_fired": 0, "early": 0, "p99_ms": 900.0},
        "kib_per_case": {"temporal": 30.0, "mongo": 5.0, "worker": 1.0},
        "histories": {"asleep": {"events_each": 7.0}},
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
        ({"histories__asleep": {"events_each": 10.1}}, [3]),
        ({"filled__cases": 400, "kib_per_case__worker": 99.0}, []),
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


def untouched(slow_s: float) -> tuple[CaseRecord, list[Told]]:
    """A case that nobody touches until it is on the top; every step is carried so late after its timer."""
    record = record_of(
        "case-1", Opening(kind="complaint", person=True, region="330106", priority="normal"), "app", MONDAY, None
    )
    given, said, now = promise([], [], "330106", "normal", "standard"), list[Told](), MONDAY
    for number in range(60):
        now += timedelta(seconds=slow_s)
        over = record.level == 3
        solved = CaseEvent(id="e1", case="case-1", at=now, by="l-0", what="resolve", data={})
        work = step(record, [solved] if over else [], now, given)
        if work.case.wants:
            chosen(work, Assignment(team="line", agent=f"p-{number}"), now)
        record = conclude(work).case
        said += [
            Told(one.case, one.clock, one.percent, one.at, one.escalated_to, now)
            for _, _, one in work.told
            if isinstance(one, CaseClock)
        ]
        if over:
            break
        assert record.due is not None
        now = on_grid(record.due, 60)
    return record.model_copy(update={"state": "closed"}), said


class TestLadder:
    @pytest.mark.parametrize("slow_s", [0.0, 0.4, 75.0])
    def test_it_climbs_as_meant_however_slow_the_machine_is(self, slow_s: float) -> None:
        record, said = untouched(slow_s)
        assert [one.escalated_to for one in said if one.escalated_to] == [1, 2, 2, 3]
        found = check([record], said, BOOK, 1)
        assert (found["off_ladder"], found["unnoticed"]) == ([], [])

    @pytest.mark.parametrize("minutes", [-2, 3])
    def test_a_step_at_another_moment_is_found(self, minutes: int) -> None:
        record, said = untouched(0.4)
        moved = timedelta(minutes=minutes)
        wrong = [replace(one, at=one.at + moved) if one.escalated_to == 3 else one for one in said]
        assert len(check([record], wrong, BOOK, 1)["off_ladder"]) == 1


class TestLoad:
    def test_shifts_with_few_cases_say_nothing(self) -> None:
        few, many = [given_to({"p-00": 3, "p-06": 1}), given_to({"p-00": 130, "p-06": 100, **dict.fromkeys(REST, 115)})]
        assert cases_day._load(few)["widest"] is None
        day = {"lost": 0, "unnoticed": [], "told_after_s": 0.0, "off_ladder": []}
        assert len(cases_day.goals_of({**day, "load": cases_day._load(few)})) == 4
        assert [goal["met"] for goal in cases_day.goals_of({**day, "load": cases_day._load(many)})] == [
            *[True] * 4,
            False,
        ]
        assert cases_day._load(many)["widest"] == pytest.approx(15 / 115, abs=1e-4)


REST = [f"p-{number:02}" for number in range(12, 42, 6)]


def given_to(counts: dict[str, int]) -> list[CaseRecord]:
    record, _ = a_case(30.0)
    entries = [CaseEntry(at=MONDAY, what="given", by="tongqu", note=f"{who}: their turn") for who in counts]
    return [
        record.model_copy(update={"timeline": [entry] * count})
        for entry, count in zip(entries, counts.values(), strict=True)
    ]


def test_a_day_is_the_same_for_the_same_seed() -> None:
    made = [cases_day.plans(50, MONDAY, random.Random(7)) for _ in range(2)]
    assert made[0] == made[1]
    assert all(a.at <= b.at for a, b in zip(made[0], made[0][1:], strict=False))


@pytest.mark.timeout(600)
async def test_a_small_floor_of_cases_with_timers(tmp_path: Path) -> None:
    """A busy machine may be slow; nothing may be lost, and no timer may fire early."""
    result = await cases_timers.measure(160, 5.0, 1, tmp_path, Console(quiet=True))
    assert result["goals"][0]["met"] and result["goals"][2]["met"]
    assert result["fired"]["timers"] > 0


@pytest.mark.timeout(600)
async def test_a_small_day_of_cases(tmp_path: Path) -> None:
    """Thirty cases: enough for breaches and the ladder, too few for load to be even."""
    result = await cases_day.measure(30, 7, tmp_path, Console(quiet=True))
    assert [goal["met"] for goal in result["goals"][:4]] == [True] * 4, result
    assert result["breaches"] > 0 and result["rises"] > 0
