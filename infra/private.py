"""Small files with secrets: readable by their owner only from the first byte on, and whole or not there at all."""

import os
import tempfile
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Write or replace it."""
    os.replace(_written(path, text), path)


def make_private(path: Path, text: str) -> None:
    """Write it unless it is there: of several that make it at once one wins."""
    new = _written(path, text)
    try:
        os.link(new, path)
    except FileExistsError:
        pass  # Another was faster; what it wrote counts.
    finally:
        new.unlink()


def _written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, new = tempfile.mkstemp(prefix=path.name, dir=path.parent)  # Mode 0600.
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return Path(new)
