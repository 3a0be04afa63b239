"""Servers in containers: the last resort, where a Docker engine answers and no program fits the machine.

Their data live as long as the container.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from infra.embedded import mongod, nats_server, temporal_server
from infra.embedded.programs import Program
from infra.processes import POLL_S, NeverReady

_START_S = 120.0


@dataclass(frozen=True)
class Container:
    """A running container and the addresses of the server in it."""

    addresses: dict[str, str]
    stop: Callable[[], object]


@dataclass(frozen=True)
class _Recipe:
    command: str
    ports: tuple[int, ...]
    addresses: Callable[[str, list[int]], dict[str, str]]
    """From the host and the ports as seen from outside."""
    ready: Callable[[str, list[int]], Awaitable[bool]]


_RECIPES = {
    "mongo": _Recipe(
        f"--replSet {mongod.REPLICA_SET} --bind_ip_all",
        (27017,),
        lambda host, ports: {"mongo_url": mongod.url(host, ports[0])},
        lambda host, ports: mongod.primary_of_one(host, ports[0], member="localhost:27017"),
    ),
    "nats": _Recipe(
        "--jetstream --http_port 8222",
        (4222, 8222),
        lambda host, ports: {
            "nats_url": nats_server.url(host, ports[0]),
            "nats_monitor_url": f"http://{host}:{ports[1]}",
        },
        lambda host, ports: nats_server.jetstream_answers(host, ports[0]),
    ),
    "temporal": _Recipe(
        "server start-dev --ip 0.0.0.0",
        (7233, 8233),
        lambda host, ports: {
            "temporal_address": f"{host}:{ports[0]}",
            "temporal_ui_url": f"http://{host}:{ports[1]}",
        },
        lambda host, ports: temporal_server.namespace_answers(f"{host}:{ports[0]}", "default"),
    ),
}


def engine_answers() -> bool:
    """Whether testcontainers is installed and a Docker engine is there for it."""
    try:
        import docker
        import testcontainers.core.container  # noqa: F401
    except ImportError:
        return False
    try:
        return bool(docker.from_env().ping())
    except docker.errors.DockerException:
        return False


async def start(name: str, program: Program) -> Container:
    recipe = _RECIPES[name]
    running = await asyncio.to_thread(_run, program, recipe)
    try:
        host = running.get_container_host_ip()
        ports = [int(running.get_exposed_port(port)) for port in recipe.ports]
        async with asyncio.timeout(_START_S):
            await _until(lambda: recipe.ready(host, ports))
    except BaseException:
        running.stop()
        raise
    return Container(recipe.addresses(host, ports), running.stop)


def _run(program: Program, recipe: _Recipe) -> Any:
    from testcontainers.core.container import DockerContainer

    assert program.image is not None
    container = DockerContainer(program.image).with_command(recipe.command)
    return container.with_exposed_ports(*recipe.ports).start()


async def _until(answers: Callable[[], Awaitable[bool]]) -> None:
    while True:
        try:
            if await answers():
                return
        except NeverReady:
            raise
        except Exception:  # not yet
            pass
        await asyncio.sleep(POLL_S)
