"""A real MongoDB replica set of one member, for development and tests."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlencode

from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure

from infra.embedded.ports import HOST, Ports, connectable
from infra.embedded.programs import MONGOD, Program
from infra.settings import Settings

REPLICA_SET = "rs0"
DURABILITY: Mapping[str, str] = {"w": "majority", "journal": "true", "readConcernLevel": "majority"}
"""What every client of ours asks for: answered when journaled, and read only what cannot be rolled back."""
TRANSACTION_AT_MOST_S = 15
"""A process that is killed within a transaction leaves it open, and what it has written locked, until this and half as
much again is over: with MongoDB's default, a minute, no stock could be booked for up to a minute and a half."""

_NOT_YET_INITIALISED = 94
_NOT_A_MEMBER = 93
_OPLOG_MIB = 1024
_PAST_S = 60
"""How long every version of a document is kept, for reads of one moment that go on for long (`tongqu check`). Under a
sustained load MongoDB's default, 300, fills the cache with the past: a third of its time went into writing that out."""
_QUIESCE_MS = 100


def url(host: str, port: int) -> str:
    """Connection string for one member that is the whole set; transactions work over it."""
    options = {"replicaSet": REPLICA_SET, "directConnection": "true", "retryWrites": "true", **DURABILITY}
    return f"mongodb://{host}:{port}/?{urlencode(options)}"


class Mongod:
    """Data survive a restart, also on another port: the member's address in the set is then written anew.

    MongoDB first asks the old address whether that is itself. A program there that accepts and never answers
    delays the start by 30 s.
    """

    name: ClassVar[str] = "mongo"
    program: ClassVar[Program] = MONGOD
    port_names: ClassVar[tuple[str, ...]] = ("mongo",)

    def __init__(self, settings: Settings, data_dir: Path, ports: Ports) -> None:
        self._cache_gb = settings.mongo_cache_gb
        self._data = data_dir / "mongo"
        self._ports = ports

    @property
    def _port(self) -> int:
        return self._ports["mongo"]

    def command(self, program: Path) -> list[str | Path]:
        self._data.mkdir(parents=True, exist_ok=True)
        options = {
            "--replSet": REPLICA_SET,
            "--bind_ip": HOST,
            "--port": self._port,
            "--dbpath": self._data,
            "--wiredTigerCacheSizeGB": self._cache_gb,
            "--oplogSize": _OPLOG_MIB,
        }
        parameters = {
            "diagnosticDataCollectionEnabled": "false",
            "transactionLifetimeLimitSeconds": str(TRANSACTION_AT_MOST_S),
            "minSnapshotHistoryWindowInSeconds": str(_PAST_S),
            # Nobody else could become primary, so there is nobody to wait for on the way out.
            "shutdownTimeoutMillisForSignaledShutdown": _QUIESCE_MS,
        }
        flat = [str(part) for option in options.items() for part in option]
        flat += [part for name, value in parameters.items() for part in ("--setParameter", f"{name}={value}")]
        return [program, *flat, "--nounixsocket", "--quiet"]

    def addresses(self) -> dict[str, str]:
        return {"mongo_url": url(HOST, self._port)}

    async def ready(self) -> bool:
        return await primary_of_one(HOST, self._port, member=f"{HOST}:{self._port}")


async def primary_of_one(host: str, port: int, *, member: str) -> bool:
    """Whether the server takes writes. One that belongs to no set yet, or knows itself by another address, is
    told that it is the whole set under the address `member`."""
    await connectable(host, port)
    client = AsyncMongoClient[dict[str, Any]](
        host, port, directConnection=True, serverSelectionTimeoutMS=1_000, connectTimeoutMS=1_000
    )
    async with client:
        hello = await client.admin.command("hello")
        if hello.get("isWritablePrimary"):
            return True
        try:
            await client.admin.command("replSetGetStatus")
        except OperationFailure as error:
            if error.code == _NOT_YET_INITIALISED:
                await client.admin.command("replSetInitiate", _config(member))
            elif error.code == _NOT_A_MEMBER:
                await _move(client, member)
            else:
                raise
        return False


def _config(member: str) -> dict[str, Any]:
    return {"_id": REPLICA_SET, "members": [{"_id": 0, "host": member}]}


async def _move(client: AsyncMongoClient[dict[str, Any]], member: str) -> None:
    found = await client.admin.command("replSetGetConfig")
    config = found["config"]
    config["version"] += 1
    config["members"][0]["host"] = member
    await client.admin.command("replSetReconfig", config, force=True)
