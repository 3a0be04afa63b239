"""Labels and tracking on the time-skipping server, with the sandbox carriers: booked, late, delivered, closed."""

from datetime import timedelta
from typing import Any

from contracts.carriers import Scan, TrackingState
from contracts.ids import scan_event_id
from contracts.orders import InboxEvent
from infra.demo_carriers import carriers
from tests.workflows.world import World

ECONOMY = "qinglu/economy"


async def begin(world: World, fate: str, service: str = ECONOMY) -> tuple[str, str, Any]:
    """An order that is offered to a store, with a service and a promise three days from now."""
    for carrier in carriers():
        row = {**carrier.model_dump(exclude={"id"}), "version": 1}
        await world.mongo.carriers.replace_one({"_id": carrier.id}, row, upsert=True)
    await world.open_stores({"near": {"tea": 5}})
    order = await world.place(("tea", 2), id=f"{world.prefix}-fate-{fate}")
    batch = await world.start(order)
    parcel = await world.offered_to(order, "near")
    promised = await world.now() + timedelta(days=3)
    planned = {"parcels.0.service": service, "parcels.0.promised_at": promised}
    await world.mongo.orders.update_one({"_id": order}, {"$set": planned})
    return order, parcel, batch


async def labelled(world: World, order: str) -> dict[str, Any]:
    row = await world.until(order, lambda r: r["parcels"][0]["tracking"] is not None, "labelled")
    found: dict[str, Any] = row["parcels"][0]
    return found


async def scan(world: World, order: str, state: TrackingState, number: str) -> None:
    """A scan as the gateway writes it down."""
    made = Scan(id=f"{number}-{state}", carrier="qinglu", state=state, at=await world.now())
    event = InboxEvent(
        id=scan_event_id("qinglu", number, made.id),
        order=order,
        kind="tracking",
        received_at=made.at,
        by="qinglu",
        parcel=f"{order}.p1",
        data=made.model_dump(),
    )
    batch = (await world.order(order))["batch"]
    await world.mongo.inbox.insert_one(event.unread(batch))
    await world.ring({batch})


async def test_a_parcel_is_labelled_told_late_beforehand_and_delivered(world: World) -> None:
    order, parcel, batch = await begin(world, "ok")
    await world.answer(order, parcel, "accepted")
    found = await labelled(world, order)
    assert found["label"]["state"] == "done"
    assert await world.told("near") == ["parcel.offered.v1", "parcel.labelled.v1"]

    await scan(world, order, TrackingState.COLLECTED, found["tracking"])
    await world.reaches(order, "shipped")
    assert await world.levels() == {"near/tea": (3, 0)}
    await world.pass_time(days=2, hours=20)
    told = await world.told("retailer")
    assert "parcel.late_predicted.v1" in told and "parcel.late.v1" not in told
    await world.pass_time(hours=6)
    told = await world.told("retailer")
    assert (told.count("parcel.late_predicted.v1"), told.count("parcel.late.v1")) == (1, 1)

    await scan(world, order, TrackingState.DELIVERED, found["tracking"])
    assert await batch.result() == {"closed": 1}
    row = await world.order(order)
    assert [s["state"] for s in row["parcels"][0]["scans"]] == ["collected", "delivered"]


async def test_a_declined_label_is_booked_with_the_next_carrier(world: World) -> None:
    order, parcel, _ = await begin(world, "declined")
    await world.answer(order, parcel, "accepted")
    found = await labelled(world, order)
    assert found["service"] != ECONOMY
    assert found["label"]["declined"] == [ECONOMY]
    assert "label.declined" in [entry["what"] for entry in (await world.order(order))["timeline"]]


async def test_a_parcel_that_no_carrier_takes_comes_to_a_person(world: World) -> None:
    order, parcel, _ = await begin(world, "unserved")
    await world.answer(order, parcel, "accepted")
    row = await world.until(order, lambda r: r["attention"] is not None, "noticed")
    assert row["attention"]["code"] == "no_carrier"
    assert sorted(row["parcels"][0]["label"]["declined"]) == ["baixiang/today", ECONOMY, "yunque/express"]
    await world.answer(order, parcel, "shipped", tracking="OWN-1")
    assert (await world.reaches(order, "shipped"))["attention"] is None


async def test_a_carrier_in_trouble_is_asked_again_later(world: World) -> None:
    order, parcel, _ = await begin(world, "flaky")
    await world.answer(order, parcel, "accepted")
    await world.until(order, lambda r: (r["parcels"][0]["label"] or {}).get("tries") == 1, "failing once")
    await world.pass_time(minutes=5)
    assert (await labelled(world, order))["label"]["tries"] == 2


async def test_a_cancelled_order_ends_only_when_its_label_is_void(world: World) -> None:
    order, parcel, batch = await begin(world, "ok")
    await world.answer(order, parcel, "accepted")
    await labelled(world, order)
    await world.say(order, "command.cancel", reason="changed my mind", by="customer")
    assert await batch.result() == {"cancelled": 1}
    row = await world.order(order)
    assert row["parcels"][0]["label"]["state"] == "dropped"
    assert await world.levels() == {"near/tea": (5, 0)}


async def test_a_parcel_that_is_never_reported_delivered_comes_to_a_person(world: World) -> None:
    order, parcel, batch = await begin(world, "ok")
    await world.answer(order, parcel, "shipped", tracking="OWN-1")
    await world.reaches(order, "shipped")
    await world.pass_time(days=10, hours=1)
    row = await world.until(order, lambda r: r["attention"] is not None, "noticed")
    assert row["attention"]["code"] == "delivery_overdue"
    await world.answer(order, parcel, "delivered")
    assert await batch.result() == {"closed": 1}


async def test_the_book_learns_how_long_deliveries_take(world: World) -> None:
    order, parcel, batch = await begin(world, "ok")
    hour = timedelta(hours=1)
    start = await world.now()
    scans = [
        {"id": str(n), "carrier": "qinglu", "state": state, "at": start + n * hour, "place": None}
        for n, state in enumerate(("collected", "out_for_delivery", "delivered"))
    ]
    closed = {
        "stage": "closed",
        "closed_at": start,
        "batch": "an earlier one",
        "parcels": [{"service": ECONOMY, "state": "delivered", "scans": scans}],
    }
    await world.mongo.orders.insert_many([{"_id": f"earlier-{n}", **closed} for n in range(20)])
    await world.answer(order, parcel, "accepted")
    remaining = (await labelled(world, order))["label"]["remaining_s"]
    assert remaining["collected"] == 2 * 3600
    assert remaining["out_for_delivery"] == 3600
    await batch.terminate()
