"""A customer who moves while the order is under way, on the time-skipping server."""

from typing import Any

from tests.workflows.world import HANGZHOU, World


def elsewhere(division: str) -> dict[str, Any]:
    """A place next to the store "far"."""
    return {"division": division, "point": {"lat": HANGZHOU.lat + 2.9, "lon": HANGZHOU.lon, "datum": "WGS84"}}


async def test_offers_are_made_anew_near_the_new_address(world: World) -> None:
    await world.open_stores({"near": {"tea": 5}, "far": {"tea": 5}})
    order, batch = await world.begin(("tea", 2))
    await world.offered_to(order, "near")
    await world.say(order, "command.address", ship_to=elsewhere("320500"), by="customer")
    parcel = await world.offered_to(order, "far")
    assert await world.levels() == {"near/tea": (5, 0), "far/tea": (5, 2)}
    assert await world.told("near") == ["parcel.offered.v1", "parcel.withdrawn.v1"]
    await world.answer(order, parcel, "shipped", "delivered")
    assert await batch.result() == {"closed": 1}
    assert (await world.order(order))["division"] == "320500"


async def test_a_store_that_has_packed_is_told_and_what_has_left_stays_on_its_way(world: World) -> None:
    await world.open_stores({"near": {"tea": 5}, "far": {"tea": 5}})
    order, _ = await world.begin(("tea", 2))
    parcel = await world.offered_to(order, "near")
    await world.answer(order, parcel, "accepted", "packed")
    await world.reaches(order, "packed")
    await world.say(order, "command.address", ship_to=elsewhere("320500"), by="customer")
    await world.until(order, lambda r: r["division"] == "320500", "moved")
    assert (await world.told("near"))[-1] == "parcel.address_changed.v1"
    await world.answer(order, parcel, "shipped")
    await world.reaches(order, "shipped")
    await world.say(order, "command.address", ship_to=elsewhere("330100"), by="customer")
    await world.until(order, lambda r: "address.refused" in [t["what"] for t in r["timeline"]], "refused")
    assert (await world.order(order))["division"] == "320500"
