"""Recorded histories still replay: a change of the workflow that would break running batches fails here.

When a change is meant, gate it with `workflow.patched`, and record anew those histories that cover the new way:
`.venv/bin/pytest tests/workflows/record_histories.py`, and `record_buying.py`, `record_partners.py` and so on.
"""

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from infra.temporal import DATA_CONVERTER, strict_sandbox
from workflows import catalogue

ALL = [one for one in vars(catalogue).values() if hasattr(one, "__temporal_workflow_definition")]
"""Every type of workflow there is, so that a new one is missed below."""
HISTORIES = Path(__file__).parent / "histories"
RECORDED = sorted(HISTORIES.glob("*.json"))


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
async def test_a_recorded_history_replays(path: Path) -> None:
    replayer = Replayer(workflows=ALL, data_converter=DATA_CONVERTER, workflow_runner=strict_sandbox())
    history = WorkflowHistory.from_json(path.stem, path.read_text())
    await replayer.replay_workflow(history)


def test_every_workflow_has_recorded_histories() -> None:
    recorded = {path.stem.split(".")[0] for path in RECORDED}
    assert {one.__name__ for one in ALL} == recorded


def test_every_workflow_is_carried_by_a_worker() -> None:
    listed = [one for name, group in vars(catalogue).items() if name.endswith("WORKFLOWS") for one in group]
    assert set(listed) == set(ALL)
