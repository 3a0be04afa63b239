"""The embedded servers: they work, keep their data, refuse a second start, and end with their starter."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import nats
import pytest
from pymongo import AsyncMongoClient
from temporalio.client import Client

from infra.embedded import (
    Addresses,
    AlreadyRunning,
    ProgramNotFound,
    ServerFailed,
    Servers,
    embedded_servers,
    ports,
)
from infra.embedded.programs import MONGOD, Program, find, path_of
from infra.processes import Process
from infra.settings import EnvironmentSettings
from tests.support import eventually

PARENT = """
import asyncio, json, sys
from pathlib import Path
from infra.embedded import embedded_servers
from infra.settings import EnvironmentSettings

async def main():
    data_dir = Path(sys.argv[1])
    async with embedded_servers(EnvironmentSettings(mongo_cache_gb=0.25), data_dir) as addresses:
        (data_dir / "pids").write_text(json.dumps(addresses.pids))
        await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> EnvironmentSettings:
    """Settings that start every server."""
    for name in ("MONGO_URL", "NATS_URL", "TEMPORAL_ADDRESS"):
        monkeypatch.delenv(f"TONGQU_{name}", raising=False)
    return EnvironmentSettings(mongo_cache_gb=0.25)


def only(settings: EnvironmentSettings, data_dir: Path, *names: str) -> Servers:
    wanted = {name: name in names for name in ("mongo", "nats", "temporal")}
    return Servers(settings, data_dir, **wanted)


@asynccontextmanager
async def occupied(*taken: int) -> AsyncIterator[None]:
    """Another program listens on these ports and hangs up on whoever calls."""

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    others = [await asyncio.start_server(hang_up, ports.HOST, port) for port in taken]
    try:
        yield
    finally:
        for other in others:
            other.close()


def mongo_port(addresses: Addresses) -> int:
    return int(addresses.mongo_url.removeprefix("mongodb://127.0.0.1:").split("/")[0])


def exists(pid: int) -> bool:
    """Whether a process is there and is not merely waiting to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def status_of(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status


async def write(url: str, key: str) -> None:
    async with AsyncMongoClient[dict[str, Any]](url) as client:
        await client["kept"]["things"].insert_one({"_id": key})


async def keys(url: str) -> set[str]:
    async with AsyncMongoClient[dict[str, Any]](url) as client:
        return {row["_id"] async for row in client["kept"]["things"].find()}


async def test_a_transaction_is_all_or_nothing(mongo_url: str, database: str) -> None:
    async with AsyncMongoClient[dict[str, Any]](mongo_url) as client:
        left, right = client[database]["left"], client[database]["right"]

        async def both(fail: bool) -> None:
            async with client.start_session() as session, await session.start_transaction():
                await left.insert_one({}, session=session)
                if fail:
                    raise RuntimeError("between the writes")
                await right.insert_one({}, session=session)

        with pytest.raises(RuntimeError):
            await both(fail=True)
        assert (await left.count_documents({}), await right.count_documents({})) == (0, 0)
        await both(fail=False)
        assert (await left.count_documents({}), await right.count_documents({})) == (1, 1)


async def test_every_client_asks_for_journaled_majority_writes(mongo_url: str) -> None:
    async with AsyncMongoClient[dict[str, Any]](mongo_url) as client:
        assert client.write_concern.document == {"w": "majority", "j": True}
        assert client.read_concern.level == "majority"


async def test_jetstream_acknowledges_and_drops_duplicates(servers: Addresses) -> None:
    client = await nats.connect(servers.nats_url, user_credentials=servers.nats_creds)
    try:
        jetstream = client.jetstream()
        await jetstream.add_stream(name="EMBEDDED", subjects=["embedded.>"])
        header = {"Nats-Msg-Id": "one"}
        first = await jetstream.publish("embedded.a", b"1", headers=header)
        again = await jetstream.publish("embedded.a", b"1", headers=header)
        assert (first.seq, first.duplicate, again.duplicate) == (1, None, True)
        assert client.max_payload == 8 * 1024 * 1024
        await jetstream.delete_stream("EMBEDDED")
    finally:
        await client.close()


async def test_nats_says_that_it_is_healthy(servers: Addresses) -> None:
    async def healthy() -> bool:
        return await status_of(f"{servers.nats_monitor_url}/healthz") == 200

    # For some milliseconds after a stream was deleted it answers 503: the stream's directory is still there.
    await eventually(healthy, 5)


async def test_temporal_answers_and_shows_its_ui(servers: Addresses) -> None:
    client = await Client.connect(servers.temporal_address)
    handle = await client.start_workflow("Anything", id="embedded", task_queue="nobody")
    described = await handle.describe()
    await handle.terminate()
    assert described.id == "embedded"
    assert await status_of(servers.temporal_ui_url) == 200


async def test_data_survive_a_restart_on_other_ports(small: EnvironmentSettings, tmp_path: Path) -> None:
    async with embedded_servers(small, tmp_path) as before:
        await write(before.mongo_url, "before")
        client = await nats.connect(before.nats_url, user_credentials=before.nats_creds)
        await client.jetstream().add_stream(name="KEPT", subjects=["kept"])
        await client.jetstream().publish("kept", b"before")
        await client.close()
        temporal = await Client.connect(before.temporal_address)
        await temporal.start_workflow("Anything", id="kept", task_queue="nobody", run_timeout=timedelta(days=1))
    remembered = json.loads((tmp_path / "ports.json").read_text())
    moved = [remembered[name] for name in ("mongo", "nats", "temporal")]
    async with occupied(*moved), embedded_servers(small, tmp_path) as after:
        assert mongo_port(after) != mongo_port(before)
        assert after.nats_url != before.nats_url
        assert after.temporal_address != before.temporal_address
        assert after.temporal_ui_url == before.temporal_ui_url
        await write(after.mongo_url, "after")
        assert await keys(after.mongo_url) == {"before", "after"}
        client = await nats.connect(after.nats_url, user_credentials=after.nats_creds)
        message = await client.jetstream().get_msg("KEPT", seq=1)
        await client.close()
        assert message.data == b"before"
        temporal = await Client.connect(after.temporal_address)
        assert (await temporal.get_workflow_handle("kept").describe()).workflow_type == "Anything"


async def test_a_restart_reuses_the_ports_that_are_free(small: EnvironmentSettings, tmp_path: Path) -> None:
    async with only(small, tmp_path, "mongo", "nats") as servers:
        before = servers.addresses
    async with only(small, tmp_path, "mongo", "nats") as servers:
        after = servers.addresses
    assert (after.mongo_url, after.nats_url) == (before.mongo_url, before.nats_url)


async def test_a_port_that_is_taken_at_the_last_moment_is_replaced(
    small: EnvironmentSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = {name: ports.free_port() for name in ("mongo", "nats", "temporal")}
    (tmp_path / "ports.json").write_text(json.dumps(taken))
    async with occupied(*taken.values()):
        monkeypatch.setattr(ports, "is_free", lambda port: True)
        async with embedded_servers(small, tmp_path) as addresses:
            assert len(addresses.pids) == 3
            chosen = json.loads((tmp_path / "ports.json").read_text())
            assert all(chosen[name] != port for name, port in taken.items())
            await write(addresses.mongo_url, "works")


def test_two_processes_that_start_servers_at_once_choose_no_port_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    first = ports.free_port() + 1
    monkeypatch.setattr(ports, "_FIRST", first)
    monkeypatch.setattr(ports, "_LAST", first + 20)
    chooses = f"""
import sys
from infra.embedded import ports
ports._FIRST, ports._LAST = {first}, {first + 20}
print(*(ports.free_port() for _ in range(5)), flush=True)
sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", chooses], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        theirs = {int(word) for word in other.stdout.readline().split()}
        ours = {ports.free_port() for _ in range(5)}
        other.stdin.close()
    assert len(theirs) == len(ours) == 5
    assert not ours & theirs


async def test_a_killed_mongod_comes_back_with_every_acknowledged_write(
    small: EnvironmentSettings, tmp_path: Path
) -> None:
    async with only(small, tmp_path, "mongo") as servers:
        for number in range(50):
            await write(servers.addresses.mongo_url, str(number))
        servers.processes["mongo"].kill()
        assert not servers.processes["mongo"].running
        await servers.start_again("mongo")
        assert len(await keys(servers.addresses.mongo_url)) == 50


async def test_a_second_start_on_the_same_directory_is_refused(small: EnvironmentSettings, tmp_path: Path) -> None:
    async with only(small, tmp_path, "nats") as first:
        with pytest.raises(AlreadyRunning, match=rf"{tmp_path}.*process {os.getpid()}.*TONGQU_DATA_DIR"):
            async with only(small, tmp_path, "nats"):
                pass
        assert await status_of(f"{first.addresses.nats_monitor_url}/healthz") == 200
    async with only(small, tmp_path, "nats") as again:
        assert again.processes["nats"].running


async def test_a_killed_parent_leaves_no_children(tmp_path: Path) -> None:
    parent = Process("parent", [sys.executable, "-c", PARENT, str(tmp_path)], log=tmp_path / "parent.log")
    parent.start()
    pids = tmp_path / "pids"
    try:
        await eventually(pids.exists, 40, "the servers never started")
        children = list((await eventually(lambda: json.loads(pids.read_text() or "{}"))).values())
        assert len(children) == 3
        assert all(exists(pid) for pid in children)
    finally:
        os.kill(parent.pid, 9)
    await eventually(lambda: not any(exists(pid) for pid in children), 10, "children live on")


async def test_servers_that_a_setting_names_are_used_and_none_is_started(servers: Addresses, tmp_path: Path) -> None:
    theirs = EnvironmentSettings(
        mongo_url=servers.mongo_url, nats_url=servers.nats_url, temporal_address=servers.temporal_address
    )
    async with embedded_servers(theirs, tmp_path) as addresses:
        assert addresses.pids == {}
        assert (addresses.mongo_url, addresses.nats_url) == (servers.mongo_url, servers.nats_url)
        assert addresses.temporal_address == servers.temporal_address


async def test_a_failed_start_shows_the_log_says_what_to_do_and_leaves_nothing(
    small: EnvironmentSettings, tmp_path: Path
) -> None:
    (tmp_path / "temporal").mkdir()
    (tmp_path / "temporal" / "temporal.sqlite").write_bytes(b"this is no database " * 500)
    servers = Servers(small, tmp_path)
    with pytest.raises(ServerFailed, match=r"(?s)temporal.*not a database.*What to do: .*TONGQU_TEMPORAL_ADDRESS"):
        await servers.__aenter__()
    assert not any(process.running for process in servers.processes.values())
    async with only(small, tmp_path, "mongo") as again:
        assert again.processes["mongo"].running


def test_a_missing_program_names_every_way_to_get_it() -> None:
    with pytest.raises(ProgramNotFound) as refusal:
        path_of(Program("no-such-server", "no-such-wheel", "TONGQU_NO_SUCH_URL", "no-such-image"))
    for way in ("TONGQU_NO_SUCH_URL", "`no-such-server` on PATH", "wheel no-such-wheel", "run no-such-image"):
        assert way in str(refusal.value)


async def test_without_program_and_engine_the_start_is_refused(
    small: EnvironmentSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    servers = only(small, tmp_path, "mongo")
    monkeypatch.setattr("infra.embedded.mongod.Mongod.program", Program("no-such-server", "none", "TONGQU_X", "none"))
    with pytest.raises(ProgramNotFound):
        await servers.__aenter__()


def test_a_program_on_path_is_preferred_to_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    in_wheel = path_of(MONGOD)
    assert in_wheel.is_file()
    own = tmp_path / "mongod"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find(MONGOD) == own


async def test_finding_mongod_imports_nothing_of_its_package() -> None:
    code = "import sys; from infra.embedded.programs import *; path_of(MONGOD); print('fiftyone' in sys.modules)"
    asked = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    printed, _ = await asked.communicate()
    assert printed.decode().strip() == "False"
