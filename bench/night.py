"""`python -m bench.night`: how long single orders take at a low rate, with default settings and with `batch_max=1`."""

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
from collections.abc import Iterable, Mapping
from pathlib import Path
from random import Random
from typing import Any

import orjson
from nats.aio.client import Client as Nats
from nats.errors import TimeoutError as NothingThere
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from rich.console import Console
from rich.table import Table
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from bench.measuring import all_cpu
from contracts.subjects import EVENTS
from infra.demo_network import network, orders
from infra.mongo import Mongo
from infra.nats import connect_by
from infra.settings import EnvironmentSettings
from infra.temporal import connect
from workers.report import percentile
from workers.shop import Shop
from workers.system import System

ARMS: Mapping[str, Mapping[str, Any]] = {"default": {}, "single": {"batch_max": 1}}
_WARM_UP = 10
_PATIENCE_S = 300.0
_HISTORIES = 60


class Offers:
    """When the first offer of each order stood in the stream: seconds since the epoch, by the stream's clock."""

    def __init__(self, nats: Nats) -> None:
        self._js = nats.jetstream()
        self.at: dict[str, float] = {}

    async def listen(self) -> None:
        config = ConsumerConfig(
            durable_name="night",
            filter_subject="evt.v1.*.parcel.offered",
            ack_policy=AckPolicy.ALL,
            deliver_policy=DeliverPolicy.ALL,
        )
        await self._js.add_consumer(EVENTS, config)
        offers = await self._js.pull_subscribe_bind(durable="night", stream=EVENTS)
        while True:
            try:
                messages = await offers.fetch(100, timeout=5)
            except (NothingThere, TimeoutError):
                continue
            for message in messages:
                order = orjson.loads(message.data)["data"]["order"]
                self.at.setdefault(order, message.metadata.timestamp.timestamp())
            await messages[-1].ack()

    async def all_of(self, ids: Iterable[str]) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while missing := [order for order in ids if order not in self.at]:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{len(missing)} orders were not offered within {_PATIENCE_S:g} s: {missing[:3]}")
            await asyncio.sleep(0.1)


async def rate_of(
    arm: str, rate: float, seconds: float, shop: Shop, offers: Offers, system: System, seed: int
) -> dict[str, Any]:
    """Orders one by one at random times (Poisson), open loop. Milliseconds from sent to 202, and to the stream."""
    chance, prefix = Random(f"{seed}:{rate}"), f"{arm}-{rate:g}-{seed}"
    number = max(int(rate * seconds), 10)
    bodies = [
        {**order, "id": f"{prefix}-{i:05d}", "payment": {"method": "prepaid"}}
        for i, order in enumerate(orders(number, seed))
    ]
    sent: dict[str, float] = {}
    answered: dict[str, float] = {}

    async def place(body: dict[str, Any]) -> None:
        sent[body["id"]] = time.time()
        await shop.send("POST", "/v1/orders", body)
        answered[body["id"]] = time.time()

    cpu = all_cpu(system.servers.processes | system.processes)
    requests, due = [], time.monotonic()
    for body in bodies:
        await asyncio.sleep(max(due - time.monotonic(), 0))
        requests.append(asyncio.create_task(place(body)))
        due += chance.expovariate(rate)
    await asyncio.gather(*requests)
    await offers.all_of(sent)
    spent = all_cpu(system.servers.processes | system.processes)
    return {
        "orders": list(sent),
        "accepted_ms": [(answered[order] - sent[order]) * 1000 for order in sent],
        "dispatched_ms": [(offers.at[order] - sent[order]) * 1000 for order in sent],
        "cpu_ms_per_order": {name: (spent[name] - cpu[name]) * 1000 / number for name in spent},
    }


async def steps_of(mongo: Mongo, temporal: Client, offers: Offers, ids: list[str]) -> dict[str, list[float]]:
    """Where the milliseconds of orders went, from one mark to the next, for batches that carry only one of them."""
    gaps: dict[str, list[float]] = defaultdict(list)
    wanted = {"_id": {"$in": ids[-_HISTORIES:]}}
    async for order in mongo.orders.find(wanted, {"placed_at": 1, "batch": 1}):
        batch = await mongo.batches.find_one({"_id": order["batch"]}) or {}
        marks = {"received": order["placed_at"].timestamp(), "claimed": batch["created_at"].timestamp()}
        seen = {
            EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: "workflow started",
            EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED: "first task taken",
            EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: "step scheduled",
            EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED: "step taken",
            EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: "step written",
        }
        async for event in temporal.get_workflow_handle(order["batch"]).fetch_history_events():
            name = seen.get(event.event_type)
            if name is not None:
                marks.setdefault(name, event.event_time.ToNanoseconds() / 1e9)
        marks["offered in the stream"] = offers.at[order["_id"]]
        for (_, before), (name, after) in zip(marks.items(), list(marks.items())[1:], strict=False):
            gaps[name].append((after - before) * 1000)
    return gaps


async def turn(arm: str, options: argparse.Namespace, seed: int, console: Console) -> dict[str, Any]:
    """All rates on a fresh system."""
    data_dir = Path(tempfile.mkdtemp(prefix=f"tongqu-night-{arm}-"))
    settings = EnvironmentSettings(data_dir=data_dir, **ARMS[arm])
    found: dict[str, Any] = {}
    try:
        async with System(settings, data_dir) as system:
            mongo = Mongo(system.settings.require("mongo_url"), system.settings.mongo_database)
            temporal = await connect(system.settings.require("temporal_address"), system.settings.temporal_namespace)
            nats = await connect_by(system.settings, "night")
            offers = Offers(nats)
            listening = asyncio.create_task(offers.listen())
            async with Shop(system.settings.require("gateway_url"), system.settings.require("operator_key")) as shop:
                places = network(accept_within_s=600, ship_within_s=3600)
                await shop.put_locations(places.locations)
                await shop.put_stock([{**item, "quantity": 1_000_000} for item in places.stock])
                await rate_of(f"{arm}-warm", 20, _WARM_UP / 20, shop, offers, system, seed)
                for rate in options.rates:
                    with console.status(f"{arm}: {rate:g} orders/s for {options.seconds:g} s"):
                        one = await rate_of(arm, rate, options.seconds, shop, offers, system, seed)
                    one["steps_ms"] = await steps_of(mongo, temporal, offers, one.pop("orders"))
                    found[f"{rate:g}"] = one
                    times = one["dispatched_ms"]
                    console.print(
                        f"{arm} at {rate:g}/s: p50 {percentile(times, 50):.0f} ms, p99 {percentile(times, 99):.0f} ms"
                    )
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await nats.close()
            mongo.close()
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)
    return found


def summary(turns: list[dict[str, Any]], rate: str) -> dict[str, Any]:
    """Of all turns of one arm at one rate."""
    ones = [one[rate] for one in turns]
    accepted = [value for one in ones for value in one["accepted_ms"]]
    dispatched = [value for one in ones for value in one["dispatched_ms"]]
    steps: dict[str, list[float]] = defaultdict(list)
    for one in ones:
        for name, values in one["steps_ms"].items():
            steps[name] += values
    names = ones[0]["cpu_ms_per_order"]
    return {
        "orders": len(dispatched),
        "accepted_p50_ms": round(percentile(accepted, 50), 1),
        "accepted_p99_ms": round(percentile(accepted, 99), 1),
        "dispatched_p50_ms": round(percentile(dispatched, 50), 1),
        "dispatched_p99_ms": round(percentile(dispatched, 99), 1),
        "steps_p50_ms": {name: round(percentile(values, 50), 1) for name, values in steps.items()},
        "cpu_ms_per_order": {
            name: round(statistics.median(one["cpu_ms_per_order"][name] for one in ones), 2) for name in names
        },
    }


async def run(options: argparse.Namespace) -> dict[str, Any]:
    console = Console(stderr=True)
    turns: dict[str, list[dict[str, Any]]] = {arm: [] for arm in options.arms}
    for number in range(options.turns):
        for arm in options.arms:
            turns[arm].append(await turn(arm, options, options.seed + number, console))
    return {
        "cores": os.cpu_count(),
        "arms": {arm: dict(ARMS[arm]) for arm in options.arms},
        "load": f"single requests at random times, {options.seconds:g} s a rate, {options.turns} turns",
        "dispatched": "from the request sent to the offer in the stream, by the stream's clock",
        "rates": {
            f"{rate:g}": {arm: summary(done, f"{rate:g}") for arm, done in turns.items()} for rate in options.rates
        },
    }


def show(result: dict[str, Any], console: Console) -> None:
    table = Table(title="single orders at a low rate, ms")
    for column in ("orders/s", "arm", "202 p50", "202 p99", "dispatched p50", "p99", "CPU an order"):
        table.add_column(column, justify="left" if column == "arm" else "right")
    for rate, arms in result["rates"].items():
        for arm, one in arms.items():
            shown = ("accepted_p50_ms", "accepted_p99_ms", "dispatched_p50_ms", "dispatched_p99_ms")
            cpu = sum(ms for name, ms in one["cpu_ms_per_order"].items() if name != "load")
            table.add_row(rate, arm, *(f"{one[name]:.0f}" for name in shown), f"{cpu:.0f}")
    console.print(table)
    for rate, arms in result["rates"].items():
        for arm, one in arms.items():
            steps = ", ".join(f"{name} +{ms:g}" for name, ms in one["steps_p50_ms"].items())
            console.print(f"{rate}/s {arm}: {steps}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    out = os.environ.get("OUT")
    parser.add_argument("--out", type=Path, default=Path(out) if out else None, help="write the result as JSON")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS))
    parser.add_argument("--rates", nargs="+", type=float, default=[1, 5, 20])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    result = asyncio.run(run(options))
    show(result, Console())
    if options.out:
        options.out.write_text(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
