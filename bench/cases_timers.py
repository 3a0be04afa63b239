"""A hundred thousand open cases with timers on one machine: what one more costs, and how late the timers are that fire.

Most sleep with a timer that is days away. Those that were opened last have their first warning within a stretch of
minutes, while all others sleep. A timer is late by the time from its moment, on the grid of the process, to the moment
at which the step that it brings is written.
"""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from temporalio import activity
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from activities.service.carrying import CaseActivities
from bench.cases_promised import FIRST_RESPONSE_S, keep_policy, record
from bench.measuring import cpu_seconds, resident_mib
from bench.rig import bar
from contracts.cases import CARRY, TASK_QUEUE, WORKFLOW, Carry, CaseRecord, Live, Standing
from contracts.fulfilment import REGION
from infra.cases import Cases
from infra.embedded import Servers
from infra.indexes import make_indexes
from infra.keyring import keyring
from infra.mongo import Mongo
from infra.order_api import HttpOrderDesk
from infra.sealing import Sealing
from infra.settings import EnvironmentSettings, Settings
from infra.temporal import connect, register_search_attributes
from workers.report import percentile
from workers.service import CACHED, service_worker
from workflows.case import on_grid

CASES, FIRE_SHARE, WINDOW_S, GRID_S = 100_000, 0.02, 300.0, 60
LATE_P99_MS, KIB_PER_CASE, EVENTS_PER_CASE = 10_000.0, 64.0, 10.0
JUDGED_FROM = 5_000
_AT_ONCE = 50
_SLICE = 500
_AHEAD = 200
"""So many may be started and not taken up yet: a longer queue makes nothing faster, and the first of it wait."""
_NOT_NOW = (
    RPCStatusCode.CANCELLED,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.NOT_FOUND,
)
"""The last: a server that is starved forgets its namespace for a moment."""
_SAMPLE = 200
_PATIENCE_S = 900.0
_POLL_S, _SOON_S = 0.5, 0.05
_LEAD_S = 20.0
Row = dict[str, Any]
Given = TypeVar("Given")
Result = TypeVar("Result")


@dataclass
class Steps:
    """When each case was carried last, by the clock of the wall."""

    at: dict[str, list[float]] = field(default_factory=dict)

    def note(self, case: str) -> None:
        self.at.setdefault(case, []).append(time.time())


class Watched(CaseActivities):
    """Carries as it does anywhere else, and notes when a step was written."""

    def __init__(self, cases: Cases, desk: HttpOrderDesk, steps: Steps) -> None:
        super().__init__(cases, desk)
        self._steps = steps

    @activity.defn(name=CARRY)
    async def carry(self, asked: Carry) -> Standing:
        standing = await super().carry(asked)
        self._steps.note(asked.case)
        return standing


class Bench:
    """One machine with a floor of cases that grows. `fires`: the moment of the timer by case, on the grid."""

    def __init__(
        self, servers: Servers, cases: Cases, client: Client, data_dir: Path, grid_s: int, console: Console
    ) -> None:
        self._servers = servers
        self._console = console
        self._cases = cases
        self._client = client
        self._data_dir = data_dir
        self._grid_s = grid_s
        self.steps = Steps()
        self.fires: dict[str, datetime] = {}
        self._chance = random.Random(7)

    def memory(self) -> dict[str, float]:
        """Resident MiB by process; `worker` is this one."""
        found = {name: resident_mib(process.pid) for name, process in self._servers.processes.items()}
        return {**found, "worker": resident_mib(os.getpid())}

    def cpu(self) -> dict[str, float]:
        """Seconds of processor time so far, by the same names; the worker's is also that of this bench."""
        found = {name: cpu_seconds(process.pid) for name, process in self._servers.processes.items()}
        return {**found, "worker": cpu_seconds(os.getpid())}

    def disk_mib(self) -> float:
        files = (file for file in (self._data_dir / "temporal").rglob("*") if file.is_file())
        return sum(file.stat().st_size for file in files) / 2**20

    async def sleepers(self, count: int) -> Row:
        """Cases whose next timer is far away."""
        now = datetime.now(UTC)
        return await self._open((record(now, "low") for _ in range(count)), "cases that sleep", count)

    async def soon(self, count: int, per_s: float, window_s: float) -> Row:
        """Cases whose first warning comes within a stretch that begins when all of them are open."""
        begin = datetime.now(UTC) + timedelta(seconds=_LEAD_S + 3 * count / max(per_s, 1))
        half = timedelta(seconds=FIRST_RESPONSE_S / 2)

        def firing() -> Iterator[CaseRecord]:
            for _ in range(count):
                one = record(begin + timedelta(seconds=self._chance.uniform(0, window_s)) - half, "normal")
                self.fires[one.id] = on_grid(one.opened_at + half, self._grid_s)
                yield one

        opened = await self._open(firing(), "cases whose timers fire", count)
        # A case that was taken up only after its moment says nothing of timers.
        slow = [name for name, at in self.fires.items() if self.steps.at[name][0] > at.timestamp()]
        for name in slow:
            del self.fires[name]
        return {**opened, "taken_up_too_late": len(slow)}

    async def fire(self) -> Row:
        """Wait until all have fired."""
        end = max(self.fires.values()).timestamp()
        with bar(self._console) as progress:
            task = progress.add_task("timers that have fired", total=len(self.fires))

            def all_fired() -> bool:
                fired = self._fired()
                progress.update(task, completed=fired)
                return fired == len(self.fires)

            last = await _until(all_fired, end + _PATIENCE_S)
        late = [
            (self.steps.at[name][1] - at.timestamp()) * 1000
            for name, at in self.fires.items()
            if len(self.steps.at[name]) > 1
        ]
        return {
            "timers": len(self.fires),
            "not_fired": len(self.fires) - len(late),
            "early": sum(one < 0 for one in late),
            "p50_ms": percentile(late, 50),
            "p99_ms": percentile(late, 99),
            "max_ms": max(late, default=0.0),
            "waited_s": round(last, 1),
        }

    def _fired(self) -> int:
        return sum(len(self.steps.at[name]) > 1 for name in self.fires)

    async def histories(self) -> Row:
        """Events and bytes of a sample of those that sleep, and of those that have fired."""
        asleep = [name for name in self.steps.at if name not in self.fires]
        return {
            "asleep": await self._history(self._chance.sample(asleep, min(_SAMPLE, len(asleep)))),
            "fired": await self._history(list(self.fires)[:_SAMPLE]),
        }

    async def _history(self, names: Sequence[str]) -> Row:
        described = await _at_once(self._describe, names)
        count = max(len(described), 1)
        return {
            "cases": len(described),
            "events_each": sum(one[0] for one in described) / count,
            "bytes_each": sum(one[1] for one in described) / count,
        }

    async def _describe(self, name: str) -> tuple[int, int]:
        found = (await self._client.get_workflow_handle(name).describe()).raw_description.workflow_execution_info
        return found.history_length, found.history_size_bytes

    async def _open(self, records: Iterator[CaseRecord], title: str, total: int) -> Row:
        """Write and start them, and wait until each was taken up: from then on it has its timer. They are made a few at
        a time: what this bench keeps itself would count as memory of the worker."""
        before, began, count, spent = len(self.steps.at), time.monotonic(), 0, self.cpu()
        with bar(self._console) as progress:
            task = progress.add_task(title, total=total)

            def open_now() -> int:
                taken_up = len(self.steps.at) - before
                progress.update(task, completed=taken_up)
                return taken_up

            async def until_open(wanted: int) -> None:
                await _until(lambda: open_now() >= wanted, time.time() + _PATIENCE_S, _SOON_S)

            while some := list(islice(records, _SLICE)):
                await _at_once(self._begin, some)
                count += len(some)
                await until_open(count - _AHEAD)
            await until_open(count)
            took, missing = time.monotonic() - began, count - open_now()
        cpu_ms = {name: round((s - spent[name]) / max(count, 1) * 1000, 2) for name, s in self.cpu().items()}
        return {"cases": count, "all_s": took, "per_s": count / took, "lost": missing, "cpu_ms_each": cpu_ms}

    async def _begin(self, record: CaseRecord) -> None:
        """Asked again where the server does not answer in time: of one id there is one process."""
        await self._cases.insert(record)
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                try:
                    await self._client.start_workflow(
                        WORKFLOW,
                        Live(case=record.id, grid_s=self._grid_s),
                        id=record.id,
                        task_queue=TASK_QUEUE,
                        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                        search_attributes=TypedSearchAttributes([SearchAttributePair(REGION, [record.region])]),
                    )
                    return
                except RPCError as error:
                    if error.status not in _NOT_NOW:
                        raise
                    await asyncio.sleep(_POLL_S)


async def _at_once(call: Callable[[Given], Awaitable[Result]], work: Sequence[Given]) -> list[Result]:
    """So many at a time; the outcomes in their order."""
    free = asyncio.Semaphore(_AT_ONCE)

    async def one(given: Given) -> Result:
        async with free:
            return await call(given)

    return list(await asyncio.gather(*(one(given) for given in work)))


async def _until(ready: Callable[[], bool], deadline: float, poll_s: float = _POLL_S) -> float:
    """Seconds waited; ends at the deadline, by the wall's clock, whether it is so or not."""
    began = time.time()
    while not ready() and time.time() < deadline:
        await asyncio.sleep(poll_s)
    return time.time() - began


@asynccontextmanager
async def machine(data_dir: Path, grid_s: int, console: Console) -> AsyncIterator[Bench]:
    found = EnvironmentSettings(data_dir=data_dir, mongo_cache_gb=1.0)
    async with Servers(found, data_dir, nats=False) as servers:
        where = servers.addresses
        settings = Settings(
            data_dir=data_dir,
            mongo_url=where.mongo_url,
            mongo_database="cases",
            temporal_address=where.temporal_address,
        )
        mongo = Mongo(where.mongo_url, "cases", pool=100)
        await make_indexes(mongo)
        await keep_policy(mongo)
        client = await connect(settings)
        await register_search_attributes(client, settings.temporal_namespace)
        cases = Cases(mongo, Sealing(keyring(settings)))
        bench = Bench(servers, cases, client, data_dir, grid_s, console)
        async with (
            HttpOrderDesk("http://127.0.0.1:9", "tq_none") as desk,
            service_worker(client, [Watched(cases, desk, bench.steps).carry]),
        ):
            yield bench
        mongo.close()
        servers.processes["temporal"].kill()


async def measure(cases: int, window_s: float, grid_s: int, data_dir: Path, console: Console) -> Row:
    """`cases` in all; the last few have timers that fire."""
    firing = max(round(cases * FIRE_SHARE), 20)
    async with machine(data_dir, grid_s, console) as bench:
        # What a worker keeps of the workflows that it saw last is bounded, and is not what one more costs.
        empty, warm = bench.memory(), min(CACHED + 100, cases // 4)
        await bench.sleepers(warm)
        before, disk = bench.memory(), bench.disk_mib()
        filled = await bench.sleepers(cases - firing - warm)
        asleep, disk_asleep = bench.memory(), bench.disk_mib()
        mib = ", ".join(f"{name} {size:.0f}" for name, size in asleep.items())
        console.print(f"{cases - firing:,} cases sleep: {filled['per_s']:.0f} a second; MiB: {mib}")
        soon = await bench.soon(firing, filled["per_s"], window_s)
        console.print(f"{firing:,} more will fire within {window_s:g} s")
        fired = await bench.fire()
        result = {
            "filled": filled,
            "soon": soon,
            "fired": fired,
            "memory_mib": {"empty": empty, "before": before, "asleep": asleep, "after": bench.memory()},
            "kib_per_case": {
                name: (asleep[name] - before[name]) * 1024 / filled["cases"] for name in before if name in asleep
            },
            "kib_per_case_in_all": sum(asleep[name] - empty[name] for name in empty) * 1024 / (cases - firing),
            "disk_kib_per_case": (disk_asleep - disk) * 1024 / filled["cases"],
            "histories": await bench.histories(),
        }
    return {**result, "goals": goals_of(result)}


def goals_of(result: Row) -> list[Row]:
    """Each with name, value, target and whether it is met; of memory only where it can be judged: of a few hundred
    cases it is that of processes that have just begun. Pure."""
    kib = sum(result["kib_per_case"].values())
    lost = result["filled"]["lost"] + result["soon"]["lost"] + result["fired"]["not_fired"] + result["fired"]["early"]
    few = result["filled"]["cases"] < JUDGED_FROM
    return [
        _at_most("cases lost, timers that never fired or fired early", lost, 0),
        _at_most("timer → step written p99, ms", result["fired"]["p99_ms"], LATE_P99_MS),
        *([] if few else [_at_most("memory of all processes for one more open case, KiB", kib, KIB_PER_CASE)]),
        _at_most("history events of a case that sleeps", result["histories"]["asleep"]["events_each"], EVENTS_PER_CASE),
    ]


def _at_most(name: str, value: float, target: float) -> Row:
    return {"name": name, "value": round(value, 3), "target": target, "met": value <= target}
