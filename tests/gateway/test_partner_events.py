"""A partner hears its own events over HTTP, all of them, in order, and nobody else's."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
import pytest
from nats.js import JetStreamContext

from contracts.partnership import PartnerRecord
from contracts.subjects import EVENTS, RETAILER, partner_consumer
from infra.hearing import acknowledged
from infra.keys import Scope, create_key, revoke_keys
from infra.mongo import Mongo
from infra.settings import Settings
from infra.streams import provision_partner
from tests.gateway.running import Api, fresh, running
from tests.support import eventually
from tests.told import NOW, Told, fresh_stream
from workers.gateway.limits import Limits
from workers.gateway.partner.access import streams_of


@pytest.fixture
def js(api: Api) -> JetStreamContext:
    return api.gateway.js


@pytest.fixture
def told(js: JetStreamContext) -> Told:
    return Told(js)


async def partner(api: Api, mongo: Mongo, stream: str | None = None) -> tuple[str, Api]:
    """A partner of its own, and the gateway as it calls it."""
    stream = stream or fresh_stream()
    return stream, api.with_key(await create_key(mongo, stream, [Scope.PARTNER], partner=stream))


async def record(mongo: Mongo, name: str, *locations: str) -> None:
    made = PartnerRecord(
        id=name,
        kind="franchise",
        state="active",
        name="西湖店",
        credit_code="91330106MA2CFH8L0K",
        locations=list(locations),
        application="a1",
        agreement="g1",
        agreement_until=NOW,
    )
    await mongo.partners.insert_one(made.as_row())


def sequences(body: dict[str, Any]) -> list[int]:
    return [int(event["sequence"]) for event in body["events"]]


async def test_page_follows_page_from_any_number_on(api: Api, mongo: Mongo, told: Told) -> None:
    mine, me = await partner(api, mongo)
    assert (await me.get("/v1/partner/events", status=200)).body == {
        "stream": mine,
        "events": [],
        "next": 0,
        "end": 0,
    }
    for _ in range(7):
        await told.tell(mine)
        await told.tell("somebody-else")
    first = (await me.get("/v1/partner/events?limit=4", status=200)).body
    assert (sequences(first), first["next"], first["end"]) == ([1, 2, 3, 4], 4, 7)
    second = (await me.get(f"/v1/partner/events?after={first['next']}&limit=4", status=200)).body
    assert (sequences(second), second["next"]) == ([5, 6, 7], 7)
    again = (await me.get("/v1/partner/events?after=2&limit=2", status=200)).body
    assert again["events"] == first["events"][2:]
    assert again["events"][0]["id"] == f"{mine}:3"


async def test_without_a_number_reading_begins_behind_what_was_acknowledged(api: Api, mongo: Mongo, told: Told) -> None:
    mine, me = await partner(api, mongo)
    for _ in range(5):
        await told.tell(mine)
    done = (await me.post("/v1/partner/events/ack", {"sequence": 3}, status=200)).body
    assert done == {"stream": mine, "acknowledged": 3}
    assert sequences((await me.get("/v1/partner/events", status=200)).body) == [4, 5]
    assert (await me.post("/v1/partner/events/ack", {"sequence": 1}, status=200)).body["acknowledged"] == 3
    early = await me.post("/v1/partner/events/ack", {"sequence": 6}, status=422)
    assert (early.code, early.body["field"]) == ("not_told_yet", "sequence")
    assert (await me.post("/v1/partner/events/ack", {"sequence": -1})).status == 422


async def test_what_is_kept_no_more_is_gone(api: Api, mongo: Mongo, told: Told, js: JetStreamContext) -> None:
    mine, me = await partner(api, mongo)
    for _ in range(3):
        await told.tell(mine)
    third = await api.gateway.hearing.place_of(mine, 3)
    assert third is not None
    await js.purge_stream(EVENTS, subject=f"evt.v1.{mine}.>", seq=third)
    for path in ("/v1/partner/events", "/v1/partner/events/stream"):
        gone = await me.get(f"{path}?after=1", status=410)
        assert (gone.code, gone.body["oldest"]) == ("events_gone", 3)
        assert "after=2" in gone.body["remedy"]
    assert sequences((await me.get("/v1/partner/events?after=2", status=200)).body) == [3]


async def test_who_waits_is_answered_when_something_happens(api: Api, mongo: Mongo, told: Told) -> None:
    mine, me = await partner(api, mongo)
    waiting = asyncio.create_task(me.get("/v1/partner/events?after=0&wait_s=30", status=200))
    await eventually(lambda: api.gateway.listeners.open, message="nobody waits")
    began = time.monotonic()
    await told.tell(mine)
    assert sequences((await waiting).body) == [1]
    assert time.monotonic() - began < 20
    assert (await me.get("/v1/partner/events?after=1&wait_s=1", status=200)).body["events"] == []
    assert not api.gateway.listeners.open


async def test_a_caller_that_leaves_takes_no_place(api: Api, mongo: Mongo) -> None:
    _, me = await partner(api, mongo)
    waiting = asyncio.create_task(me.get("/v1/partner/events?after=0&wait_s=30"))
    await eventually(lambda: api.gateway.listeners.open)
    waiting.cancel()
    await eventually(lambda: not api.gateway.listeners.open, message="nobody noticed that it had left")


async def test_over_nats_it_is_heard_again_on_demand(api: Api, mongo: Mongo, told: Told, js: JetStreamContext) -> None:
    mine, me = await partner(api, mongo)
    assert (await me.post("/v1/partner/events/replay", {"from": 1}, status=404)).code == "nothing_to_replay"
    await provision_partner(js, mine)
    for _ in range(4):
        await told.tell(mine)
    inbox = await js.pull_subscribe_bind(durable=partner_consumer(mine), stream=EVENTS)
    for message in await inbox.fetch(4, timeout=10):
        await message.ack_sync(timeout=5)
    assert (await me.post("/v1/partner/events/replay", {"from": 2}, status=200)).body == {"stream": mine, "from": 2}
    again = await inbox.fetch(4, timeout=10)
    assert [orjson.loads(message.data)["sequence"] for message in again] == ["2", "3", "4"]
    assert await acknowledged(mongo, js, mine) == 4, "what was acknowledged was"
    assert (await me.get("/v1/partner/events", status=200)).body["next"] == 4, "over HTTP it reads as before"
    assert (await me.get("/v1/partner/events?after=4", status=200)).body["next"] == 4
    other, _ = await partner(api, mongo)
    assert (await me.post(f"/v1/partner/events/replay?stream={other}", {"from": 1})).status == 403


class TestWhoseStream:
    async def test_a_partner_names_its_own_streams_only(self, api: Api, mongo: Mongo, told: Told) -> None:
        name, shop, other = fresh("partner"), fresh_stream(), fresh_stream()
        await record(mongo, name, shop)
        _, me = await partner(api, mongo, name)
        await told.tell(shop)
        await told.tell(other)
        body = (await me.get(f"/v1/partner/events?stream={shop}", status=200)).body
        assert (body["stream"], sequences(body)) == (shop, [1])
        unknown = await me.get(f"/v1/partner/events?stream={fresh('nobody')}", status=403)
        for path in ("/v1/partner/events", "/v1/partner/events/stream"):
            foreign = await me.get(f"{path}?stream={other}", status=403)
            assert (foreign.code, foreign.body["field"]) == ("not_your_stream", "stream")
            assert foreign.body["remedy"] == unknown.body["remedy"]
        for body in ({"sequence": 0},):
            assert (await me.post(f"/v1/partner/events/ack?stream={other}", body)).status == 403

    @pytest.mark.parametrize("named", ["*", ">", "a.b", "a b", "..", "%00", "a" * 65, ""])
    async def test_nothing_but_an_id_names_a_stream(self, api: Api, mongo: Mongo, named: str) -> None:
        for caller in (api, (await partner(api, mongo))[1]):
            assert (await caller.get(f"/v1/partner/events?stream={named}")).status == 422

    async def test_an_operator_names_any_and_must(self, api: Api, told: Told) -> None:
        mine = fresh_stream()
        await told.tell(mine)
        assert sequences((await api.get(f"/v1/partner/events?stream={mine}", status=200)).body) == [1]
        assert (await api.get("/v1/partner/events", status=422)).body["field"] == "stream"

    async def test_a_key_without_partner_or_right_to_operate_hears_nothing(self, api: Api, mongo: Mongo) -> None:
        nobody = api.with_key(await create_key(mongo, "nobody", [Scope.PARTNER]))
        assert (await nobody.get("/v1/partner/events?stream=near", status=403)).code == "no_partner"
        other = api.with_key(await create_key(mongo, "reader", [Scope.STOCK_READ]))
        assert (await other.get("/v1/partner/events?stream=near", status=403)).code == "scope_missing"

    async def test_the_retailers_own_systems_hear_the_retailers_stream(self, api: Api, mongo: Mongo) -> None:
        _, shop = await partner(api, mongo, RETAILER)
        assert (await shop.get("/v1/partner/events?limit=1", status=200)).body["stream"] == RETAILER
        assert await streams_of(mongo, RETAILER) == [RETAILER]

    async def test_a_partners_key_carries_no_other_scope(self, mongo: Mongo) -> None:
        for scopes in ([Scope.PARTNER, Scope.STOCK_WRITE], [Scope.OPERATE], []):
            with pytest.raises(ValueError, match="and no other"):
                await create_key(mongo, "p", scopes, partner="p")


class Listener:
    """Reads server-sent events as a browser does: id, event and data of each, and comments."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer
        self.comments = 0

    async def next(self) -> dict[str, str]:
        fields: dict[str, str] = {}
        while True:
            line = (await self._answer.content.readline()).decode()
            if not line:
                raise EOFError
            name, _, value = line.rstrip("\n").partition(":")
            if line == "\n" and "data" in fields:
                return fields
            if line.startswith(":"):
                self.comments += 1
            elif name:
                fields[name] = value.removeprefix(" ")

    async def numbers(self, count: int) -> list[int]:
        heard = [await self.next() for _ in range(count)]
        for event in heard:
            assert orjson.loads(event["data"])["sequence"] == event["id"]
            assert orjson.loads(event["data"])["type"] == event["event"]
        return [int(event["id"]) for event in heard]


@asynccontextmanager
async def listening(me: Api, query: str = "", **headers: str) -> AsyncIterator[Listener]:
    sent = {"Authorization": f"Bearer {me.key}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
        session.get(f"{me.url}/v1/partner/events/stream{query}", headers=sent) as answer,
    ):
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "text/event-stream"
        yield Listener(answer)


class TestEventStream:
    async def test_it_tells_what_was_and_what_comes_and_goes_on_after_a_break(
        self, api: Api, mongo: Mongo, told: Told
    ) -> None:
        mine, me = await partner(api, mongo)
        for _ in range(250):
            await told.tell(mine)
        async with listening(me, "?after=0") as listener:
            assert await listener.numbers(250) == list(range(1, 251))
            await told.tell(mine)
            await told.tell(mine)
            assert await listener.numbers(2) == [251, 252]
        await told.tell(mine)
        async with listening(me, "?after=0", Last_Event_ID="251") as listener:
            assert await listener.numbers(2) == [252, 253]
        await me.post("/v1/partner/events/ack", {"sequence": 252}, status=200)
        async with listening(me) as listener:
            assert await listener.numbers(1) == [253]
        assert (await me.get("/v1/partner/events/stream", Last_Event_ID="12a", status=422)).body["field"] == (
            "Last-Event-ID"
        )
        await eventually(lambda: not api.gateway.listeners.open)
        await eventually(lambda: not api.gateway.hearing.listened, message="it listens for nobody")

    async def test_it_says_that_it_lives(self, gateway_settings: Settings, key: str, mongo: Mongo, api: Api) -> None:
        async with running(gateway_settings, key, Limits(heartbeat_s=0.05)) as lively:
            mine, me = await partner(lively, mongo)
            async with listening(me) as listener:
                hearing = asyncio.create_task(listener.next())
                await eventually(lambda: listener.comments >= 3)
                await Told(lively.gateway.js).tell(mine)
                assert (await hearing)["id"] == "1"

    async def test_who_does_not_read_is_cut_off_and_others_hear_all_the_time(
        self, gateway_settings: Settings, key: str, mongo: Mongo
    ) -> None:
        async with running(gateway_settings, key, Limits(listener_stalled_s=0.5)) as api:
            told = Told(api.gateway.js)
            mine, me = await partner(api, mongo)
            other, quick = await partner(api, mongo)
            host, port = api.url.removeprefix("http://").split(":")
            reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
            head = f"GET /v1/partner/events/stream?after=0 HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {me.key}"
            writer.write(f"{head}\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
            await eventually(lambda: api.gateway.listeners.open == 1)
            async with listening(quick, "?after=0") as listener:
                for number in range(1, 81):
                    await told.tell(mine, words="x" * 100_000)
                    await told.tell(other)
                    assert await listener.numbers(1) == [number]
                await eventually(lambda: api.gateway.listeners.open == 1, message="who does not read was not cut off")
                await told.tell(other)
                assert await listener.numbers(1) == [81]
            writer.close()

    async def test_it_ends_within_a_second_of_the_keys_revocation(self, api: Api, mongo: Mongo, told: Told) -> None:
        mine, me = await partner(api, mongo)
        await told.tell(mine)
        waiting = asyncio.create_task(me.get("/v1/partner/events?after=1&wait_s=30"))
        async with listening(me, "?after=0") as listener:
            assert await listener.numbers(1) == [1]
            await eventually(lambda: api.gateway.listeners.open == 2)
            assert await revoke_keys(mongo, partner=mine) == 1
            began = time.monotonic()
            with pytest.raises(EOFError):
                await listener.next()
            assert (await waiting).status == 401
            took = time.monotonic() - began
        locked_out = [await me.get("/v1/partner/events")]
        while locked_out[-1].status != 401:
            locked_out.append(await me.get("/v1/partner/events"))
        assert max(took, time.monotonic() - began) < 1
        assert await revoke_keys(mongo, partner=mine) == 0

    async def test_each_key_and_all_together_are_bounded(
        self, gateway_settings: Settings, key: str, mongo: Mongo
    ) -> None:
        async with running(gateway_settings, key, Limits(listeners=3, listeners_per_key=2)) as api:
            _, me = await partner(api, mongo)
            _, other = await partner(api, mongo)
            async with listening(me), listening(me):
                full = await me.get("/v1/partner/events/stream", status=429)
                assert (full.code, full.headers["Retry-After"]) == ("too_many_listeners", "5")
                assert (await me.get("/v1/partner/events?wait_s=1&after=0")).status == 429
                await me.get("/v1/partner/events", status=200)
                async with listening(other):
                    assert (await other.get("/v1/partner/events/stream")).status == 503
            await eventually(lambda: not api.gateway.listeners.open)
            async with listening(me):
                pass

    async def test_a_gateway_that_shuts_down_waits_for_no_listener(
        self, gateway_settings: Settings, key: str, mongo: Mongo
    ) -> None:
        began = time.monotonic()
        async with running(gateway_settings, key) as api:
            _, me = await partner(api, mongo)
            hearing = asyncio.create_task(_to_the_end(me))
            await eventually(lambda: api.gateway.listeners.open)
        await hearing
        assert time.monotonic() - began < 8


async def _to_the_end(me: Api) -> None:
    async with listening(me) as listener:
        with pytest.raises(EOFError):
            await listener.next()
