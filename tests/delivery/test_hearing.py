"""A partner's stream is read from any of its numbers on, whatever lies between its events, and nobody waits in vain."""

import asyncio
import random
import time

import orjson
import pytest
from nats.js import JetStreamContext

from contracts.subjects import EVENTS, partner_consumer
from infra.hearing import Gone, Heard, Hearing, acknowledged
from infra.mongo import Mongo
from infra.nats import Connection
from infra.streams import provision_partner
from tests.support import eventually
from tests.told import OFFERED, Told, fresh_stream, stamped


@pytest.fixture
def told(js: JetStreamContext) -> Told:
    return Told(js)


@pytest.fixture
def hearing(nats: Connection) -> Hearing:
    return Hearing(nats)


def numbers(events: list[Heard]) -> list[int]:
    return [event.number for event in events]


async def test_every_number_is_found_among_the_events_of_others(told: Told, hearing: Hearing) -> None:
    """Clumps and single events, in an order of chance: the place of every number, and every size of page."""
    chance = random.Random(5)
    mine, *others = [fresh_stream() for _ in range(4)]
    for _ in range(40):
        for _ in range(chance.choice((0, 1, 1, 7))):
            await told.tell(mine)
        for _ in range(chance.choice((0, 1, 9))):
            await told.tell(chance.choice(others))
    last = told.last[mine]
    assert last > 30
    for after in range(last + 1):
        page = await hearing.read(mine, after, 5)
        assert numbers(page.events) == list(range(after + 1, min(after + 5, last) + 1))
        assert (page.end, page.more) == (last, after + 5 < last)
    assert (await hearing.oldest(mine), await hearing.newest(mine)) == (1, last)


async def test_page_follows_page_without_looking_for_its_place(told: Told, hearing: Hearing) -> None:
    mine, other = fresh_stream(), fresh_stream()
    for _ in range(25):
        await told.tell(mine)
        await told.tell(other)
    heard: list[Heard] = []
    while True:
        near = heard[-1] if heard else None
        page = await hearing.read(mine, near.number if near else 0, 4, near)
        heard += page.events
        if not page.events:
            break
    assert numbers(heard) == list(range(1, 26))
    assert [event.id for event in heard] == [f"{mine}:{number}" for number in range(1, 26)]
    # A place that is not this event's any more is not believed.
    wrong = Heard(10, heard[9].id, OFFERED, b"", heard[3].place)
    assert numbers((await hearing.read(mine, 10, 3, wrong)).events) == [11, 12, 13]
    beyond = Heard(10, heard[9].id, OFFERED, b"", heard[-1].place + 10_000)
    assert numbers((await hearing.read(mine, 10, 3, beyond)).events) == [11, 12, 13]


async def test_who_was_never_told_anything_hears_nothing(hearing: Hearing) -> None:
    page = await hearing.read(fresh_stream(), 0, 10)
    assert (page.events, page.end, page.more) == ([], 0, False)


async def test_more_than_was_told_is_nothing_yet(told: Told, hearing: Hearing) -> None:
    mine = fresh_stream()
    await told.tell(mine)
    page = await hearing.read(mine, 7, 10)
    assert (page.events, page.end) == ([], 1)


async def test_what_is_kept_no_more_is_gone_and_the_oldest_number_is_named(
    told: Told, hearing: Hearing, js: JetStreamContext
) -> None:
    mine = fresh_stream()
    for _ in range(10):
        await told.tell(mine)
    sixth = await hearing.place_of(mine, 6)
    assert sixth is not None
    await js.purge_stream(EVENTS, seq=sixth)
    for after in (0, 4):
        with pytest.raises(Gone) as gone:
            await hearing.read(mine, after, 10)
        assert gone.value.oldest == 6
    assert numbers((await hearing.read(mine, 5, 10)).events) == [6, 7, 8, 9, 10]
    await js.purge_stream(EVENTS, subject=f"evt.v1.{mine}.>")
    assert (await hearing.read(mine, 10, 10)).events == []
    await told.tell(mine)
    assert numbers((await hearing.read(mine, 10, 10)).events) == [11]
    with pytest.raises(Gone) as gone:
        await hearing.read(mine, 9, 10)
    assert gone.value.oldest == 11


async def test_a_gap_is_never_passed_over_and_a_number_never_given_twice(told: Told, hearing: Hearing) -> None:
    mine = fresh_stream()
    for number in (1, 2, 2, 3, 5, 6):
        await told.tell(mine, number)
    page = await hearing.read(mine, 0, 10)
    assert numbers(page.events) == [1, 2, 3]
    with pytest.raises(Gone) as gone:
        await hearing.read(mine, 3, 10, page.last)
    assert gone.value.oldest == 5
    assert numbers((await hearing.read(mine, 4, 10)).events) == [5, 6]


async def test_many_wait_and_all_hear_at_once(told: Told, hearing: Hearing, nats: Connection) -> None:
    mine, other = fresh_stream(), fresh_stream()
    before = nats.stats["out_msgs"]

    async def next_one() -> list[int]:
        async with hearing.waiting(mine) as bell:
            while not (page := await hearing.read(mine, 0, 10)).events:
                await hearing.wait(mine, bell, 0, 20)
        return numbers(page.events)

    began = time.monotonic()
    waiting = [asyncio.create_task(next_one()) for _ in range(30)]
    await eventually(lambda: nats.stats["out_msgs"] - before >= 30, message="they have not looked yet")
    await told.tell(other)
    await told.tell(mine)
    assert await asyncio.gather(*waiting) == [[1]] * 30
    assert time.monotonic() - began < 15, "they were not waked, but looked when the time was over"
    await eventually(lambda: not hearing.listened, message="nobody waits, and it listens still")


async def test_one_that_waits_can_be_called_and_ends_in_time(hearing: Hearing) -> None:
    mine = fresh_stream()
    async with hearing.waiting(mine) as bell:
        task = asyncio.create_task(hearing.wait(mine, bell, 0, 300))
        bell.set()
        await task
        await hearing.wait(mine, bell, 0, 0.05)


async def test_what_is_announced_and_refused_by_the_stream_is_not_heard(
    told: Told, hearing: Hearing, js: JetStreamContext
) -> None:
    mine = fresh_stream()
    await told.tell(mine)
    async with hearing.waiting(mine) as bell:
        await hearing.read(mine, 1, 1)
        refused = stamped(mine, 2)
        with pytest.raises(Exception, match="wrong last sequence"):
            await js.publish(refused.subject, refused.body(), headers={"Nats-Expected-Last-Sequence": "999999"})
        await hearing.wait(mine, bell, 1, 0.3)
        assert (await hearing.read(mine, 1, 10)).events == []


async def test_a_consumer_is_set_back_to_any_number(told: Told, hearing: Hearing, js: JetStreamContext) -> None:
    mine, other = fresh_stream(), fresh_stream()
    assert not await hearing.rewind(mine, 1)
    for _ in range(5):
        await told.tell(mine)
        await told.tell(other)
    assert not await hearing.rewind(mine, 1), "there is no consumer"
    await provision_partner(js, mine)
    inbox = await js.pull_subscribe_bind(durable=partner_consumer(mine), stream=EVENTS)
    for message in await inbox.fetch(5, timeout=10):
        await message.ack_sync(timeout=5)
    assert not await hearing.rewind(mine, 6), "it is yet to come"
    assert await hearing.rewind(mine, 3)
    assert [orjson.loads(message.data)["sequence"] for message in await inbox.fetch(5, timeout=10)] == ["3", "4", "5"]


class TestAcknowledged:
    async def test_over_nats_it_is_the_floor_in_the_partners_own_numbers(
        self, told: Told, js: JetStreamContext, mongo: Mongo
    ) -> None:
        mine, other = fresh_stream(), fresh_stream()
        assert await acknowledged(mongo, js, mine) == 0
        await provision_partner(js, mine)
        assert await acknowledged(mongo, js, mine) == 0
        for _ in range(5):
            await told.tell(other)
            await told.tell(mine)
        inbox = await js.pull_subscribe_bind(durable=partner_consumer(mine), stream=EVENTS)
        messages = await inbox.fetch(5, timeout=10)
        await messages[1].ack_sync(timeout=5)
        assert await acknowledged(mongo, js, mine) == 0, "the first is not acknowledged, so the second does not count"
        await messages[0].ack_sync(timeout=5)
        assert await acknowledged(mongo, js, mine) == 2
        for message in messages[2:]:
            await message.ack_sync(timeout=5)
        assert await acknowledged(mongo, js, mine) == 5
        await told.tell(mine)
        assert await acknowledged(mongo, js, mine) == 5

    async def test_of_several_ways_the_furthest_counts(self, js: JetStreamContext, mongo: Mongo) -> None:
        mine = fresh_stream()
        await mongo.positions.insert_one({"_id": mine, "acknowledged": 4})
        assert await acknowledged(mongo, js, mine) == 4
        hooks = [{"_id": f"{mine}{n}", "stream": mine, "position": 90, "acknowledged": n} for n in (3, 7)]
        await mongo.webhooks.insert_many(hooks)
        assert await acknowledged(mongo, js, mine) == 7
