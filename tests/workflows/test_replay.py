"""Recorded histories still replay: a change of the workflow that would break running batches fails here.

When a change is meant, gate it with `workflow.patched`, and record anew those histories that cover the new way:
`.venv/bin/pytest tests/workflows/record_histories.py`.
"""

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from infra.temporal import DATA_CONVERTER, strict_sandbox
from workflows.catalogue import BUYING_WORKFLOWS, PARTNER_WORKFLOWS, SETTLEMENT_WORKFLOWS, WORKFLOWS

ALL = [*WORKFLOWS, *SETTLEMENT_WORKFLOWS, *PARTNER_WORKFLOWS, *BUYING_WORKFLOWS]
HISTORIES = Path(__file__).parent / "histories"
RECORDED = sorted(HISTORIES.glob("*.json"))


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
async def test_a_recorded_history_replays(path: Path) -> None:
    replayer = Replayer(workflows=ALL, data_converter=DATA_CONVERTER, workflow_runner=strict_sandbox())
    history = WorkflowHistory.from_json(path.stem, path.read_text())
    await replayer.replay_workflow(history)


def test_every_workflow_has_recorded_histories() -> None:
    recorded = {path.stem.split(".")[0] for path in RECORDED}
    assert {workflow.__name__ for workflow in ALL} <= recorded
