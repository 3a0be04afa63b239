"""The system that an import runs on: the one that is running, or one that is started for it."""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.settings import EnvironmentSettings, Settings
from workers.cli.console import CommandFailed, out
from workers.system import System, answers

_FOLDER = "import"


@dataclass(frozen=True, slots=True)
class Target:
    """`own`: started for this import. `look` raises when a process of it has ended."""

    settings: Settings
    data_dir: Path
    own: bool
    look: Callable[[], None]


@asynccontextmanager
async def target(start: bool | None) -> AsyncIterator[Target]:
    """`start`: start one, or do not, or (None) only if none is running. Raises CommandFailed."""
    settings = Settings()
    if start is not True and await _is_running(settings):
        yield Target(settings, settings.data_dir, own=False, look=lambda: None)
        return
    if start is False or (start is None and settings.gateway_url):
        where = f"at {settings.gateway_url}" if settings.gateway_url else "here"
        raise CommandFailed(f"No system answers {where}. Start one with `tongqu up`, or use --start.")
    async with _started() as started:
        yield started


async def _is_running(settings: Settings) -> bool:
    if not settings.gateway_url:
        return False
    try:
        return await answers(f"{settings.gateway_url}/healthz")
    except OSError:
        return False


@asynccontextmanager
async def _started() -> AsyncIterator[Target]:
    """A system on a fresh data directory of its own, which stays there to be looked at."""
    settings = EnvironmentSettings()
    data_dir = settings.data_dir / _FOLDER
    shutil.rmtree(data_dir, ignore_errors=True)
    data_dir.mkdir(parents=True)
    system = System(settings, data_dir)
    with out.status("starting Temporal, NATS, MongoDB and the workers"):
        await system.__aenter__()
    try:
        yield Target(system.settings, data_dir, own=True, look=system.watch)
    finally:
        await system.__aexit__(None, None, None)
