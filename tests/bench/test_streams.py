"""The bench of partners' streams: that it measures what it says, and that its goals can be missed."""

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bench.streams import goals_of, kib_per_partner, measure, show


def step(partners: int, mib: float, **heard: float) -> dict[str, Any]:
    fan_out = {"not_heard": 0, "wrong": 0, "p99_ms": 5.0, **heard}
    return {"partners": partners, "rss_mib": {"connections": mib}, "fan_out": fan_out}


REVOKED = {"p99_ms": 20.0, "others_cut_off": 0}


class TestGoals:
    def test_a_good_run_meets_them_all(self) -> None:
        goals = goals_of([step(100, 40.0), step(1_100, 140.0)], REVOKED)
        assert [goal["met"] for goal in goals] == [True] * 4
        assert goals[3]["value"] == pytest.approx(102.4)

    @pytest.mark.parametrize(
        ("steps", "revoked", "missed"),
        [
            ([step(100, 40.0, not_heard=1), step(1_100, 140.0)], REVOKED, 0),
            ([step(100, 40.0), step(1_100, 140.0, wrong=1)], REVOKED, 0),
            ([step(100, 40.0), step(1_100, 140.0)], {**REVOKED, "others_cut_off": 1}, 0),
            ([step(100, 40.0), step(1_100, 140.0, p99_ms=501)], REVOKED, 1),
            ([step(100, 40.0), step(1_100, 140.0)], {**REVOKED, "p99_ms": 1_001.0}, 2),
            ([step(100, 40.0), step(1_100, 340.0)], REVOKED, 3),
        ],
    )
    def test_each_can_be_missed(self, steps: list[Any], revoked: dict[str, float], missed: int) -> None:
        assert [place for place, goal in enumerate(goals_of(steps, revoked)) if not goal["met"]] == [missed]

    def test_one_step_says_nothing_of_growth(self) -> None:
        assert kib_per_partner([step(100, 40.0)]) == 0


async def test_a_small_run_on_real_servers(tmp_path: Path) -> None:
    console = Console(quiet=True)
    result = await measure(partners=20, per_s=200, revoked=5, data_dir=tmp_path, console=console, seconds=0.5)
    assert [one["partners"] for one in result["steps"]] == [2, 10, 20]
    for one in result["steps"]:
        heard = one["fan_out"]
        assert (heard["events"], heard["not_heard"], heard["wrong"]) == (100, 0, 0)
        assert 0 < heard["p50_ms"] <= heard["p99_ms"] <= heard["max_ms"]
    revoked = result["revoke"]
    assert (revoked["revoked"], revoked["others_cut_off"]) == (5, 0)
    assert 0 < revoked["p50_ms"] <= revoked["max_ms"]
    show(result, console)
