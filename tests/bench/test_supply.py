"""The bench of replenishment in small: nobody beats hindsight, and what is missed is said, also by the exit status."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from bench import supply
from bench.supply import BOUND, OURS, figures_of, goals_of
from bench.supply_transfers import compared

RUNS = [{"series": 2_500, "seconds": 40.0, "memory_mb": 900}, {"series": 10_000, "seconds": 150.0, "memory_mb": 950}]


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    return figures_of(None, "drawn", 1, 40)


def met(goals: list[dict[str, Any]]) -> dict[str, bool]:
    return {goal["goal"]: goal["met"] for goal in goals}


@pytest.mark.timeout(300)
def test_nobody_is_cheaper_than_who_knows_what_comes(figures: dict[str, Any]) -> None:
    for arms in figures["runs"].values():
        assert min(arms, key=lambda arm: arms[arm]["cost"]) == BOUND
        assert {"base stock, textbook, 28", "seasonal naive order-up-to", "min/max, 28", OURS} <= set(arms)


@pytest.mark.timeout(300)
def test_each_goal_is_missed_by_what_misses_it(figures: dict[str, Any]) -> None:
    good = deepcopy(figures)
    classic = [
        row["cost"] for arm, row in good["runs"]["cost"].items() if arm not in (OURS, BOUND) and "ours" not in arm
    ]
    good["runs"]["cost"][OURS]["cost"] = 0.86 * min(classic)
    for service in (90, 95, 98):
        good["runs"][f"fill {service}%"][OURS]["fill"] = service / 100 - 0.019
    for kind in good["forecast"].values():
        kind[OURS] |= {"pinball": min(one["pinball"] for one in kind.values()), "wmase": 0.91}
    assert all(met(goals_of([good], RUNS, {"cheaper": 0.05})).values())
    bad = deepcopy(good)
    bad["runs"]["cost"][OURS]["cost"] = 0.88 * min(classic)
    for service in (90, 95, 98):
        bad["runs"][f"fill {service}%"][OURS]["fill"] = service / 100 - 0.021
    bad["forecast"]["seen"][OURS] |= {"pinball": 9.9, "wmase": 0.93}
    slow = [RUNS[0], RUNS[1] | {"seconds": 201.0}]
    assert not any(met(goals_of([bad], slow, {"cheaper": 0.04})).values())


def test_transfers_pay_where_stock_lies_elsewhere() -> None:
    found = compared(0.6, [1])
    assert found["cheaper"] >= 0.05 and found["transfers"]["fill"] > found["purchases"]["fill"]


@pytest.mark.parametrize("enough", [True, False])
def test_the_exit_status_tells_whether_all_was_reached(
    figures: dict[str, Any], enough: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worlds are those of the fixture: what is tried is what becomes of their figures."""
    out = tmp_path / "found.json"
    monkeypatch.setattr("sys.argv", ["supply", "--out", str(out), "--no-runs", "--series", "40"])
    monkeypatch.setattr(supply, "_play_all", lambda points, asked: [figures])
    monkeypatch.setattr("bench.supply_transfers.figures", lambda seeds: {"cheaper": 0.1})
    if enough:
        monkeypatch.setattr(supply, "CHEAPER", -9.0)
        monkeypatch.setattr(supply, "SERVICE_OFF", 1.0)
        monkeypatch.setattr(supply, "WMASE", 9.0)
        pinball = min(one["pinball"] for one in figures["forecast"]["seen"].values())
        monkeypatch.setitem(figures["forecast"]["seen"][OURS], "pinball", pinball)
    else:
        monkeypatch.setattr(supply, "CHEAPER", 0.99)
    assert supply.main() == (0 if enough else 1)
    written = json.loads(out.read_text())
    assert written["arms"] and {"value", "target", "met"} <= set(written["goals"][0])
