"""What stores say over NATS: twice, out of order, too late, unreadable, or about somebody else's parcel."""

import orjson
import pytest
from nats.js import JetStreamContext

from contracts.subjects import DLQ, dead_letter_subject, reply_subject
from infra.counting import refusals
from infra.mongo import Mongo
from tests.e2e.places import Places, reaches
from tests.support import eventually
from workers.shop import Shop
from workers.system import System


async def test_a_store_hears_its_offer_and_carries_the_order_to_its_end(places: Places, mongo: Mongo) -> None:
    order = await places.place()
    parcel = await places.near.offered(order)
    await places.near.says(parcel, "accepted", "packed", "shipped", "delivered")
    row = await reaches(mongo, order, "closed")
    assert [p["location"] for p in row["parcels"]] == [places.near.location]


async def test_answers_that_come_twice_and_in_the_wrong_order_count_once(places: Places, mongo: Mongo) -> None:
    order = await places.place()
    parcel = await places.near.offered(order)
    for kind in ("shipped", "accepted", "shipped", "packed", "delivered", "shipped"):
        await places.near.says(parcel, kind)
    await reaches(mongo, order, "closed")
    level = await mongo.stock.find_one({"_id": f"{places.near.location}/{places.sku}"})
    assert level is not None
    assert (level["on_hand"], level["reserved"]) == (9, 0)


async def test_an_answer_for_another_stores_parcel_is_refused_and_changes_nothing(places: Places, mongo: Mongo) -> None:
    order = await places.place()
    parcel = await places.near.offered(order)
    before = await refusals(mongo)
    await places.far.says(parcel, "accepted")
    told = await places.far.hears("reply.refused.v1", code="not_your_parcel", parcel=parcel)
    assert told["data"]["field"] == "parcel"
    assert told["data"]["remedy"]
    assert (await reaches(mongo, order, "dispatched"))["parcels"][0]["state"] == "offered"
    after = await refusals(mongo)
    assert after["reply"]["not_your_parcel"] == before.get("reply", {}).get("not_your_parcel", 0) + 1


async def test_an_answer_after_the_time_limit_is_refused_and_the_other_store_keeps_the_order(
    shop: Shop, jetstream: JetStreamContext, mongo: Mongo
) -> None:
    places = await Places.open(shop, jetstream, accept_within_s=1)
    order = await places.place()
    parcel = await places.near.offered(order)
    second = await places.far.offered(order)
    await places.near.says(parcel, "accepted")
    await places.near.hears("reply.refused.v1", code="answer_too_late")
    await places.near.hears("parcel.withdrawn.v1", parcel=parcel)
    await places.far.says(second, "shipped", "delivered")
    row = await mongo.orders.find_one({"_id": order})
    assert row is not None
    assert row["parcels"][0]["state"] == "expired"


async def test_a_message_that_is_no_json_goes_to_the_dead_letters_with_its_reason(
    places: Places, mongo: Mongo, jetstream: JetStreamContext
) -> None:
    before = (await refusals(mongo)).get("reply", {}).get("not_json", 0)
    await places.near.sends(b"\xff not json")
    letter = await eventually(_last_letter(jetstream, places.near.location), timeout=10)
    assert letter == "not_json"
    assert (await refusals(mongo))["reply"]["not_json"] == before + 1


async def test_one_bad_reply_in_a_list_spoils_no_other(places: Places, mongo: Mongo) -> None:
    order = await places.place()
    parcel = await places.near.offered(order)
    event = {
        "specversion": "1.0",
        "id": "mixed",
        "source": places.near.location,
        "type": "parcel.replies.v1",
        "data": {
            "replies": [
                {"id": f"{parcel}:bad", "parcel": parcel, "kind": "teleported"},
                {"id": f"{parcel}:good", "parcel": parcel, "kind": "accepted"},
                {"id": f"{parcel}:unknown", "parcel": "no-such-order.p1", "kind": "accepted"},
            ]
        },
    }
    await places.near.sends(orjson.dumps(event))
    await reaches(mongo, order, "accepted")
    await places.near.hears("reply.refused.v1", code="invalid_reply")
    await places.near.hears("reply.refused.v1", code="unknown_parcel", parcel="no-such-order.p1")


async def test_a_reply_that_no_database_could_keep_is_refused_and_holds_up_nobody(places: Places, mongo: Mongo) -> None:
    order = await places.place()
    parcel = await places.near.offered(order)
    await places.far.says(parcel, "rejected", reason="other", lines=[2**64 - 1])
    await places.near.says(parcel, "accepted")
    await reaches(mongo, order, "accepted")
    await places.far.hears("reply.refused.v1", code="invalid_reply")


async def test_what_is_refused_is_quoted_short_and_printable(
    system: System, places: Places, mongo: Mongo, jetstream: JetStreamContext
) -> None:
    order = await places.place()
    parcel = await places.near.offered(order)
    for bad in ("x" * 400_000, "a\r\nNats-Rollup: all\r\n\r\nx"):
        event = {
            "specversion": "1.0",
            "id": "long",
            "source": places.far.location,
            "type": "parcel.replies.v1",
            "data": {"replies": [{"id": bad, "parcel": parcel, "kind": "accepted", bad: 1}]},
        }
        await places.far.sends(orjson.dumps(event))
    await places.near.says(parcel, "accepted")
    await reaches(mongo, order, "accepted")
    told = await places.far.hears("reply.refused.v1", code="invalid_reply")
    assert len(orjson.dumps(told)) < 2_000
    assert await mongo.outbox.count_documents({"_id": {"$regex": "[^!-~]"}}) == 0


@pytest.mark.timeout(300)
async def test_answers_sent_while_the_event_worker_is_down_are_taken_when_it_is_back(
    system: System, places: Places, mongo: Mongo
) -> None:
    order = await places.place()
    parcel = await places.near.offered(order)
    worker = system.processes["events"]
    worker.kill()
    try:
        await places.near.says(parcel, "accepted")
        worker.start()
        # The server may have given the answers to the dead worker, and does so again when its time is over.
        await reaches(mongo, order, "accepted", timeout=80)
    finally:
        if not worker.running:
            worker.start()


def _last_letter(jetstream: JetStreamContext, location: str):  # type: ignore[no-untyped-def]
    async def look() -> str | None:
        try:
            letter = await jetstream.get_last_msg(DLQ, dead_letter_subject("REPLIES"))
        except Exception:
            return None
        headers = letter.headers or {}
        return headers["Tongqu-Reason"] if headers["Tongqu-Subject"] == reply_subject(location) else None

    return look
