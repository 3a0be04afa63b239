"""A whole run of replenishment whose process is killed again and again, as somebody at a terminal sees it.

`python -m bench.supply_killed --series 50000`: `tongqu supply run` on servers of its own; SIGKILL to the supply process
alone, by its pid, once in each phase. Then the same again without a kill: both must propose the same, each once. Told
are seconds, seconds of a core, memory of the supply process and of everything, the run's history, and the bar.
"""

import argparse
import asyncio
import hashlib
import json
import os
import pty
import re
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temporalio.client import Client

from bench.supply_run import CORES, environment_of, fill, prepared, used
from contracts.replenishing import Run
from infra.embedded import Servers
from infra.keys import Scope, create_key
from infra.mongo import Mongo
from infra.processes import Process
from infra.settings import Settings
from infra.temporal import connect as connect_temporal
from workers.system import answers

_LOOK_S = 1.0
_GONE_S = 20.0
_BAR = re.compile(r"(opening|forecasting|transfers|proposing|closing|ordering|done), (\d+) series[^%]*?(\d+)%")


@dataclass(slots=True)
class Watch:
    """Memory and seconds of a core of the supply process with its children, also of those that were killed."""

    most_mb: float = 0.0
    all_mb: float = 0.0
    core_s: dict[int, float] = field(default_factory=dict)

    def look(self, session: int) -> None:
        memory, seconds = used(session)
        self.most_mb = max(self.most_mb, memory)
        self.core_s[session] = max(self.core_s.get(session, 0.0), seconds)
        self.all_mb = max(self.all_mb, _of_all())


def _of_all() -> float:
    """Resident memory of this process and of all that descend from it, servers included, in MiB."""
    page, parents, sizes = os.sysconf("SC_PAGE_SIZE"), {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            parents[int(stat.parent.name)], sizes[int(stat.parent.name)] = int(fields[1]), int(fields[21])
    ours = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return sum(sizes.get(pid, 0) for pid in ours) * page / 2**20


async def _bar(environment: dict[str, str], seen: list[tuple[float, str, int]]) -> int:
    """`tongqu supply run bench` at a terminal; what its bar shows goes to `seen`: seconds, phase, percent."""
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "workers.cli", "supply", "run", "bench"),
        env={**os.environ, **environment, "TERM": "xterm", "COLUMNS": "120"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    began, text = time.monotonic(), ""

    def read() -> None:
        nonlocal text
        try:
            text = (text + os.read(ours, 65_536).decode(errors="replace"))[-20_000:]
        except OSError:
            asyncio.get_running_loop().remove_reader(ours)
            return
        for phase, _, percent in _BAR.findall(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text))[-1:]:
            if not seen or seen[-1][1:] != (phase, int(percent)):
                seen.append((round(time.monotonic() - began, 1), phase, int(percent)))

    asyncio.get_running_loop().add_reader(ours, read)
    try:
        return await process.wait()
    finally:
        with suppress(OSError, ValueError):
            asyncio.get_running_loop().remove_reader(ours)
        os.close(ours)


async def _kill(worker: Process, watch: Watch) -> float:
    """SIGKILL to the process alone; started again at once. Returns seconds until its children were gone as well."""
    pid = worker.pid
    os.kill(pid, signal.SIGKILL)
    while worker.running:
        await asyncio.sleep(0.01)
    worker.start()
    began = time.monotonic()
    while used(pid)[0] > 0:
        if time.monotonic() - began > _GONE_S:
            raise RuntimeError(f"processes of the killed {pid} live on, with {used(pid)[0]:.0f} MiB")
        watch.all_mb = max(watch.all_mb, _of_all())
        await asyncio.sleep(0.1)
    return round(time.monotonic() - began, 1)


async def _moments(mongo: Mongo, run: str) -> str | None:
    """Which kill is due: in the middle of the forecasts, of the transfers, of the proposals."""
    row = await mongo.supply_runs.find_one({"_id": run}, {"chunks": 1, "transfer_report": 1})
    if row is None:
        return None
    forecast = await mongo.supply_chunks.count_documents({"run": run, "forecast": True})
    proposed = await mongo.supply_chunks.count_documents({"run": run, "proposed": True})
    if row["chunks"] > proposed >= row["chunks"] // 3 and proposed:
        return "proposing"
    if forecast == row["chunks"] and not row["transfer_report"] and not proposed:
        return "transfers"
    return "forecasting" if row["chunks"] > forecast >= row["chunks"] // 2 else None


async def _one(
    mongo: Mongo, client: Client, worker: Process, environment: dict[str, str], *, kill: bool
) -> dict[str, Any]:
    before = {row["_id"] async for row in mongo.supply_runs.find({}, {"_id": 1})}
    watch, kills = Watch(), list[dict[str, Any]]()
    seen: list[tuple[float, str, int]] = []
    began, named = time.monotonic(), ""
    told = asyncio.create_task(_bar(environment, seen))
    while not told.done():
        await asyncio.wait({told}, timeout=_LOOK_S)
        watch.look(worker.pid)
        if not named:
            row = await mongo.supply_runs.find_one({"_id": {"$nin": sorted(before)}}, {"_id": 1})
            named = row["_id"] if row else ""
        due = await _moments(mongo, named) if named and kill else None
        if due and due not in [one["in"] for one in kills]:
            done = await mongo.supply_chunks.count_documents({"run": named, "forecast": True})
            gone = await _kill(worker, watch)
            kills.append(
                {
                    "in": due,
                    "after_s": round(time.monotonic() - began, 1),
                    "chunks_forecast": done,
                    "children_gone_s": gone,
                }
            )
    seconds = time.monotonic() - began
    run = Run.from_row(await mongo.supply_runs.find_one({"_id": named}) or {})
    described = await client.get_workflow_handle(run.workflow).describe()
    info = described.raw_description.workflow_execution_info
    return {
        "run": named,
        "state": run.state,
        "exit": told.result(),
        "seconds": round(seconds, 1),
        "core_seconds": round(sum(watch.core_s.values()), 1),
        "supply_mb": round(watch.most_mb),
        "everything_mb": round(watch.all_mb),
        "kills": kills,
        "history_events": info.history_length,
        "history_bytes": info.history_size_bytes,
        "bar": _thinned(seen),
        **await _made(mongo, run),
    }


def _thinned(seen: list[tuple[float, str, int]]) -> list[tuple[float, str, int]]:
    """Every tenth percent, and each phase."""
    kept: list[tuple[float, str, int]] = []
    for one in seen:
        if not kept or one[1] != kept[-1][1] or one[2] // 10 != kept[-1][2] // 10:
            kept.append(one)
    return kept


async def _made(mongo: Mongo, run: Run) -> dict[str, Any]:
    """What a run has proposed; a digest of it tells whether another proposes the same."""
    kept = {"kind": 1, "source": 1, "location": 1, "sku": 1, "quantity": 1, "due": 1, "value": 1}
    rows: Counter[tuple[Any, ...]] = Counter()
    names: Counter[tuple[Any, ...]] = Counter()
    async for row in mongo.proposals.find({"run": run.id}, kept):
        key = (row["kind"], row["source"], row["location"], row["sku"])
        names[key] += 1
        rows[(*key, row["quantity"], str(row["due"]), row["value"])] += 1
    digest = hashlib.sha256(json.dumps(sorted(rows.items())).encode()).hexdigest()[:16]
    series = await mongo.forecasts.aggregate(
        [{"$match": {"run": run.id}}, {"$group": {"_id": {"l": "$location", "s": "$sku"}, "n": {"$sum": 1}}}],
        allowDiskUse=True,
    ).to_list(None)
    return {
        "series": run.series,
        "forecasts": len(series),
        "doubled": sum(one["n"] > 1 for one in series) + sum(count > 1 for count in names.values()),
        "proposals": dict(Counter(one[0] for one in names)),
        "digest": digest,
    }


async def measure(series: int, *, again: bool = True) -> list[dict[str, Any]]:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        async with Servers(Settings(data_dir=data, mongo_cache_gb=1.0), data) as servers:
            settings = await prepared(servers.addresses, data)
            mongo = Mongo(settings.require("mongo_url"), settings.mongo_database)
            began = time.monotonic()
            await fill(mongo, series)
            print(json.dumps({"filled_s": round(time.monotonic() - began, 1)}), flush=True)
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            environment = environment_of(settings) | {
                "TONGQU_GATEWAY_URL": f"http://127.0.0.1:{port}",
                "TONGQU_OPERATOR_KEY": await create_key(mongo, "bench", Scope),
            }
            where = ("--host", "127.0.0.1", "--port", str(port))
            gateway = Process.of_module("gateway", "workers.gateway", *where, log=data / "gateway.log", env=environment)
            worker = Process.of_module("supply", "workers.supply", log=data / "supply.log", env=environment)
            gateway.start()
            worker.start()
            try:
                await gateway.wait_ready(lambda: answers(f"{environment['TONGQU_GATEWAY_URL']}/readyz"), 180)
                client = await connect_temporal(settings)
                found = []
                for kill in (True, False)[: 1 + again]:
                    found.append(await _one(mongo, client, worker, environment, kill=kill))
                    print(json.dumps(found[-1], indent=1), flush=True)
                return found
            finally:
                await worker.stop(15)
                await gateway.stop(15)
                mongo.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=50_000)
    parser.add_argument("--once", action="store_true", help="leave out the run that nothing happens to")
    asked = parser.parse_args()
    found = asyncio.run(measure(asked.series, again=not asked.once))
    whole = all(one["state"] == "done" and one["forecasts"] == one["series"] and not one["doubled"] for one in found)
    return 0 if whole and len({one["digest"] for one in found}) == 1 and len(found[0]["kills"]) == 3 else 1


if __name__ == "__main__":
    sys.exit(main())
