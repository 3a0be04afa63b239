"""Every kind of fault once, close together, on the whole system under load: nothing is lost, doubled or stuck."""

from pathlib import Path

import pytest

from tests.chaos.run import Plan, run
from tests.chaos.schedule import KINDS, SHORT

PLAN = Plan(
    seed=1,
    faults=len(KINDS),
    rate=8.0,
    pace=SHORT,
    calm_s=2.0,
    after_s=2.0,
    accept_within_s=12,
    quiet_within_s=120.0,
)


@pytest.mark.timeout(300)
async def test_every_fault_once_loses_and_doubles_nothing(tmp_path: Path) -> None:
    outcome = await run(tmp_path, PLAN, lambda words, done: None)
    assert outcome.verdict.violations == [], f"again: make chaos SEED={PLAN.seed} FAULTS={PLAN.faults} PACE=short"
    assert {(one.happened.fault.kind, one.happened.fault.target) for one in outcome.recoveries} == set(KINDS)
    assert outcome.verdict.figures["orders closed"] > PLAN.rate * 10
