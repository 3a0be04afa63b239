"""The bare minimum: what MongoDB and NATS can take of what the product writes for an order, on the same machine.

Written are the recorded documents, updates and messages and nothing else: the same transactions of the same sizes
(w=majority, j=true), the same messages sent together as before, each with its headers; indexes and streams are the
product's. Nothing is read, decided, numbered, checked or answered; Temporal, HTTP, payments and stores do not run.
Each writer repeats the sample under new ids, on stock levels of its own, so that none waits for another's locks.
"""

import asyncio
import json
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bson
from rich.console import Console

from bench.floor_writer import split
from bench.measuring import Cost
from bench.recording import LANE
from infra.embedded import Addresses, Servers
from infra.indexes import make_indexes
from infra.mongo import Mongo
from infra.nats import connect
from infra.settings import EnvironmentSettings
from infra.streams import provision_streams

LANES = (2, 4)
"""Writers at once; the product has four processes that write."""
_PREPARE_S = 3.0


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Orders a second, and what each cost, by the number of writers that was fastest."""

    per_s: float
    lanes: int
    tried: dict[int, float]
    cost: dict[str, Any]


async def floor(program: Path, console: Console, seconds: float = 15.0) -> dict[str, Ceiling]:
    """The ceiling until dispatch and over the whole life; each try on fresh servers."""
    found = {}
    for name, whole in (("dispatched", False), ("delivered", True)):
        tried = {}
        for lanes in LANES:
            with console.status(f"bare minimum, {name}, {lanes} writers"):
                tried[lanes] = await _try(program, whole, lanes, seconds)
        lanes = max(tried, key=lambda n: tried[n][0])
        rates = {n: round(rate, 1) for n, (rate, _) in tried.items()}
        found[name] = Ceiling(rates[lanes], lanes, rates, tried[lanes][1])
    return found


async def _try(program: Path, whole: bool, lanes: int, seconds: float) -> tuple[float, dict[str, Any]]:
    data_dir = Path(tempfile.mkdtemp(prefix="tongqu-floor-"))
    settings = EnvironmentSettings(data_dir=data_dir)
    try:
        async with Servers(settings, data_dir, temporal=False) as servers:
            mongo = Mongo(servers.addresses.mongo_url, "floor")
            await prepare(program, mongo, servers.addresses, lanes)
            before = await Cost.now(servers.processes, mongo)
            outcomes = await _write(program, whole, servers.addresses, lanes, seconds)
            cost = (await Cost.now(servers.processes, mongo)).since(before)
            mongo.close()
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)
    orders = sum(one["orders"] for one in outcomes)
    rate = sum(one["orders"] / one["seconds"] for one in outcomes)
    return rate, {**cost.per_order(max(round(orders), 1)), "orders": round(orders)}


async def prepare(program: Path, mongo: Mongo, addresses: Addresses, lanes: int) -> None:
    """Indexes, streams, and the documents that are there before, for each writer its own."""
    await make_indexes(mongo)
    nats = await connect(addresses.nats_url, addresses.nats_creds, "floor")
    await provision_streams(nats.jetstream())
    await nats.close()
    head = next(split(program.read_bytes()))
    for lane in range(lanes):
        shared = bson.decode(head.replace(LANE.encode(), f"#lane{lane}".encode()))["shared"]
        by_collection: dict[str, list[dict[str, Any]]] = {}
        for one in shared:
            by_collection.setdefault(one["collection"], []).append(one["row"])
        for collection, rows in by_collection.items():
            await mongo.db[collection].insert_many(rows)


async def _write(
    program: Path, whole: bool, addresses: Addresses, lanes: int, seconds: float
) -> list[dict[str, float]]:
    at = time.time() + _PREPARE_S
    common = [
        *("--program", str(program), "--mongo", addresses.mongo_url, "--database", "floor"),
        *("--nats", addresses.nats_url, "--creds", addresses.nats_creds, "--at", str(at), "--seconds", str(seconds)),
        *(["--whole"] if whole else []),
    ]

    async def one(lane: int) -> dict[str, float]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.floor_writer", *common, "--lane", str(lane), stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"a writer ended with status {process.returncode}")
        answer: dict[str, float] = json.loads(out)
        return answer

    return list(await asyncio.gather(*(one(lane) for lane in range(lanes))))
