"""NATS set back under load: stores are asked again, every order ends, every partner has every number."""

import sqlite3
from pathlib import Path

import pytest

from tests.support import eventually
from tests.survival.bus import SetBack
from tests.survival.town import QUICK, Town, town
from workers.lost_replies import KIND

pytestmark = pytest.mark.timeout(300)
"""Many processes; a machine that has more to do takes its time."""


_UNHURRIED = {**QUICK, "accept_s": [0.5, 1.5], "pack_s": [0.5, 1.5], "ship_s": [0.5, 1.5], "deliver_s": [0.5, 1.5]}


async def test_orders_and_answers_of_the_lost_seconds_are_carried_to_their_end(tmp_path: Path) -> None:
    async with town(tmp_path, stores=_UNHURRIED, accept_within_s=600, batch_max=20) as place:
        bus = SetBack(place.system.servers, tmp_path)
        events = place.system.processes["events"]
        async with place.load("set-back") as load:
            await load.accepts(30)
            bus.remember()
            # What stores say now is acknowledged, and nobody takes it before it is lost. After the last answer about a
            # parcel no other one follows that would make up for it.
            events.kill()
            before = said(place, "delivered")
            await eventually(lambda: said(place, "delivered") >= before + 5, timeout=30, message="nothing is lost")
            bus.stop()
            await bus.start_set_back()
            events.start()
            await load.accepts(10)
        await eventually(lambda: place.mongo.outbox.count_documents({"events.type": KIND}), timeout=20)
        await place.all_closed(load.accepted)
        await place.holds()
        refused = await place.mongo.outbox.find({"events.type": "reply.refused.v1"}, {"events": 1}).to_list(5)
        assert refused == [], "nobody is blamed for an answer that came again"
        rejected = await place.mongo.orders.count_documents({"attempt": {"$gt": 1}})
        assert rejected == 0, "lost answers came again before their time was over"


def said(place: Town, kind: str) -> int:
    """How many answers of a kind the stores have sent, and had acknowledged."""
    with sqlite3.connect(place.system.data_dir / "stores.sqlite") as memory:
        counted = memory.execute("SELECT count(*) FROM said WHERE json_extract(reply, '$.kind') = ?", (kind,))
        return int(counted.fetchone()[0])
