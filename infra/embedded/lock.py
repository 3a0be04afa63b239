"""One system for each data directory: a lock that the kernel gives back when its holder dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FILE = "lock"


class AlreadyRunning(RuntimeError):
    """Servers run on this data directory already."""

    def __init__(self, data_dir: Path, holder: str) -> None:
        super().__init__(
            f"servers run on {data_dir} already, started by process {holder or 'unknown'}: "
            "stop that one first, or set TONGQU_DATA_DIR to another directory"
        )


@contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """Hold the directory. Raises AlreadyRunning at once when somebody else holds it."""
    path = data_dir / _FILE
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(data_dir, path.read_text().strip()) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)
