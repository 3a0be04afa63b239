"""A TCP proxy whose connections can be cut and silenced."""

import asyncio
import socket
import struct
from types import TracebackType
from typing import Self

from infra.embedded.ports import HOST

_AT_ONCE = 64 * 1024
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: a close sends RST, as when a host is gone and comes back."""


class Link:
    """Passes bytes between a port of its own and one port of this machine."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._open: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._cut = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self._drop_all()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Drop every connection, and each new one as soon as it is made."""
        self._cut = True
        self._drop_all()

    def halt(self) -> None:
        """Keep every connection, and pass nothing on: neither side is told."""
        self._flowing.clear()

    def mend(self) -> None:
        """Pass on again, what was held up included."""
        self._cut = False
        self._flowing.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._cut:
            _reset(writer)
            return
        self._open.add(writer)
        await self._flowing.wait()
        try:
            there_reader, there_writer = await asyncio.open_connection(HOST, self._target)
        except OSError:
            self._drop(writer)
            return
        self._open.add(there_writer)
        if self._cut or writer.is_closing():
            self._drop(writer, there_writer)
            return
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, there_writer, writer))
                both.create_task(self._pass(there_reader, writer, there_writer))
        finally:
            self._drop(writer, there_writer)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, back: asyncio.StreamWriter
    ) -> None:
        """Until either side ends. None of our protocols goes on with one side closed."""
        try:
            while data := await reader.read(_AT_ONCE):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()
            back.close()

    def _drop_all(self) -> None:
        self._drop(*self._open)

    def _drop(self, *writers: asyncio.StreamWriter) -> None:
        for writer in writers:
            self._open.discard(writer)
            _reset(writer)


def _reset(writer: asyncio.StreamWriter) -> None:
    ours: socket.socket | None = writer.get_extra_info("socket")
    if ours is not None and not writer.is_closing():
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
