"""The example receiver believes what is signed, once, and nothing else: what is forged, old or repeated is refused."""

import asyncio
import importlib.util
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import pytest

from infra.embedded.ports import HOST, free_port
from infra.processes import Process
from tests.told import stamped
from workers.webhooks.signing import headers, message_id, new_secret

EXAMPLE = Path(__file__).parents[2] / "examples" / "events_webhook.py"
SECRET = new_secret()


class Shop:
    """The receiver as a process, and what is sent to it."""

    def __init__(self, url: str, session: aiohttp.ClientSession, journal: Any) -> None:
        self._url = url
        self._session = session
        self.journal = journal

    async def post(self, body: bytes, signed: dict[str, str]) -> int:
        async with self._session.post(self._url, data=body, headers=signed) as answer:
            return answer.status

    async def sends(self, number: int, at: int | None = None, secret: str = SECRET) -> int:
        body, signed = made(number, at, secret)
        return await self.post(body, signed)


def made(number: int, at: int | None = None, secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    body = stamped("shop-1", number).body()
    return body, headers([secret], message_id("shop-1", number), int(time.time()) if at is None else at, body)


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("events_webhook", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
async def shop(tmp_path: Path, example: ModuleType) -> AsyncIterator[Shop]:
    port, journal = free_port(), tmp_path / "events.sqlite"
    (tmp_path / "hook.json").write_text(json.dumps({"id": "wh-1", "secret": SECRET}))
    arguments = ["serve", "--hook", str(tmp_path / "hook.json"), "--journal", str(journal), "--port", str(port)]
    process = Process("receiver", [sys.executable, str(EXAMPLE), *arguments], log=tmp_path / "log")

    async def listens() -> bool:
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            return False
        writer.close()
        return True

    process.start()
    try:
        await process.wait_ready(listens, 30)
        async with aiohttp.ClientSession() as session:
            yield Shop(f"http://{HOST}:{port}/", session, example.Journal(str(journal)))
    finally:
        await process.stop()


async def test_what_is_signed_is_taken_once(shop: Shop) -> None:
    assert [await shop.sends(number) for number in (1, 2, 3)] == [204, 204, 204]
    assert shop.journal.last == 3
    assert await shop.sends(2, int(time.time()) + 1) == 204, "an event that is known is answered, and changes nothing"
    assert shop.journal.last == 3


async def test_the_very_same_request_again_is_refused(shop: Shop) -> None:
    body, signed = made(1)
    assert await shop.post(body, signed) == 204
    assert await shop.post(body, signed) == 409


async def test_what_is_not_signed_by_the_secret_is_refused(shop: Shop) -> None:
    body, signed = made(1)
    other, _ = made(2)
    assert await shop.sends(1, secret=new_secret()) == 401
    assert await shop.post(other, signed) == 401
    assert await shop.post(body, {**signed, "webhook-id": "shop-1_2"}) == 401
    assert await shop.post(body, {**signed, "webhook-signature": "v1," + "A" * 44}) == 401
    assert await shop.post(body, {**signed, "webhook-signature": ""}) == 401
    assert shop.journal.last is None


@pytest.mark.parametrize("seconds", [-301, 330, -(10**9)])
async def test_what_is_too_old_or_from_the_future_is_refused(shop: Shop, seconds: int) -> None:
    assert await shop.sends(1, int(time.time()) + seconds) == 400
    assert shop.journal.last is None


async def test_a_gap_is_not_taken(shop: Shop) -> None:
    assert await shop.sends(4) == 204, "the first may have any number"
    assert await shop.sends(6) == 503
    assert await shop.sends(5) == 204
    assert await shop.sends(6, int(time.time()) + 1) == 204
    assert shop.journal.last == 6
