"""A real NATS server with JetStream, for development and tests."""

import json
from pathlib import Path
from typing import ClassVar

import nats

from infra.embedded.ports import HOST, Ports, connectable
from infra.embedded.programs import NATS, Program
from infra.nats_keys import BusKeys
from infra.processes import NeverReady
from infra.settings import Settings

MAX_PAYLOAD = 8 * 1024 * 1024
"""Bytes in one message."""
OLDEST = (2, 14)
"""Older servers let a client past its permissions (GHSA-fhg8-qxh5-7q3w and later notes)."""
SYNC_INTERVAL = "5s"
"""How long an acknowledged message may be in the page cache only, unless `nats_sync_always` is set.

A server that dies loses nothing by it; a machine that dies loses up to this much of the streams, which the
outbox in MongoDB publishes again.
"""


class NatsTooOld(NeverReady):
    """The server that answers has holes in its permissions."""

    def __init__(self, found: str) -> None:
        wanted = ".".join(map(str, OLDEST))
        super().__init__(f"nats-server {found} is too old: {wanted} or later is needed ({NATS.wheel} has it)")


def url(host: str, port: int) -> str:
    return f"nats://{host}:{port}"


class NatsServer:
    """A stream takes 1,000 consumers at most unless its own configuration sets `max_consumers` higher."""

    name: ClassVar[str] = "nats"
    program: ClassVar[Program] = NATS
    port_names: ClassVar[tuple[str, ...]] = ("nats", "nats_monitor")

    def __init__(self, settings: Settings, data_dir: Path, ports: Ports) -> None:
        self._sync = "always" if settings.nats_sync_always else SYNC_INTERVAL
        self._data = data_dir.resolve() / "nats"
        self._keys = BusKeys(settings.nats_keys or self._data / "keys")
        self._ports = ports

    def command(self, program: Path) -> list[str | Path]:
        self._data.mkdir(parents=True, exist_ok=True)
        self._keys.provide()
        config = self._data / "nats.conf"
        config.write_text(self.config())
        return [program, "--config", config]

    def config(self) -> str:
        listen, monitor = (f"{HOST}:{self._ports[name]}" for name in self.port_names)
        return server_config(self._keys, self._data, listen=listen, monitor=monitor, sync=self._sync)

    def addresses(self) -> dict[str, str]:
        return {
            "nats_url": url(HOST, self._ports["nats"]),
            "nats_monitor_url": f"http://{HOST}:{self._ports['nats_monitor']}",
            "nats_creds": str(self._keys.service_creds),
            "nats_keys": str(self._keys.folder),
        }

    async def ready(self) -> bool:
        return await jetstream_answers(HOST, self._ports["nats"], self._keys.service_creds)


def server_config(keys: BusKeys, store: Path, *, listen: str, monitor: str, sync: str = SYNC_INTERVAL) -> str:
    """The whole configuration of a server; `store` as the server sees it."""
    return f"""server_name: tongqu
listen: "{listen}"
http: "{monitor}"
max_payload: {MAX_PAYLOAD}
jetstream {{
  store_dir: {json.dumps(str(store / "store"))}
  sync_interval: "{sync}"
}}
{keys.server_config(store / "accounts")}"""


async def jetstream_answers(host: str, port: int, creds: Path) -> bool:
    """Raises NatsTooOld."""
    await connectable(host, port)
    client = await nats.connect(
        url(host, port), user_credentials=creds, allow_reconnect=False, connect_timeout=1, error_cb=_quiet
    )
    try:
        version = client.connected_server_version
        if (version.major, version.minor) < OLDEST:
            raise NatsTooOld(str(version))
        await client.jetstream().account_info()
    finally:
        await client.close()
    return True


async def _quiet(_: Exception) -> None:
    """Whoever waits is told by the error that is raised."""
