"""`python -m bench.burst`: many clients offer many times what can be carried; who is sent away, and how it recovers."""

import argparse
import asyncio
import itertools
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from rich.console import Console
from rich.table import Table

from bench.measuring import cpu_seconds, resident_mib
from bench.night import Offers
from contracts.orders import TERMINAL
from infra.demo_network import network, orders
from infra.mongo import Mongo
from infra.nats import connect as connect_nats
from infra.processes import Process
from infra.settings import EnvironmentSettings
from workers.report import percentile
from workers.shop import Shop, chunks
from workers.system import System

_PROBES_PER_S = 5.0
_WINDOW = 15
_NORMAL = 1.5
"""Latency is back to normal when the median of a window of probes is at most so many times what it was before."""
_PATIENCE_S = 600.0
_SAMPLE_S = 0.25
_SENT_AWAY = 2_000


class Burst:
    """One run on one system. Every moment is a number of seconds since the burst began."""

    def __init__(self, system: System, mongo: Mongo, offers: Offers, options: argparse.Namespace) -> None:
        self._system = system
        self._mongo = mongo
        self._offers = offers
        self._options = options
        self._url = system.settings.require("gateway_url")
        key = system.settings.require("operator_key")
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._began = time.monotonic()
        self.answers: Counter[str] = Counter()
        self.accepted: set[str] = set()
        self.samples: list[dict[str, float]] = []

    @property
    def _now(self) -> float:
        return time.monotonic() - self._began

    @property
    def _gateway(self) -> int:
        return self._system.processes["gateway"].pid

    async def run(self, console: Console) -> dict[str, Any]:
        before = await self._probes(f"before-{os.getpid()}", _WINDOW * 2)
        self._began, cpu = time.monotonic(), cpu_seconds(self._gateway)
        watching = asyncio.create_task(self._watch())
        with console.status(f"{self._options.orders} orders from {self._options.clients} clients"):
            await self._offer_all()
        taken_at, cpu = self._now, cpu_seconds(self._gateway) - cpu
        with console.status("the backlog drains"):
            await self._until({"batch": None}, 0)
        drained_at = self._now
        with console.status("latency goes back to normal"):
            normal_at, after = await self._until_normal(percentile(before, 50))
        with console.status("every order ends"):
            await self._until({"stage": {"$nin": sorted(TERMINAL)}}, 0)
        ended_at = self._now
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        kept = await self._mongo.orders.count_documents({"_id": {"$in": sorted(self.accepted)}})
        return {
            "offered": self._options.orders,
            "clients": self._options.clients,
            "backlog_max": self._options.backlog,
            "accepted": len(self.accepted),
            "accepted_and_ended": kept,
            "requests": dict(self.answers),
            "seconds": {
                "all_accepted": round(taken_at, 1),
                "backlog_gone": round(drained_at, 1),
                "latency_normal": round(normal_at, 1),
                "all_ended": round(ended_at, 1),
            },
            "backlog_peak": max(sample["backlog"] for sample in self.samples),
            "gateway_rss_mib": self._memory(),
            "gateway_cpu_ms_per_order": round(cpu * 1000 / self._options.orders, 3),
            "latency_ms": {"before": _figures(before), "after": _figures(after)},
            "samples": self.samples,
        }

    def _memory(self) -> dict[str, float]:
        values = [sample["rss_mib"] for sample in self.samples]
        return {"first": values[0], "peak": max(values), "last": values[-1]}

    async def _watch(self) -> None:
        while True:
            backlog = await self._mongo.orders.count_documents({"batch": None})
            rss = round(resident_mib(self._gateway), 1)
            self.samples.append({"at_s": round(self._now, 2), "rss_mib": rss, "backlog": backlog})
            await asyncio.sleep(_SAMPLE_S)

    async def _offer_all(self) -> None:
        """All clients at once, each as fast as it is answered; who is sent away waits as it was told."""
        bodies = [
            {**order, "id": f"burst-{i:06d}", "payment": {"method": "prepaid"}}
            for i, order in enumerate(orders(self._options.orders, self._options.seed))
        ]
        queue = [orjson.dumps({"orders": chunk}) for chunk in chunks(bodies, self._options.bulk)]

        async def client(session: aiohttp.ClientSession) -> None:
            while queue:
                await self._place(session, queue.pop())

        async with self._session() as session:
            await asyncio.gather(*(client(session) for _ in range(self._options.clients)))

    async def _place(self, session: aiohttp.ClientSession, body: bytes) -> None:
        while True:
            async with session.post("/v1/orders/batch", data=body) as answer:
                found = orjson.loads(await answer.read())
                if answer.status == 200:
                    self.answers["200"] += 1
                    self.accepted.update(result["id"] for result in found["results"] if result["status"] == 202)
                    return
                retry_after = answer.headers.get("Retry-After")
                said = f"{answer.status} {found.get('code')}"
                self.answers[said if retry_after else f"{said} without Retry-After"] += 1
                if retry_after is None:
                    raise RuntimeError(f"refused without a time to come again: {found}")
            await asyncio.sleep(float(retry_after))

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[aiohttp.ClientSession]:
        async with aiohttp.ClientSession(
            self._url, headers=self._headers, connector=aiohttp.TCPConnector(limit=self._options.clients)
        ) as session:
            yield session

    async def _probes(self, prefix: str, number: int) -> list[float]:
        """Single orders at a low rate; milliseconds from sent to offered."""
        sent: dict[str, float] = {}
        async with Shop(self._url, self._headers["Authorization"].removeprefix("Bearer ")) as shop:
            for i, body in enumerate(orders(number, self._options.seed)):
                order = f"probe-{prefix}-{i:04d}"
                sent[order] = time.time()
                await shop.send("POST", "/v1/orders", {**body, "id": order, "payment": {"method": "prepaid"}})
                await asyncio.sleep(max(1 / _PROBES_PER_S - (time.time() - sent[order]), 0))
            await self._offers.all_of(sent)
        return [(self._offers.at[order] - at) * 1000 for order, at in sent.items()]

    async def _until_normal(self, before_ms: float) -> tuple[float, list[float]]:
        """When the first window of probes began whose median is normal, and that window."""
        for number in range(1000):
            began = self._now
            window = await self._probes(f"after-{number}", _WINDOW)
            if percentile(window, 50) <= _NORMAL * before_ms:
                return began, window
        raise RuntimeError("latency did not go back to normal")

    async def _until(self, which: dict[str, Any], left: int) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while await self._mongo.orders.count_documents(which) > left:
            self._system.watch()
            if time.monotonic() > deadline:
                raise RuntimeError(f"{which} did not come to {left} within {_PATIENCE_S:g} s")
            await asyncio.sleep(0.2)

    async def refusing(self) -> dict[str, Any]:
        """What it costs the gateway to accept a request, and to send it away. Nothing is carried off meanwhile."""
        events, numbers = self._system.processes["events"].pid, itertools.count()
        os.kill(events, signal.SIGSTOP)
        try:
            async with self._session() as session:
                accepted_ms, statuses = await self._cost(
                    session, numbers, self._options.backlog // 2 // self._options.bulk
                )
                if set(statuses) != {200}:
                    raise RuntimeError(f"with half of the limit: {statuses}")
                while 503 not in (await self._cost(session, numbers, 10))[1]:
                    pass
                away_ms, statuses = await self._cost(session, numbers, _SENT_AWAY)
                if set(statuses) != {503}:
                    raise RuntimeError(f"beyond the limit: {statuses}")
        finally:
            os.kill(events, signal.SIGCONT)
        await self._until({"stage": {"$nin": sorted(TERMINAL)}}, 0)
        return {
            "accepted_ms_per_request": accepted_ms,
            "sent_away_ms_per_request": away_ms,
            "orders_in_a_request": self._options.bulk,
        }

    async def _cost(
        self, session: aiohttp.ClientSession, numbers: "itertools.count[int]", requests: int
    ) -> tuple[float, Counter[int]]:
        """Milliseconds of the gateway's CPU for each of some requests, and how they were answered."""
        statuses: Counter[int] = Counter()
        cpu = cpu_seconds(self._gateway)
        for number in itertools.islice(numbers, requests):
            made = [
                {**order, "id": f"cost-{number}-{i}", "payment": {"method": "prepaid"}}
                for i, order in enumerate(orders(self._options.bulk, number))
            ]
            async with session.post("/v1/orders/batch", data=orjson.dumps({"orders": made})) as answer:
                await answer.read()
                statuses[answer.status] += 1
        return round((cpu_seconds(self._gateway) - cpu) * 1000 / requests, 3), statuses


def _figures(values: Sequence[float]) -> dict[str, float]:
    return {"p50": round(percentile(values, 50), 1), "p99": round(percentile(values, 99), 1)}


async def run(options: argparse.Namespace) -> dict[str, Any]:
    console = Console(stderr=True)
    data_dir = Path(tempfile.mkdtemp(prefix="tongqu-burst-"))
    settings = EnvironmentSettings(data_dir=data_dir, backlog_max=options.backlog)
    try:
        async with System(settings, data_dir) as system:
            nats_url, creds = system.settings.require("nats_url"), system.settings.require("nats_creds")
            access = ("--nats", nats_url, "--creds", creds)
            stores = Process.of_module("stores", "bench.stores", *access, log=data_dir / "log/stores.log")
            stores.start()
            mongo = Mongo(system.settings.require("mongo_url"), system.settings.mongo_database)
            nats = await connect_nats(nats_url, creds, "burst")
            offers = Offers(nats)
            listening = asyncio.create_task(offers.listen())
            try:
                async with Shop(
                    system.settings.require("gateway_url"), system.settings.require("operator_key")
                ) as shop:
                    places = network(accept_within_s=600, ship_within_s=3600)
                    await shop.put_locations(places.locations)
                    await shop.put_stock([{**item, "quantity": 1_000_000} for item in places.stock])
                burst = Burst(system, mongo, offers, options)
                result = await burst.run(console)
                with console.status("what sending away costs"):
                    result["gateway_cpu"] = await burst.refusing()
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
                await nats.close()
                mongo.close()
                await stores.stop()
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)
    return result


def show(result: dict[str, Any], console: Console) -> None:
    table = Table(title=f"{result['offered']:,} orders from {result['clients']} clients at once", show_header=False)
    seconds, memory, cpu = result["seconds"], result["gateway_rss_mib"], result["gateway_cpu"]
    table.add_row(
        "accepted / of these in the database and ended", f"{result['accepted']} / {result['accepted_and_ended']}"
    )
    for said, number in sorted(result["requests"].items()):
        table.add_row(f"requests answered {said}", str(number))
    table.add_row("backlog at most (limit)", f"{result['backlog_peak']:.0f} ({result['backlog_max']})")
    table.add_row("gateway's memory, MiB: before, most, after", "{first:.0f}, {peak:.0f}, {last:.0f}".format(**memory))
    table.add_row("all accepted after, s", f"{seconds['all_accepted']}")
    table.add_row("backlog gone after, s", f"{seconds['backlog_gone']}")
    table.add_row("latency of single orders normal after, s", f"{seconds['latency_normal']}")
    table.add_row("all ended after, s", f"{seconds['all_ended']}")
    for when, figures in result["latency_ms"].items():
        table.add_row(f"placed → dispatched {when}, ms: p50, p99", f"{figures['p50']:.0f}, {figures['p99']:.0f}")
    bulk = cpu["orders_in_a_request"]
    table.add_row(f"gateway's CPU, ms: accept {bulk} orders", f"{cpu['accepted_ms_per_request']:.2f}")
    table.add_row(f"gateway's CPU, ms: send {bulk} orders away", f"{cpu['sent_away_ms_per_request']:.2f}")
    console.print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    out = os.environ.get("OUT")
    parser.add_argument("--out", type=Path, default=Path(out) if out else None, help="write the result as JSON")
    parser.add_argument("--orders", type=int, default=20_000)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--bulk", type=int, default=20, help="orders in a request")
    parser.add_argument("--backlog", type=int, default=4_000, help="the gateway's limit")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    result = asyncio.run(run(options))
    show(result, Console())
    if options.out:
        options.out.write_text(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
