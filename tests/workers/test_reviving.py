"""`tongqu up` starts again what has ended, and gives up on what ends again and again."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from infra.processes import Process, ProcessFailed
from infra.settings import EnvironmentSettings, read_state
from tests.support import eventually
from workers.system import System

STAYS = "import time; print('here', flush=True); time.sleep(600)"


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[System]:
    """With one process, and no servers."""
    one = System(EnvironmentSettings(data_dir=tmp_path), tmp_path)
    yield one
    for process in one.processes.values():
        process.kill()


def started(system: System, program: str) -> Process:
    process = Process("relay", [sys.executable, "-c", program], log=system.data_dir / "relay.log")
    process.start()
    system.processes["relay"] = process
    return process


async def test_what_was_killed_is_started_again_and_told(system: System) -> None:
    process = started(system, STAYS)
    await eventually(lambda: "here" in process.log_tail())
    assert await system.revive() == []
    process.kill()
    (said,) = await system.revive()
    assert said.startswith("relay ended with status -9 and was started again") and said.endswith("relay.log.1")
    assert process.running
    assert read_state(system.data_dir)["pids"] == {"relay": process.pid}


async def test_what_ends_again_and_again_is_given_up(system: System) -> None:
    process = started(system, "raise SystemExit('no such setting')")
    for _ in range(5):
        await process.wait(30)
        assert len(await system.revive()) == 1
    await process.wait(30)
    with pytest.raises(ProcessFailed, match=r"(?s)ended with status 1, 6 times within 5 minutes.*no such setting"):
        await system.revive()
