"""A real Temporal server with its UI, on one SQLite file, for development and tests."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from temporalio.client import Client

from infra.embedded.ports import HOST, Ports, connectable
from infra.embedded.programs import TEMPORAL, Program
from infra.settings import Settings

SQLITE_PRAGMAS: Mapping[str, str] = {"journal_mode": "WAL", "synchronous": "FULL"}
"""Durable: the write-ahead log is synced before every commit is answered.

`synchronous=NORMAL` is about a third faster and loses the last commits when the machine (not the process)
dies; without WAL there are four syncs for each of these, and about half the speed.
"""
DYNAMIC_CONFIG: Mapping[str, int] = {
    "frontend.rps": 100_000,
    "frontend.namespaceRPS": 100_000,
    "frontend.namespaceRPS.visibility": 1_000,
    "frontend.persistenceMaxQPS": 100_000,
    "history.rps": 100_000,
    "history.persistenceMaxQPS": 100_000,
    "matching.rps": 100_000,
    "matching.persistenceMaxQPS": 100_000,
}
"""The defaults protect a shared cluster (2,400 requests a second for a namespace, 1,200 for task matching);
here one machine serves one system, and its processor is the limit."""


class TemporalServer:
    """Workflows survive a restart. `log-level error` leaves the log to what went wrong."""

    name: ClassVar[str] = "temporal"
    program: ClassVar[Program] = TEMPORAL
    port_names: ClassVar[tuple[str, ...]] = ("temporal", "temporal_ui", "gateway")
    """The gateway's is taken here too: the UI is told where payloads are opened (workers/gateway/codec.py)."""

    def __init__(self, settings: Settings, data_dir: Path, ports: Ports) -> None:
        self._namespace = settings.temporal_namespace
        self._gateway_url = settings.gateway_url
        self._gateway_port = settings.gateway_port
        self._data = data_dir / "temporal"
        self._ports = ports

    def command(self, program: Path) -> list[str | Path]:
        self._data.mkdir(parents=True, exist_ok=True)
        options = {
            "--ip": HOST,
            "--port": self._ports["temporal"],
            "--ui-port": self._ports["temporal_ui"],
            "--db-filename": self._data / "temporal.sqlite",
            "--namespace": self._namespace,
            "--log-level": "error",
            "--ui-codec-endpoint": f"{self._gateway()}/codec",
        }
        flat = [str(part) for option in options.items() for part in option]
        flat += _repeated("--sqlite-pragma", SQLITE_PRAGMAS)
        flat += _repeated("--dynamic-config-value", DYNAMIC_CONFIG)
        return [program, "server", "start-dev", *flat, "--ui-disable-news-fetch"]

    def _gateway(self) -> str:
        return self._gateway_url or f"http://{HOST}:{self._gateway_port or self._ports['gateway']}"

    def addresses(self) -> dict[str, str]:
        return {
            "temporal_address": f"{HOST}:{self._ports['temporal']}",
            "temporal_ui_url": f"http://{HOST}:{self._ports['temporal_ui']}",
        }

    async def ready(self) -> bool:
        await connectable(HOST, self._ports["temporal_ui"])
        await connectable(HOST, self._ports["temporal"])
        return await namespace_answers(self.addresses()["temporal_address"], self._namespace)


async def namespace_answers(address: str, namespace: str) -> bool:
    """Whether workflows of that namespace can be found, which the server learns a moment after it listens."""
    client = await Client.connect(address, namespace=namespace)
    await client.count_workflows()
    return True


def _repeated(option: str, values: Mapping[str, str | int]) -> list[str]:
    return [part for key, value in values.items() for part in (option, f"{key}={value}")]
