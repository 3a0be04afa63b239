"""All servers of one data directory: found, started together, and stopped together."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Protocol, Self

from infra.embedded import containers
from infra.embedded.lock import locked
from infra.embedded.mongod import Mongod
from infra.embedded.nats_server import NatsServer
from infra.embedded.ports import Ports
from infra.embedded.programs import Program, ProgramNotFound, find
from infra.embedded.temporal_server import TemporalServer
from infra.processes import Process, ProcessFailed
from infra.settings import Settings

_START_S = 60.0
_STOP_S = 20.0
_TRIES = 3
_PORT_TAKEN = "address already in use"
_MAIN_ADDRESS = {"mongo": "mongo_url", "nats": "nats_url", "temporal": "temporal_address"}
_REMEDIES = {
    "libcurl.so.4": "install the system library libcurl4 (Debian: `apt-get install libcurl4`)",
    _PORT_TAKEN: "another program keeps taking the ports that are tried; start again",
    "no space left": "free disk space, or set TONGQU_DATA_DIR to a directory with more of it",
    "permission denied": "make the data directory and what lies in it writable for this user",
}
"""By what the log says, in lower case."""


class ServerFailed(RuntimeError):
    """A server did not start. The message holds the end of its log and what to do."""

    def __init__(self, failure: ProcessFailed, program: Program) -> None:
        tail = failure.tail.lower()
        remedies = [remedy for sign, remedy in _REMEDIES.items() if sign in tail]
        otherwise = f"read the log, or set {program.setting} to a server that runs elsewhere"
        super().__init__(f"{failure}\nWhat to do: {remedies[0] if remedies else otherwise}.")


class Server(Protocol):
    """One kind of server: how to start it in a data directory, and how to know that it works."""

    name: ClassVar[str]
    program: ClassVar[Program]
    port_names: ClassVar[tuple[str, ...]]

    def __init__(self, settings: Settings, data_dir: Path, ports: Ports) -> None: ...

    def command(self, program: Path) -> list[str | Path]:
        """How to start it; also makes its directory and configuration."""

    def addresses(self) -> dict[str, str]:
        """Fields of Addresses."""

    async def ready(self) -> bool:
        """Whether it does its work."""


_KINDS: tuple[type[Server], ...] = (Mongod, NatsServer, TemporalServer)


@dataclass(frozen=True)
class Addresses:
    """Where the servers answer. Empty for what was not asked for, and for what no setting says."""

    mongo_url: str = ""
    nats_url: str = ""
    nats_monitor_url: str = ""
    nats_creds: str = ""
    """File with the credentials of our own processes."""
    nats_keys: str = ""
    """Directory with the keys of the bus (see BusKeys); only whoever issues credentials needs it."""
    temporal_address: str = ""
    temporal_ui_url: str = ""
    pids: Mapping[str, int] = field(default_factory=dict)
    """Process id by server (`mongo`, `nats`, `temporal`), of those that were started here."""


class Servers:
    """The servers as an async context manager.

    `processes` are those started here, for tests that kill them: `servers.processes["mongo"].kill()` and then
    `await servers.start_again("mongo")` on the same ports and data. Raises AlreadyRunning, ProgramNotFound or
    ServerFailed, and has then stopped whatever it had started.
    """

    def __init__(
        self,
        settings: Settings,
        data_dir: Path,
        *,
        temporal: bool = True,
        nats: bool = True,
        mongo: bool = True,
    ) -> None:
        self._settings = settings
        self._data_dir = data_dir.resolve()
        self._wanted = {"mongo": mongo, "nats": nats, "temporal": temporal}
        self._servers: dict[str, Server] = {}
        self._found: dict[str, str] = {}
        self._stack = AsyncExitStack()
        self._started: list[Process] = []
        self.processes: dict[str, Process] = {}

    @property
    def addresses(self) -> Addresses:
        return Addresses(**self._found, pids={name: process.pid for name, process in self.processes.items()})

    async def __aenter__(self) -> Self:
        self._data_dir.mkdir(parents=True, exist_ok=True)
        self._stack.enter_context(locked(self._data_dir))
        try:
            await self._start_all()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def start_again(self, name: str) -> None:
        """Start a server that has ended, where it was."""
        process, server = self.processes[name], self._servers[name]
        process.start()
        await process.wait_ready(server.ready, _START_S)

    async def _start_all(self) -> None:
        here = [kind for kind in _KINDS if self._to_start(kind.name)]
        self._stack.push_async_callback(self._stop_all)
        ports = Ports(self._data_dir)
        ports.take(name for kind in here for name in kind.port_names)
        servers = [kind(self._settings, self._data_dir, ports) for kind in here]
        self._servers = {server.name: server for server in servers}
        started = await asyncio.gather(*(self._start(s, ports) for s in servers), return_exceptions=True)
        for outcome in started:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _stop_all(self) -> None:
        """None of them uses another."""
        await asyncio.gather(*(process.stop(_STOP_S) for process in self._started))

    def _to_start(self, name: str) -> bool:
        """Whether a server is wanted and no setting says where one runs; if one does, note its addresses."""
        if not self._wanted[name]:
            return False
        ours = [field.name for field in fields(Addresses) if field.name.startswith(name)]
        given = {field: getattr(self._settings, field, None) for field in ours}
        known = {key: str(value) for key, value in given.items() if value}
        if _MAIN_ADDRESS[name] not in known:
            return True
        self._found |= known
        return False

    async def _start(self, server: Server, ports: Ports) -> None:
        program = find(server.program)
        if program is not None:
            await self._start_process(server, program, ports)
        elif await asyncio.to_thread(containers.engine_answers):
            container = await containers.start(server.name, server.program, self._data_dir)
            self._stack.callback(container.stop)
            self._found |= container.addresses
        else:
            raise ProgramNotFound(server.program)

    async def _start_process(self, server: Server, program: Path, ports: Ports) -> None:
        log = self._data_dir / "log" / f"{server.name}.log"
        for tries_left in reversed(range(_TRIES)):
            process = Process(server.name, server.command(program), log=log)
            process.start()
            self._started.append(process)
            try:
                await process.wait_ready(server.ready, _START_S)
                break
            except ProcessFailed as failure:
                if process.running or _PORT_TAKEN not in failure.tail.lower() or not tries_left:
                    raise ServerFailed(failure, server.program) from failure
                ports.change(server.port_names)
        self.processes[server.name] = process
        self._found |= server.addresses()


@asynccontextmanager
async def embedded_servers(
    settings: Settings, data_dir: Path, *, temporal: bool = True, nats: bool = True, mongo: bool = True
) -> AsyncIterator[Addresses]:
    """Run the servers that no setting names, and say where all are. See Servers for what it raises."""
    async with Servers(settings, data_dir, temporal=temporal, nats=nats, mongo=mongo) as servers:
        yield servers.addresses
