"""NATS set back under load: stores are asked again, every order ends, every partner has every number."""

from pathlib import Path

import pytest

from tests.support import eventually
from tests.survival.bus import SetBack
from tests.survival.town import town
from workers.lost_replies import KIND

pytestmark = pytest.mark.timeout(180)
"""Many processes; a machine that has more to do takes its time."""


async def test_orders_and_answers_of_the_lost_seconds_are_carried_to_their_end(tmp_path: Path) -> None:
    async with town(tmp_path, batch_max=20) as place:
        bus = SetBack(place.system.servers, tmp_path)
        async with place.load("set-back") as load:
            await load.accepts(20)
            bus.remember()
            await load.accepts(60)
            bus.stop()
            await load.accepts(10)
            await bus.start_set_back()
            await load.accepts(10)
        await eventually(lambda: place.mongo.outbox.count_documents({"events.type": KIND}), timeout=20)
        await place.all_closed(load.accepted)
        await place.holds()
        refused = await place.mongo.outbox.count_documents({"events.type": "reply.refused.v1"})
        assert refused == 0, "nobody is blamed for an answer that came again"
        rejected = await place.mongo.orders.count_documents({"attempt": {"$gt": 1}})
        assert rejected == 0, "lost answers came again before their time was over"
