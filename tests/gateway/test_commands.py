"""Commands about orders: written down, taken in by the batch, and answered with their outcome when it is waited for."""

import asyncio
from typing import Any

import orjson
import pytest

from contracts.subjects import WAKE, WAKE_INBOX
from infra.mongo import Mongo
from tests.gateway.carrying import Carrier
from tests.gateway.running import Answered, Api, fresh
from tests.gateway.running import order as order_of
from tests.support import eventually
from workers.gateway.commanding import command
from workers.gateway.inbox import write_event

REASON = {"reason": "changed my mind"}


@pytest.fixture
def carrier(mongo: Mongo) -> Carrier:
    return Carrier(mongo)


async def _commanded(
    api: Api, mongo: Mongo, carrier: Carrier, batch: str, path: str, body: dict[str, Any] | None = None
) -> Answered:
    """Send a command, wait for its outcome, and make the step that the bell would make."""
    asking = asyncio.create_task(api.post(path, body or REASON, Prefer="wait=10"))
    order = path.split("/")[3]

    async def written() -> object:
        return asking.done() or await mongo.inbox.find_one({"order": order, "drained": None, "batch": batch})

    await eventually(written)
    await carrier.step(batch)
    return await asking


async def _seen(api: Api, order: str) -> dict[str, Any]:
    view: dict[str, Any] = (await api.get(f"/v1/orders/{order}", status=200)).body
    return view


async def test_a_dispatched_order_is_cancelled_and_its_goods_are_given_back(
    api: Api, mongo: Mongo, carrier: Carrier
) -> None:
    sku = fresh("sku")
    await api.put("/v1/stock", {"items": [{"location": "near", "sku": sku, "quantity": 1}]}, status=200)
    order = (await api.post("/v1/orders", order_of((sku, 1)), status=202)).body["id"]
    batch = await carrier.claim(order)
    before = await _seen(api, order)
    assert before["stage"] == "dispatched"
    assert before["decisions"][0]["candidates"][0]["location"] == "near"
    assert before["decisions"][0]["ruled_out"]["no_stock"] >= 1
    assert before["decisions"][0]["stock_version"] >= 1
    answer = await _commanded(api, mongo, carrier, batch, f"/v1/orders/{order}/cancellation")
    assert answer.status == 200
    assert answer.headers["Preference-Applied"] == "wait=10"
    assert answer.body["cancellation"]["outcome"] == "cancelled"
    assert answer.body["cancellation"]["reason"] == "changed my mind"
    assert answer.body["cancellation"]["by"] == "tests"
    released = await mongo.ledger.find_one({"order": order, "kind": "released"})
    assert released is not None


async def test_cancelling_again_gives_the_same_outcome(api: Api, mongo: Mongo, carrier: Carrier) -> None:
    order = (await api.place())["id"]
    batch = await carrier.claim(order)
    first = await _commanded(api, mongo, carrier, batch, f"/v1/orders/{order}/cancellation")
    again = await api.post(f"/v1/orders/{order}/cancellation", {"reason": "another"}, status=200)
    assert again.body["cancellation"] == first.body["cancellation"]
    assert await mongo.inbox.count_documents({"order": order}) == 1


async def test_without_waiting_a_cancellation_is_accepted_and_its_batch_is_woken(
    api: Api, mongo: Mongo, carrier: Carrier
) -> None:
    order = (await api.place())["id"]
    batch = await carrier.claim(order)
    answer = await api.post(f"/v1/orders/{order}/cancellation", REASON, status=202)
    assert answer.headers["Location"] == f"/v1/orders/{order}"
    assert "Preference-Applied" not in answer.headers
    js = api.gateway.js

    async def woken() -> bool:
        last = await js.get_last_msg(WAKE, WAKE_INBOX)
        return last.data is not None and orjson.loads(last.data) == {"batches": [batch], "urgent": True}

    await eventually(woken)


async def test_waiting_ends_when_the_time_is_over(api: Api, carrier: Carrier) -> None:
    order = (await api.place())["id"]
    await carrier.claim(order)
    answer = await api.post(f"/v1/orders/{order}/cancellation", REASON, status=202, Prefer="respond-async, wait=1")
    assert answer.headers["Preference-Applied"] == "wait=1"


async def test_an_order_that_no_batch_has_taken_yet_is_cancelled_in_its_first_step(
    api: Api, mongo: Mongo, carrier: Carrier
) -> None:
    order = (await api.place())["id"]
    await api.post(f"/v1/orders/{order}/cancellation", REASON, status=202)
    event = await mongo.inbox.find_one({"order": order})
    assert event is not None
    assert event["batch"] is None
    await carrier.claim(order)
    view = await _seen(api, order)
    assert view["stage"] == "cancelling"
    assert view["parcels"] == []


async def test_a_command_moves_along_when_its_order_is_claimed_meanwhile(api: Api, mongo: Mongo) -> None:
    """The claim comes between reading the order and writing the event: the event must not stay without a batch."""
    placed = (await api.place())["id"]
    as_read = await mongo.orders.find_one({"_id": placed})
    assert as_read is not None
    await mongo.orders.update_one({"_id": placed}, {"$set": {"batch": "batch-meanwhile"}})
    why = {"reason": "no more"}
    asked = command(placed, "cancel", fresh("request"), at=mongo.clock.now(), by="tests", data=why, parcel=None)
    event = await write_event(mongo, api.gateway.wakes, dict(as_read), asked)
    written = await mongo.inbox.find_one({"_id": event})
    assert written is not None
    assert written["batch"] == "batch-meanwhile"


async def test_what_was_shipped_cannot_be_cancelled(api: Api, mongo: Mongo, carrier: Carrier) -> None:
    order = (await api.place())["id"]
    batch = await carrier.claim(order)
    await carrier.reply(batch, (await _seen(api, order))["parcels"][0], "shipped")
    answer = await api.post(f"/v1/orders/{order}/cancellation", REASON, status=409, Prefer="wait=5")
    assert answer.code == "already_shipped"
    assert await mongo.inbox.count_documents({"order": order, "kind": "command.cancel"}) == 0


async def test_a_cancellation_that_is_overtaken_by_shipping_is_refused(
    api: Api, mongo: Mongo, carrier: Carrier
) -> None:
    order = (await api.place())["id"]
    batch = await carrier.claim(order)
    parcel = (await _seen(api, order))["parcels"][0]
    shipped = {
        "_id": f"shipped:{parcel['id']}",
        "order": order,
        "batch": batch,
        "kind": "reply.shipped",
        "received_at": (await mongo.orders.find_one({"_id": order}) or {})["placed_at"],
        "by": parcel["location"],
        "parcel": parcel["id"],
        "data": {},
        "drained": None,
    }
    asking = asyncio.create_task(api.post(f"/v1/orders/{order}/cancellation", REASON, Prefer="wait=10"))
    await eventually(lambda: mongo.inbox.find_one({"order": order, "kind": "command.cancel"}))
    await mongo.inbox.insert_one(shipped)
    await carrier.step(batch)
    answer = await asking
    assert answer.status == 409
    assert answer.code == "already_shipped"


async def test_what_has_not_left_is_cancelled_when_some_has(api: Api, mongo: Mongo, carrier: Carrier) -> None:
    place = {"id": "part-a", "name": "A", "division": "460100"}, {"id": "part-b", "name": "B", "division": "460100"}
    await api.put("/v1/locations", {"locations": list(place)}, status=200)
    items = [
        {"location": "part-a", "sku": "half-a", "quantity": 50},
        {"location": "part-b", "sku": "half-b", "quantity": 50},
    ]
    await api.put("/v1/stock", {"items": items}, status=200)
    placed = await api.post("/v1/orders", order_of(("half-a", 1), ("half-b", 1)), status=202)
    order = placed.body["id"]
    batch = await carrier.claim(order)
    parcels = (await _seen(api, order))["parcels"]
    assert len(parcels) == 2
    await carrier.reply(batch, parcels[0], "shipped")
    answer = await _commanded(api, mongo, carrier, batch, f"/v1/orders/{order}/cancellation")
    assert answer.status == 200
    assert answer.body["cancellation"]["outcome"] == "partly"


async def test_a_released_order_stands_still_until_it_is_retried(api: Api, mongo: Mongo, carrier: Carrier) -> None:
    order = (await api.place())["id"]
    batch = await carrier.claim(order)
    released = await _commanded(api, mongo, carrier, batch, f"/v1/orders/{order}/release")
    assert (released.status, released.body["stage"]) == (200, "held")
    retried = await _commanded(api, mongo, carrier, batch, f"/v1/orders/{order}/retry")
    assert (retried.status, retried.body["stage"]) == (200, "dispatched")
    assert "order.retried" in [entry["what"] for entry in retried.body["timeline"]]


async def test_a_rerouted_parcel_goes_to_another_store(api: Api, mongo: Mongo, carrier: Carrier) -> None:
    order = (await api.place())["id"]
    batch = await carrier.claim(order)
    parcel = (await _seen(api, order))["parcels"][0]
    path = f"/v1/orders/{order}/reroute"
    wrong = await api.post(path, {**REASON, "parcel": f"{order}.p9"}, status=422)
    assert (wrong.code, wrong.body["field"]) == ("unknown_parcel", "parcel")
    answer = await _commanded(api, mongo, carrier, batch, path, {**REASON, "parcel": parcel["id"]})
    assert answer.status == 200
    assert answer.body["parcels"][0]["state"] == "withdrawn"
    assert answer.body["parcels"][1]["location"] != parcel["location"]


@pytest.mark.parametrize("command", ["retry", "reroute", "release"])
async def test_an_ended_order_is_not_moved(api: Api, mongo: Mongo, carrier: Carrier, command: str) -> None:
    order = (await api.place())["id"]
    batch = await carrier.claim(order)
    parcel = (await _seen(api, order))["parcels"][0]
    await carrier.reply(batch, parcel, "shipped")
    await carrier.reply(batch, parcel, "delivered")
    assert (await _seen(api, order))["stage"] == "closed"
    answer = await api.post(f"/v1/orders/{order}/{command}", REASON, status=409)
    assert answer.code == "order_closed"
    cancelled = await api.post(f"/v1/orders/{order}/cancellation", REASON, status=409)
    assert cancelled.code == "already_shipped"


async def test_a_repeated_command_is_written_once(api: Api, mongo: Mongo, carrier: Carrier) -> None:
    order = (await api.place())["id"]
    await carrier.claim(order)
    for _ in range(2):
        await api.post(f"/v1/orders/{order}/release", REASON, status=202, Idempotency_Key=f"k-{order}")
    assert await mongo.inbox.count_documents({"order": order}) == 1


@pytest.mark.parametrize("command", ["cancellation", "retry", "reroute", "release"])
async def test_a_command_needs_a_reason_and_an_order(api: Api, command: str) -> None:
    order = (await api.place())["id"]
    for body, field in [({}, "reason"), ({"reason": ""}, "reason"), ({"reason": "x", "why": 1}, "why")]:
        answer = await api.post(f"/v1/orders/{order}/{command}", body, status=422)
        assert answer.body["field"] == field
    missing = await api.post(f"/v1/orders/order-nobody/{command}", REASON, status=404)
    assert missing.code == "unknown_order"
