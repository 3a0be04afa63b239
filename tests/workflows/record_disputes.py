"""Records histories of objections for the replay test: `.venv/bin/pytest tests/workflows/record_disputes.py`."""

from contracts.disputing import WORKFLOW, Command
from tests.workflows.buying import Purchasing
from tests.workflows.record_histories import _keep
from tests.workflows.test_buying import buying
from tests.workflows.test_disputes import objected, silence

__all__ = ["buying"]


async def test_record_one_that_nobody_answers(buying: Purchasing) -> None:
    _, process = await objected(buying)
    await silence(buying, process)
    await _keep("silence", process, WORKFLOW)


async def test_record_one_that_is_answered_after_a_reminder(buying: Purchasing) -> None:
    _, process = await objected(buying)
    for _ in range(6):
        await buying.pass_days(1)
    await process.execute_update("command", Command(by="zhao", accept=False, reason="There is a photograph."))
    await process.result()
    await _keep("reminded_and_rejected", process, WORKFLOW)
