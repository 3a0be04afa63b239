"""A NATS server whose store can be copied while it runs, and set back to the copy."""

import asyncio
import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

from contracts.subjects import EVENTS
from infra.embedded import Servers


@dataclass
class SetBack:
    """`servers` runs NATS in `data_dir`."""

    servers: Servers
    data_dir: Path

    @property
    def _store(self) -> Path:
        return self.data_dir / "nats" / "store"

    @property
    def _copy(self) -> Path:
        return self.data_dir / "nats-copy"

    def remember(self) -> None:
        """Copy the store as it is at this moment: streams, consumers, everything."""
        process = self.servers.processes["nats"]
        os.kill(process.pid, signal.SIGSTOP)
        try:
            shutil.rmtree(self._copy, ignore_errors=True)
            shutil.copytree(self._store, self._copy)
        finally:
            os.kill(process.pid, signal.SIGCONT)

    def stop(self) -> None:
        self.servers.processes["nats"].kill()

    async def start_set_back(self) -> None:
        """Start where the copy was made."""
        await asyncio.to_thread(shutil.rmtree, self._store)
        await asyncio.to_thread(shutil.copytree, self._copy, self._store)
        await self.servers.start_again("nats")

    async def start_with_old_messages(self) -> None:
        """Start with the copy's events, and consumers that have read further than that."""
        (stream,) = (self._store / "jetstream").glob(f"*/streams/{EVENTS}")
        messages = stream.relative_to(self._store) / "msgs"
        shutil.rmtree(self._store / messages)
        shutil.copytree(self._copy / messages, self._store / messages)
        await self.servers.start_again("nats")

    async def lose(self) -> None:
        """All that has come since the copy was made."""
        self.stop()
        await self.start_set_back()
