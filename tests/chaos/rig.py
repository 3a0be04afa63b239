"""The whole system behind links that can be cut, with partners; and what can be done to each part of it."""

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from nats.js import api

from contracts.routing import Policy
from contracts.subjects import EVENTS, REPLIES, WAKE
from infra.demo_carriers import carriers
from infra.demo_network import network
from infra.embedded import Servers
from infra.embedded.ports import HOST, Ports
from infra.mongo import Mongo
from infra.nats import connect_by
from infra.nats_keys import trial_arguments
from infra.processes import Process
from infra.settings import EnvironmentSettings, Settings
from tests.chaos.proxy import Link
from tests.chaos.schedule import LINKS, Fault
from workers.shop import Shop
from workers.system import System

ROOT = Path(__file__).parents[2]
POLICY = Policy(
    version=2,
    backorder_retry_s=5,
    backorder_limit_s=20,
    cancel_answer_s=10,
    payment_retry_s=1,
    payment_tries=8,
    label_retry_s=1,
    label_tries=8,
)
"""Times of a day in seconds, so that a run ends."""
BEHAVIOUR: dict[str, Any] = {
    "accept_s": [0.1, 1.0],
    "pack_s": [0.1, 0.5],
    "ship_s": [0.1, 1.0],
    "deliver_s": [0.1, 1.0],
    "label_s": 40,
    "reject_rate": 0.04,
    "reject_line_rate": 0.05,
    "reject_reasons": ["out_of_stock", "damaged", "too_busy"],
    "silent_rate": 0.01,
    # What lies in a warehouse is for all: one wrong "out of stock" would end the run for a SKU.
    "stores": {name: {"reject_reasons": ["too_busy", "closed"]} for name in ("wh-wuhan", "wh-chengdu")},
}
_SUPERVISED_EVERY_S = 0.5
_FULL = (EVENTS, REPLIES, WAKE)


class Rig:
    """Everything, started and stopped in order. `direct` are settings that reach the servers past the links.

    A process of ours that ends by itself is started again, as a supervisor would; `ended` counts those.
    """

    def __init__(self, data_dir: Path, seed: int, accept_within_s: int) -> None:
        self.data_dir = data_dir
        self._accept_within_s = accept_within_s
        self.seed = seed
        self.links: dict[str, Link] = {}
        self.processes: dict[str, Process] = {}
        self.ended: Counter[str] = Counter()
        self._down: set[str] = set()
        self._stack = AsyncExitStack()
        self._limits: dict[str, api.StreamConfig] = {}
        self._runs: Counter[str] = Counter()

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def settings(self) -> Settings:
        """As the retailer's and the partners' engineers have them."""
        return self.system.settings

    async def _start(self) -> None:
        servers_dir, system_dir = self.data_dir / "servers", self.data_dir / "system"
        for directory in (servers_dir, system_dir):
            directory.mkdir(parents=True, exist_ok=True)
        settings = EnvironmentSettings(data_dir=servers_dir, mongo_cache_gb=0.5)
        self.servers = await self._stack.enter_async_context(Servers(settings, servers_dir))
        found = self.servers.addresses
        ports = Ports(system_dir.resolve())
        ports.take(["gateway", "payments"])
        targets = {
            "gateway": ports["gateway"],
            "payments": ports["payments"],
            "mongo": urlsplit(found.mongo_url).port,
            "nats": urlsplit(found.nats_url).port,
            "temporal": int(found.temporal_address.rsplit(":", 1)[1]),
        }
        for name in LINKS:
            port = targets[name]
            assert port is not None
            self.links[name] = await self._stack.enter_async_context(Link(port))
        through = {name: f"{HOST}:{link.port}" for name, link in self.links.items()}
        behind = EnvironmentSettings(
            data_dir=system_dir,
            mongo_url=found.mongo_url.replace(f"{HOST}:{targets['mongo']}", through["mongo"]),
            nats_url=f"nats://{through['nats']}",
            nats_creds=Path(found.nats_creds),
            nats_keys=Path(found.nats_keys),
            temporal_address=through["temporal"],
            payment_url=f"http://{through['payments']}",
            gateway_port=ports["gateway"],
            bell_progress_ms=300,
            carrier_day_s=1,
        )
        self.system = await self._stack.enter_async_context(System(behind, system_dir))
        self.direct = self.settings.model_copy(
            update={
                "mongo_url": found.mongo_url,
                "nats_url": found.nats_url,
                "temporal_address": found.temporal_address,
                "payment_url": f"http://{HOST}:{ports['payments']}",
            }
        )
        self.gateway_url = f"http://{through['gateway']}"
        await self._load_network()
        self.processes = {**self.servers.processes, **self.system.processes}
        for who in ("stores", "retailer"):
            await self._start_partner(who)
        # Last, and so undone first: nothing may stay paused when it is asked to end.
        supervising = asyncio.create_task(self._supervise())
        self._stack.callback(self._end_all_faults)
        self._stack.callback(supervising.cancel)

    async def _load_network(self) -> None:
        mongo = Mongo(self.direct.require("mongo_url"), self.settings.mongo_database)
        await mongo.policies.insert_one(POLICY.model_dump())
        mongo.close()
        self.places = network(accept_within_s=self._accept_within_s)
        async with Shop(self.settings.require("gateway_url"), self.settings.require("operator_key")) as shop:
            results = await shop.put_carriers([carrier.model_dump(mode="json") for carrier in carriers()])
            results += await shop.put_locations(self.places.locations)
            results += await shop.put_stock(self.places.stock)
        refused = [result for result in results if "problem" in result]
        if refused:
            raise RuntimeError(f"{len(refused)} items of the network were refused, the first: {refused[0]}")

    def book(self, who: str) -> Path:
        """Where a partner process writes down what it hears."""
        return self.data_dir / f"{who}.sqlite"

    async def _start_partner(self, who: str) -> None:
        behaviour = self.data_dir / "behaviour.json"
        behaviour.write_text(json.dumps(BEHAVIOUR))
        process = Process(
            who,
            [
                *(sys.executable, "-m", "tests.chaos.partner", "--nats", self.settings.require("nats_url")),
                *trial_arguments(self.settings),
                *("--who", who, "--book", self.book(who), "--behaviour", behaviour, "--seed", str(self.seed)),
            ],
            log=self.data_dir / "system" / "log" / f"{who}.log",
            env={"PYTHONPATH": str(ROOT)},
        )
        process.start()
        self._stack.push_async_callback(process.stop)
        self.processes[who] = process

    async def begin(self, fault: Fault) -> None:
        """Do it. Returns when it is done, not when it ends."""
        if fault.kind == "kill":
            self._down.add(fault.target)
            self.processes[fault.target].kill()
        elif fault.kind == "pause":
            self._signal(fault.target, signal.SIGSTOP)
        elif fault.kind == "cut":
            self.links[fault.target].cut()
        elif fault.kind == "halt":
            self.links[fault.target].halt()
        else:
            await self._fill_streams()

    async def end(self, fault: Fault) -> None:
        """End it. A server that was killed has been started, and may not be ready yet."""
        if fault.kind == "kill":
            self._start_again(fault.target)
            self._down.discard(fault.target)
        elif fault.kind == "pause":
            self._signal(fault.target, signal.SIGCONT)
        elif fault.kind == "full":
            await self._free_streams()
        else:
            self.links[fault.target].mend()

    def _signal(self, name: str, number: signal.Signals) -> None:
        """To the process and all that it has started: each of ours leads a session of its own."""
        process = self.processes[name]
        if process.running:
            os.killpg(process.pid, number)

    def _start_again(self, name: str) -> None:
        process = self.processes[name]
        if process.running:
            return
        self._runs[name] += 1
        if process.log.exists():
            process.log.rename(process.log.with_name(f"{name}.{self._runs[name]:03}.log"))
        process.start()

    async def _supervise(self) -> None:
        while True:
            await asyncio.sleep(_SUPERVISED_EVERY_S)
            for name, process in self.processes.items():
                if name not in self._down and not process.running:
                    self.ended[name] += 1
                    self._start_again(name)

    async def _fill_streams(self) -> None:
        """The limit of each stream becomes what it holds, and it refuses more."""
        client = await connect_by(self.direct, "chaos")
        try:
            js = client.jetstream()
            for name in _FULL:
                info = await js.stream_info(name)
                self._limits.setdefault(name, info.config)
                full = {"max_bytes": max(info.state.bytes, 1), "discard": api.DiscardPolicy.NEW}
                await js.update_stream(info.config.evolve(**full))
        finally:
            await client.close()

    async def _free_streams(self) -> None:
        client = await connect_by(self.direct, "chaos")
        try:
            for name in list(self._limits):
                await client.jetstream().update_stream(self._limits[name])
                del self._limits[name]
        finally:
            await client.close()

    def _end_all_faults(self) -> None:
        for link in self.links.values():
            link.mend()
        for name in self.processes:
            self._signal(name, signal.SIGCONT)
