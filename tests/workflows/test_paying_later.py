"""Orders that are paid later on the time-skipping server: the hold, its end, and payments that come too late."""

from tests.workflows.world import World

LATER = {"payment": {"method": "later"}, "customer": "c-1"}


async def pay(world: World, order: str) -> None:
    await world.say(order, "payment.received", amount=1000, reference="wx-1", by="shop")


def states(row: dict[str, object]) -> list[tuple[str, str]]:
    parcels = row["parcels"]
    assert isinstance(parcels, list)
    return [(parcel["location"], parcel["state"]) for parcel in parcels]


async def held(world: World, order: str) -> None:
    await world.until(order, lambda r: [p["state"] for p in r["parcels"]] == ["held"], "held")


async def test_goods_are_held_and_offered_when_the_payment_comes(world: World) -> None:
    await world.open_stores({"near": {"tea": 1}})
    order, batch = await world.begin(("tea", 1), **LATER)
    await held(world, order)
    assert (await world.levels(), await world.told("near")) == ({"near/tea": (1, 1)}, [])
    await world.pass_time(minutes=20)
    await pay(world, order)
    parcel = await world.offered_to(order, "near")
    await world.answer(order, parcel, "shipped", "delivered")
    assert await batch.result() == {"closed": 1}
    assert (await world.order(order))["payment"]["captured"] == 1000


async def test_a_hold_that_ends_gives_the_goods_to_whoever_waits_and_a_late_payment_goes_back(world: World) -> None:
    await world.open_stores({"near": {"tea": 1}})
    slow, batch = await world.begin(("tea", 1), **LATER)
    await held(world, slow)
    waiting, _ = await world.begin(("tea", 1))
    await world.reaches(waiting, "backordered")
    await world.pass_time(minutes=31)
    await world.offered_to(waiting, "near")
    row = await world.order(slow)
    assert (row["stage"], states(row)) == ("paying", [("near", "withdrawn")])
    await pay(world, slow)
    assert await batch.result() == {"cancelled": 1}
    row = await world.order(slow)
    assert (row["reason"], row["payment"]["refunded"]) == ("sold_out_before_payment", 1000)


async def test_an_order_that_nobody_pays_is_cancelled_at_its_limit(world: World) -> None:
    await world.open_stores({"near": {"tea": 1}})
    order, batch = await world.begin(("tea", 1), **LATER)
    await held(world, order)
    await world.pass_time(hours=25)
    assert await batch.result() == {"cancelled": 1}
    assert (await world.order(order))["reason"] == "not_paid_in_time"
    assert await world.levels() == {"near/tea": (1, 0)}


async def test_a_payment_for_an_order_that_had_ended_is_given_back_by_a_new_batch(world: World) -> None:
    await world.open_stores({"near": {"tea": 1}})
    order, batch = await world.begin(("tea", 1), **LATER)
    await held(world, order)
    await world.say(order, "command.cancel", reason="no more", by="customer")
    assert await batch.result() == {"cancelled": 1}
    await world.say_of_ended(order, "payment.received", amount=1000, reference="wx-1", by="shop")
    again = await world.carry_again(order)
    await world.until(order, lambda r: r["payment"]["refunded"] == 1000, "refunded")
    assert await again.result() == {"cancelled": 1}
    assert (await world.told("retailer"))[-1] == "order.refunded.v1"
