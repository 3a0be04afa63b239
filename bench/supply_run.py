"""A whole run of replenishment on real servers: counted demand to proposals, its seconds by phase, and its memory.

`python -m bench.supply_run --series 10000`: so many series in stores of one region, with half a year of demand, stock
in part misplaced and one supplier; the process as it is in production, on servers of its own in a temporary directory.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from temporalio.service import RPCError

from activities.supply.watching import today_of
from contracts.base import milliseconds
from contracts.replenishing import TASK_QUEUE, WORKFLOW, Progress, Region, Replenish, run_id
from contracts.supply import Sourcing
from infra.embedded import Addresses, Servers
from infra.indexes import make_indexes
from infra.mongo import Mongo
from infra.nats import connect
from infra.processes import Process
from infra.settings import Settings
from infra.streams import provision_streams
from infra.temporal import connect as connect_temporal

CORES = 2
DAYS = 180
STORES = 100
_AT = (30.0, 120.0)
_LOOK_S = 0.5


async def fill(mongo: Mongo, series: int, seed: int = 1) -> None:
    """Stores, a supplier, stock, and days that are counted already: what a region has that runs every night."""
    await mongo.clock.start()
    rng = np.random.default_rng(seed)
    now = milliseconds(mongo.clock.now())
    today, skus = today_of(now), [f"sku-{n:05}" for n in range(-(-series // STORES))]
    stores = [f"store-{n:03}" for n in range(STORES)]
    region = Region(id="bench", history_days=DAYS)
    await mongo.supply_regions.insert_one(region.as_row())
    await mongo.locations.insert_many([_store(name, rng) for name in stores])
    await mongo.partners.insert_one({"_id": "supplier", "kind": "supplier", "state": "active"})
    sources = [
        Sourcing(id=f"supplier:{sku}:", supplier="supplier", sku=sku, price=int(rng.integers(500, 9_000)), lead_days=5)
        for sku in skus
    ]
    await mongo.sourcing.insert_many([one.as_row() for one in sources])
    days = [today - timedelta(days=n) for n in range(DAYS, 0, -1)]
    await mongo.demand_days.insert_many([{"_id": f"{day}", "counted": True} for day in days])
    weekday = 1 + 0.4 * np.isin([day.weekday() for day in days], (5, 6))
    for sku in skus:
        mean = rng.gamma(0.8, 2.0, STORES)
        units = rng.poisson(mean[:, None] * weekday[None, :])
        levels, rows = [], []
        for number, store in enumerate(stores):
            share = rng.choice([0.2, 1.0, 3.0])
            on_hand = int(share * 15 * mean[number])
            levels.append({"_id": f"{store}/{sku}", "location": store, "sku": sku, "on_hand": on_hand, "reserved": 0})
            months: dict[str, dict[str, list[int]]] = {}
            for day, count in zip(days, units[number], strict=True):
                if count:
                    months.setdefault(f"{day:%Y-%m}", {})[f"{day:%d}"] = [int(count), 0, 0]
            rows += [{"_id": f"{store}/{sku}/{month}", "days": kept} for month, kept in months.items()]
        await mongo.stock.insert_many(levels, ordered=False)
        await mongo.demand.insert_many(rows, ordered=False)


def _store(name: str, rng: np.random.Generator) -> dict[str, Any]:
    point = {"lat": _AT[0] + float(rng.uniform(-1, 1)), "lon": _AT[1] + float(rng.uniform(-1, 1))}
    times = {"accept_within_s": 1800, "ship_within_s": 86_400}
    return {
        "_id": name,
        "kind": "store",
        "name": name,
        "division": "330106",
        "active": True,
        "channels": ["online"],
        **point,
        **times,
    }


def used(session: int) -> tuple[float, float]:
    """Of all processes of a session: resident memory in MiB, and seconds of a core that they have used so far."""
    memory = seconds = 0.0
    page, ticks = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            memory += int(fields[21]) * page / 2**20
            # Its own time, and that of children which have ended.
            seconds += sum(int(one) for one in fields[11:15]) / ticks
    return memory, seconds


async def measure(series: int) -> dict[str, Any]:
    """On two cores, also where there are more."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        async with Servers(Settings(data_dir=data), data) as servers:
            settings = await prepared(servers.addresses, data)
            mongo = Mongo(settings.require("mongo_url"), settings.mongo_database)
            await fill(mongo, series)
            return await _run(settings, mongo, data)


async def prepared(known: Addresses, data: Path) -> Settings:
    """Of these servers, with streams and indexes made."""
    settings = Settings(
        data_dir=data,
        mongo_url=known.mongo_url,
        nats_url=known.nats_url,
        nats_creds=Path(known.nats_creds),
        nats_keys=Path(known.nats_keys),
        temporal_address=known.temporal_address,
    )
    nats = await connect(known.nats_url, known.nats_creds, "bench")
    await provision_streams(nats.jetstream())
    await nats.close()
    mongo = Mongo(known.mongo_url, settings.mongo_database)
    await make_indexes(mongo)
    mongo.close()
    return settings


def environment_of(settings: Settings) -> dict[str, str]:
    names = ("mongo_url", "nats_url", "nats_creds", "nats_keys", "temporal_address", "data_dir")
    return {f"TONGQU_{name.upper()}": str(getattr(settings, name)) for name in names}


async def _run(settings: Settings, mongo: Mongo, data: Path) -> dict[str, Any]:
    worker = Process.of_module("supply", "workers.supply", log=data / "supply.log", env=environment_of(settings))
    worker.start()
    client = await connect_temporal(settings)
    workflow = "supply-bench-1"
    began, most, cores = time.monotonic(), 0.0, 0.0
    phases: dict[str, float] = {}
    handle = await client.start_workflow(
        WORKFLOW, Replenish(region="bench"), id=workflow, task_queue=TASK_QUEUE, result_type=Progress
    )
    ending = asyncio.create_task(handle.result())
    while not ending.done():
        await asyncio.wait({ending}, timeout=_LOOK_S)
        memory, cores = used(worker.pid)
        most = max(most, memory)
        if not ending.done():
            try:
                seen = await handle.query("progress", result_type=Progress)
            except RPCError:
                continue  # Nobody has time to answer: so much is going on.
            phases.setdefault(seen.phase, round(time.monotonic() - began, 1))
    progress = ending.result()
    seconds = time.monotonic() - began
    await worker.stop(15)
    run = await mongo.supply_runs.find_one({"_id": run_id(workflow)})
    mongo.close()
    return {
        "series": progress.series,
        "seconds": round(seconds, 1),
        "began_at": phases,
        "memory_mb": round(most),
        "core_seconds": round(cores, 1),
        "transfers": progress.transfers,
        "purchases": progress.purchases,
        "transfer_report": run["transfer_report"] if run else {},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, nargs="+", default=[10_000])
    for series in parser.parse_args().series:
        print(json.dumps(asyncio.run(measure(series)), indent=1), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
