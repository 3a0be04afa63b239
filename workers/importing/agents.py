"""The example store agent, answering for imported locations that have nobody of their own."""

import json
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.nats_keys import trial_arguments
from infra.processes import Process
from infra.settings import Settings

BEHAVIOUR = {
    "accept_s": [0.1, 1.0],
    "pack_s": [0.1, 0.5],
    "ship_s": [0.1, 1.0],
    "deliver_s": [0.1, 1.0],
    "reject_rate": 0.0,
    "silent_rate": 0.0,
    "group_s": 1.0,
}
"""Every offer is accepted: what is looked at is where the orders go, on a stock that the file says was there."""

_EXAMPLE = Path(__file__).parents[2] / "examples" / "store_agent.py"
_PER_PROCESS = 1_500
"""Ids on one command line; the system allows 128 KiB for one argument."""


class Agents:
    """Processes that follow locations, until the end of the block."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._followed: set[str] = set()
        self._processes = 0
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def following(self) -> bool:
        return self._processes > 0

    def follow(self, locations: list[str]) -> None:
        """Answer for these locations from now on, and for what they were asked before."""
        new = sorted(set(locations) - self._followed)
        self._followed |= set(new)
        self._folder.mkdir(parents=True, exist_ok=True)
        for start in range(0, len(new), _PER_PROCESS):
            self._start(new[start : start + _PER_PROCESS])

    def _start(self, locations: list[str]) -> None:
        self._processes += 1
        name = f"agents-{self._processes}"
        path = self._folder / f"{name}.json"
        path.write_text(json.dumps(BEHAVIOUR))
        command: list[str | Path] = [
            sys.executable,
            _EXAMPLE,
            "--nats",
            self._settings.require("nats_url"),
            *trial_arguments(self._settings),
            "--locations",
            ",".join(locations),
        ]
        process = Process(name, [*command, "--behaviour", path], log=self._folder / "log" / f"{name}.log")
        process.start()
        self._stack.push_async_callback(process.stop)
