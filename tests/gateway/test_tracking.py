"""Carriers report scans over HTTP: each by itself, once, only of their own parcels, and their orders move."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.demo_carriers import carriers
from infra.keys import Scope, create_key
from infra.mongo import Mongo
from tests.gateway.carrying import Carrier
from tests.gateway.running import Api, fresh

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
WAY = ("PICKED_UP", "ARRIVED_HUB", "WITH_COURIER", "SIGNED")


@pytest.fixture
async def loaded(mongo: Mongo) -> None:
    for carrier in carriers():
        row = {**carrier.model_dump(exclude={"id"}), "version": 1}
        await mongo.carriers.replace_one({"_id": carrier.id}, row, upsert=True)


@pytest.fixture
async def yunque(api: Api, mongo: Mongo, loaded: None) -> Api:
    return api.with_key(await create_key(mongo, "yunque", [Scope.CARRIERS_TRACK]))


class Parcel:
    """A shipped parcel whose label is of yunque."""

    def __init__(self, order: str, batch: str, number: str) -> None:
        self.order, self.batch, self.number = order, batch, number

    def scan(self, code: str, *, hours: float = 0, scan_id: str | None = None, **changes: Any) -> dict[str, Any]:
        at = (AT + timedelta(hours=hours)).isoformat()
        return {"id": scan_id or f"{self.number}-{code}", "tracking": self.number, "code": code, "at": at, **changes}


async def shipped(api: Api, mongo: Mongo, *, service: str | None = "yunque/express") -> Parcel:
    carrier, number = Carrier(mongo), fresh("YU")
    order = (await api.place())["id"]
    batch = await carrier.claim(order)
    [parcel] = (await api.get(f"/v1/orders/{order}")).body["parcels"]
    await carrier.reply(batch, parcel, "shipped", tracking=number)
    if service is not None:
        label = {"key": f"{parcel['id']}:label:1", "service": service, "state": "done", "tracking": number}
        await mongo.orders.update_one({"_id": order}, {"$set": {"parcels.0.label": label}})
    return Parcel(order, batch, number)


async def tell(api: Api, *scans: dict[str, Any], carrier: str = "yunque") -> list[dict[str, Any]]:
    answer = await api.post(f"/v1/carriers/{carrier}/tracking", {"reports": list(scans)}, status=200)
    results: list[dict[str, Any]] = answer.body["results"]
    return results


async def test_a_parcel_is_followed_to_its_end_and_its_order_shows_the_way(api: Api, yunque: Api, mongo: Mongo) -> None:
    parcel = await shipped(api, mongo)
    results = await tell(yunque, *(parcel.scan(code, hours=n, place=f"hub {n}") for n, code in enumerate(WAY)))
    assert [(r["status"], r["outcome"], r["parcel"]) for r in results] == [(200, "taken", f"{parcel.order}.p1")] * 4
    await Carrier(mongo).step(parcel.batch)
    seen = (await api.get(f"/v1/orders/{parcel.order}", status=200)).body
    [shown] = seen["parcels"]
    assert (shown["state"], shown["tracking_state"]) == ("delivered", "delivered")
    assert [(scan["state"], scan["place"]) for scan in shown["scans"]] == [
        ("collected", "hub 0"),
        ("in_transit", "hub 1"),
        ("out_for_delivery", "hub 2"),
        ("delivered", "hub 3"),
    ]
    assert "tracking.delivered" in [entry["what"] for entry in seen["timeline"]]


async def test_the_same_scans_again_and_in_any_order_change_nothing(api: Api, yunque: Api, mongo: Mongo) -> None:
    parcel = await shipped(api, mongo)
    scans = [parcel.scan(code, hours=n) for n, code in enumerate(WAY)]
    for told in (scans[1:3], scans[::-1], scans):
        await tell(yunque, *told)
        await Carrier(mongo).step(parcel.batch)
    row = await mongo.orders.find_one({"_id": parcel.order})
    assert row is not None
    assert len(row["parcels"][0]["scans"]) == 4
    assert await mongo.inbox.count_documents({"order": parcel.order, "kind": "tracking"}) == 4
    assert [e["what"] for e in row["timeline"]].count("tracking.delivered") == 1


async def test_what_cannot_be_taken_is_refused_by_itself(api: Api, yunque: Api, mongo: Mongo) -> None:
    parcel = await shipped(api, mongo)
    ahead = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    results = await tell(
        yunque,
        parcel.scan("SIGNED_BY_CAT"),
        parcel.scan("PICKED_UP", tracking="YU-nobody"),
        parcel.scan("PICKED_UP", at=ahead),
        parcel.scan("PICKED_UP", at="yesterday"),
        {"id": "no number"},
        parcel.scan("WITH_COURIER"),
    )
    codes = [result.get("problem", {}).get("code") for result in results]
    assert codes[:3] == ["unknown_code", "unknown_number", "in_future"]
    assert [result["status"] for result in results] == [422, 404, 422, 422, 422, 200]
    assert all(result["problem"]["remedy"] for result in results[:5])
    await Carrier(mongo).step(parcel.batch)
    assert (await api.get(f"/v1/orders/{parcel.order}")).body["parcels"][0]["tracking_state"] == "out_for_delivery"


async def test_a_carrier_reports_for_itself_only(api: Api, yunque: Api, mongo: Mongo) -> None:
    parcel = await shipped(api, mongo)
    refused = await yunque.post("/v1/carriers/qinglu/tracking", {"reports": [parcel.scan("50")]}, status=403)
    assert refused.code == "not_your_carrier"
    qinglu = api.with_key(await create_key(mongo, "qinglu", [Scope.CARRIERS_TRACK]))
    [result] = await tell(qinglu, parcel.scan("50"), carrier="qinglu")
    assert result["problem"]["code"] == "unknown_number"


async def test_a_number_that_a_store_brought_may_be_reported_by_any_carrier(
    api: Api, yunque: Api, mongo: Mongo
) -> None:
    parcel = await shipped(api, mongo, service=None)
    [result] = await tell(yunque, parcel.scan("SIGNED"))
    assert result["outcome"] == "taken"


async def test_a_parcel_of_an_order_that_has_ended_is_left_alone(api: Api, yunque: Api, mongo: Mongo) -> None:
    parcel = await shipped(api, mongo)
    await tell(yunque, parcel.scan("SIGNED"))
    await Carrier(mongo).step(parcel.batch)
    assert (await api.get(f"/v1/orders/{parcel.order}")).body["stage"] == "closed"
    [result] = await tell(yunque, parcel.scan("GOING_BACK", hours=30))
    assert result["outcome"] == "order_ended"
    assert await mongo.inbox.count_documents({"order": parcel.order, "drained": None}) == 0


async def test_a_lost_parcel_that_was_paid_back_and_arrives_all_the_same_comes_to_a_person(
    api: Api, yunque: Api, mongo: Mongo
) -> None:
    parcel = await shipped(api, mongo)
    await tell(yunque, parcel.scan("MISSING"))
    await Carrier(mongo).step(parcel.batch)
    order = (await api.get(f"/v1/orders/{parcel.order}")).body
    assert order["parcels"][0]["state"] == "lost"
    await mongo.orders.update_one({"_id": parcel.order}, {"$set": {"stage": "closed", "closed_at": AT}})
    [ignored] = await tell(yunque, parcel.scan("ARRIVED_HUB", hours=20))
    [result] = await tell(yunque, parcel.scan("SIGNED", hours=30))
    assert (ignored["outcome"], result["outcome"]) == ("order_ended", "taken")
    carrier = Carrier(mongo)
    await carrier.step(await carrier.claim(parcel.order))
    order = (await api.get(f"/v1/orders/{parcel.order}")).body
    assert order["attention"]["code"] == "delivered_after_all"
    [again] = await tell(yunque, parcel.scan("SIGNED", hours=30))
    assert again["outcome"] == "taken"
    row = await mongo.orders.find_one({"_id": parcel.order})
    assert row is not None and row["batch"] is not None, "told again, it is not carried again"


async def test_a_carrier_that_nobody_knows_is_refused(api: Api) -> None:
    answer = await api.post("/v1/carriers/nobody/tracking", {"reports": [{"id": "1"}]}, status=404)
    assert answer.code == "unknown_carrier"


async def test_numbers_are_found_by_their_index(api: Api, mongo: Mongo) -> None:
    parcel = await shipped(api, mongo)
    query = {"parcels.tracking": {"$type": "string", "$in": [parcel.number]}}
    plan = await mongo.orders.find(query).explain()
    assert "tracked" in str(plan["queryPlanner"]["winningPlan"])
    deliveries = {"stage": "closed", "parcels.service": {"$type": "string", "$eq": "yunque/express"}}
    plan = await mongo.orders.find(deliveries).sort("closed_at", -1).explain()
    assert "carried" in str(plan["queryPlanner"]["winningPlan"])
