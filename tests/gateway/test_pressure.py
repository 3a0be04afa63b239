"""Beyond its limits the gateway sends callers away, says when to come again, and loses nothing it has accepted."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from contracts.ids import new_batch_id
from infra.embedded.servers import Servers
from infra.indexes import make_indexes
from infra.keys import Scope, create_key
from infra.mongo import Mongo
from infra.settings import EnvironmentSettings, Settings
from tests.gateway.running import Answered, Api, fresh, order, running
from tests.support import eventually
from workers.gateway.limits import Limits
from workers.shop import Shop


@pytest.fixture
async def alone(gateway_settings: Settings, database: str) -> AsyncIterator[tuple[Settings, Mongo, str]]:
    """Settings, a database in which no other test leaves orders waiting, and a key for it."""
    settings = gateway_settings.model_copy(update={"mongo_database": database})
    mongo = Mongo(settings.require("mongo_url"), database)
    await make_indexes(mongo)
    await mongo.skus.insert_one({"_id": "tea"})
    yield settings, mongo, await create_key(mongo, "tests", Scope)
    mongo.close()


async def _claim_all(mongo: Mongo) -> None:
    """What the event worker does."""
    await mongo.orders.update_many({"batch": None}, {"$set": {"batch": new_batch_id()}})


def _sent_away(answer: Answered, code: str) -> int:
    assert answer.status == 503, answer
    assert answer.code == code
    assert "field" not in answer.body
    return int(answer.headers["Retry-After"])


async def test_beyond_the_backlog_orders_are_refused_and_nothing_else(alone: tuple[Settings, Mongo, str]) -> None:
    settings, mongo, key = alone
    async with running(settings, key, Limits(backlog_orders=20)) as api:
        await api.post("/v1/orders/batch", {"orders": [order()] * 19}, status=200)
        last = await api.place()
        for path, body in (("/v1/orders", order()), ("/v1/orders/batch", {"orders": [order()]})):
            assert _sent_away(await api.post(path, body), "backlog_full") >= 1
        assert await mongo.orders.count_documents({}) == 20
        await api.get(f"/v1/orders/{last['id']}", status=200)
        await api.post(f"/v1/orders/{last['id']}/cancellation", {"reason": "changed my mind"}, status=202)
        await api.get("/readyz", status=200, Authorization="")
        await _claim_all(mongo)

        async def open_again() -> bool:
            return (await api.post("/v1/orders", order())).status == 202

        await eventually(open_again, message="the door stayed closed although the backlog was gone")


async def test_events_that_nobody_sends_close_the_door_too(alone: tuple[Settings, Mongo, str]) -> None:
    settings, mongo, key = alone
    async with running(settings, key, Limits(backlog_rows=3)) as api:
        await api.place()
        await mongo.outbox.insert_many([{"_id": fresh("event"), "status": "pending"} for _ in range(3)])

        async def closed() -> Answered | None:
            answer = await api.post("/v1/orders", order())
            return answer if answer.status == 503 else None

        answer = await eventually(closed)
        assert answer is not None
        _sent_away(answer, "backlog_full")
        figures = (await api.get("/metrics", status=200)).body
        assert "tongqu_backlog_outbox_rows 3.0" in figures
        assert "tongqu_backlog_full 1.0" in figures


async def test_a_client_that_waits_as_told_gets_all_its_orders_in(alone: tuple[Settings, Mongo, str]) -> None:
    settings, mongo, key = alone
    channel = fresh("patient")
    async with running(settings, key, Limits(backlog_orders=30)) as api:
        working = asyncio.create_task(_work_off(mongo))
        async with Shop(api.url, key) as shop:
            placed = await asyncio.gather(*(shop.place([order(channel=channel)] * 10) for _ in range(12)))
        working.cancel()
        figures = (await api.get("/metrics", status=200)).body
    accepted = [result["id"] for results in placed for result in results if result["status"] == 202]
    assert len(set(accepted)) == 120
    assert await mongo.orders.count_documents({"channel": channel}) == 120
    assert 'status="503"' in figures, "the limit was never reached"


async def _work_off(mongo: Mongo) -> None:
    while True:
        ids = [row["_id"] async for row in mongo.orders.find({"batch": None}, {"_id": 1}).limit(10)]
        await mongo.orders.update_many({"_id": {"$in": ids}}, {"$set": {"batch": "batch"}})
        await asyncio.sleep(0.05)


async def test_requests_under_way_are_bounded(alone: tuple[Settings, Mongo, str]) -> None:
    settings, mongo, key = alone
    async with running(settings, key, Limits(requests_at_once=5, gather_ms=300)) as api:
        await api.post("/v1/orders", order(), status=202)
        answers = await asyncio.gather(*(api.post("/v1/orders", order()) for _ in range(20)))
        assert sorted({answer.status for answer in answers}) == [202, 503]
        assert sum(answer.status == 202 for answer in answers) == 5
        for answer in answers:
            assert answer.status == 202 or _sent_away(answer, "overloaded") == 1
        await api.get("/healthz", status=200)
    assert await mongo.orders.count_documents({}) == 6


async def test_the_bodies_of_all_requests_together_are_bounded(api: Api, gateway_settings: Settings, key: str) -> None:
    limits, reading, go_on = Limits(bodies_bytes=100_000), asyncio.Event(), asyncio.Event()
    padding = b" " * 90_000

    async def slowly() -> AsyncIterator[bytes]:
        yield padding
        reading.set()
        await go_on.wait()
        yield b" " * 90_000 + b"{}"

    async with running(gateway_settings, key, limits) as small:
        alone = asyncio.create_task(small.post("/v1/orders", data=slowly()))
        await reading.wait()
        other = await _until_refused(small, padding)
        _sent_away(other, "overloaded")
        go_on.set()
        assert (await alone).status == 422, "one that is alone may be larger than all together"
        assert (await small.post("/v1/orders", order())).status == 202


async def _until_refused(api: Api, body: bytes) -> Answered:
    async def refused() -> Answered | None:
        answer = await api.post("/v1/orders", data=body + b"{}")
        return answer if answer.status == 503 else None

    answer = await eventually(refused)
    assert answer is not None
    return answer


async def test_a_body_that_does_not_come_is_not_waited_for(api: Api, gateway_settings: Settings, key: str) -> None:
    never = asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        yield b"{"
        await never.wait()

    async with running(gateway_settings, key, Limits(body_within_s=0.3)) as hasty:
        answer = await hasty.post("/v1/orders", data=stuck())
        assert (answer.status, answer.code) == (408, "body_too_slow")
        assert (await hasty.post("/v1/orders", order())).status == 202


async def _raw(url: str, *pieces: bytes) -> bytes:
    """What the server says to these bytes until it closes the connection."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    with contextlib.suppress(ConnectionError):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
    try:
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


@pytest.mark.parametrize("begun", [b"", b"POST /v1/orders HTTP/1.1\r\nHost: a\r\nX-A:"])
async def test_a_head_that_does_not_end_is_not_waited_for(gateway_settings: Settings, key: str, begun: bytes) -> None:
    async with running(gateway_settings, key, Limits(head_within_s=0.2)) as hasty:
        said = await _raw(hasty.url, begun)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"head_too_slow"' in said


async def test_a_head_without_end_is_cut_off(gateway_settings: Settings, key: str) -> None:
    async with running(gateway_settings, key) as api:
        said = await _raw(api.url, b"GET /healthz HTTP/1.1\r\nX-Long: ", *[b"x" * 16_384] * 5)
        assert said.startswith(b"HTTP/1.1 431 ")
        assert (await api.get("/healthz")).status == 200


async def test_connections_are_bounded(gateway_settings: Settings, key: str) -> None:
    async with running(gateway_settings, key, Limits(connections=2)) as api:
        host, port = api.url.removeprefix("http://").split(":")
        held = [await asyncio.open_connection(host, int(port)) for _ in range(2)]
        said = await _raw(api.url)
        assert said.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 2\r\n" in said
        for _, writer in held:
            writer.close()

        async def let_in() -> bool:
            with contextlib.suppress(aiohttp.ClientError):
                return (await api.get("/healthz")).status == 200
            return False

        await eventually(let_in)


async def test_while_the_database_is_silent_callers_are_sent_away_at_once(
    gateway_settings: Settings, tmp_path: Path
) -> None:
    servers = Servers(EnvironmentSettings(data_dir=tmp_path, mongo_cache_gb=0.25), tmp_path, temporal=False, nats=False)
    async with servers:
        settings = gateway_settings.model_copy(update={"mongo_url": servers.addresses.mongo_url})
        mongo = Mongo(servers.addresses.mongo_url, settings.mongo_database)
        await make_indexes(mongo)
        await mongo.skus.insert_one({"_id": "tea"})
        key = await create_key(mongo, "tests", Scope)
        async with running(settings, key, Limits(store_away_s=1)) as api:
            await api.place()
            pid = servers.processes["mongo"].pid
            os.kill(pid, signal.SIGSTOP)
            try:
                caught = asyncio.create_task(api.post("/v1/orders", order()))

                async def sent_away() -> bool:
                    with contextlib.suppress(TimeoutError):
                        answer = await asyncio.wait_for(api.get("/v1/locations"), 2)
                        return _sent_away(answer, "store_unavailable") >= 2
                    return False

                await eventually(sent_away, timeout=30, message="callers were let in to wait")
                _sent_away(await api.post("/v1/orders", order()), "store_unavailable")
                await api.get("/healthz", status=200)
            finally:
                os.kill(pid, signal.SIGCONT)
            assert (await caught).status == 202, "who was inside is answered"

            async def back() -> bool:
                return (await api.post("/v1/orders", order())).status == 202

            await eventually(back, timeout=30)
        mongo.close()
