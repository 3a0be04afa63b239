"""NATS lost its last seconds, and its consumers: the outbox heals the stream, and every partner has every number."""

import asyncio
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from contracts.subjects import EVENTS, partner_filter
from infra.invariants.events import check_outbox, check_stream, look_at_stream, read_outbox
from infra.lease import Lease
from infra.mongo import Mongo
from infra.nats import Connection
from infra.outbox import CHUNK, Numbers, outgoing, rows_of
from infra.processes import Process
from infra.streams import provision_partner
from tests.support import eventually
from tests.survival.bus import SetBack
from tests.survival.partners import Follower
from workers.lost_replies import KIND
from workers.relay import Relay

LEASE_S = 1.0


async def write(mongo: Mongo, followers: Sequence[Follower], each: int) -> None:
    """Events in turn for every partner, as a step writes them."""
    now = datetime.now(UTC)
    partners = [follower.partner for _ in range(each) for follower in followers]
    events = [outgoing(partner, uuid.uuid4().hex, "parcel.offered.v1", "p1", now, {}) for partner in partners]
    for start in range(0, len(events), 7):
        await mongo.outbox.insert_many(rows_of(events[start : start + 7], now))


async def all_sent(mongo: Mongo) -> None:
    async def nothing_waits() -> bool:
        return not await mongo.outbox.count_documents({"status": {"$ne": "sent"}})

    await eventually(nothing_waits, timeout=20, message="events wait to be sent")


async def told(mongo: Mongo, partner: str, kind: str) -> int:
    told = 0
    async for row in mongo.outbox.find({"events.type": kind}):
        told += sum(event["partner"] == partner and event["type"] == kind for event in row["events"])
    return told


async def asked(mongo: Mongo, partner: str) -> None:
    await eventually(lambda: told(mongo, partner, KIND), message=f"{partner} was never asked for lost answers")


@asynccontextmanager
async def relaying(mongo: Mongo, nats: Connection) -> AsyncIterator[Relay]:
    relay = Relay(mongo, nats, owner=uuid.uuid4().hex, lease_s=LEASE_S)
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        relay.stop()
        await task


async def healed(mongo: Mongo, nats: Connection, followers: Sequence[Follower], *each: int) -> None:
    """Everybody has what was written for it, and was asked for lost answers; the stream is in order."""
    for follower, written in zip(followers, each * len(followers) if len(each) == 1 else each, strict=True):
        await asked(mongo, follower.partner)
        await all_sent(mongo)
        await follower.hears_all(written + await told(mongo, follower.partner, KIND))
    js = nats.jetstream()
    before = await look_at_stream(js)
    seen = await mongo.snapshot(lambda session: read_outbox(mongo, session, before))
    assert [*check_outbox(seen), *await check_stream(js, seen, before)] == []


async def test_an_idle_relay_notices_and_sends_again_what_was_marked_as_sent(
    mongo: Mongo, bus: SetBack, nats: Connection, followers: list[Follower]
) -> None:
    async with relaying(mongo, nats):
        await write(mongo, followers, 40)
        await all_sent(mongo)
        bus.remember()
        at = datetime.now(UTC)
        await write(mongo, followers, 60)
        await all_sent(mongo)
        for follower in followers:
            await follower.hears_all(100)
        await bus.lose()
        await healed(mongo, nats, followers, 100)
    # What partners had acknowledged since came again, under its number: the consumers forgot it too.
    assert all(follower.heard[100] == 2 and follower.heard[1] in (1, 2) for follower in followers)
    row = await mongo.outbox.find_one({"events.type": KIND})
    assert row is not None
    since = datetime.fromisoformat(orjson.loads(row["events"][0]["body"])["data"]["since"])
    assert timedelta(0) < at - since < timedelta(seconds=20)


async def test_a_relay_that_starts_after_the_loss_sends_it_again(
    mongo: Mongo, bus: SetBack, nats: Connection, followers: list[Follower]
) -> None:
    async with relaying(mongo, nats):
        await write(mongo, followers, 30)
        await all_sent(mongo)
        bus.remember()
        await write(mongo, followers, 30)
        await all_sent(mongo)
    await write(mongo, followers, 30)
    await bus.lose()
    async with relaying(mongo, nats):
        await healed(mongo, nats, followers, 90)


async def test_a_relay_at_work_goes_on_from_what_the_stream_has(
    mongo: Mongo, bus: SetBack, nats: Connection, followers: list[Follower]
) -> None:
    async with relaying(mongo, nats):
        await write(mongo, followers, 200)
        await all_sent(mongo)
        bus.remember()
        await write(mongo, followers, 500)

        async def some_sent() -> bool:
            return await mongo.outbox.count_documents({"status": "sent"}) > 120

        await eventually(some_sent)
        bus.stop()
        await write(mongo, followers, 100)
        await bus.start_set_back()
        await write(mongo, followers, 100)
        await healed(mongo, nats, followers, 900)


DYING = """
import asyncio, os, signal, sys
from infra.mongo import Mongo
from infra.nats import Chain, connect_by
from infra.settings import Settings
from workers.relay import Relay

publish = Chain.publish

async def die_half_way(chain, messages, after):
    await publish(chain, messages[: len(messages) * int(sys.argv[1]) // 4], after)
    os.kill(os.getpid(), signal.SIGKILL)

async def run():
    settings = Settings()
    mongo = Mongo(settings.require("mongo_url"), settings.mongo_database)
    await Relay(mongo, await connect_by(settings, "dying"), owner="dying", lease_s=0.5).run()

Chain.publish = die_half_way
asyncio.run(run())
"""
"""A relay that dies when as many quarters as its argument says of what it healed are back."""


@pytest.mark.parametrize("quarters", ["1", "3"])
async def test_a_relay_that_dies_while_it_heals_leaves_the_rest_to_the_next(
    mongo: Mongo,
    bus: SetBack,
    nats: Connection,
    followers: list[Follower],
    mongo_url: str,
    tmp_path: Path,
    quarters: str,
) -> None:
    async with relaying(mongo, nats):
        await write(mongo, followers, 50)
        await all_sent(mongo)
        bus.remember()
        await write(mongo, followers[:2], 40)
        await all_sent(mongo)
        await write(mongo, followers[2:], 40)
        await all_sent(mongo)
    # Numbered and never published, as a relay leaves it that is killed in between.
    await write(mongo, followers[:1], 100)
    lease = await Lease.take(mongo, "killed", 0)
    assert lease is not None
    assert len((await (await Numbers.read(mongo, lease)).stamp(CHUNK)).events) == 100
    await bus.lose()
    env = {
        "TONGQU_MONGO_URL": mongo_url,
        "TONGQU_MONGO_DATABASE": mongo.db.name,
        "TONGQU_NATS_URL": bus.servers.addresses.nats_url,
        "TONGQU_NATS_CREDS": bus.servers.addresses.nats_creds,
    }
    dying = Process("relay", [sys.executable, "-c", DYING, quarters], log=tmp_path / "dying.log", env=env)
    dying.start()
    assert await dying.wait(20)
    assert dying.returncode == -signal.SIGKILL, dying.log_tail()
    async with relaying(mongo, nats):
        await asked(mongo, followers[0].partner)
        await healed(mongo, nats, followers, 190, 90, 90)


async def test_consumers_that_have_read_further_than_the_stream_goes_miss_nothing(
    mongo: Mongo, bus: SetBack, nats: Connection, followers: list[Follower]
) -> None:
    """A machine that lost its power: the newest messages were not on the disk yet, the consumers' places were."""
    async with relaying(mongo, nats):
        await write(mongo, followers, 30)
        await all_sent(mongo)
        bus.remember()
        await write(mongo, followers, 30)
        for follower in followers:
            await follower.hears_all(60)
        bus.stop()
        await bus.start_with_old_messages()
        await healed(mongo, nats, followers, 60)


async def test_a_partner_that_was_registered_in_the_lost_seconds_has_its_consumer_again(
    mongo: Mongo, bus: SetBack, nats: Connection, followers: list[Follower]
) -> None:
    js = nats.jetstream()
    async with relaying(mongo, nats):
        await write(mongo, followers, 3)
        await all_sent(mongo)
        bus.remember()
        new = Follower(f"store-{uuid.uuid4().hex[:8]}", js)
        await provision_partner(js, new.partner)
        await write(mongo, [new], 5)
        await all_sent(mongo)
        await bus.lose()
        await asked(mongo, new.partner)
        await new.hears_all(6)
    last = await js.get_last_msg(EVENTS, partner_filter(new.partner))
    assert orjson.loads(last.data or b"")["type"] == KIND
