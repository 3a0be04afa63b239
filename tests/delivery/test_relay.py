"""Events reach the stream exactly once, in order and numbered without a gap, whatever happens to relays and servers."""

import asyncio
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig

from contracts.events import CloudEvent
from contracts.subjects import EVENTS, event_subject, partner_filter
from infra import outbox
from infra.embedded import Servers
from infra.indexes import make_indexes
from infra.invariants.events import NUMBERS, check_outbox, check_stream, look_at_stream, read_outbox
from infra.lease import Lease, LeaseLost
from infra.mongo import Mongo, Session
from infra.nats import Chain, ChainBroken, Connection, Message, connect, publish
from infra.outbox import CHUNK, FOLD_EVERY, Numbers, outgoing, rows_of
from infra.processes import Process
from infra.streams import STREAMS, provision_streams
from tests.support import eventually
from workers.lost_replies import KIND
from workers.relay import Relay

OFFERED = "parcel.offered.v1"
LEASE_S = 1.0
"""Short, so that a take-over after a death does not take long."""

DYING = f"""
import asyncio, os, signal, sys
from infra import outbox
from infra.mongo import Mongo
from infra.nats import Chain, connect_by
from infra.settings import Settings
from workers.relay import Relay

publish = Chain.publish

async def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

async def die_before_marking(mongo, events):
    if events:
        await die()

async def die_half_way(chain, messages, after):
    await publish(chain, messages[: len(messages) // 2], after)
    await die()

async def sleep_first(chain, messages, after):
    os.kill(os.getpid(), signal.SIGSTOP)
    return await publish(chain, messages, after)

POINTS = {{
    "stamped": lambda: setattr(Chain, "publish", die),
    "half way": lambda: setattr(Chain, "publish", die_half_way),
    "published": lambda: setattr(outbox, "mark_sent", die_before_marking),
    "asleep": lambda: setattr(Chain, "publish", sleep_first),
    "never": lambda: None,
}}

async def run():
    settings = Settings()
    mongo = Mongo(settings.require("mongo_url"), settings.mongo_database)
    bus = await connect_by(settings, "dying")
    await Relay(mongo, bus, owner=f"dying-{{os.getpid()}}", lease_s={LEASE_S}).run()

POINTS[sys.argv[1]]()
asyncio.run(run())
"""
"""The relay as a process that dies, or is stopped, at the point that its argument names."""


class Bench:
    """An outbox that is filled, and the stream as partners see it. Partners are this test's own."""

    def __init__(self, mongo: Mongo, js: JetStreamContext) -> None:
        self.mongo = mongo
        self.js = js
        self.partners = [f"store-{uuid.uuid4().hex[:8]}" for _ in range(3)]
        self.written = 0

    def row(self, partner: str | None = None, at: datetime | None = None) -> dict[str, Any]:
        partner = partner or self.partners[self.written % len(self.partners)]
        self.written += 1
        now = at or datetime.now(UTC)
        event_id = f"{uuid.uuid4().hex}:1:0"
        (row,) = rows_of([outgoing(partner, event_id, OFFERED, "p1", now, {"parcel": "p1", "answer_by": now})], now)
        return row

    async def write(self, number: int, **fields: Any) -> list[str]:
        rows = [self.row(**fields) for _ in range(number)]
        await self.mongo.outbox.insert_many(rows)
        return [row["_id"] for row in rows]

    async def write_together(self, number: int) -> list[str]:
        """As one step writes them."""
        now = datetime.now(UTC)
        events = [event for _ in range(number) for event in self.row(at=now)["events"]]
        rows = rows_of(events, now)
        await self.mongo.outbox.insert_many(rows)
        return [row["_id"] for row in rows]

    async def told(self, partner: str) -> list[dict[str, Any]]:
        """Everything in the stream for a partner."""
        subjects = (await self.js.stream_info(EVENTS, subjects_filter=partner_filter(partner))).state.subjects
        number = sum((subjects or {}).values())
        config = ConsumerConfig(ack_policy=AckPolicy.NONE)
        reading = await self.js.subscribe(partner_filter(partner), stream=EVENTS, config=config)
        events = [orjson.loads((await reading.next_msg(5)).data) for _ in range(number)]
        await reading.unsubscribe()
        return events

    async def begun(self, least: int = 0) -> int:
        """How many events a relay has taken up, sent or not; 0 while they are fewer than `least`."""
        taken_up: int = await self.mongo.outbox.count_documents({"status": {"$ne": "pending"}})
        return taken_up if taken_up >= least else 0

    async def everything_sent(self) -> bool:
        return not await self.mongo.outbox.count_documents({"status": {"$ne": "sent"}})

    async def numbered(self, partner: str) -> list[tuple[int, str]]:
        """Numbers and ids of a partner's events in the outbox."""
        found = []
        async for row in self.mongo.outbox.find({"events.partner": partner}):
            for event, number in zip(row["events"], row["numbers"], strict=True):
                if event["partner"] == partner:
                    found.append((number, event["id"]))
        return found

    async def exactly_once(self) -> None:
        """Asserts that the stream and the outbox say the same, without a gap, a double, or a swap."""
        await eventually(self.everything_sent, timeout=30, message="every event is marked as sent")
        heard = 0
        for partner in self.partners:
            events = await self.told(partner)
            assert [event["sequence"] for event in events] == [str(n + 1) for n in range(len(events))], partner
            numbered = sorted((number, event) for number, event in await self.numbered(partner))
            assert [event["id"] for event in events] == [event for _, event in numbered]
            heard += len(events)
        asked = 0
        async for row in self.mongo.outbox.find({"events.type": KIND}):
            asked += sum(event["type"] == KIND and event["partner"] in self.partners for event in row["events"])
        assert heard == self.written + asked
        await self.invariants_hold()

    async def invariants_hold(self) -> None:
        before = await look_at_stream(self.js)

        async def read(session: Session) -> Any:
            return await read_outbox(self.mongo, session, before)

        seen = await self.mongo.snapshot(read)
        findings = [*check_outbox(seen), *await check_stream(self.js, seen, before)]
        assert not [f for f in findings if f.invariant != "events.known"], "other tests share the stream"


@pytest.fixture
async def bench(mongo: Mongo, js: JetStreamContext) -> Bench:
    await make_indexes(mongo)
    return Bench(mongo, js)


@pytest.fixture
async def short_memory(js: JetStreamContext) -> AsyncIterator[None]:
    """The stream forgets ids at once, so that it cannot be what keeps events from coming twice."""
    events = STREAMS[0]
    await js.update_stream(events.evolve(duplicate_window=0.1))
    await forgotten(js)
    yield
    await js.update_stream(events)


async def forgotten(js: JetStreamContext) -> None:
    """Wait until the stream would take any id again that it has taken up to now."""
    probe = uuid.uuid4().hex
    subject = event_subject(f"probe-{probe}", OFFERED)
    await publish(js, subject, b"{}", probe)

    async def taken_again() -> bool:
        return not (await publish(js, subject, b"{}", probe)).duplicate

    await eventually(taken_again)
    await js.purge_stream(EVENTS, subject=subject)


@asynccontextmanager
async def running(mongo: Mongo, nats: Connection, owner: str = "one", lease_s: float = LEASE_S) -> AsyncIterator[Relay]:
    relay = Relay(mongo, nats, owner=owner, lease_s=lease_s)
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        relay.stop()
        await task


Start = Callable[[str], Process]


@pytest.fixture
async def start(bus: Servers, mongo_url: str, database: str, tmp_path: Path) -> AsyncIterator[Start]:
    """Starts a relay process that meets its end at a point, see DYING; or the real one, when the point is empty."""
    started: list[Process] = []
    env = {
        "TONGQU_MONGO_URL": mongo_url,
        "TONGQU_MONGO_DATABASE": database,
        "TONGQU_NATS_URL": bus.addresses.nats_url,
        "TONGQU_NATS_CREDS": bus.addresses.nats_creds,
    }

    def start(point: str) -> Process:
        command = ["-c", DYING, point] if point else ["-m", "workers.relay"]
        log = tmp_path / f"relay-{len(started)}.log"
        process = Process("relay", [sys.executable, *command], log=log, env=env)
        process.start()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()


async def test_an_event_arrives_as_a_numbered_cloud_event(bench: Bench, nats: Connection) -> None:
    partner = bench.partners[0]
    at = datetime(2026, 3, 2, 9, 0, 0, 123000, tzinfo=UTC)
    (event_id,) = await bench.write(1, partner=partner, at=at)
    async with running(bench.mongo, nats):
        await bench.exactly_once()
    message = await bench.js.get_last_msg(EVENTS, partner_filter(partner))
    assert message.subject == f"evt.v1.{partner}.parcel.offered"
    assert message.headers is not None
    assert message.headers["Nats-Msg-Id"] == event_id
    assert message.headers["Content-Type"] == "application/cloudevents+json"
    event = orjson.loads(message.data or b"")
    assert event == {
        "specversion": "1.0",
        "id": event_id,
        "source": "tongqu",
        "type": OFFERED,
        "subject": "p1",
        "time": "2026-03-02T09:00:00.123000Z",
        "datacontenttype": "application/json",
        "sequence": "1",
        "data": {"parcel": "p1", "answer_by": "2026-03-02T09:00:00.123000Z"},
    }
    assert CloudEvent.model_validate(event).time == at
    row = await bench.mongo.outbox.find_one({"_id": event_id})
    assert row is not None
    assert (row["status"], row["numbers"]) == ("sent", [1])
    assert timedelta(0) <= datetime.now(UTC) - row["sent_at"] < timedelta(minutes=1)


async def test_a_partners_events_go_out_in_the_order_in_which_they_were_written(bench: Bench, nats: Connection) -> None:
    partner = bench.partners[0]
    now = datetime.now(UTC)
    second = bench.row(partner, now)
    third = bench.row(partner, now)
    first = bench.row(partner, now - timedelta(seconds=1))
    await bench.mongo.outbox.insert_many([third, second, first])
    async with running(bench.mongo, nats):
        await bench.exactly_once()
    assert [event["id"] for event in await bench.told(partner)] == [row["_id"] for row in (first, second, third)]


async def test_an_event_whose_transaction_commits_late_is_not_passed_by(bench: Bench, nats: Connection) -> None:
    """It has an earlier time and key than events that were relayed while its transaction was open."""
    partner = bench.partners[0]
    late = bench.row(partner, datetime.now(UTC) - timedelta(seconds=5))
    async with running(bench.mongo, nats):
        async with await bench.mongo.client.start_session() as session, session.start_transaction():
            await bench.mongo.outbox.insert_one(late, session=session)
            early = await bench.write(3, partner=partner)
            await eventually(lambda: bench.mongo.outbox.count_documents({"status": "sent"}))
        await bench.exactly_once()
    assert [event["id"] for event in await bench.told(partner)] == [*early, late["_id"]]


async def test_two_relays_that_compete_leave_neither_gaps_nor_doubles(
    bench: Bench, bus: Servers, nats: Connection, mongo_url: str, database: str
) -> None:
    second_mongo, second_nats = (
        Mongo(mongo_url, database),
        await connect(bus.addresses.nats_url, bus.addresses.nats_creds, "second"),
    )
    tokens = set()
    async with running(second_mongo, second_nats, "second", 0.3):
        for turn in range(6):
            # Each turn the first one comes and goes, so that the lease changes hands in the middle of the work.
            async with running(bench.mongo, nats, f"first-{turn}", 0.3):
                for _ in range(5):
                    before = await bench.begun()
                    await bench.write(100)
                    await eventually(partial(bench.begun, before + 1))
                lease = await bench.mongo.leases.find_one({"_id": "relay"})
                assert lease is not None
                tokens.add(lease["token"])
            if turn == 2:
                await bench.mongo.leases.update_one({"_id": "relay"}, {"$set": {"expires_at": datetime.now(UTC)}})
        await bench.exactly_once()
    await second_nats.close()
    second_mongo.close()


@pytest.mark.usefixtures("short_memory")
@pytest.mark.parametrize("point", ["stamped", "half way", "published"])
async def test_a_relay_that_is_killed_leaves_neither_gaps_nor_doubles(
    bench: Bench, nats: Connection, start: Start, point: str
) -> None:
    await bench.write(400)
    dying = start(point)
    assert await dying.wait(20)
    assert dying.returncode == -signal.SIGKILL, dying.log_tail()
    assert await bench.mongo.outbox.count_documents({"status": "stamped"}) == 400
    heard = sum([len(await bench.told(partner)) for partner in bench.partners])
    assert heard == {"stamped": 0, "half way": 200, "published": 400}[point]
    await bench.write(50)
    async with running(bench.mongo, nats):
        await bench.exactly_once()


@pytest.mark.usefixtures("short_memory")
async def test_relays_that_are_killed_at_any_moment_leave_neither_gaps_nor_doubles(
    bench: Bench, nats: Connection, start: Start
) -> None:
    for more in (1, 600, 1_100):
        await bench.write(1_200)
        known, begun = await bench.mongo.outbox.count_documents({"status": "sent"}), await bench.begun()
        process = start("never")
        await eventually(partial(bench.begun, begun + more), timeout=20)
        process.kill()
        assert await bench.mongo.outbox.count_documents({"status": "sent"}) >= known
    async with running(bench.mongo, nats):
        await bench.exactly_once()


@pytest.mark.usefixtures("short_memory")
async def test_a_relay_that_slept_through_its_lease_publishes_nothing_more(
    bench: Bench, nats: Connection, start: Start
) -> None:
    """The process is stopped between its last look at the lease and the first byte to NATS, and wakes much later."""
    await bench.write(300)
    sleeper = start("asleep")
    await eventually(lambda: _is_stopped(sleeper.pid), timeout=20)
    async with running(bench.mongo, nats, "other"):
        await eventually(bench.everything_sent, timeout=20)
        await forgotten(bench.js)
        os.kill(sleeper.pid, signal.SIGCONT)
        await eventually(lambda: "another relay has taken over" in sleeper.log_tail(50))
        await bench.write(100)
        await bench.exactly_once()
    assert sleeper.running


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


async def test_nats_that_is_killed_in_the_middle_is_waited_for(bench: Bench, bus: Servers, nats: Connection) -> None:
    async with running(bench.mongo, nats):
        for _ in range(2):
            before = await bench.begun()
            await bench.write(1_500)
            await eventually(partial(bench.begun, before + 1))
            bus.processes["nats"].kill()
            await bus.start_again("nats")
        await bench.exactly_once()


async def test_what_the_stream_has_lost_is_sent_again_under_its_old_numbers(bench: Bench, nats: Connection) -> None:
    async with running(bench.mongo, nats):
        await bench.write(1_200)
        await bench.exactly_once()
        await bench.js.delete_stream(EVENTS)
        await provision_streams(bench.js)
        await bench.write(1)
        await eventually(lambda: bench.mongo.outbox.count_documents({"events.type": KIND}), timeout=20)
        await bench.exactly_once()
    (asked,) = [event for event in await bench.told(bench.partners[0]) if event["type"] == KIND]
    assert asked["data"] == {}, "nothing is left of what partners have answered"


async def test_what_the_stream_was_told_to_forget_is_not_sent_again(bench: Bench, nats: Connection) -> None:
    async with running(bench.mongo, nats):
        await bench.write(30)
        await bench.exactly_once()
    await bench.js.purge_stream(EVENTS)
    async with running(bench.mongo, nats, "next"):
        await bench.write(3)
        await eventually(bench.everything_sent)
    for partner in bench.partners:
        assert [event["sequence"] for event in await bench.told(partner)] == ["11"]


async def test_the_lost_end_of_the_stream_is_sent_again_wherever_it_begins(bench: Bench, nats: Connection) -> None:
    """In the middle of a row that tells many partners of many events."""
    async with running(bench.mongo, nats):
        for _ in range(3):
            await bench.write_together(700)
            await bench.write(5)
        await bench.exactly_once()
        end = (await bench.js.stream_info(EVENTS)).state.last_seq
    await bench.js.delete_stream(EVENTS)
    await provision_streams(bench.js)
    chain, kept = Chain(nats), 0
    async for row in bench.mongo.outbox.find().sort([("turn", 1), ("at", 1), ("key", 1)]):
        turn = outbox.Turn()
        turn.take(row)
        held = turn.events[: max(1_000 - kept, 0)]
        kept = await chain.publish([Message(one.id, one.subject, one.body()) for one in held], kept) if held else kept
    assert kept == 1_000 < end
    async with running(bench.mongo, nats, "next"):
        await bench.write(1)
        await bench.exactly_once()


async def test_numbers_go_on_wherever_a_relay_ended(bench: Bench, nats: Connection) -> None:
    """They are written to the partners' documents every so often only; the rows say the rest."""
    lease = await Lease.take(bench.mongo, "dies", 0)
    assert lease is not None
    numbers = await Numbers.read(bench.mongo, lease)
    for turn in range(FOLD_EVERY + 3):
        await bench.write(3)
        await numbers.stamp()
        assert lease.turn == turn + 1
    assert lease.folded == FOLD_EVERY
    last = {row["_id"]: row["last"] async for row in bench.mongo.partner_sequences.find()}
    assert last == dict.fromkeys(bench.partners, FOLD_EVERY)
    assert await bench.mongo.outbox.count_documents({"folded": True}) == 3 * FOLD_EVERY
    again = await Lease.take(bench.mongo, "takes over", 30)
    assert again is not None
    assert (await Numbers.read(bench.mongo, again)).last == dict.fromkeys(bench.partners, FOLD_EVERY + 3)
    await again.give_back()
    async with running(bench.mongo, nats):
        await bench.write(3)
        await bench.exactly_once()
    assert not await bench.mongo.outbox.count_documents({"folded": {"$exists": False}})


async def test_a_long_row_is_cut_and_keeps_its_order(bench: Bench, nats: Connection) -> None:
    assert len(await bench.write_together(2 * CHUNK + 1)) == 5
    async with running(bench.mongo, nats):
        await bench.exactly_once()


async def test_a_database_that_was_set_back_gives_no_number_twice(bench: Bench, nats: Connection) -> None:
    async with running(bench.mongo, nats):
        await bench.write(30)
        await eventually(bench.everything_sent)
    for forgotten in (bench.mongo.outbox, bench.mongo.partner_sequences, bench.mongo.leases):
        await forgotten.delete_many({})
    async with running(bench.mongo, nats, "next"):
        await bench.write(6)
        await eventually(bench.everything_sent)
    for partner in bench.partners:
        assert [event["sequence"] for event in await bench.told(partner)] == [str(n) for n in range(1, 13)]


async def test_a_foreign_message_on_the_stream_holds_nothing_up(bench: Bench, nats: Connection) -> None:
    async with running(bench.mongo, nats):
        await bench.write(30)
        await eventually(bench.everything_sent)
        await publish(bench.js, event_subject("somebody-else", OFFERED), b"no json", uuid.uuid4().hex)
        await bench.write(30)
        await bench.exactly_once()


async def test_a_relay_that_is_told_to_stop_finishes_and_gives_its_lease_back(
    bench: Bench, nats: Connection, start: Start
) -> None:
    process = start("")
    await bench.write(3_000)
    await eventually(lambda: bench.mongo.outbox.count_documents({"status": {"$ne": "pending"}}), timeout=20)
    os.kill(process.pid, signal.SIGTERM)
    assert await process.wait(10)
    assert process.returncode == 0, process.log_tail()
    assert not await bench.mongo.outbox.count_documents({"status": "stamped"})
    lease = await Lease.take(bench.mongo, "at once")
    assert lease is not None
    await lease.give_back()
    async with running(bench.mongo, nats):
        await bench.exactly_once()


class TestLease:
    async def test_it_is_held_by_one_and_its_token_grows_at_each_take_over(self, mongo: Mongo) -> None:
        first = await Lease.take(mongo, "first", 0.3)
        assert first is not None
        assert await Lease.take(mongo, "second", 0.3) is None
        await first.renew()
        second = await eventually(lambda: Lease.take(mongo, "second", 30))
        assert second is not None
        assert second.token == first.token + 1
        with pytest.raises(LeaseLost):
            await first.renew()
        await first.give_back()
        assert await Lease.take(mongo, "third", 30) is None, "a lost lease cannot be given back"
        await second.give_back()
        assert await Lease.take(mongo, "third", 30) is not None

    async def test_whoever_lost_it_cannot_number_anything(self, bench: Bench) -> None:
        await bench.write(5)
        lost = await Lease.take(bench.mongo, "first", 0)
        assert lost is not None
        assert await Lease.take(bench.mongo, "second", 30) is not None
        with pytest.raises(LeaseLost):
            await (await Numbers.read(bench.mongo, lost)).stamp()
        assert await bench.mongo.outbox.count_documents({"status": "pending"}) == 5
        assert not await bench.mongo.partner_sequences.count_documents({})


class TestChain:
    async def test_messages_lie_behind_each_other_or_not_at_all(self, bench: Bench, nats: Connection) -> None:
        chain = Chain(nats)
        end = (await bench.js.stream_info(EVENTS)).state.last_seq
        assert await chain.publish(_messages(bench, "abc"), end) == end + 3
        with pytest.raises(ChainBroken, match="wrong last sequence") as broken:
            await chain.publish(_messages(bench, "de"), end + 2)
        assert broken.value.taken == 0
        assert (await bench.js.stream_info(EVENTS)).state.last_seq == end + 3

    async def test_one_that_the_stream_knows_counts_as_taken(self, bench: Bench, nats: Connection) -> None:
        chain = Chain(nats)
        end = (await bench.js.stream_info(EVENTS)).state.last_seq
        known, *others = _messages(bench, "abc")
        await chain.publish([known], end)
        with pytest.raises(ChainBroken) as broken:
            await chain.publish([known, *others], end + 1)
        assert broken.value.taken == 1
        assert await chain.publish(others, end + 1) == end + 3

    async def test_a_subject_that_no_stream_listens_to_is_an_error(self, nats: Connection) -> None:
        with pytest.raises(ChainBroken, match="no stream"):
            await Chain(nats).publish([Message("1", "nobody.listens", b"")], 0)


def _messages(bench: Bench, words: Iterable[str]) -> list[Message]:
    subject = event_subject(bench.partners[0], OFFERED)
    return [Message(uuid.uuid4().hex, subject, word.encode()) for word in words]


async def test_the_check_of_invariants_would_see_a_gap(bench: Bench, nats: Connection) -> None:
    async with running(bench.mongo, nats):
        await bench.write(9)
        await bench.exactly_once()
    await bench.mongo.outbox.delete_one({"events.partner": bench.partners[0], "numbers": [2]})
    seen = await bench.mongo.snapshot(lambda session: read_outbox(bench.mongo, session, None))
    assert NUMBERS.name in {finding.invariant for finding in check_outbox(seen)}
