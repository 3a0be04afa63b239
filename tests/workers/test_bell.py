"""The bell on a real Temporal server: many requests become one signal, and a batch that has ended is no error."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from contracts.fulfilment import BELL
from infra.settings import Settings
from infra.temporal import connect
from tests.support import eventually
from workers.events.bell import Bell


@workflow.defn
class Counter:
    """Counts how often its bell was rung."""

    def __init__(self) -> None:
        self._rings = 0
        self._over = False

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: self._over)
        return self._rings

    @workflow.signal(name=BELL)
    def bell(self) -> None:
        self._rings += 1

    @workflow.signal
    def end(self) -> None:
        self._over = True

    @workflow.query
    def rings(self) -> int:
        return self._rings


@pytest.fixture
async def temporal(temporal_address: str, tmp_path: Path) -> Client:
    return await connect(Settings(temporal_address=temporal_address, data_dir=tmp_path))


@pytest.fixture
async def batch(temporal: Client) -> AsyncIterator[WorkflowHandle[Counter, int]]:
    queue = uuid.uuid4().hex
    async with Worker(temporal, task_queue=queue, workflows=[Counter], workflow_runner=UnsandboxedWorkflowRunner()):
        handle = await temporal.start_workflow(Counter.run, id=f"batch-{queue}", task_queue=queue)
        yield handle
        await handle.terminate()


async def _ringing(bell: Bell) -> asyncio.Task[None]:
    return asyncio.create_task(bell.run())


async def test_many_requests_for_one_batch_are_one_ring(temporal: Client, batch: WorkflowHandle[Counter, int]) -> None:
    bell = Bell(temporal, urgent_s=0.05, progress_s=0.3, rings_per_s=10)
    ringing = await _ringing(bell)
    for _ in range(500):
        bell.ask(batch.id, urgent=False)

    async def rung() -> bool:
        return await batch.query(Counter.rings) > 0

    await eventually(rung, timeout=10)
    assert await batch.query(Counter.rings) == 1
    ringing.cancel()


async def test_an_urgent_request_brings_a_waiting_ring_forward(
    temporal: Client, batch: WorkflowHandle[Counter, int]
) -> None:
    bell = Bell(temporal, urgent_s=0.05, progress_s=60, rings_per_s=10)
    ringing = await _ringing(bell)
    bell.ask(batch.id, urgent=False)
    bell.ask(batch.id, urgent=True)

    async def rung() -> bool:
        return await batch.query(Counter.rings) == 1

    await eventually(rung, timeout=10, message="the ring waited for progress")
    ringing.cancel()


async def test_the_more_batches_wait_the_further_apart_are_the_rings(temporal: Client) -> None:
    bell = Bell(temporal, urgent_s=0.05, progress_s=1, rings_per_s=4)
    for number in range(40):
        bell.ask(f"batch-{number}", urgent=False)
    bell.ask("batch-last", urgent=False)
    first, last = bell.due_in("batch-0"), bell.due_in("batch-last")
    assert first is not None
    assert last is not None
    assert first <= 1.0
    assert 9.0 <= last <= 10.0


async def test_in_a_rush_progress_waits_and_what_is_urgent_does_not(temporal: Client) -> None:
    bell = Bell(temporal, urgent_s=0.05, progress_s=0.1, rings_per_s=100)
    bell.ask("batch-progress", urgent=False)
    bell.ask("batch-urgent", urgent=True)
    bell.rush()
    progress, urgent = bell.due_in("batch-progress"), bell.due_in("batch-urgent")
    assert progress is not None
    assert urgent is not None
    assert urgent <= 0.1
    assert 0.5 <= progress <= 1.0


async def test_ringing_for_a_batch_that_is_not_there_is_no_error(
    temporal: Client, batch: WorkflowHandle[Counter, int]
) -> None:
    bell = Bell(temporal, urgent_s=0.01, progress_s=0.01, rings_per_s=1000)
    ringing = await _ringing(bell)
    bell.ask("batch-that-never-was", urgent=True)
    bell.ask(batch.id, urgent=True)

    async def rung() -> bool:
        return await batch.query(Counter.rings) == 1

    await eventually(rung, timeout=10)
    assert not ringing.done()
    ringing.cancel()


async def test_a_large_batch_counts_as_several(temporal: Client) -> None:
    bell = Bell(temporal, urgent_s=0.05, progress_s=1, rings_per_s=1)
    assert bell.unknown(["large", "small"]) == {"large", "small"}
    bell.learn({"large": 501})
    assert bell.unknown(["large", "small"]) == {"small"}
    for batch in ("large", "large", "small"):
        bell.ask(batch, urgent=False)
    large, small = bell.due_in("large"), bell.due_in("small")
    assert large is not None
    assert small is not None
    assert large <= 1.0
    assert 10.0 <= small <= 11.0
    bell.ask("small", urgent=True)
    assert (bell.due_in("small") or 0.0) <= 3.0
