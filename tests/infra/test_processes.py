"""Child processes: how they end, and what is said when they end too early."""

import sys
from pathlib import Path

import pytest

from infra.processes import NeverReady, Process, ProcessFailed
from tests.support import eventually

DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(60)
"""
ORDERLY = """
import signal, sys, time
def end(*_):
    print("orderly end", flush=True)
    sys.exit(3)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(60)
"""


def python(folder: Path, code: str) -> Process:
    return Process("child", [sys.executable, "-c", code], log=folder / "log" / "child.log")


async def never() -> bool:
    return False


async def test_a_stop_lets_the_process_end_in_order(tmp_path: Path) -> None:
    child = python(tmp_path, ORDERLY)
    child.start()
    await eventually(lambda: "ready" in child.log_tail())
    await child.stop()
    assert child.returncode == 3
    assert child.log_tail().endswith("orderly end")


async def test_a_process_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    child = python(tmp_path, DEAF)
    child.start()
    await eventually(lambda: "deaf" in child.log_tail())
    await child.stop(timeout_s=0.2)
    assert child.returncode == -9


async def test_a_kill_gives_no_chance(tmp_path: Path) -> None:
    child = python(tmp_path, ORDERLY)
    child.start()
    await eventually(lambda: "ready" in child.log_tail())
    child.kill()
    assert (child.running, child.returncode) == (False, -9)
    assert "orderly end" not in child.log_tail()


async def test_an_early_end_is_told_with_the_end_of_the_log(tmp_path: Path) -> None:
    child = python(tmp_path, "raise SystemExit('no such file: stock.csv')")
    child.start()
    with pytest.raises(ProcessFailed, match=r"(?s)child ended with status 1.*no such file: stock\.csv"):
        await child.wait_ready(never, 10)


async def test_waiting_ends_at_its_limit_and_says_why(tmp_path: Path) -> None:
    async def broken() -> bool:
        raise ConnectionRefusedError("nobody there")

    child = python(tmp_path, ORDERLY)
    child.start()
    with pytest.raises(ProcessFailed, match=r"not ready after 0\.2 s .*nobody there"):
        await child.wait_ready(broken, 0.2)
    child.kill()


async def test_what_cannot_become_ready_is_not_waited_for(tmp_path: Path) -> None:
    async def too_old() -> bool:
        raise NeverReady("too old")

    child = python(tmp_path, ORDERLY)
    child.start()
    with pytest.raises(NeverReady, match="too old"):
        await child.wait_ready(too_old, 30)
    child.kill()


async def test_a_restart_keeps_the_log_of_the_run_before(tmp_path: Path) -> None:
    child = python(tmp_path, ORDERLY)
    for _ in range(2):
        child.start()
        await eventually(lambda: "ready" in child.log_tail())
        await child.stop()
    assert "orderly end" in child.log.with_name("child.log.1").read_text()


async def test_a_running_process_is_not_started_twice(tmp_path: Path) -> None:
    child = python(tmp_path, ORDERLY)
    child.start()
    with pytest.raises(RuntimeError, match=f"already, as process {child.pid}"):
        child.start()
    child.kill()
