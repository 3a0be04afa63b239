"""What routing does over several orders of a batch: exchanges of offers, capacities, expectations."""

from datetime import timedelta

from contracts.routing import Policy
from tests.workflows.world import World

SPLIT_SAVES = Policy(version=2, reevaluate_gain=100).model_dump()


async def test_an_offer_that_nobody_accepted_makes_room_for_an_order_that_would_be_split(world: World) -> None:
    await world.mongo.policies.insert_one(SPLIT_SAVES)
    await world.open_stores({"near": {"tea": 1}, "mid": {"tea": 1}})
    single, both = await world.place(("tea", 1)), await world.place(("tea", 1), ("cup", 1))
    await world.start(single, both)
    await world.offered_to(single, "near")
    await world.reaches(both, "backordered")

    await world.receive("near", "cup", 1)
    await world.say(both, "stock.arrived")
    await world.offered_to(both, "near")
    await world.offered_to(single, "mid")
    moved, whole = await world.order(single), await world.order(both)
    assert [(p["location"], p["state"], p["reason"]) for p in moved["parcels"]] == [
        ("near", "withdrawn", "reassigned"),
        ("mid", "offered", None),
    ]
    assert [p["location"] for p in whole["parcels"]] == ["near"]
    assert moved["decisions"][-1]["exchanged_with"] == [both]
    assert whole["decisions"][-1]["exchanged_with"] == [single]
    assert await world.levels() == {"near/tea": (1, 1), "mid/tea": (1, 1), "near/cup": (1, 1)}
    assert sorted(await world.told("near")) == ["parcel.offered.v1", "parcel.offered.v1", "parcel.withdrawn.v1"]


async def test_what_a_store_has_accepted_is_never_moved(world: World) -> None:
    await world.mongo.policies.insert_one(SPLIT_SAVES)
    await world.open_stores({"near": {"tea": 1}, "mid": {"tea": 1}})
    single, both = await world.place(("tea", 1)), await world.place(("tea", 1), ("cup", 1))
    await world.start(single, both)
    await world.answer(single, await world.offered_to(single, "near"), "accepted")
    await world.reaches(single, "accepted")

    await world.receive("near", "cup", 1)
    await world.say(both, "stock.arrived")
    await world.offered_to(both, "mid")
    assert [p["location"] for p in (await world.order(single))["parcels"]] == ["near"]
    assert {p["location"] for p in (await world.order(both))["parcels"]} == {"near", "mid"}


async def test_a_location_takes_no_more_parcels_in_a_day_than_it_can(world: World) -> None:
    await world.open_stores({"near": {"tea": 9}}, capacity_per_day=2)
    await world.open_stores({"far": {"tea": 9}})
    orders = [await world.place(("tea", 1)) for _ in range(4)]
    await world.start(*orders[:3])
    for order in orders[:3]:
        await world.reaches(order, "dispatched")
    rows = [await world.order(order) for order in orders[:3]]
    assert sorted(row["parcels"][0]["location"] for row in rows) == ["far", "near", "near"]
    full = next(row for row in rows if row["parcels"][0]["location"] == "far")
    assert full["decisions"][0]["ruled_out"]["capacity"] == 1

    # A store that is asked no more gets its room back, and the next day is a new one.
    await world.pass_time(hours=25)
    await world.start(orders[3])
    await world.offered_to(orders[3], "near")


async def test_goods_wait_for_the_orders_of_the_days_before_that_are_nearer_to_them(world: World) -> None:
    """Thirty orders came from next door on the day before; one from far away does not get the last unit."""
    await world.mongo.policies.insert_one(Policy(version=2, km_price=10, margin_bp=10_000).model_dump())
    await world.open_stores({"near": {"tea": 1}})
    yesterday = (await world.now()) - timedelta(days=1)
    for _ in range(30):
        placed = await world.place(("tea", 1))
        await world.mongo.orders.update_one(
            {"_id": placed}, {"$set": {"placed_at": yesterday, "stage": "closed", "closed_at": yesterday}}
        )
    away = {"ship_to": {"division": "330100", "point": {"lat": 30.9, "lon": 120.15, "datum": "WGS84"}}}
    far_off, _ = await world.begin(("tea", 1), **away)
    row = await world.reaches(far_off, "backordered")
    assert row["reason"].startswith("its goods are worth more")
    next_door, _ = await world.begin(("tea", 1))
    await world.offered_to(next_door, "near")
