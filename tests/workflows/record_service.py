"""Records histories of service cases for the replay test: `.venv/bin/pytest tests/workflows/record_service.py`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from contracts.cases import WORKFLOW
from infra.temporal import DATA_CONVERTER
from tests.continuing import SUGGESTED_AT, suggesting_early
from tests.service.casemaking import hire
from tests.service.conftest import floor
from tests.service.test_case_workflow import FIRST, SECOND, THIRD
from tests.service.world import Floor
from tests.support import eventually
from tests.workflows.record_histories import _keep

__all__ = ["floor"]


async def _keep_whole(floor: Floor, case: str, name: str) -> None:
    process = floor.env.client.get_workflow_handle(case)
    assert await process.result() == "closed"
    await _keep(name, process, WORKFLOW)


async def test_record_a_case_that_climbs_to_the_top(floor: Floor) -> None:
    await hire(floor.mongo, FIRST, SECOND, THIRD)
    case = await floor.open(customer="c-1", text="包裹破损了")
    await floor.passes(days=4)

    async def at_the_top() -> bool:
        return (await floor.record(case)).level == 3

    await eventually(at_the_top, timeout=60)
    assert not await floor.happens(case, "resolve", "zhao")
    await floor.passes(days=8)
    await _keep_whole(floor, case, "climbed")


async def test_record_a_case_that_waits_for_the_customer(floor: Floor) -> None:
    await hire(floor.mongo, FIRST)
    case = await floor.open(customer="c-1", text="包裹破损了")
    by = (await floor.record(case)).assignee or ""
    assert not await floor.happens(case, "reply", by, text="请发照片。")
    assert (await floor.record(case)).state == "waiting_customer"
    await floor.passes(hours=20)
    assert not await floor.happens(case, "say", "app", text="好的")
    assert not await floor.happens(case, "reply", by, text="谢谢，还缺一张。")
    await floor.passes(days=30)
    await _keep_whole(floor, case, "waited_for_the_customer")


async def test_record_a_case_that_is_reopened_and_rated(floor: Floor) -> None:
    await hire(floor.mongo, FIRST)
    case = await floor.open(customer="c-1", text="包裹破损了")
    assert not await floor.happens(case, "resolve", text="已补发")
    await floor.passes(days=2)
    assert not await floor.happens(case, "reopen", reason="又坏了")
    assert not await floor.happens(case, "escalate", reason="要专家看")
    assert not await floor.happens(case, "resolve")
    assert not await floor.happens(case, "rate", "app", score=2)
    await floor.passes(days=8)
    await _keep_whole(floor, case, "reopened")


class TestLong:
    @pytest.fixture
    async def time_skipping_env(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> AsyncIterator[WorkflowEnvironment]:
        async with suggesting_early(tmp_path, monkeypatch) as environment:
            address = environment.client.service_client.config.target_host
            # Not sealed with keys that nobody has later.
            yield WorkflowEnvironment.from_client(await Client.connect(address, data_converter=DATA_CONVERTER))

    async def test_record_a_run_that_another_one_follows(self, floor: Floor) -> None:
        case = await floor.open(customer="c-1")
        first = await floor.look(case)
        for number in range(SUGGESTED_AT):
            await floor.happens(case, "say", "app", text=str(number))
            latest = await floor.env.client.get_workflow_handle(case).describe()
            if latest.run_id != first.first_execution_run_id:
                break
        assert first.first_execution_run_id is not None
        run = floor.env.client.get_workflow_handle(case, run_id=first.first_execution_run_id)
        await _keep("went_on", run, WORKFLOW)
