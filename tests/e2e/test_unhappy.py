"""Unhappy ways on the whole system: real processes, killed in between, and `tongqu check` afterwards."""

from typing import Any

from infra.mongo import Mongo
from tests.e2e.places import Places, reaches
from tests.support import eventually
from workers.report import read_report
from workers.shop import Shop
from workers.system import System


async def _delivered(places: Places, mongo: Mongo, **changes: Any) -> tuple[str, str]:
    order = await places.place(**changes)
    parcel = await places.near.offered(order)
    await places.near.says(parcel, "accepted", "shipped", "delivered")
    await reaches(mongo, order, "closed")
    return order, parcel


async def _return_is(mongo: Mongo, returned: str, state: str) -> dict[str, Any]:
    async def there() -> dict[str, Any] | None:
        return await mongo.returns.find_one({"_id": returned, "state": state})

    row: dict[str, Any] | None = await eventually(there, timeout=60, message=f"{returned} never came to be {state}")
    assert row is not None
    return row


async def test_goods_come_back_to_a_closed_order_although_the_workers_are_killed(
    system: System, places: Places, mongo: Mongo, shop: Shop
) -> None:
    order, parcel = await _delivered(places, mongo)
    body = {"parcel": parcel, "reason": "changed_mind"}
    returned = (await shop.send("POST", f"/v1/orders/{order}/returns", body))["id"]
    await _return_is(mongo, returned, "approved")
    await places.near.hears("return.announced.v1", order=order)
    for name in ("fulfilment", "events"):
        system.processes[name].kill()
    receipt = {"lines": [{"line": 1, "sellable": 1}]}
    await shop.send("POST", f"/v1/returns/{returned}/receipt", receipt)
    for name in ("events", "fulfilment"):
        system.processes[name].start()
    row = await _return_is(mongo, returned, "closed")
    paid = (await reaches(mongo, order, "closed"))["payment"]
    assert (row["amount"], paid["refunded"]) == (500, 500)
    level = await mongo.stock.find_one({"_id": f"{places.near.location}/{places.sku}"})
    assert level is not None
    assert (level["on_hand"], level["reserved"]) == (10, 0)


async def test_a_payment_for_an_order_that_was_cancelled_goes_back(places: Places, mongo: Mongo, shop: Shop) -> None:
    order = await places.place(payment={"method": "later"}, customer="c-1")
    await reaches(mongo, order, "paying")
    await shop.send("POST", f"/v1/orders/{order}/cancellation", {"reason": "no more"})
    await reaches(mongo, order, "cancelled")
    await shop.send("POST", f"/v1/orders/{order}/payment", {"amount": 500, "reference": "wx-1"})

    async def paid_back() -> bool:
        row = await mongo.orders.find_one({"_id": order, "stage": "cancelled", "payment.refunded": 500})
        return row is not None

    await eventually(paid_back, timeout=30, message="the payment did not go back")


async def test_the_sweep_carries_an_ended_order_again_whose_event_was_left_behind(places: Places, mongo: Mongo) -> None:
    """The order ends between the writing of an event and the look at whether it has: only the sweep can know."""
    order, parcel = await _delivered(places, mongo)
    row = await mongo.orders.find_one({"_id": order})
    assert row is not None
    lost = {"_id": f"lost:{parcel}", "order": order, "batch": row["batch"], "kind": "reply.lost", "by": "carrier"}
    more = {"received_at": row["closed_at"], "parcel": parcel, "data": {"wish": "replacement"}, "drained": None}
    await mongo.inbox.insert_one({**lost, **more})

    async def offered_again() -> bool:
        found = await mongo.orders.find_one({"_id": order, "parcels.1.state": "offered"})
        return found is not None

    await eventually(offered_again, timeout=30, message="the lost parcel was not sent again")
    again = (await reaches(mongo, order, "dispatched"))["parcels"][1]["id"]
    await places.near.says(again, "shipped", "delivered")
    closed = await reaches(mongo, order, "closed")
    assert (closed["payment"]["captured"], closed["payment"]["refunded"]) == (500, 0)
    await _return_is(mongo, f"{parcel}.lost", "closed")


async def test_a_store_that_has_accepted_is_asked_and_agrees(places: Places, mongo: Mongo, shop: Shop) -> None:
    order = await places.place()
    parcel = await places.near.offered(order)
    await places.near.says(parcel, "accepted")
    await reaches(mongo, order, "accepted")
    await shop.send("POST", f"/v1/orders/{order}/cancellation", {"reason": "no more"})
    await places.near.hears("parcel.cancellation_requested.v1", order=order)
    await places.near.says(parcel, "cancellation_accepted")
    assert (await reaches(mongo, order, "cancelled"))["payment"]["refunded"] == 500


async def test_nothing_is_violated_after_all_of_this(system: System, mongo: Mongo) -> None:
    async def told() -> bool:
        return await mongo.outbox.count_documents({"status": {"$ne": "sent"}}) == 0

    await eventually(told, timeout=20, message="the outbox never became empty")
    report = await read_report(mongo, system.settings)
    assert [finding for finding in report.findings if finding.violated] == []
