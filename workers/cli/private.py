"""Files with what is shown once, or is somebody's own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from workers.cli.console import CommandFailed


@contextmanager
def private_file(path: Path) -> Iterator[BinaryIO]:
    """A new file for its owner only. It is made before anything is asked for, so that nothing that is shown once is
    lost for want of a place; where that fails, it is removed again. Raises CommandFailed."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise CommandFailed(f"{path} is there already, and is not written over; name another file.") from error
    except OSError as error:
        raise CommandFailed(f"{path} cannot be written: {error.strerror}. Name another file.") from error
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise
