"""A whole system with stock and stores, for measuring: started, filled through its API, and asked how far it is."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nats.aio.client import Client as NatsClient
from nats.js import JetStreamContext
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from temporalio.client import Client as TemporalClient

from bench import seen
from bench.measuring import Cost
from bench.sending import Sender
from bench.stores import tell_stores
from bench.world import World
from infra.mongo import Mongo
from infra.nats import connect_by
from infra.processes import Process
from infra.settings import EnvironmentSettings
from infra.temporal import connect
from workers.shop import Shop
from workers.system import System

PATIENCE_S = 600.0
_POLL_S = 0.2
_READY_S = 30.0
_AT_ONCE = 4
AT_ONCE_ANSWERS: Mapping[str, Any] = {"delay_s": (0.0, 0.5), "group_s": 0.3, "hold": False}
"""Stores that say at once whatever they have to say."""


@dataclass(slots=True)
class Rig:
    """A running system. Counts are those of the stream of events: what is there was acknowledged."""

    system: System
    world: World
    mongo: Mongo
    temporal: TemporalClient
    nats: NatsClient
    console: Console
    settings: EnvironmentSettings
    stocked_s: float = 0.0
    sent: int = 0
    """Orders that were sent so far, by all phases."""
    extra: dict[str, Process] = field(default_factory=dict)

    @property
    def js(self) -> JetStreamContext:
        return self.nats.jetstream()

    @property
    def processes(self) -> dict[str, Process]:
        return self.system.servers.processes | self.system.processes

    def sender(self, world: World | None = None) -> Sender:
        """Of the orders of this world, or of another with the same locations and stock."""
        settings = self.system.settings
        return Sender(settings.require("gateway_url"), settings.require("operator_key"), world or self.world)

    async def cost(self) -> Cost:
        return await Cost.now(self.processes, self.mongo)

    async def tell(self, **behaviour: Any) -> int:
        return await tell_stores(self.nats, **behaviour)

    async def stores_listen(self) -> bool:
        return await self.tell() >= 0

    async def dispatched(self) -> int:
        return await seen.count(self.js, seen.DISPATCHED)

    async def closed(self) -> int:
        return await seen.count(self.js, seen.CLOSED)

    async def until(self, what: Callable[[], Awaitable[int]], number: int, title: str) -> None:
        """Wait until a count has come to `number`. Raises RuntimeError when it stands still for long."""
        with bar(self.console) as progress:
            task = progress.add_task(title, total=number)
            last, since = -1, time.monotonic()
            while (now := await what()) < number:
                self.system.watch()
                if now != last:
                    last, since = now, time.monotonic()
                if time.monotonic() - since > PATIENCE_S:
                    raise RuntimeError(f"{title}: {now} of {number}, and no more for {PATIENCE_S:g} s")
                progress.update(task, completed=now)
                await asyncio.sleep(_POLL_S)
            progress.update(task, completed=number)

    async def empty(self) -> None:
        """Let the stores answer at once, until every order that was sent has ended."""
        await self.tell(**AT_ONCE_ANSWERS)
        await self.until(self.closed, self.sent, "until all have ended")


def bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)


@asynccontextmanager
async def rig(
    world: World,
    console: Console,
    *,
    workers: int = 1,
    keep: Path | None = None,
    **settings: Any,
) -> AsyncIterator[Rig]:
    """Start a fresh system for a world, and take it down with all its data. `settings` are fields of Settings."""
    data_dir = keep or Path(tempfile.mkdtemp(prefix="tongqu-bench-"))
    chosen = EnvironmentSettings(data_dir=data_dir, **settings)
    try:
        async with System(chosen, data_dir) as system:
            stores = Process.of_module(
                "stores",
                "bench.stores",
                *("--nats", system.settings.require("nats_url"), "--creds", system.settings.require("nats_creds")),
                log=data_dir / "log/stores.log",
            )
            with _running(system, _more(system, data_dir, workers) | {"stores": stores}):
                mongo = Mongo(system.settings.require("mongo_url"), system.settings.mongo_database)
                temporal = await connect(
                    system.settings.require("temporal_address"), system.settings.temporal_namespace
                )
                nats = await connect_by(system.settings, "bench")
                one = Rig(system, world, mongo, temporal, nats, console, chosen)
                try:
                    await stores.wait_ready(one.stores_listen, _READY_S)
                    await _stock_up(one)
                    yield one
                finally:
                    if not nats.is_closed:
                        await nats.close()
                    mongo.close()
    finally:
        if keep is None:
            shutil.rmtree(data_dir, ignore_errors=True)


def _more(system: System, data_dir: Path, workers: int) -> dict[str, Process]:
    """Further fulfilment workers."""
    names = [f"fulfilment-{number}" for number in range(2, workers + 1)]
    return {
        name: Process.of_module(name, "workers.fulfilment", log=data_dir / f"log/{name}.log", env=system.environment)
        for name in names
    }


class _running:  # noqa: N801  # used like a function
    def __init__(self, system: System, processes: dict[str, Process]) -> None:
        self._system = system
        self._processes = processes

    def __enter__(self) -> None:
        for name, process in self._processes.items():
            process.start()
            self._system.processes[name] = process

    def __exit__(self, *_: object) -> None:
        for name, process in self._processes.items():
            self._system.processes.pop(name, None)
            process.kill()


async def _stock_up(one: Rig) -> None:
    """Locations and stock, through the API."""
    began = time.monotonic()
    settings = one.system.settings
    async with Shop(settings.require("gateway_url"), settings.require("operator_key")) as shop:
        await shop.put_locations(one.world.locations)
        queue = [list(one.world.stock[n : n + 1_000]) for n in range(0, len(one.world.stock), 1_000)]
        with bar(one.console) as progress:
            task = progress.add_task("stock", total=len(one.world.stock))

            async def client() -> None:
                while queue:
                    some = queue.pop()
                    await shop.put_stock(some)
                    progress.advance(task, len(some))

            await asyncio.gather(*(client() for _ in range(_AT_ONCE)))
    one.stocked_s = time.monotonic() - began
