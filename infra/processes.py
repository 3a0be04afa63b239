"""Child processes: started with a log, waited for until ready, ended by pid, and never left behind."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

from infra.forking import Forked, Template, die_with

Ready = Callable[[], Awaitable[bool]]
"""Says whether a process answers. Raising means: not yet, and why."""

POLL_S = 0.05
_ASK_S = 5.0
_TAIL_LINES = 20


class NeverReady(RuntimeError):
    """Raised by a readiness check that no waiting will change."""


class ProcessFailed(RuntimeError):
    """A process ended, or did not answer in time. The message holds the end of its log."""

    def __init__(self, process: "Process", what: str) -> None:
        self.name = process.name
        self.tail = process.log_tail()
        super().__init__(f"{process.name} {what}. The end of {process.log}:\n{self.tail or '(empty)'}")


class Process:
    """One child process in a session of its own, so that Ctrl-C in a terminal reaches only its parent.

    On Linux the kernel kills it when its parent dies, however that happens. It watches the *thread* that
    started the child: call `start` in the main thread, or in one that lives as long as the child should.

    `env`: variables beside those that are `inherited`, which are all of ours unless it is said.

    `template`: where it is set, gives the process that modules of ours are forked from. For those who start many.
    """

    template: ClassVar[Callable[[], Template] | None] = None

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        inherited: Mapping[str, str] = os.environ,
    ) -> None:
        self.name = name
        self.command = [str(part) for part in command]
        self.log = log
        self._env = {**inherited, **(env or {})}
        self._module: tuple[str, tuple[str, ...]] | None = None
        self._child: subprocess.Popen[bytes] | Forked | None = None

    @classmethod
    def of_module(
        cls,
        name: str,
        module: str,
        *arguments: str,
        log: Path,
        env: Mapping[str, str] | None = None,
        inherited: Mapping[str, str] = os.environ,
    ) -> Self:
        """A worker of ours: `python -m module`, with the interpreter that runs now."""
        process = cls(name, [sys.executable, "-m", module, *arguments], log=log, env=env, inherited=inherited)
        process._module = module, arguments
        return process

    def start(self) -> None:
        """Start, or start again after an end. The log of the run before is kept beside it as `….log.1`."""
        if self.running:
            raise RuntimeError(f"{self.name} runs already, as process {self.pid}")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists():
            self.log.replace(self.log.with_name(self.log.name + ".1"))
        if self._module is not None and Process.template is not None:
            template = Process.template()
            if template.serves(self._env):
                self._child = template.fork(*self._module, self._env, self.log)
                return
        parent = os.getpid()
        with self.log.open("wb") as log:
            self._child = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._env,
                start_new_session=True,
                preexec_fn=lambda: die_with(parent),
            )

    @property
    def pid(self) -> int:
        if self._child is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def returncode(self) -> int | None:
        """Exit status, negative for a signal; None while it runs or when it was never started."""
        return None if self._child is None else self._child.poll()

    async def wait_ready(self, ready: Ready, timeout_s: float) -> None:
        """Ask until it answers. Raises ProcessFailed when it ends before or the time is over."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        why = "it does not answer"
        while self.running:
            try:
                if await asyncio.wait_for(ready(), _ASK_S):
                    return
            except NeverReady:
                raise
            except Exception as error:
                why = f"{type(error).__name__}: {error}"
            if loop.time() > deadline:
                raise ProcessFailed(
                    self,
                    f"runs, but was not ready after {timeout_s:g} s ({why}). If its log says nothing, the machine has"
                    " too much else to do: start again when it has less",
                )
            await asyncio.sleep(POLL_S)
        raise ProcessFailed(self, f"ended with status {self.returncode} while starting")

    async def wait(self, timeout_s: float) -> bool:
        """Whether it has ended within that time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while self.running and loop.time() < deadline:
            await asyncio.sleep(POLL_S)
        return not self.running

    async def stop(self, timeout_s: float = 10.0) -> None:
        """Ask it to end (SIGTERM), and kill it when it has not after `timeout_s`."""
        if not self.running:
            return
        os.kill(self.pid, signal.SIGTERM)
        try:
            await self.wait(timeout_s)
        finally:
            self.kill()

    def kill(self) -> None:
        """End it at once (SIGKILL), with all it has started in its session."""
        if self._child is not None and self.running:
            os.killpg(self.pid, signal.SIGKILL)
            self._child.wait()

    def log_tail(self, lines: int = _TAIL_LINES) -> str:
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
