"""Streams and consumers are made as declared, once; the connection is loud when it is lost."""

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NothingThere
from nats.js import JetStreamContext, api
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest

import infra.nats
from contracts.fulfilment import SEARCH_ATTRIBUTES
from contracts.subjects import (
    DLQ,
    EVENTS,
    REPLIES,
    RETAILER,
    WAKE,
    event_subject,
    partner_consumer,
    partner_filter,
    reply_subject,
)
from infra.embedded import Servers
from infra.embedded.ports import HOST, free_port
from infra.indexes import INDEXES
from infra.mongo import Mongo
from infra.nats import Connection, NatsRefused, NatsUnreachable, ServerTooOld, connect, publish
from infra.nats_keys import BusKeys
from infra.provision import provision
from infra.settings import Settings
from infra.streams import (
    CONSUMERS,
    REPLIES_CONSUMER,
    REPLIES_WAITING_MAX,
    STREAM_FULL,
    STREAMS,
    Mismatch,
    partner_config,
    provision_partner,
    provision_partners,
    provision_streams,
)
from infra.temporal import connect as connect_temporal
from tests.support import eventually

OFFERED = "parcel.offered.v1"


def partner_id() -> str:
    return f"store-{uuid.uuid4().hex[:10]}"


async def told(js: JetStreamContext, partner: str, *, most: int = 10) -> list[str]:
    """What a partner reads from its own consumer, acknowledged."""
    inbox = await js.pull_subscribe_bind(durable=partner_consumer(partner), stream=EVENTS)
    read: list[str] = []
    try:
        while len(read) < most:
            (message,) = await inbox.fetch(1, timeout=0.5)
            await message.ack()
            read.append(message.data.decode())
    except NothingThere:
        pass
    await inbox.unsubscribe()
    return read


class TestStreams:
    async def test_every_limit_is_set_and_nothing_is_kept_in_memory(self, js: JetStreamContext) -> None:
        for name in (EVENTS, REPLIES, WAKE, DLQ):
            config = (await js.stream_info(name)).config
            assert config.storage == api.StorageType.FILE
            for limit in (config.max_age, config.max_bytes, config.max_msg_size, config.max_consumers):
                assert limit is not None
                assert limit > 0, name
            assert config.duplicate_window == (0.1 if name == REPLIES else 120)
        assert (await js.stream_info(WAKE)).config.retention == api.RetentionPolicy.WORK_QUEUE

    async def test_provisioning_again_changes_nothing(self, js: JetStreamContext) -> None:
        partner = partner_id()
        await provision_partner(js, partner)
        await publish(js, event_subject(partner, OFFERED), b"one", uuid.uuid4().hex)
        assert await told(js, partner) == ["one"]

        async def state() -> list[Any]:
            streams = [await js.stream_info(str(stream.name)) for stream in STREAMS]
            consumers = [await js.consumer_info(name, str(config.name)) for name, config in CONSUMERS]
            own = await js.consumer_info(EVENTS, partner_consumer(partner))
            kept = [(info.config, info.created) for info in [*streams, *consumers, own]]
            return [*kept, own.delivered, own.ack_floor, own.num_pending]

        before = await state()
        await provision_streams(js)
        await provision_partners(js, [partner, partner])
        assert await state() == before

    async def test_a_limit_that_was_changed_by_hand_is_set_right(self, js: JetStreamContext) -> None:
        config = (await js.stream_info(DLQ)).config
        await js.update_stream(config.evolve(max_age=60, duplicate_window=10, description="mine"))
        await js.add_consumer(WAKE, CONSUMERS[0][1].evolve(max_ack_pending=1))
        await provision_streams(js)
        after = (await js.stream_info(DLQ)).config
        assert (after.max_age, after.duplicate_window) == (config.max_age, config.duplicate_window)
        assert after.description == "mine", "what is not declared is left alone"
        assert (await js.consumer_info(WAKE, "wake")).config.max_ack_pending == 1000

    async def test_what_cannot_be_changed_is_refused_by_name(self, js: JetStreamContext) -> None:
        await js.delete_stream(DLQ)
        await js.add_stream(name=DLQ, subjects=["dlq.>"], storage=api.StorageType.MEMORY)
        try:
            with pytest.raises(Mismatch, match=r"stream DLQ .*storage is 'memory', not .*file.*provision again"):
                await provision_streams(js)
        finally:
            await js.delete_stream(DLQ)
            await provision_streams(js)

    async def test_a_consumer_of_another_kind_is_refused_by_name(self, js: JetStreamContext) -> None:
        partner = partner_id()
        name = partner_consumer(partner)
        subject = partner_filter(partner)
        latest = api.DeliverPolicy.NEW
        await js.add_consumer(EVENTS, name=name, durable_name=name, filter_subject=subject, deliver_policy=latest)
        with pytest.raises(Mismatch, match=rf"consumer {name} of {EVENTS}"):
            await provision_partner(js, partner)

    async def test_a_reply_under_a_subject_that_nobody_reads_is_refused_at_once(self, js: JetStreamContext) -> None:
        partner = partner_id()
        await publish(js, reply_subject(partner), b"{}", uuid.uuid4().hex)
        with pytest.raises((NoRespondersError, NoStreamResponseError)):
            await publish(js, reply_subject(f"{partner}.more"), b"{}", uuid.uuid4().hex)


class TestReplies:
    async def test_one_that_says_more_than_is_taken_keeps_nobody_else_out(self, js: JetStreamContext) -> None:
        loud, other = partner_id(), partner_id()
        for begin in range(0, REPLIES_WAITING_MAX, 250):
            said = [js.publish(reply_subject(loud), b"%d" % number) for number in range(begin, begin + 250)]
            await asyncio.gather(*said)
        with pytest.raises(APIError) as refused:
            await js.publish(reply_subject(loud), b"one too many")
        assert refused.value.err_code == STREAM_FULL
        await publish(js, reply_subject(other), b"{}", uuid.uuid4().hex)

        info = await js.stream_info(REPLIES, subjects_filter=reply_subject(loud))
        assert info.state.subjects == {reply_subject(loud): REPLIES_WAITING_MAX}, "nothing was pushed out"
        inbox = await js.pull_subscribe_bind(durable=REPLIES_CONSUMER, stream=REPLIES)
        taken = 0
        while not taken:
            for message in await inbox.fetch(100, timeout=5):
                await message.ack_sync()
                taken += message.subject == reply_subject(loud)
        await inbox.unsubscribe()
        await js.publish(reply_subject(loud), b"there is room again")


class TestPartners:
    async def test_a_partner_sees_its_own_events_only_and_from_the_first_on(self, js: JetStreamContext) -> None:
        mine, other = partner_id(), partner_id()
        for partner, word in ((mine, "a1"), (other, "b1"), (mine, "a2"), (f"{mine}-2", "c1")):
            await publish(js, event_subject(partner, OFFERED), word.encode(), uuid.uuid4().hex)
        await provision_partners(js, [mine, other])
        await publish(js, event_subject(mine, "reply.refused.v1"), b"a3", uuid.uuid4().hex)
        assert await told(js, mine) == ["a1", "a2", "a3"]
        assert await told(js, other) == ["b1"]

    async def test_what_was_not_acknowledged_is_kept_for_as_long_as_it_takes(self, js: JetStreamContext) -> None:
        config = partner_config(partner_id())
        assert (config.max_deliver, config.ack_policy, config.inactive_threshold) == (-1, "explicit", None)

    async def test_there_is_room_for_more_than_a_thousand_partners(self, js: JetStreamContext) -> None:
        partners = [partner_id() for _ in range(1_200)]
        await provision_partners(js, partners)
        assert (await js.stream_info(EVENTS)).state.consumer_count >= 1_200
        await publish(js, event_subject(partners[-1], OFFERED), b"the last one", uuid.uuid4().hex)
        assert await told(js, partners[-1], most=1) == ["the last one"]
        assert await told(js, partners[0], most=1) == []


class TestProvision:
    async def test_everything_is_there_afterwards_and_again_is_harmless(
        self, bus: Servers, settings: Settings, mongo: Mongo, js: JetStreamContext
    ) -> None:
        ours = bus.addresses
        access = {"nats_creds": Path(ours.nats_creds), "nats_keys": Path(ours.nats_keys)}
        settings = settings.model_copy(update={"nats_url": ours.nats_url, **access})
        location = partner_id()
        await mongo.locations.insert_one({"_id": location, "name": "somewhere"})
        for _ in range(2):
            await provision(settings)
        for partner in (location, RETAILER):
            found = await js.consumer_info(EVENTS, partner_consumer(partner))
            assert found.config.filter_subject == partner_filter(partner)
        for collection, indexes in INDEXES.items():
            assert len(await mongo.db[collection].index_information()) == len(indexes) + 1
        temporal = await connect_temporal(settings)
        asked = ListSearchAttributesRequest(namespace=settings.temporal_namespace)
        known = await temporal.operator_service.list_search_attributes(asked)
        assert {key.name for key in SEARCH_ATTRIBUTES} <= set(known.custom_attributes)


class TestConnection:
    async def test_an_address_where_nobody_answers_is_an_error_and_not_a_wait(
        self, bus: Servers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(infra.nats, "_REACH_WITHIN_S", 0.3)
        url = f"nats://{HOST}:{free_port()}"
        with pytest.raises(NatsUnreachable, match=rf"{url}.*TONGQU_NATS_URL"):
            await connect(url, bus.addresses.nats_creds, "test")

    @pytest.mark.parametrize("what", ["missing", "empty", "of another operator"])
    async def test_credentials_that_do_not_count_are_an_error_and_not_a_wait(
        self, bus: Servers, tmp_path: Path, what: str
    ) -> None:
        creds = tmp_path / "service.creds"
        if what == "empty":
            creds.touch()
        elif what == "of another operator":
            other = BusKeys(tmp_path)
            other.provide()
        with pytest.raises(NatsRefused, match=r"service\.creds.*TONGQU_NATS_CREDS"):
            await connect(bus.addresses.nats_url, creds, "test")

    async def test_a_server_with_known_holes_is_refused(self, bus: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(infra.nats, "OLDEST_SERVER", (99, 0))
        with pytest.raises(ServerTooOld, match=r"2\.\d+\.\d+.* is too old: nats-server 99\.0 or later"):
            await connect(bus.addresses.nats_url, bus.addresses.nats_creds, "test")

    async def test_a_connection_that_the_server_ends_is_reported(self, bus: Servers) -> None:
        lost: list[str] = []
        connection = await connect(bus.addresses.nats_url, bus.addresses.nats_creds, "test", on_lost=lost.append)
        connection._max_payload = 2**40
        await connection.publish("view.stock", b"x" * (9 * 1024 * 1024))
        await eventually(lambda: lost == ["test"])

    async def test_one_that_we_end_is_not(self, bus: Servers) -> None:
        lost: list[str] = []
        for end in (Connection.close, Connection.drain):
            await end(await connect(bus.addresses.nats_url, bus.addresses.nats_creds, "test", on_lost=lost.append))
        await asyncio.sleep(0)
        assert not lost

    async def test_a_server_that_comes_back_is_used_again(self, bus: Servers, nats: Connection) -> None:
        bus.processes["nats"].kill()
        await bus.start_again("nats")
        await eventually(lambda: nats.is_connected)
        assert (await nats.jetstream().stream_info(EVENTS)).config.name == EVENTS

    async def test_the_same_id_is_kept_once(self, js: JetStreamContext) -> None:
        partner, message_id = partner_id(), uuid.uuid4().hex
        first, second = [await publish(js, event_subject(partner, OFFERED), b"once", message_id) for _ in range(2)]
        assert (first.duplicate, second.duplicate, second.seq) == (None, True, first.seq)

    async def test_a_partner_that_was_never_registered_has_no_consumer(self, js: JetStreamContext) -> None:
        with pytest.raises(NotFoundError):
            await js.consumer_info(EVENTS, partner_consumer(partner_id()))
