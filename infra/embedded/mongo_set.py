"""A real MongoDB replica set of several members on this machine: for what happens when the primary goes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure, PyMongoError

from infra.embedded.mongod import DURABILITY, REPLICA_SET, Mongod
from infra.embedded.ports import HOST, Ports, connectable
from infra.embedded.programs import MONGOD, ProgramNotFound, find
from infra.processes import POLL_S, Process
from infra.settings import Settings

_START_S = 60.0
_ELECTION_MS = 2_000
"""How long a silent primary is waited for; MongoDB's own default is 10 s."""
_ALREADY_INITIALISED = 23


class MongoSet:
    """The set as an async context manager; `url` is for all members. Starting again finds the same data.

    `processes` are the members, by number, for tests that kill them. Raises ProgramNotFound, ProcessFailed, or
    TimeoutError when no primary is elected.
    """

    def __init__(self, settings: Settings, data_dir: Path, *, members: int = 3) -> None:
        folders = [data_dir.resolve() / f"mongo-{number}" for number in range(members)]
        self._servers: list[Mongod] = []
        self._ports: list[int] = []
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            ports = Ports(folder)
            ports.take(["mongo"])
            self._ports.append(ports["mongo"])
            self._servers.append(Mongod(settings, folder, ports))
        self._logs = [folder / "mongod.log" for folder in folders]
        self._stack = AsyncExitStack()
        self.processes: list[Process] = []

    @property
    def url(self) -> str:
        hosts = ",".join(f"{HOST}:{port}" for port in self._ports)
        return f"mongodb://{hosts}/?{urlencode({'replicaSet': REPLICA_SET, 'retryWrites': 'true', **DURABILITY})}"

    async def __aenter__(self) -> Self:
        program = find(MONGOD)
        if program is None:
            raise ProgramNotFound(MONGOD)
        try:
            for number, server in enumerate(self._servers):
                process = Process(f"mongo-{number}", server.command(program), log=self._logs[number])
                self.processes.append(process)
                process.start()
                self._stack.push_async_callback(process.stop, 20.0)
            await asyncio.gather(*(self._answers(number) for number in range(len(self.processes))))
            await self._initiate()
            await self.primary()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def start_again(self, member: int) -> None:
        self.processes[member].start()
        await self._answers(member)

    async def primary(self) -> int:
        """The member that takes writes, as soon as there is one and all that run follow it."""
        async with asyncio.timeout(_START_S):
            while True:
                roles = [await self._role(number) for number, each in enumerate(self.processes) if each.running]
                if roles.count("primary") == 1 and roles.count("other") == 0:
                    return [await self._role(number) for number in range(len(self.processes))].index("primary")
                await asyncio.sleep(POLL_S)

    async def step_down(self, member: int, seconds: int = 10) -> None:
        """The primary gives its role up and does not stand for election for a while."""
        async with self._direct(member) as client:
            await client.admin.command("replSetStepDown", seconds, secondaryCatchUpPeriodSecs=seconds // 2)

    async def _answers(self, member: int) -> None:
        async def ready() -> bool:
            await connectable(HOST, self._ports[member])
            return await self._role(member) != ""

        await self.processes[member].wait_ready(ready, _START_S)

    async def _role(self, member: int) -> str:
        """`primary`, `secondary`, `other` (on its way), or empty where nobody answers."""
        try:
            async with self._direct(member) as client:
                hello = await client.admin.command("hello")
        except PyMongoError:
            return ""
        return "primary" if hello.get("isWritablePrimary") else "secondary" if hello.get("secondary") else "other"

    async def _initiate(self) -> None:
        members = [{"_id": number, "host": f"{HOST}:{port}"} for number, port in enumerate(self._ports)]
        config = {"_id": REPLICA_SET, "members": members, "settings": {"electionTimeoutMillis": _ELECTION_MS}}
        async with self._direct(0) as client:
            try:
                await client.admin.command("replSetInitiate", config)
            except OperationFailure as error:
                if error.code != _ALREADY_INITIALISED:
                    raise

    @asynccontextmanager
    async def _direct(self, member: int) -> AsyncIterator[AsyncMongoClient[dict[str, Any]]]:
        async with AsyncMongoClient[dict[str, Any]](
            HOST, self._ports[member], directConnection=True, serverSelectionTimeoutMS=1_000, connectTimeoutMS=1_000
        ) as client:
            yield client
