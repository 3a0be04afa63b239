"""Loopback ports: free ones, remembered in the data directory so that addresses outlive a restart."""

import asyncio
import fcntl
import json
import os
import random
import socket
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

HOST = "127.0.0.1"
_FILE = "ports.json"
# Below the ephemeral range of the kernel, from which an outgoing connection may take a port at any time.
_FIRST, _LAST = 20_000, 32_000
_random = random.SystemRandom()  # Of no seed that another process may have too.
_claimed: set[int] = set()


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do it: connections of the run before that are still closing do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port on which nobody listens now, and that no other process of ours has chosen and may still be about to use.
    Another program may be faster: be ready to try again."""
    while not (_claim(port := _random.randint(_FIRST, _LAST)) and is_free(port)):
        pass
    return port


def _claim(port: int) -> bool:
    """By a lock on a byte of a file for all processes of this user, until this one ends."""
    if port in _claimed:
        return False
    try:
        fcntl.lockf(_claims(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except BlockingIOError:
        return False
    _claimed.add(port)
    return True


@cache
def _claims() -> int:
    return os.open(Path(tempfile.gettempdir()) / f"tongqu-ports-{os.getuid()}", os.O_RDWR | os.O_CREAT, 0o600)


async def connectable(host: str, port: int) -> None:
    """Raises OSError while nobody listens: cheaper, and quieter, than a client of the server's own."""
    _, writer = await asyncio.open_connection(host, port)
    writer.close()


class Ports:
    """Port by name, for one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / _FILE
        self._ports = _read(self._path)

    def __getitem__(self, name: str) -> int:
        return self._ports[name]

    def take(self, names: Iterable[str]) -> None:
        """Keep the remembered ports that are free, and choose the others."""
        for name in names:
            if name not in self._ports or not is_free(self._ports[name]):
                self._ports[name] = free_port()
        self._write()

    def change(self, names: Iterable[str]) -> None:
        """Choose other ports: somebody took one of these."""
        self._ports.update({name: free_port() for name in names})
        self._write()

    def _write(self) -> None:
        self._path.write_text(json.dumps(self._ports, indent=1, sort_keys=True))


def _read(path: Path) -> dict[str, int]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return {str(name): int(port) for name, port in found.items()}
