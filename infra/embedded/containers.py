"""Servers in containers: the last resort, where a Docker engine answers and no program fits the machine.

Their data live as long as the container.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from infra.embedded import mongod, nats_server, temporal_server
from infra.embedded.programs import Program
from infra.processes import POLL_S

_START_S = 120.0
_MONGO_PORT, _NATS_PORT, _NATS_MONITOR_PORT, _TEMPORAL_PORT, _TEMPORAL_UI_PORT = 27017, 4222, 8222, 7233, 8233


@dataclass(frozen=True)
class Container:
    """A running container and the addresses of the server in it."""

    addresses: dict[str, str]
    stop: Callable[[], None]


def engine_answers() -> bool:
    """Whether testcontainers is installed and a Docker engine is there for it."""
    try:
        import docker
        import testcontainers.core.container  # noqa: F401
    except ImportError:
        return False
    try:
        client = docker.from_env()
        return bool(client.ping())
    except docker.errors.DockerException:
        return False


async def start(name: str, program: Program) -> Container:
    command, ports = _SERVERS[name]
    running = await asyncio.to_thread(_run, program, command, ports)
    host = running.get_container_host_ip()
    at = [f"{host}:{running.get_exposed_port(port)}" for port in ports]
    try:
        async with asyncio.timeout(_START_S):
            addresses = await _READY[name](at)
    except BaseException:
        running.stop()
        raise
    return Container(addresses, running.stop)


def _run(program: Program, command: str, ports: tuple[int, ...]) -> Any:
    from testcontainers.core.container import DockerContainer

    return DockerContainer(program.image).with_command(command).with_exposed_ports(*ports).start()


async def _until(ask: Callable[[], Awaitable[bool]]) -> None:
    while True:
        try:
            if await ask():
                return
        except Exception as error:
            last = error  # noqa: F841
        await asyncio.sleep(POLL_S)
