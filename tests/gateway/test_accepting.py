"""Accepted orders: written once, whatever comes twice, alone or among others."""

import asyncio
from datetime import UTC, datetime, timedelta

from contracts.subjects import WAKE, WAKE_ORDERS
from infra.mongo import Mongo
from infra.settings import Settings
from tests.gateway.running import Api, fresh, order, running
from tests.support import eventually
from workers.gateway.limits import Limits


async def test_an_accepted_order_is_kept_waiting_for_a_batch(api: Api, mongo: Mongo) -> None:
    wanted = fresh("shop")
    answer = await api.post("/v1/orders", order(("tea", 2), ("cup", 1), id=wanted), status=202)
    assert answer.headers["Location"] == f"/v1/orders/{wanted}"
    assert (answer.body["id"], answer.body["stage"]) == (wanted, "placed")
    kept = await mongo.orders.find_one({"_id": wanted})
    assert kept is not None
    assert (kept["batch"], kept["stage"], kept["total"]) == (None, "placed", 300)
    assert datetime.now(UTC) - kept["placed_at"] < timedelta(seconds=10)
    seen = await api.get(answer.headers["Location"], status=200)
    assert seen.body == answer.body


async def test_an_order_without_id_gets_one(api: Api) -> None:
    first, second = await api.place(), await api.place()
    assert first["id"] != second["id"]
    assert first["id"].startswith("order-")


async def test_the_same_order_again_is_answered_with_the_first(api: Api, mongo: Mongo) -> None:
    same = order(id=fresh("twice"))
    first = await api.post("/v1/orders", same, status=202)
    second = await api.post("/v1/orders", same, status=200)
    assert second.body == first.body
    assert second.headers["Location"] == first.headers["Location"]
    assert await mongo.orders.count_documents({"_id": same["id"]}) == 1


async def test_another_order_under_the_same_id_is_refused(api: Api, mongo: Mongo) -> None:
    taken = fresh("taken")
    await api.post("/v1/orders", order(("tea", 1), id=taken), status=202)
    answer = await api.post("/v1/orders", order(("tea", 2), id=taken), status=409)
    assert (answer.code, answer.body["field"]) == ("order_id_taken", "id")
    kept = await mongo.orders.find_one({"_id": taken})
    assert kept is not None
    assert kept["lines"][0]["quantity"] == 1


async def test_the_same_order_from_many_at_once_is_accepted_once(api: Api, mongo: Mongo) -> None:
    same = order(id=fresh("race"))
    answers = await asyncio.gather(*(api.post("/v1/orders", same) for _ in range(30)))
    assert sorted(answer.status for answer in answers) == [200] * 29 + [202]
    assert await mongo.orders.count_documents({"_id": same["id"]}) == 1


async def test_bad_orders_of_a_batch_do_not_spoil_the_others(api: Api, mongo: Mongo) -> None:
    ids = [fresh("many") for _ in range(5)]
    await api.post("/v1/orders", order(id=ids[3]), status=202)
    await api.post("/v1/orders", order(("pot", 5), id=ids[4]), status=202)
    orders = [
        order(id=ids[0]),
        order(id=ids[1], total=7),
        "no order",
        order(("nowhere", 1), id=ids[2]),
        order(id=ids[3]),
        order(id=ids[4]),
        order(("cup", 3)),
        order(id=ids[0]),
        order(("cup", 9), id=ids[0]),
    ]
    answer = await api.post("/v1/orders/batch", {"orders": orders}, status=200)
    results = answer.body["results"]
    assert [result["index"] for result in results] == list(range(9))
    assert [result["status"] for result in results] == [202, 422, 422, 422, 200, 409, 202, 200, 409]
    assert (answer.body["accepted"], answer.body["refused"]) == (4, 5)
    assert results[3]["problem"]["field"] == "lines.0.sku"
    assert results[5]["problem"]["code"] == "order_id_taken"
    assert await mongo.orders.count_documents({"_id": {"$in": [ids[0], results[6]["id"]]}}) == 2
    assert await mongo.orders.count_documents({"_id": {"$in": ids[1:3]}}) == 0


async def test_a_batch_must_be_a_list_of_a_bearable_length(api: Api) -> None:
    for body, code in [
        ({"orders": []}, "too_few"),
        ({"orders": [{}] * 1001}, "too_many"),
        ({"orders": {}}, "wrong_type"),
        ({}, "missing"),
    ]:
        answer = await api.post("/v1/orders/batch", body, status=422)
        assert answer.faults == {"orders": code}


async def test_a_thousand_orders_are_accepted_in_one_request(api: Api, mongo: Mongo) -> None:
    channel = fresh("bulk")
    answer = await api.post("/v1/orders/batch", {"orders": [order(channel=channel)] * 1000}, status=200)
    assert answer.body["accepted"] == 1000
    assert len({result["id"] for result in answer.body["results"]}) == 1000
    assert await mongo.orders.count_documents({"channel": channel}) == 1000


async def test_a_sku_is_known_as_soon_as_another_gateway_has_registered_it(
    api: Api, gateway_settings: Settings, key: str
) -> None:
    new = fresh("sku")
    await api.post("/v1/orders", order((new, 1)), status=422)
    async with running(gateway_settings, key) as other:
        level = {"location": "near", "sku": new, "quantity": 0}
        await other.put("/v1/stock", {"items": [level]}, status=200)
    await api.post("/v1/orders", order((new, 1)), status=202)


async def test_orders_that_arrive_together_are_written_together_and_told_once(
    api: Api, gateway_settings: Settings, key: str, mongo: Mongo
) -> None:
    limits = Limits(gather_ms=150)
    async with running(gateway_settings, key, limits) as slow:
        channel = fresh("group")
        js = slow.gateway.js
        before = (await js.stream_info(WAKE, subjects_filter=WAKE_ORDERS)).state.last_seq
        await asyncio.gather(*(slow.place(channel=channel) for _ in range(40)))
        assert await mongo.orders.count_documents({"channel": channel}) == 40

        async def told() -> bool:
            return (await js.stream_info(WAKE)).state.last_seq > before

        await eventually(told)
        sent = (await js.stream_info(WAKE)).state.last_seq - before
        assert sent <= 5, "one message tells of a group, not of an order"


async def test_callers_are_sent_away_while_too_many_orders_wait(
    api: Api, gateway_settings: Settings, key: str, mongo: Mongo
) -> None:
    channel = fresh("flood")
    limits = Limits(gather_ms=300, waiting_orders=10)
    async with running(gateway_settings, key, limits) as small:
        answers = await asyncio.gather(*(small.post("/v1/orders", order(channel=channel)) for _ in range(25)))
    accepted = [answer for answer in answers if answer.status == 202]
    away = [answer for answer in answers if answer.status == 503]
    assert len(accepted) == 10
    assert len(away) == 15
    assert {answer.code for answer in away} == {"overloaded"}
    assert {answer.headers["Retry-After"] for answer in away} == {"1"}
    assert await mongo.orders.count_documents({"channel": channel}) == 10
