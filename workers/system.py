"""A whole system on one machine: servers, provisioning and every process of ours, started and stopped in order."""

import asyncio
import secrets
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from infra.embedded import Servers
from infra.embedded.ports import HOST, Ports
from infra.keys import Scope, create_key, hash_key
from infra.mongo import Mongo
from infra.processes import Process, ProcessFailed
from infra.provision import provision
from infra.settings import EnvironmentSettings, Settings, clear_state, write_state

WORKERS = ("fulfilment", "events", "relay", "gateway")
_READY_S = 60.0
_FOR_ENVIRONMENT = (
    "mongo_url",
    "mongo_database",
    "nats_url",
    "temporal_address",
    "temporal_namespace",
    "temporal_ui_url",
    "payment_url",
    "batch_max",
    "batches_starting",
    "bell_urgent_ms",
    "bell_progress_ms",
    "bell_rings_per_s",
)


class System:
    """Everything that `tongqu up` runs. `settings` hold the addresses once it is entered.

    `processes` are our own (`fulfilment`, `events`, `relay`, `gateway`, `payments`), for tests that kill them.
    Raises what Servers raises, and ProcessFailed with the end of a log when a worker does not start.
    """

    def __init__(self, settings: EnvironmentSettings, data_dir: Path, *, payment_options: tuple[str, ...] = ()) -> None:
        self.settings: Settings = settings
        self.data_dir = data_dir
        self.processes: dict[str, Process] = {}
        self.servers = Servers(settings, data_dir)
        self._payment_options = payment_options
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._stack.enter_async_context(self.servers)
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _start(self) -> None:
        known = self.servers.addresses
        found = {
            name: getattr(known, name) for name in ("mongo_url", "nats_url", "temporal_address", "temporal_ui_url")
        }
        ports = Ports(self.data_dir.resolve())
        ports.take(["gateway", "payments"])
        if self.settings.gateway_port == 0:
            found["gateway_port"] = ports["gateway"]
        if self.settings.payment_url is None:
            found["payment_url"] = f"http://{HOST}:{ports['payments']}"
        self.settings = self.settings.model_copy(update={k: v for k, v in found.items() if v})
        url = f"http://{self.settings.gateway_host}:{self.settings.gateway_port}"
        self.settings = self.settings.model_copy(update={"gateway_url": url})
        await provision(self.settings)
        key = await self._operator_key()
        self.settings = self.settings.model_copy(update={"operator_key": key})
        await self._start_processes(str(ports["payments"]))
        self._stack.callback(clear_state, self.data_dir)
        write_state(self.data_dir, self.state())

    def state(self) -> dict[str, object]:
        """What a command in another terminal needs to know, and which process is which."""
        names = (*_FOR_ENVIRONMENT[:7], "gateway_url", "operator_key")
        pids = {name: process.pid for name, process in (self.servers.processes | self.processes).items()}
        return {**{name: getattr(self.settings, name) for name in names}, "pids": pids}

    async def _operator_key(self) -> str:
        """The key of this data directory's operator: made once, kept in a file that only its owner can read."""
        path = self.data_dir / "operator.key"
        mongo = Mongo(self.settings.require("mongo_url"), self.settings.mongo_database)
        try:
            if path.exists():
                key = path.read_text().strip()
                if await mongo.api_keys.find_one({"_id": hash_key(key)}):
                    return key
            key = await create_key(mongo, f"operator-{secrets.token_hex(3)}", list(Scope))
            path.touch(mode=0o600)
            path.write_text(key)
            return key
        finally:
            mongo.close()

    async def _start_processes(self, payment_port: str) -> None:
        environment = {
            f"TONGQU_{name.upper()}": str(getattr(self.settings, name))
            for name in _FOR_ENVIRONMENT
            if getattr(self.settings, name) is not None
        }
        environment["TONGQU_DATA_DIR"] = str(self.data_dir)
        arguments = {"gateway": ("--host", self.settings.gateway_host, "--port", str(self.settings.gateway_port))}
        payments = ("--port", payment_port, "--db", str(self.data_dir / "payments.sqlite"), *self._payment_options)
        for name in ("payments", *WORKERS):
            module = "workers.payment_sandbox" if name == "payments" else f"workers.{name}"
            process = Process.of_module(
                name,
                module,
                *(payments if name == "payments" else arguments.get(name, ())),
                log=self.data_dir / "log" / f"{name}.log",
                env=environment,
            )
            process.start()
            self.processes[name] = process
            self._stack.push_async_callback(process.stop, 15.0)
        await asyncio.gather(
            self.processes["payments"].wait_ready(lambda: answers(f"{self.settings.payment_url}/healthz"), _READY_S),
            self.processes["gateway"].wait_ready(lambda: answers(f"{self.settings.gateway_url}/readyz"), _READY_S),
        )
        self.watch()

    def watch(self) -> None:
        """Raises ProcessFailed, with the end of its log, when a process has ended that should run."""
        for process in self.processes.values():
            if not process.running:
                raise ProcessFailed(process, f"ended with status {process.returncode}")


async def answers(url: str) -> bool:
    """Whether a health address answers 200."""
    async with aiohttp.ClientSession() as session, session.get(url, timeout=aiohttp.ClientTimeout(total=3)) as answer:
        return answer.status == 200
