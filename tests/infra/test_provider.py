"""A provider that answers with more than anybody can keep."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from infra.embedded.ports import HOST, free_port
from infra.provider import HttpProvider, Unanswered

MOST = 100_000


class Provider(HttpProvider):
    async def ask(self, path: str) -> tuple[int, bytes]:
        return await self._get(path)


class Talker:
    """A server whose answers are as long as is asked, or have no end; `sent` counts the bytes of one without."""

    def __init__(self) -> None:
        self.sent = 0
        self.ended = asyncio.Event()

    async def long(self, request: web.Request) -> web.Response:
        return web.Response(body=b"x" * int(request.match_info["bytes"]))

    async def endless(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        try:
            while True:
                await answer.write(b"x" * 10_000)
                self.sent += 10_000
        finally:
            self.ended.set()


@pytest.fixture
def talker() -> Talker:
    return Talker()


@pytest.fixture
async def provider(talker: Talker) -> AsyncIterator[Provider]:
    app = web.Application()
    app.add_routes([web.get("/long/{bytes}", talker.long), web.get("/endless", talker.endless)])
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, HOST, port).start()
    async with Provider(f"http://{HOST}:{port}", answer_most_bytes=MOST) as one:
        yield one
    await runner.cleanup()


async def test_an_answer_of_the_most_bytes_is_read_whole(provider: Provider) -> None:
    assert await provider.ask(f"/long/{MOST}") == (200, b"x" * MOST)


@pytest.mark.parametrize("path", [f"/long/{MOST + 1}", "/endless"])
async def test_a_longer_one_is_not_read_to_its_end(provider: Provider, path: str) -> None:
    with pytest.raises(Unanswered, match="more than 100,000 bytes") as refused:
        await provider.ask(path)
    assert refused.value.code == "answer-too-long"
    assert await provider.ask("/long/3") == (200, b"xxx"), "the next one is asked on another connection"


async def test_the_connection_of_an_endless_one_ends(provider: Provider, talker: Talker) -> None:
    with pytest.raises(Unanswered):
        await provider.ask("/endless")
    await asyncio.wait_for(talker.ended.wait(), 10)
