"""NATS set back under load: stores are asked again, every order ends, every partner has every number."""

from pathlib import Path

import pytest

from contracts.subjects import REPLIES
from infra.nats import connect
from infra.streams import REPLIES_CONSUMER
from tests.support import eventually
from tests.survival.bus import SetBack
from tests.survival.town import QUICK, Town, town
from workers.lost_replies import KIND

pytestmark = pytest.mark.timeout(180)
"""Many processes; a machine that has more to do takes its time."""


_UNHURRIED = {**QUICK, "accept_s": [0.5, 1.5], "pack_s": [0.5, 1.5], "ship_s": [0.5, 1.5]}


async def test_orders_and_answers_of_the_lost_seconds_are_carried_to_their_end(tmp_path: Path) -> None:
    async with town(tmp_path, stores=_UNHURRIED, batch_max=20) as place:
        bus = SetBack(place.system.servers, tmp_path)
        events = place.system.processes["events"]
        async with place.load("set-back") as load:
            await load.accepts(30)
            bus.remember()
            # What stores say now is acknowledged, and nobody takes it before it is lost.
            events.kill()
            await answers_wait(place, 5)
            bus.stop()
            await bus.start_set_back()
            events.start()
            await load.accepts(10)
        await eventually(lambda: place.mongo.outbox.count_documents({"events.type": KIND}), timeout=20)
        await place.all_closed(load.accepted)
        await place.holds()
        refused = await place.mongo.outbox.count_documents({"events.type": "reply.refused.v1"})
        assert refused == 0, "nobody is blamed for an answer that came again"
        rejected = await place.mongo.orders.count_documents({"attempt": {"$gt": 1}})
        assert rejected == 0, "lost answers came again before their time was over"


async def answers_wait(place: Town, least: int) -> None:
    nats = await connect(place.system.settings.require("nats_url"), "test")

    async def enough() -> bool:
        consumer = await nats.jetstream().consumer_info(REPLIES, REPLIES_CONSUMER)
        return (consumer.num_pending or 0) + (consumer.num_ack_pending or 0) >= least

    try:
        await eventually(enough, timeout=30, message="stores have nothing to say")
    finally:
        await nats.close()
