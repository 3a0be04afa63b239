"""Returns over HTTP: opened, told what becomes of them, and refused by field; the steps are the real ones."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from activities.returns.carrying import ReturnActivities
from contracts.base import milliseconds
from contracts.returns import ReturnStep
from infra.mongo import Mongo
from tests.gateway.carrying import Carrier
from tests.gateway.running import Api, fresh
from tests.gateway.running import order as order_of


class Desk:
    """A delivered order, and the steps that its workflows would make."""

    def __init__(self, api: Api, mongo: Mongo) -> None:
        self.api, self.mongo, self.carrier = api, mongo, Carrier(mongo)
        self._returns = ReturnActivities(mongo, self._ring)

    async def _ring(self, batches: set[str]) -> None:
        for batch in batches:
            await self.carrier.step(batch)

    async def delivered(self, units: int = 3, *kinds: str) -> tuple[str, str]:
        self.sku = fresh("sku")
        items = [{"location": "near", "sku": self.sku, "quantity": units}]
        await self.api.put("/v1/stock", {"items": items}, status=200)
        made = (await self.api.post("/v1/orders", order_of((self.sku, units)), status=202)).body["id"]
        self.batch = await self.carrier.claim(made)
        for kind in kinds or ("shipped", "delivered"):
            seen = (await self.api.get(f"/v1/orders/{made}", status=200)).body
            await self.carrier.reply(self.batch, seen["parcels"][0], kind)
        return made, f"{made}.p1"

    async def step(self, returned: str) -> dict[str, Any]:
        await self._returns.advance(ReturnStep(id=returned, now=milliseconds(datetime.now(UTC))))
        seen: dict[str, Any] = (await self.api.get(f"/v1/returns/{returned}", status=200)).body
        return seen

    async def order(self, made: str) -> dict[str, Any]:
        seen: dict[str, Any] = (await self.api.get(f"/v1/orders/{made}", status=200)).body
        return seen


def wanted(parcel: str, units: int | None = None, reason: str = "changed_mind", **more: Any) -> dict[str, Any]:
    return {"parcel": parcel, "reason": reason, **({"quantities": {"1": units}} if units else {}), **more}


async def test_units_come_back_and_their_money_goes_back(api: Api, mongo: Mongo) -> None:
    desk = Desk(api, mongo)
    made, parcel = await desk.delivered()
    opened = await api.post(f"/v1/orders/{made}/returns", wanted(parcel, 2), status=201)
    returned = opened.body["id"]
    assert (opened.headers["Location"], opened.body["state"]) == (f"/v1/returns/{returned}", "requested")
    assert (await desk.step(returned))["state"] == "approved"
    await api.post(f"/v1/returns/{returned}/sending", {"tracking": "SF1"}, status=202)
    assert (await desk.step(returned))["state"] == "in_transit"
    receipt = {"location": "far", "lines": [{"line": 1, "sellable": 1, "damaged": 1}]}
    await api.post(f"/v1/returns/{returned}/receipt", receipt, status=202)
    assert (await desk.step(returned))["state"] == "received"
    assert (await mongo.orders.find_one({"_id": made}) or {})["batch"] is None
    await desk.carrier.claim(made)
    view = await desk.order(made)
    assert (view["stage"], view["parcels"][0]["items"][0]["returned"]) == ("refunding", 2)
    assert (await desk.step(returned))["amount"] == 200
    listed = (await api.get(f"/v1/orders/{made}/returns", status=200)).body["returns"]
    assert [row["id"] for row in listed] == [returned]
    level = await mongo.stock.find_one({"_id": f"far/{desk.sku}"})
    assert level is not None
    assert level["on_hand"] == 1
    late = await api.post(f"/v1/returns/{returned}/receipt", receipt, status=409)
    assert late.code == "return_moved_on"


async def test_no_unit_comes_back_twice_however_many_ask_at_once(api: Api, mongo: Mongo) -> None:
    desk = Desk(api, mongo)
    made, parcel = await desk.delivered(units=3)
    answers = await asyncio.gather(
        *(api.post(f"/v1/orders/{made}/returns", wanted(parcel, 1)) for _ in range(6)), return_exceptions=False
    )
    assert sorted(answer.status for answer in answers) == [201, 201, 201, 422, 422, 422]
    refusal = next(answer for answer in answers if answer.status == 422)
    assert (refusal.code, refusal.body["field"]) == ("too_many_units", "quantities")
    whole = await api.post(f"/v1/orders/{made}/returns", wanted(parcel), status=422)
    assert whole.body["field"] == "parcel"


async def test_the_same_request_opens_one_return(api: Api, mongo: Mongo) -> None:
    desk = Desk(api, mongo)
    made, parcel = await desk.delivered()
    key = fresh("key")
    ids = [
        (await api.post(f"/v1/orders/{made}/returns", wanted(parcel, 1), status=201, Idempotency_Key=key)).body["id"]
        for _ in range(2)
    ]
    assert ids[0] == ids[1]
    assert await mongo.returns.count_documents({"order": made}) == 1


async def test_a_lost_parcel_of_a_closed_order_is_sent_again(api: Api, mongo: Mongo) -> None:
    desk = Desk(api, mongo)
    made, parcel = await desk.delivered(1)
    await api.put("/v1/stock", {"items": [{"location": "far", "sku": desk.sku, "quantity": 1}]}, status=200)
    body = wanted(parcel, reason="lost", wish="replacement")
    for _ in range(2):
        taken = await api.post(f"/v1/orders/{made}/returns", body, status=202)
    await desk.carrier.claim(made)
    view = await desk.order(made)
    assert [(p["location"], p["state"]) for p in view["parcels"]] == [("near", "lost"), ("far", "offered")]
    assert (await desk.step(taken.body["id"]))["state"] == "closed"


async def test_a_parcel_refused_at_the_door_comes_back_to_its_store(api: Api, mongo: Mongo) -> None:
    desk = Desk(api, mongo)
    made, parcel = await desk.delivered(2, "shipped")
    taken = await api.post(f"/v1/orders/{made}/returns", wanted(parcel, reason="refused_at_door"), status=202)
    await desk.carrier.step(desk.batch)
    assert (await desk.step(taken.body["id"]))["state"] == "in_transit"
    await api.post(f"/v1/returns/{taken.body['id']}/receipt", {"lines": [{"line": 1, "sellable": 2}]}, status=202)
    assert (await desk.step(taken.body["id"]))["state"] == "received"
    view = await desk.order(made)
    assert (view["parcels"][0]["state"], view["parcels"][0]["items"][0]["returned"]) == ("returned", 2)


async def test_what_cannot_be_returned_is_refused_by_field(api: Api, mongo: Mongo) -> None:
    desk = Desk(api, mongo)
    made, parcel = await desk.delivered(2, "shipped")
    path = f"/v1/orders/{made}/returns"
    early = await api.post(path, wanted(parcel), status=409)
    assert (early.code, early.body["field"]) == ("not_returnable", "parcel")
    for body, field in [
        (wanted(f"{made}.p9"), "parcel"),
        ({"parcel": parcel}, "reason"),
        (wanted(parcel, reason="bored"), "reason"),
    ]:
        assert (await api.post(path, body, status=422)).body["field"] == field
    await api.post(path, wanted(parcel, 1, reason="lost"), status=422)
    await api.post(path, wanted(parcel, wish="replacement"), status=422)
    assert (await api.get("/v1/returns/nobody", status=404)).code == "unknown_return"
    assert (await api.post("/v1/orders/nobody/returns", wanted(parcel), status=404)).code == "unknown_order"


async def test_a_receipt_must_account_for_every_unit(api: Api, mongo: Mongo) -> None:
    desk = Desk(api, mongo)
    made, parcel = await desk.delivered()
    returned = (await api.post(f"/v1/orders/{made}/returns", wanted(parcel, 2), status=201)).body["id"]
    for body, field in [
        ({"lines": [{"line": 1, "sellable": 1}]}, "lines.0"),
        ({"lines": [{"line": 7, "sellable": 2}]}, "lines.0.line"),
        ({"lines": [{"line": 1, "sellable": 2}, {"line": 1, "sellable": 2}]}, "lines"),
        ({"location": "nowhere", "lines": [{"line": 1, "sellable": 2}]}, "location"),
    ]:
        assert (await api.post(f"/v1/returns/{returned}/receipt", body, status=422)).body["field"] == field
    assert (await mongo.returns.find_one({"_id": returned}) or {})["unread"] == []


async def test_an_operator_decides_about_what_was_asked_for_too_late(api: Api, mongo: Mongo) -> None:
    desk = Desk(api, mongo)
    made, parcel = await desk.delivered()
    asked = [(await api.post(f"/v1/orders/{made}/returns", wanted(parcel, 1), status=201)).body["id"] for _ in range(2)]
    for returned, path, state in zip(asked, ("approval", "refusal"), ("approved", "refused"), strict=True):
        await mongo.returns.update_one({"_id": returned}, {"$set": {"approve_until": None}})
        assert (await desk.step(returned))["state"] == "requested"
        early = await api.post(f"/v1/returns/{returned}/sending", {"tracking": "SF1"}, status=409)
        assert early.code == "not_approved"
        await api.post(f"/v1/returns/{returned}/{path}", {"reason": "looked at"}, status=202)
        assert (await desk.step(returned))["state"] == state
