"""Uploaded files are looked into by a few processes of their own: what breaks one breaks nothing else."""

import asyncio
import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import orjson

from infra.filetypes import LENGTH, media_type_of

MediaType = Literal["application/pdf", "image/png", "image/jpeg"]
Why = Literal[
    "wrong_type", "damaged", "encrypted", "active", "moves", "unpacks_too_large", "too_many_pages", "takes_too_long"
]
_ROOT = Path(__file__).resolve().parents[1]
_FILES_PER_PROCESS = 200
"""After so many a process is replaced, so that what libraries leave behind stays small."""

__all__ = ["BadFile", "Inspected", "Inspector", "MediaType", "Why", "media_type_of"]


class BadFile(Exception):
    """The file is not taken in."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Inspected:
    media_type: MediaType
    pages: int


class _Child:
    """One process, which looks into one file at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.files = 0

    @classmethod
    async def start(cls) -> "_Child":
        # Nothing of our environment: there are addresses and keys in it.
        environment = {"PYTHONPATH": str(_ROOT), "MALLOC_ARENA_MAX": "1", "PATH": os.defpath, "LANG": "C.UTF-8"}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "infra.inspecting"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment,
            cwd="/",
        )
        assert process.stdout is not None
        try:
            await process.stdout.readexactly(LENGTH.size)
        except asyncio.IncompleteReadError:
            raise RuntimeError(f"infra.inspecting ended at once with status {await process.wait()}") from None
        return cls(process)

    async def ask(self, content: bytes) -> dict[str, object]:
        """Raises IncompleteReadError or OSError when the process ends over it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self.files += 1
        self._process.stdin.write(LENGTH.pack(len(content)))
        self._process.stdin.write(content)
        await self._process.stdin.drain()
        (size,) = LENGTH.unpack(await self._process.stdout.readexactly(LENGTH.size))
        return cast(dict[str, object], orjson.loads(await self._process.stdout.readexactly(size)))

    async def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


class Inspector:
    """`processes` files at once, the others wait. Processes are started when they are first needed."""

    def __init__(self, processes: int = 2, within_s: float = 20.0) -> None:
        self._free = asyncio.Semaphore(processes)
        self._idle: list[_Child] = []
        self._within_s = within_s

    async def inspect(self, content: bytes) -> Inspected:
        """Raises BadFile."""
        if media_type_of(content) is None:
            raise BadFile("wrong_type")
        async with self._free:
            child = self._idle.pop() if self._idle else await _Child.start()
            kept = False
            try:
                async with asyncio.timeout(self._within_s):
                    answer = await child.ask(content)
                kept = child.files < _FILES_PER_PROCESS
            except TimeoutError:
                raise BadFile("takes_too_long") from None
            except (asyncio.IncompleteReadError, OSError):
                # It has ended over this file, for want of memory or by a fault of a library.
                raise BadFile("unpacks_too_large") from None
            finally:
                if kept:
                    self._idle.append(child)
                else:
                    await child.stop()
        if "code" in answer:
            raise BadFile(cast(Why, answer["code"]))
        return Inspected(cast(MediaType, answer["media_type"]), cast(int, answer["pages"]))

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().stop()
