"""Servers in containers: the last resort, where a Docker engine answers and no program fits the machine.

Their data live as long as the container.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.embedded import mongod, nats_server, temporal_server
from infra.embedded.programs import Program
from infra.nats_keys import BusKeys
from infra.processes import POLL_S, NeverReady

_START_S = 120.0
_FOLDER = "/etc/tongqu"
"""Where a container sees its configuration."""


@dataclass(frozen=True)
class Container:
    """A running container and the addresses of the server in it."""

    addresses: dict[str, str]
    stop: Callable[[], object]


@dataclass(frozen=True)
class _Recipe:
    command: Callable[[Path], str]
    """From the directory that the container sees as _FOLDER; writes there what it needs."""
    ports: tuple[int, ...]
    addresses: Callable[[str, list[int], Path], dict[str, str]]
    """From the host and the ports as seen from outside, and the directory."""
    ready: Callable[[str, list[int], Path], Awaitable[bool]]


def _nats_command(folder: Path) -> str:
    """The same configuration as without a container; the keys stay outside."""
    keys = BusKeys(folder / "keys")
    keys.provide()
    config = nats_server.server_config(keys, Path("/data"), listen="0.0.0.0:4222", monitor="0.0.0.0:8222")
    (folder / "config").mkdir(exist_ok=True)
    (folder / "config" / "nats.conf").write_text(config)
    return f"--config {_FOLDER}/nats.conf"


_RECIPES = {
    "mongo": _Recipe(
        lambda _: f"--replSet {mongod.REPLICA_SET} --bind_ip_all",
        (27017,),
        lambda host, ports, _: {"mongo_url": mongod.url(host, ports[0])},
        lambda host, ports, _: mongod.primary_of_one(host, ports[0], member="localhost:27017"),
    ),
    "nats": _Recipe(
        _nats_command,
        (4222, 8222),
        lambda host, ports, folder: {
            "nats_url": nats_server.url(host, ports[0]),
            "nats_monitor_url": f"http://{host}:{ports[1]}",
            "nats_creds": str(BusKeys(folder / "keys").service_creds),
            "nats_keys": str(folder / "keys"),
        },
        lambda host, ports, folder: nats_server.jetstream_answers(
            host, ports[0], BusKeys(folder / "keys").service_creds
        ),
    ),
    "temporal": _Recipe(
        lambda _: "server start-dev --ip 0.0.0.0",
        (7233, 8233),
        lambda host, ports, _: {
            "temporal_address": f"{host}:{ports[0]}",
            "temporal_ui_url": f"http://{host}:{ports[1]}",
        },
        lambda host, ports, _: temporal_server.namespace_answers(f"{host}:{ports[0]}", "default"),
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


async def start(name: str, program: Program, data_dir: Path) -> Container:
    recipe, folder = _RECIPES[name], data_dir / name
    folder.mkdir(parents=True, exist_ok=True)
    running = await asyncio.to_thread(_run, program, recipe, folder)
    try:
        host = running.get_container_host_ip()
        ports = [int(running.get_exposed_port(port)) for port in recipe.ports]
        async with asyncio.timeout(_START_S):
            await _until(lambda: recipe.ready(host, ports, folder))
    except BaseException:
        running.stop()
        raise
    return Container(recipe.addresses(host, ports, folder), running.stop)


def _run(program: Program, recipe: _Recipe, folder: Path) -> Any:
    from testcontainers.core.container import DockerContainer

    assert program.image is not None
    container = DockerContainer(program.image).with_command(recipe.command(folder))
    if (config := folder / "config").exists():
        container = container.with_volume_mapping(str(config), _FOLDER, "ro")
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
