"""The same request twice is one request, also when both come at once and when the first was cut off."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from infra.keys import Scope, create_key
from infra.mongo import Mongo
from tests.gateway.running import Api, fresh, order


async def test_a_repeated_request_gets_the_first_answer(api: Api, mongo: Mongo) -> None:
    key, channel = fresh("key"), fresh("idem")
    first = await api.post("/v1/orders", order(channel=channel), status=202, Idempotency_Key=key)
    second = await api.post("/v1/orders", order(channel=channel), status=202, Idempotency_Key=key)
    assert second.body == first.body
    assert second.headers["Location"] == first.headers["Location"]
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert await mongo.orders.count_documents({"channel": channel}) == 1


async def test_the_same_values_in_another_order_are_the_same_request(api: Api) -> None:
    key, body = fresh("key"), order()
    first = await api.post("/v1/orders", body, status=202, Idempotency_Key=key)
    turned = dict(reversed(body.items()))
    second = await api.post("/v1/orders", turned, status=202, Idempotency_Key=key)
    assert second.body["id"] == first.body["id"]


async def test_another_body_or_path_under_the_same_key_is_refused(api: Api) -> None:
    key = fresh("key")
    await api.post("/v1/orders", order(), status=202, Idempotency_Key=key)
    for path, body in [("/v1/orders", order(("tea", 2))), ("/v1/orders/batch", {"orders": [order()]})]:
        answer = await api.post(path, body, status=422, Idempotency_Key=key)
        assert (answer.code, answer.body["field"]) == ("idempotency_key_reused", "Idempotency-Key")


async def test_the_same_key_of_another_caller_is_another_key(api: Api, mongo: Mongo) -> None:
    key = fresh("key")
    other = api.with_key(await create_key(mongo, fresh("other"), Scope))
    first = await api.post("/v1/orders", order(), status=202, Idempotency_Key=key)
    second = await other.post("/v1/orders", order(), status=202, Idempotency_Key=key)
    assert first.body["id"] != second.body["id"]


async def test_of_many_at_once_one_is_carried_out(api: Api, mongo: Mongo) -> None:
    key, channel = fresh("key"), fresh("idem")
    body = order(channel=channel)
    answers = await asyncio.gather(*(api.post("/v1/orders", body, Idempotency_Key=key) for _ in range(40)))
    in_flight = [answer for answer in answers if answer.status == 409]
    assert {answer.status for answer in answers} <= {202, 409}
    assert {answer.code for answer in in_flight} <= {"request_in_flight"}
    assert all(answer.headers["Retry-After"] for answer in in_flight)
    assert len({answer.body["id"] for answer in answers if answer.status == 202}) == 1
    assert await mongo.orders.count_documents({"channel": channel}) == 1


async def test_a_refusal_frees_the_key_for_the_corrected_request(api: Api) -> None:
    key = fresh("key")
    await api.post("/v1/orders", order(total=1), status=422, Idempotency_Key=key)
    corrected = await api.post("/v1/orders", order(), status=202, Idempotency_Key=key)
    assert "Idempotent-Replayed" not in corrected.headers


async def test_a_batch_with_refused_items_is_answered_again_as_it_was(api: Api, mongo: Mongo) -> None:
    key, channel = fresh("key"), fresh("idem")
    body = {"orders": [order(channel=channel), order(channel=channel, total=1)]}
    first = await api.post("/v1/orders/batch", body, status=200, Idempotency_Key=key)
    second = await api.post("/v1/orders/batch", body, status=200, Idempotency_Key=key)
    assert second.body == first.body
    assert await mongo.orders.count_documents({"channel": channel}) == 1


async def _cut_off(mongo: Mongo, key: str, ago: timedelta) -> None:
    """Make the record look as a crash right after the write, so long ago, leaves it."""
    changed = await mongo.idempotency.update_one(
        {"_id": f"tests:{key}"},
        {"$set": {"state": "claimed", "claimed_at": datetime.now(UTC) - ago}, "$unset": {"answer": 1}},
    )
    assert changed.matched_count == 1


async def test_a_request_cut_off_by_a_crash_is_in_flight_at_first(api: Api, mongo: Mongo) -> None:
    key, body = fresh("key"), order()
    await api.post("/v1/orders", body, status=202, Idempotency_Key=key)
    await _cut_off(mongo, key, timedelta(seconds=12))
    answer = await api.post("/v1/orders", body, status=409, Idempotency_Key=key)
    assert answer.code == "request_in_flight"


async def test_a_request_cut_off_by_a_crash_is_taken_over_without_a_second_order(api: Api, mongo: Mongo) -> None:
    key, channel = fresh("key"), fresh("idem")
    body = {"orders": [order(channel=channel), order(channel=channel)]}
    first = await api.post("/v1/orders/batch", body, status=200, Idempotency_Key=key)
    await _cut_off(mongo, key, timedelta(seconds=16))
    again = await api.post("/v1/orders/batch", body, status=200, Idempotency_Key=key)
    assert [r["id"] for r in again.body["results"]] == [r["id"] for r in first.body["results"]]
    assert await mongo.orders.count_documents({"channel": channel}) == 2


async def test_of_many_that_would_take_over_one_does(api: Api, mongo: Mongo) -> None:
    key, body = fresh("key"), order()
    first = await api.post("/v1/orders", body, status=202, Idempotency_Key=key)
    await _cut_off(mongo, key, timedelta(seconds=16))
    answers = await asyncio.gather(*(api.post("/v1/orders", body, Idempotency_Key=key) for _ in range(20)))
    assert {answer.status for answer in answers} <= {200, 409}
    assert {answer.body["id"] for answer in answers if answer.status == 200} == {first.body["id"]}


async def test_a_count_that_was_cut_off_is_not_booked_again(api: Api, mongo: Mongo) -> None:
    key, sku = fresh("key"), fresh("sku")
    body = {"items": [{"location": "near", "sku": sku, "quantity": 7}]}
    await api.put("/v1/stock", body, status=200, Idempotency_Key=key)
    receipt = {"location": "near", "sku": sku, "kind": "receipt", "quantity": 3, "reference": fresh("note")}
    await api.put("/v1/stock", {"items": [receipt]}, status=200)
    await _cut_off(mongo, key, timedelta(seconds=16))
    again = await api.put("/v1/stock", body, status=200, Idempotency_Key=key)
    result = again.body["results"][0]
    assert (result["outcome"], result["on_hand"]) == ("already_booked", 10)


@pytest.mark.parametrize("bad", ["a b", "k" * 201, "schlüssel"])
async def test_a_key_that_is_none_is_refused(api: Api, bad: str) -> None:
    answer = await api.post("/v1/orders", order(), status=422, Idempotency_Key=bad)
    assert answer.code == "bad_idempotency_key"
