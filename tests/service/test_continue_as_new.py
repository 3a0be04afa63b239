"""A case that is rung without pause goes on as a new run, on a real server that suggests it early; nothing is lost."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from activities.service import carrying
from contracts.cases import BELL, CaseEvent
from tests.continuing import histories, steps_after_it_was_suggested, suggesting_early
from tests.service.conftest import floor
from tests.service.world import Floor

__all__ = ["floor"]

_WORDS = 30


@pytest.fixture
async def time_skipping_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WorkflowEnvironment]:
    async with suggesting_early(tmp_path, monkeypatch) as environment:
        yield environment


class Ringing:
    """Somebody who writes without pause, and never leaves the process a moment in which nothing has come in."""

    def __init__(self, floor: Floor, case: str) -> None:
        self._floor, self._case = floor, case
        self._stop = False

    async def rings(self) -> None:
        process = self._floor.env.client.get_workflow_handle(self._case)
        while not self._stop:
            await process.signal(BELL)

    async def writes(self, who: str, words: int) -> None:
        """As the gateway does it: written down, then rung until it was taken."""
        for number in range(words):
            event = CaseEvent(
                id=f"{who}-{number}",
                case=self._case,
                at=await self._floor.now(),
                by="app",
                what="say",
                text=f"{who} {number}",
            )
            await self._floor.cases.write_events([event])
            while not await self.taken(event.id):
                await self._floor.look(self._case)

    async def taken(self, event: str) -> bool:
        found = await self._floor.cases.outcome(event)
        return found is not None and found["taken"] is not None

    def stop(self) -> None:
        self._stop = True


@pytest.mark.timeout(240)
async def test_a_case_that_is_rung_without_pause_goes_on_as_new_runs(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrying, "_EVENTS_AT_ONCE", 1)
    monkeypatch.setattr(carrying, "_ROUNDS", 1)
    case = await floor.open(customer="c-1")
    ringing = Ringing(floor, case)
    bells = [asyncio.create_task(ringing.rings()) for _ in range(3)]
    try:
        async with asyncio.TaskGroup() as group:
            for who in ("a", "b", "c"):
                group.create_task(ringing.writes(who, _WORDS // 3))
    finally:
        ringing.stop()
        await asyncio.gather(*bells)
    said = [message.text for message in await floor.cases.messages(case)]
    assert sorted(said) == sorted(f"{who} {number}" for who in "abc" for number in range(_WORDS // 3))
    runs = await histories(floor.env.client, case)
    assert len(runs) > 2
    # Bells that come while the last step is under way lengthen a history, and nothing else does.
    assert max(map(steps_after_it_was_suggested, runs)) <= 1
