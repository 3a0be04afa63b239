"""`make bench-orders`: two arms in turns in one run, batches of up to 500 orders against one order a workflow."""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.measuring import all_cpu, history_events, mongo_operations
from contracts.orders import TERMINAL
from infra.demo_network import network, orders
from infra.embedded.nats_server import SYNC_INTERVAL
from infra.embedded.temporal_server import SQLITE_PRAGMAS
from infra.mongo import Mongo
from infra.outbox import told
from infra.processes import Process
from infra.settings import EnvironmentSettings
from infra.temporal import connect
from workers.report import percentile
from workers.shop import Shop, chunks
from workers.system import System

ARMS = {"batched": 500, "single": 1}
PLENTY = 1_000_000
_PATIENCE_S = 300.0


@dataclass
class Turn:
    """One turn of one arm. Rates are orders a second from the first order placed to the last one there."""

    orders: int
    dispatched_per_s: float
    delivered_per_s: float
    latencies_ms: list[float] = field(repr=False)
    events_per_order: float
    mongo_operations_per_order: float
    cpu_ms_per_order: dict[str, float]
    batches: int


async def turn(arm: str, number: int, seed: int, options: argparse.Namespace, console: Console) -> Turn:
    """Start a fresh system, push `number` orders through its API as fast as it takes them, then a steady load."""
    data_dir = Path(tempfile.mkdtemp(prefix=f"tongqu-bench-{arm}-"))
    settings = EnvironmentSettings(data_dir=data_dir, batch_max=ARMS[arm], batches_starting=options.starting[arm])
    try:
        async with System(settings, data_dir) as system:
            stores = Process.of_module(
                "stores", "bench.stores", "--nats", system.settings.require("nats_url"), log=data_dir / "log/stores.log"
            )
            stores.start()
            system.processes["stores"] = stores
            try:
                return await _measure(arm, system, number, seed, console)
            finally:
                await stores.stop()
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)


async def _measure(arm: str, system: System, number: int, seed: int, console: Console) -> Turn:
    mongo = Mongo(system.settings.require("mongo_url"), system.settings.mongo_database)
    temporal = await connect(system.settings.require("temporal_address"), system.settings.temporal_namespace)
    async with Shop(system.settings.require("gateway_url"), system.settings.require("operator_key")) as shop:
        await _stock_up(shop)
        bodies = _bodies(number, seed, "burst")
        processes = system.servers.processes | system.processes
        operations, cpu = await mongo_operations(mongo), all_cpu(processes)
        with console.status(f"{arm}: {number} orders at once"):
            await _place_all(shop, bodies)
            await _all_ended(system, mongo, number)
        spent = {name: seconds - cpu[name] for name, seconds in all_cpu(processes).items()}
        operations = await mongo_operations(mongo) - operations
        placed, dispatched, delivered = await _times(mongo)
        first = min(placed.values())
        peak = number / (max(dispatched.values()) - first)
        batches = await mongo.batches.count_documents({})
        events = await history_events(temporal, mongo)
        with console.status(f"{arm}: half of the peak, steadily"):
            latencies = await _steady(system, shop, mongo, peak / 2, number, seed)
    mongo.close()
    return Turn(
        orders=number,
        dispatched_per_s=peak,
        delivered_per_s=number / (max(delivered.values()) - first),
        latencies_ms=latencies,
        events_per_order=events / number,
        mongo_operations_per_order=operations / number,
        cpu_ms_per_order={name: seconds / number * 1000 for name, seconds in sorted(spent.items())},
        batches=batches,
    )


async def _stock_up(shop: Shop) -> None:
    places = network(accept_within_s=600, ship_within_s=3600)
    await shop.put_locations(places.locations)
    await shop.put_stock([{**item, "quantity": PLENTY} for item in places.stock])


def _bodies(number: int, seed: int, prefix: str) -> list[dict[str, Any]]:
    """Prepaid orders of the demo's customers, with ids of their own."""
    found = []
    for i, order in enumerate(orders(number, seed)):
        found.append({**order, "id": f"{prefix}-{i:06d}", "payment": {"method": "prepaid"}})
    return found


async def _place_all(shop: Shop, bodies: list[dict[str, Any]]) -> None:
    queue = list(chunks(bodies, 200))[::-1]

    async def client() -> None:
        while queue:
            results = await shop.place(queue.pop())
            refused = [result for result in results if "problem" in result]
            if refused:
                raise RuntimeError(f"an order was refused: {refused[0]}")

    await asyncio.gather(*(client() for _ in range(4)))


async def _all_ended(system: System, mongo: Mongo, number: int) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while await mongo.orders.count_documents({"stage": {"$in": sorted(TERMINAL)}}) < number:
        system.watch()
        if time.monotonic() > deadline:
            raise RuntimeError(f"orders had not ended after {_PATIENCE_S:g} s")
        await asyncio.sleep(0.2)


async def _times(mongo: Mongo, prefix: str = "burst") -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """Seconds since the epoch by order: placed (received), dispatched (last offer in the stream), delivered."""
    placed, delivered = {}, {}
    mine = {"_id": {"$regex": f"^{prefix}-"}}
    async for row in mongo.orders.find(mine, {"placed_at": 1, "closed_at": 1}):
        placed[row["_id"]] = row["placed_at"].timestamp()
        if row["closed_at"]:
            delivered[row["_id"]] = row["closed_at"].timestamp()
    dispatched: dict[str, float] = defaultdict(float)
    async for event, at in told(mongo, "parcel.offered.v1"):
        order = event["data"]["order"]
        if order.startswith(f"{prefix}-"):
            dispatched[order] = max(dispatched[order], at.timestamp())
    return placed, dict(dispatched), delivered


async def _steady(
    system: System, shop: Shop, mongo: Mongo, rate: float, number: int, seed: int, seconds: float = 6.0
) -> list[float]:
    """Open loop at `rate` orders a second in requests every 50 ms; milliseconds from placed to dispatched."""
    bodies = _bodies(max(int(rate * seconds), 20), seed + 1, "steady")
    started, sent = time.monotonic(), 0
    requests = []
    while sent < len(bodies):
        due = min(int((time.monotonic() - started) * rate), len(bodies))
        if due > sent:
            requests.append(asyncio.create_task(shop.place(bodies[sent : min(due, sent + 1000)])))
            sent = min(due, sent + 1000)
        await asyncio.sleep(0.05)
    await asyncio.gather(*requests)
    await _all_ended(system, mongo, number + len(bodies))
    placed, dispatched, _ = await _times(mongo, "steady")
    return [(dispatched[order] - at) * 1000 for order, at in placed.items()]


def summary(turns: list[Turn]) -> dict[str, Any]:
    """The arm's figures: medians of its turns; latencies of all turns together."""
    latencies = [value for one in turns for value in one.latencies_ms]
    names = turns[0].cpu_ms_per_order
    return {
        "dispatched_per_s": round(statistics.median(t.dispatched_per_s for t in turns), 1),
        "delivered_per_s": round(statistics.median(t.delivered_per_s for t in turns), 1),
        "p50_ms": round(percentile(latencies, 50), 1),
        "p99_ms": round(percentile(latencies, 99), 1),
        "events_per_order": round(statistics.median(t.events_per_order for t in turns), 3),
        "mongo_operations_per_order": round(statistics.median(t.mongo_operations_per_order for t in turns), 2),
        "cpu_ms_per_order": {
            name: round(statistics.median(t.cpu_ms_per_order[name] for t in turns), 3) for name in names
        },
        "orders_per_turn": turns[0].orders,
        "batches": [t.batches for t in turns],
        "turns": [{k: v for k, v in asdict(t).items() if k != "latencies_ms"} for t in turns],
    }


async def run(options: argparse.Namespace) -> dict[str, Any]:
    console = Console(stderr=True)
    turns: dict[str, list[Turn]] = {arm: [] for arm in ARMS}
    for number in range(options.turns):
        for arm in ARMS:
            one = await turn(arm, options.orders[arm], options.seed + number, options, console)
            turns[arm].append(one)
            console.print(f"{arm}: {one.dispatched_per_s:,.0f} dispatched/s, {one.delivered_per_s:,.0f} delivered/s")
    result: dict[str, Any] = {arm: summary(done) for arm, done in turns.items()}
    result["ratio"] = round(result["batched"]["dispatched_per_s"] / result["single"]["dispatched_per_s"], 1)
    result["settings"] = settings_of(options)
    return result


def settings_of(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "temporal": f"SQLite file, {', '.join(f'{k}={v}' for k, v in SQLITE_PRAGMAS.items())}",
        "mongodb": "w=majority, j=true, one member",
        "nats": "file storage, sync_interval "
        + (
            "always"
            if EnvironmentSettings().nats_sync_always
            else f"{SYNC_INTERVAL}; MongoDB's outbox heals the stream"
        ),
        "arms": ARMS,
        "batches_starting": options.starting,
        "requests": "200 orders each, 4 at once; prepaid; 1 to 3 lines; all through the HTTP API",
        "stores": "answers in lists; 0.5 to 2 s for each of accepted, shipped, delivered",
        "latency": "open loop at half of the peak for 6 s; placed = request received, dispatched = offer acknowledged",
        "turns": options.turns,
        "seed": options.seed,
    }


def show(result: dict[str, Any], console: Console) -> None:
    table = Table(title="orders, two arms in turns")
    for column in ("", *ARMS):
        table.add_column(column, justify="left" if not column else "right")
    rows = {
        "orders/s placed → dispatched": "dispatched_per_s",
        "orders/s placed → delivered": "delivered_per_s",
        "placed → dispatched p50, ms (half load)": "p50_ms",
        "placed → dispatched p99, ms (half load)": "p99_ms",
        "history events per order, whole life": "events_per_order",
        "MongoDB operations per order": "mongo_operations_per_order",
    }
    for title, name in rows.items():
        table.add_row(title, *(f"{result[arm][name]:,}" for arm in ARMS))
    for name in result["batched"]["cpu_ms_per_order"]:
        cost = (result[arm]["cpu_ms_per_order"].get(name, 0) for arm in ARMS)
        table.add_row(f"CPU of {name}, ms per order", *(f"{ms:.2f}" for ms in cost))
    console.print(table)
    console.print(f"ratio of dispatched orders/s: {result['ratio']}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    out = os.environ.get("OUT")
    parser.add_argument("--out", type=Path, default=Path(out) if out else None, help="write the result as JSON")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--batched-orders", type=int, default=10_000)
    parser.add_argument("--single-orders", type=int, default=300)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    options.orders = {"batched": options.batched_orders, "single": options.single_orders}
    options.starting = {"batched": 4, "single": 8}
    result = asyncio.run(run(options))
    show(result, Console())
    if options.out:
        options.out.write_text(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
