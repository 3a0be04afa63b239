"""Orders that are paid later, over HTTP: a customer's places, the report of a payment, and orders that had ended."""

import asyncio
from typing import Any

from infra.mongo import Mongo
from tests.gateway.carrying import Carrier
from tests.gateway.running import Api, fresh, order

LATER: dict[str, Any] = {"payment": {"method": "later"}}
MOST = 5


def paid(reference: str = "wx-1", amount: int = 100) -> dict[str, Any]:
    return {"amount": amount, "reference": reference}


async def placed(api: Api, customer: str | None = None) -> str:
    return str((await api.place(**LATER, customer=customer or fresh("customer")))["id"])


async def test_the_report_of_a_payment_offers_the_goods_once(api: Api, mongo: Mongo) -> None:
    carrier = Carrier(mongo)
    made = await placed(api)
    batch = await carrier.claim(made)
    seen = (await api.get(f"/v1/orders/{made}", status=200)).body
    assert (seen["stage"], seen["parcels"][0]["state"]) == ("paying", "held")
    assert seen["hold_until"]
    for _ in range(2):
        await api.post(f"/v1/orders/{made}/payment", paid(), status=202)
    assert await mongo.inbox.count_documents({"order": made}) == 1
    await carrier.step(batch)
    seen = (await api.get(f"/v1/orders/{made}", status=200)).body
    assert (seen["stage"], seen["payment"]["captured"], seen["payment"]["receipt"]) == ("dispatched", 100, "wx-1")
    again = await api.post(f"/v1/orders/{made}/payment", paid(), status=200, Prefer="wait=5")
    assert again.body["payment"]["captured"] == 100
    other = await api.post(f"/v1/orders/{made}/payment", paid("wx-2"), status=409)
    assert (other.code, other.body["field"]) == ("already_paid", "reference")


async def test_a_payment_that_is_not_awaited_or_wrong_is_refused_by_field(api: Api) -> None:
    made = await placed(api)
    wrong = await api.post(f"/v1/orders/{made}/payment", paid(amount=99), status=422)
    assert (wrong.code, wrong.body["field"]) == ("wrong_amount", "amount")
    for body, field in [({"amount": 100}, "reference"), ({"reference": "x"}, "amount"), (paid("a b"), "reference")]:
        assert (await api.post(f"/v1/orders/{made}/payment", body, status=422)).body["field"] == field
    prepaid = (await api.place())["id"]
    assert (await api.post(f"/v1/orders/{prepaid}/payment", paid(), status=409)).code == "payment_not_awaited"
    assert (await api.post("/v1/orders/nobody/payment", paid(), status=404)).code == "unknown_order"


async def test_an_order_that_had_ended_is_carried_again_for_its_money(api: Api, mongo: Mongo) -> None:
    carrier = Carrier(mongo)
    made = await placed(api)
    batch = await carrier.claim(made)
    await api.post(f"/v1/orders/{made}/cancellation", {"reason": "no more"}, status=202)
    await carrier.step(batch)
    assert (await mongo.orders.find_one({"_id": made}) or {})["stage"] == "cancelled"
    await api.post(f"/v1/orders/{made}/payment", paid(), status=202)
    assert (await mongo.orders.find_one({"_id": made}) or {})["batch"] is None
    await carrier.claim(made)
    row = await mongo.orders.find_one({"_id": made})
    assert row is not None
    assert (row["stage"], [intent["operation"] for intent in row["payment"]["intents"]]) == ("cancelling", ["refund"])


async def test_no_customer_has_more_than_the_policys_number_of_holds_however_they_race(api: Api, mongo: Mongo) -> None:
    customer = fresh("bot")
    body = order(**LATER, customer=customer)
    answers = await asyncio.gather(*(api.post("/v1/orders", body) for _ in range(4 * MOST)))
    assert sorted(answer.status for answer in answers) == [202] * MOST + [429] * (3 * MOST)
    refusal = next(answer for answer in answers if answer.status == 429)
    assert (refusal.code, refusal.body["field"]) == ("too_many_holds", "customer")
    assert 1 <= int(refusal.headers["Retry-After"]) <= 30 * 60
    assert await mongo.orders.count_documents({"customer": customer}) == MOST
    bulk = await api.post("/v1/orders/batch", {"orders": [body, order(**LATER, customer=fresh("other"))]}, status=200)
    assert [result["status"] for result in bulk.body["results"]] == [429, 202]


async def test_a_place_is_free_again_when_its_order_is_paid_or_cancelled(api: Api, mongo: Mongo) -> None:
    carrier, customer = Carrier(mongo), fresh("customer")
    first, second, *_ = made = [await placed(api, customer) for _ in range(MOST)]
    batch = await carrier.claim(*made)
    await api.post("/v1/orders", order(**LATER, customer=customer), status=429)
    await api.post(f"/v1/orders/{first}/payment", paid(), status=202)
    await api.post(f"/v1/orders/{second}/cancellation", {"reason": "no more"}, status=202)
    await carrier.step(batch)
    for status in (202, 202, 429):
        await api.post("/v1/orders", order(**LATER, customer=customer), status=status)


async def test_the_same_order_placed_twice_takes_one_place(api: Api, mongo: Mongo) -> None:
    customer = fresh("customer")
    same = order(**LATER, customer=customer, id=fresh("order"))
    await asyncio.gather(*(api.post("/v1/orders", same) for _ in range(6)))
    assert len((await mongo.holds.find_one({"_id": customer}) or {})["places"]) == 1


async def test_a_place_whose_order_was_never_written_is_found_and_given_back(api: Api, mongo: Mongo) -> None:
    customer = fresh("customer")
    long_ago = (await mongo.orders.find_one(sort=[("placed_at", 1)]) or {})["placed_at"].replace(year=2020)
    lost = [{"order": fresh("lost"), "at": long_ago} for _ in range(MOST)]
    await mongo.holds.insert_one({"_id": customer, "places": lost})
    await placed(api, customer)
    assert len((await mongo.holds.find_one({"_id": customer}) or {})["places"]) == 1


async def test_an_order_without_a_customer_cannot_hold_goods(api: Api) -> None:
    answer = await api.post("/v1/orders", order(**LATER), status=422)
    assert answer.body["field"] == "customer"
