"""A whole system on one machine: servers, provisioning and every process of ours, started and stopped in order."""

import asyncio
import base64
import json
import secrets
import time
from collections import deque
from collections.abc import Collection
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from infra.demo_carriers import carriers as demo_carriers
from infra.embedded import Servers
from infra.embedded.ports import HOST, Ports
from infra.keys import Scope, create_key, hash_key
from infra.mongo import Mongo
from infra.private import write_private
from infra.processes import Process, ProcessFailed
from infra.provision import provision
from infra.settings import EnvironmentSettings, Settings, clear_state, write_state
from infra.temporal import connect
from infra.versions import make_current

WORKERS = ("fulfilment", "supply", "service", "events", "relay", "webhooks", "gateway")
_SANDBOXES = {
    "payments": "workers.payment_sandbox",
    "carriers": "workers.carrier_sandbox",
    "bank": "workers.bank_sandbox",
}
_SIGNATURES = "signatures"
"""The signature sandbox, its folder, and the port it remembers. Not started where settings name a provider."""
_OF_SERVICE = (
    *(Scope.ORDERS_READ, Scope.ORDERS_WRITE, Scope.STOCK_READ, Scope.OPERATE),
    *(Scope.CASES_READ, Scope.CASES_WRITE, Scope.SERVICE),
)
"""What customer service and its bot may do: what is asked of orders for customers, and cases."""
_ENDS_MOST, _ENDS_WITHIN_S = 5, 300.0
"""What ends more often than that is not started again."""
_STOPS_WITHIN_S = 15.0
_READY_S = 180.0
"""A machine that has much else to do takes more than a minute only to load the programs."""
_FOR_ENVIRONMENT = (
    "mongo_url",
    "mongo_database",
    "nats_url",
    "nats_creds",
    "nats_keys",
    "temporal_address",
    "temporal_namespace",
    "temporal_ui_url",
    "payment_url",
    "carrier_url",
    "bank_url",
    "worker_deployment",
    "worker_build",
    "batch_max",
    "batches_starting",
    "bell_urgent_ms",
    "bell_progress_ms",
    "bell_rings_per_s",
    "backlog_max",
    "codec_keys",
    "key_calls_per_s",
    "key_calls_burst",
    "partner_calls_per_s",
    "partner_calls_burst",
    "keyless_calls_per_s",
    "keyless_calls_burst",
    "key_guesses_per_s",
    "key_guesses_burst",
    "webhook_private",
    "webhook_within_s",
    "webhook_retry_s",
    "webhook_retry_max_s",
    "webhook_gives_up_s",
    "signature_url",
    "signature_key",
    "signature_secret",
    "signature_roots",
    "gateway_url",
    "service_key",
)


class System:
    """Everything that `tongqu up` runs. `settings` hold the addresses once it is entered.

    `processes` are our own (`workers`, and the sandboxes `payments`, `carriers`, `bank` and `signatures`), for tests
    that kill them.
    Raises what Servers raises, and ProcessFailed with the end of a log when a worker does not start.
    """

    def __init__(
        self,
        settings: EnvironmentSettings,
        data_dir: Path,
        *,
        workers: Collection[str] = WORKERS,
        payment_options: tuple[str, ...] = (),
    ) -> None:
        self.settings: Settings = settings
        self.data_dir = data_dir
        self.processes: dict[str, Process] = {}
        self._revived: dict[str, deque[float]] = {}
        self.servers = Servers(settings, data_dir)
        self._workers = workers
        self._payment_options = payment_options
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._stack.enter_async_context(self.servers)
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _start(self) -> None:
        known = self.servers.addresses
        found = {
            name: getattr(known, name) for name in ("mongo_url", "nats_url", "temporal_address", "temporal_ui_url")
        }
        found |= {name: Path(getattr(known, name)) for name in ("nats_creds", "nats_keys") if getattr(known, name)}
        ports = Ports(self.data_dir.resolve())
        ports.take(["gateway", "payments", "carriers", "bank", _SIGNATURES])
        if self.settings.gateway_port == 0:
            found["gateway_port"] = ports["gateway"]
        if self.settings.payment_url is None:
            found["payment_url"] = f"http://{HOST}:{ports['payments']}"
        if self.settings.carrier_url is None:
            found["carrier_url"] = f"http://{HOST}:{ports['carriers']}"
        if self.settings.bank_url is None:
            found["bank_url"] = f"http://{HOST}:{ports['bank']}"
        own_signatures = self.settings.signature_url is None
        if own_signatures:
            # A trial: whoever tries webhooks has a program on this machine.
            found |= self._signature_provider(ports[_SIGNATURES]) | {"webhook_private": True}
        self.settings = self.settings.model_copy(update={k: v for k, v in found.items() if v})
        url = f"http://{self.settings.gateway_host}:{self.settings.gateway_port}"
        self.settings = self.settings.model_copy(update={"gateway_url": url})
        await provision(self.settings)
        key = await self._key("operator.key", f"operator-{secrets.token_hex(3)}", tuple(Scope))
        self.settings = self.settings.model_copy(update={"operator_key": key})
        service_key = await self._key("service.key", "service", _OF_SERVICE)
        self.settings = self.settings.model_copy(update={"service_key": service_key})
        await self._carrier_keys()
        self._stack.push_async_callback(self._stop_processes)
        await self._start_processes(ports)
        if own_signatures:
            await self._start_signatures(ports[_SIGNATURES])
        self.watch()
        self._stack.callback(clear_state, self.data_dir)
        write_state(self.data_dir, self.state())

    def state(self) -> dict[str, object]:
        """What a command in another terminal needs to know, and which process is which."""
        names = (*_FOR_ENVIRONMENT[:10], "gateway_url", "operator_key")
        pids = {name: process.pid for name, process in (self.servers.processes | self.processes).items()}
        known = {name: getattr(self.settings, name) for name in names}
        return {**{k: str(v) if isinstance(v, Path) else v for k, v in known.items()}, "pids": pids}

    @property
    def environment(self) -> dict[str, str]:
        """What its processes are told, for starting further ones. Known once it is entered."""
        known = {name: getattr(self.settings, name) for name in _FOR_ENVIRONMENT}
        told = {f"TONGQU_{name.upper()}": str(value) for name, value in known.items() if value is not None}
        return {**told, "TONGQU_DATA_DIR": str(self.data_dir)}

    async def _key(self, file: str, name: str, allowed: tuple[Scope, ...]) -> str:
        """A key of this data directory: made once, kept in a file that only its owner can read."""
        path = self.data_dir / file
        mongo = Mongo(self.settings.require("mongo_url"), self.settings.mongo_database)
        try:
            if path.exists():
                key = path.read_text().strip()
                # This version may know scopes that the one did not with which the key was made.
                scopes = {"$set": {"scopes": sorted(scope.value for scope in allowed)}}
                if (await mongo.api_keys.update_one({"_id": hash_key(key)}, scopes)).matched_count:
                    return key
            key = await create_key(mongo, name, allowed)
            write_private(path, key)
            return key
        finally:
            mongo.close()

    async def _carrier_keys(self) -> None:
        """The keys under which the sandbox reports scans, one for each of its carriers; kept like the operator's."""
        path = self.data_dir / "carriers.keys.json"
        mongo = Mongo(self.settings.require("mongo_url"), self.settings.mongo_database)
        try:
            keys = json.loads(path.read_text()) if path.exists() else {}
            known = {row["_id"] async for row in mongo.api_keys.find({}, {"_id": 1})}
            if keys and all(hash_key(key) in known for key in keys.values()):
                return
            made = {c.id: await create_key(mongo, c.id, [Scope.CARRIERS_TRACK]) for c in demo_carriers()}
            write_private(path, json.dumps(made))
        finally:
            mongo.close()

    def _signature_provider(self, port: int) -> dict[str, object]:
        """Settings for the sandbox. The keys that it and we share are made once, in a file that only its owner can
        read; its authority makes itself as it starts."""
        folder = self.data_dir / _SIGNATURES
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / "keys.json"
        if not path.exists():
            callback_secret = base64.b64encode(secrets.token_bytes(32)).decode()
            keys = {"api_key": secrets.token_urlsafe(32), "callback_secret": callback_secret}
            write_private(path, json.dumps(keys))
        keys = json.loads(path.read_text())
        return {
            "signature_url": f"http://{HOST}:{port}",
            "signature_key": keys["api_key"],
            "signature_secret": keys["callback_secret"],
            "signature_roots": folder.resolve() / "ca.pem",
        }

    async def _start_signatures(self, port: int) -> None:
        folder = self.data_dir / _SIGNATURES
        process = Process.of_module(
            _SIGNATURES,
            "workers.signature_sandbox",
            *("--port", str(port), "--db", str(folder / "envelopes.sqlite"), "--authority", str(folder)),
            *("--keys", str(folder / "keys.json"), "--gateway", self.settings.require("gateway_url")),
            log=self.data_dir / "log" / f"{_SIGNATURES}.log",
            env=self.environment,
        )
        process.start()
        self.processes[_SIGNATURES] = process
        await process.wait_ready(lambda: answers(f"{self.settings.signature_url}/healthz"), _READY_S)

    async def _start_processes(self, ports: Ports) -> None:
        environment = self.environment
        gateway = self.settings.require("gateway_url")
        keys = str(self.data_dir / "carriers.keys.json")
        days = ("--day-s", str(self.settings.carrier_day_s))
        arguments: dict[str, tuple[str, ...]] = {
            "gateway": ("--host", self.settings.gateway_host, "--port", str(self.settings.gateway_port)),
            "payments": (
                "--port",
                str(ports["payments"]),
                "--db",
                str(self.data_dir / "payments.sqlite"),
                *self._payment_options,
            ),
            "carriers": (
                *("--port", str(ports["carriers"]), "--db", str(self.data_dir / "carriers.sqlite")),
                *("--gateway", gateway, "--keys", keys, *days),
            ),
        }
        arguments["bank"] = ("--port", str(ports["bank"]), "--db", str(self.data_dir / "bank.sqlite"))
        for name in (*_SANDBOXES, *self._workers):
            process = Process.of_module(
                name,
                _SANDBOXES.get(name, f"workers.{name}"),
                *arguments.get(name, ()),
                log=self.data_dir / "log" / f"{name}.log",
                env=environment,
            )
            process.start()
            self.processes[name] = process
        # Ours, also where others than ours are asked for labels.
        carriers, bank = (f"http://{HOST}:{ports[name]}" for name in ("carriers", "bank"))
        await asyncio.gather(
            self.processes["payments"].wait_ready(lambda: answers(f"{self.settings.payment_url}/healthz"), _READY_S),
            self.processes["carriers"].wait_ready(lambda: answers(f"{carriers}/healthz"), _READY_S),
            self.processes["bank"].wait_ready(lambda: answers(f"{bank}/healthz"), _READY_S),
            self.processes["gateway"].wait_ready(lambda: answers(f"{self.settings.gateway_url}/readyz"), _READY_S),
        )
        if self.settings.worker_build is not None:
            await self._make_build_current(self.settings.worker_build)

    async def _stop_processes(self) -> None:
        async with asyncio.TaskGroup() as group:
            for process in self.processes.values():
                group.create_task(process.stop(_STOPS_WITHIN_S))

    async def _make_build_current(self, build: str) -> None:
        """The only workers there are take everything from now on, also what another version has begun."""
        await make_current(await connect(self.settings), self.settings.worker_deployment, build)

    async def revive(self) -> list[str]:
        """Start again what has ended and should run, as a supervisor does; says what, and how it had ended. Raises
        ProcessFailed when something ends again and again, or does not start."""
        said = []
        for process in (self.servers.processes | self.processes).values():
            if process.running:
                continue
            how = f"ended with status {process.returncode}"
            times = self._revived.setdefault(process.name, deque(maxlen=_ENDS_MOST))
            now = time.monotonic()
            if len(times) == _ENDS_MOST and now - times[0] < _ENDS_WITHIN_S:
                raise ProcessFailed(process, f"{how}, {_ENDS_MOST + 1} times within {_ENDS_WITHIN_S / 60:g} minutes")
            times.append(now)
            if process.name in self.servers.processes:
                await self.servers.start_again(process.name)
            else:
                process.start()
            said.append(f"{process.name} {how} and was started again; its log until then is {process.log}.1")
        if said:
            write_state(self.data_dir, self.state())
        return said

    def watch(self) -> None:
        """Raises ProcessFailed, with the end of its log, when a process has ended that should run."""
        for process in self.processes.values():
            if not process.running:
                raise ProcessFailed(process, f"ended with status {process.returncode}")


async def answers(url: str) -> bool:
    """Whether a health address answers 200."""
    async with aiohttp.ClientSession() as session, session.get(url, timeout=aiohttp.ClientTimeout(total=3)) as answer:
        return answer.status == 200
