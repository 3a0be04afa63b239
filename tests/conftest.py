"""Fixtures that all tests share: real servers, and what keeps tests on them apart.

Each test process has servers of its own: they start in about a second, and names of streams are global on a
server. A server that cannot be started fails the tests that need it.

A run that is cut off still tells: failures and slow tests are written as they happen, and a test that hangs (its
fixtures included) ends its process, with every stack, instead of holding up all others.
"""

import asyncio
import base64
import faulthandler
import json
import os
import secrets
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TextIO

import aiohttp
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis
from pymongo import AsyncMongoClient
from temporalio.testing import WorkflowEnvironment
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from infra.embedded import Addresses, embedded_servers
from infra.embedded.ports import HOST, free_port
from infra.embedded.timeskipping import time_skipping
from infra.forking import Template
from infra.processes import Process
from infra.settings import EnvironmentSettings, Settings
from tests.databases import Databases

_TOGETHER = ("tests/e2e/",)
"""Folders whose files share what is dear to start: one process runs all of them."""
_LONGEST = (
    "tests/e2e/",
    "tests/gateway/test_fuzz.py",
    "tests/workers/test_cli.py",
    "tests/chaos/test_everything_dies.py",
    "tests/survival/",
    "tests/bench/",
    "tests/workers/",
    "tests/workflows/",
    "tests/delivery/",
)
"""Begun first, in this order, so that no process is left alone with them at the end."""
_CACHE_GB = 0.5
_START_S = 30.0
_SLOW_S = 60.0
_SHOWN = 2_000
_HANGS_S = 1_000.0  # Above every limit that a test sets for itself.


hypothesis.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis.load_profile("busy")
_STDERR = pytest.StashKey[TextIO]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_STDERR] = os.fdopen(os.dup(2), "w")  # While nothing is captured.
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_AsItHappens(config), "as it happens")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        return next((n for n, start in enumerate(_LONGEST) if item.nodeid.startswith(start)), len(_LONGEST))

    items.sort(key=place)
    # Of tests that are named alike a scheduler that knows them by name would run one.
    names = Counter(item.nodeid for item in items)
    assert len(names) == len(items), f"tests that are named alike: {names.most_common(3)}"


class _Together(LoadFileScheduling):  # type: ignore[misc]  # Of a package without types.
    def _split_scope(self, nodeid: str) -> str:
        return next((one for one in _TOGETHER if nodeid.startswith(one)), super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _Together:
    return _Together(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    watch = threading.Timer(_HANGS_S, _end_process, [item.nodeid, item.config.stash[_STDERR]])
    watch.daemon = True
    watch.start()
    try:
        return (yield)
    finally:
        watch.cancel()


def _end_process(nodeid: str, out: TextIO) -> None:
    """What waits is in the stacks of the tasks, not of the threads."""
    print(f"\n{nodeid} has not ended after {_HANGS_S:.0f} s; its process ends", file=out, flush=True)
    faulthandler.dump_traceback(file=out)
    for task in list(asyncio.tasks._all_tasks):  # type: ignore[attr-defined]  # all_tasks() knows one loop only.
        task.print_stack(file=out)
    out.flush()
    os._exit(1)


class _AsItHappens:
    """Writes at once what pytest tells at the end: what failed and why, and what was slow."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._began = time.monotonic()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not report.failed and report.duration < _SLOW_S:
            return
        terminal: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        at = f"{(time.monotonic() - self._began) / 60:5.1f} min"
        what = f"{report.outcome} {report.nodeid} ({report.when}, {report.duration:.0f} s)"
        terminal.ensure_newline()
        terminal.write_line(f"{at}  {what}")
        if report.failed:
            terminal.write_line(report.longreprtext[-_SHOWN:])


_PROGRAMS = (
    *(
        "workers.gateway.__main__",
        "workers.fulfilment",
        "workers.supply.worker",
        "workers.service",
        "workers.events.__main__",
    ),
    *("workers.relay", "workers.webhooks.__main__", "workers.payment_sandbox", "workers.carrier_sandbox.__main__"),
    *("workers.bank_sandbox", "workers.signature_sandbox.__main__"),
    # What `tongqu` loads beside: not itself, because it asks as it is loaded whether it writes to a terminal.
    *("rich.markup", "rich.table", "typer.main", "workers.whatif.run"),
)


@pytest.fixture(scope="session", autouse=True)
def programs() -> Iterator[None]:
    """Hundreds of processes are started, and to load what they need takes seconds: it is loaded once, before the first
    of them. Where a test runs `tongqu`, which starts a system, they start as they do for users."""
    made: list[Template] = []
    environment = dict(os.environ)  # A test that changes it may be the first that starts something.

    @cache
    def template() -> Template:
        made.append(Template.start(_PROGRAMS, environment))
        return made[0]

    if sys.platform == "linux":
        Process.template = template
    yield
    Process.template = None
    for one in made:
        one.close()


@pytest.fixture(scope="session")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Addresses]:
    """MongoDB, NATS and Temporal; TONGQU_MONGO_URL and its like name others to be used instead."""
    data_dir = tmp_path_factory.mktemp("servers")
    settings = EnvironmentSettings(data_dir=data_dir, mongo_cache_gb=_CACHE_GB)
    async with embedded_servers(settings, data_dir) as addresses:
        yield addresses


@pytest.fixture(scope="session")
def mongo_url(servers: Addresses) -> str:
    return servers.mongo_url


@pytest.fixture(scope="session")
async def databases(mongo_url: str) -> AsyncIterator[Databases]:
    databases = Databases(mongo_url)
    yield databases
    await databases.drop()


@pytest.fixture(scope="session")
def nats_url(servers: Addresses) -> str:
    return servers.nats_url


@pytest.fixture(scope="session")
def temporal_address(servers: Addresses) -> str:
    return servers.temporal_address


@pytest.fixture(scope="session")
async def payment_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The payment sandbox, shared: tests keep apart by the ids of their orders."""
    async with _sandbox("payment_sandbox", tmp_path_factory.mktemp("payment")) as url:
        yield url


@pytest.fixture(scope="session")
async def carrier_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The sandbox carriers, shared; they tell nobody of their scans."""
    async with _sandbox("carrier_sandbox", tmp_path_factory.mktemp("carriers")) as url:
        yield url


@pytest.fixture(scope="session")
async def bank_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The sandbox bank, shared: tests keep apart by their accounts."""
    async with _sandbox("bank_sandbox", tmp_path_factory.mktemp("bank")) as url:
        yield url


@dataclass(frozen=True)
class SignatureSandbox:
    """A running signature provider. `roots`: the PEM file of its test authority, which it makes as it starts."""

    url: str
    api_key: str
    callback_secret: str
    roots: Path


@pytest.fixture(scope="session")
async def signatures(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SignatureSandbox]:
    """The signature sandbox, shared: tests keep apart by the ids of their envelopes. It calls nobody back."""
    folder = tmp_path_factory.mktemp("signatures")
    keys = {"api_key": secrets.token_urlsafe(16), "callback_secret": base64.b64encode(os.urandom(32)).decode()}
    (folder / "keys.json").write_text(json.dumps(keys))
    more = ("--authority", str(folder / "authority"), "--keys", str(folder / "keys.json"))
    async with _sandbox("signature_sandbox", folder, *more) as url:
        yield SignatureSandbox(url=url, roots=folder / "authority" / "ca.pem", **keys)


@asynccontextmanager
async def _sandbox(module: str, folder: Path, *more: str) -> AsyncIterator[str]:
    port = free_port()
    url = f"http://{HOST}:{port}"
    arguments = ("--port", str(port), "--db", str(folder / "sandbox.db"), *more)
    sandbox = Process.of_module(module, f"workers.{module}", *arguments, log=folder / "sandbox.log")

    async def healthy() -> bool:
        async with aiohttp.ClientSession() as session, session.get(f"{url}/healthz") as answer:
            return answer.status == 200

    sandbox.start()
    try:
        await sandbox.wait_ready(healthy, _START_S)
        yield url
    finally:
        await sandbox.stop()


@pytest.fixture
async def database(mongo_url: str) -> AsyncIterator[str]:
    """Name of a database that only this test uses."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield name
    async with AsyncMongoClient[dict[str, object]](mongo_url) as client:
        await client.drop_database(name)


@pytest.fixture
def settings(servers: Addresses, database: str, tmp_path: Path) -> Settings:
    """Settings for this test alone, on the shared servers."""
    return Settings(
        data_dir=tmp_path,
        mongo_url=servers.mongo_url,
        mongo_database=database,
        nats_url=servers.nats_url,
        nats_creds=Path(servers.nats_creds),
        nats_keys=Path(servers.nats_keys),
        temporal_address=servers.temporal_address,
        temporal_ui_url=servers.temporal_ui_url or None,
    )


@pytest.fixture(scope="session")
async def time_skipping_env() -> AsyncIterator[WorkflowEnvironment]:
    """A Temporal test server that skips the time in which nothing happens; there is no waiting for timers."""
    async with await time_skipping() as environment:
        yield environment
