"""A link that can be cut and silenced, before a server that says everything twice."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from infra.embedded.ports import HOST
from tests.chaos.proxy import Link


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data + data)
        writer.close()

    server = await asyncio.start_server(echo, HOST, 0)
    async with Link(server.sockets[0].getsockname()[1]) as link:
        yield link
    server.close()


async def _said(link: Link, words: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(HOST, link.port)
    writer.write(words)
    try:
        return await reader.readexactly(2 * len(words))
    finally:
        writer.close()


async def test_bytes_pass_both_ways(link: Link) -> None:
    assert await _said(link, b"hey") == b"heyhey"


async def test_a_cut_ends_connections_and_refuses_new_ones_until_it_is_mended(link: Link) -> None:
    reader, writer = await asyncio.open_connection(HOST, link.port)
    writer.write(b"a")
    assert await reader.readexactly(2) == b"aa"
    link.cut()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await _said(link, b"b")
    link.mend()
    assert await _said(link, b"c") == b"cc"
    writer.close()


async def test_a_silenced_link_loses_nothing_and_tells_nobody(link: Link) -> None:
    reader, writer = await asyncio.open_connection(HOST, link.port)
    link.halt()
    writer.write(b"a")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.1)
    link.mend()
    assert await reader.readexactly(2) == b"aa"
    writer.close()


async def test_the_end_of_one_side_is_the_end_of_the_other(link: Link) -> None:
    reader, writer = await asyncio.open_connection(HOST, link.port)
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(1), 2) == b""
    writer.close()
