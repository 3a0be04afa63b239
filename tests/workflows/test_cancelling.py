"""A cancellation that stores have a say in, on the time-skipping server: silence, refusal, and an operator's force."""

from typing import Any

from temporalio.client import WorkflowHandle

from tests.workflows.world import World


async def asked(world: World, *kinds: str) -> tuple[str, str, WorkflowHandle[Any, Any]]:
    """An order whose store has come so far, and is then asked to give it up."""
    await world.open_stores({"near": {"tea": 5}, "far": {"tea": 5}})
    order, batch = await world.begin(("tea", 2))
    parcel = await world.offered_to(order, "near")
    await world.answer(order, parcel, *kinds)
    await world.reaches(order, kinds[-1])
    await world.say(order, "command.cancel", reason="changed my mind", by="customer")
    await world.until(order, lambda r: r["cancellation"] is not None, "asked")
    return order, parcel, batch


async def test_silence_after_acceptance_cancels_when_the_time_to_answer_ends(world: World) -> None:
    order, _, batch = await asked(world, "accepted")
    await world.pass_time(hours=3)
    assert (await world.order(order))["cancellation"]["outcome"] == "pending"
    await world.pass_time(hours=2)
    assert await batch.result() == {"cancelled": 1}
    assert await world.levels() == {"near/tea": (5, 0), "far/tea": (5, 0)}
    assert (await world.order(order))["payment"]["refunded"] == 2000


async def test_silence_after_packing_keeps_the_order_and_it_is_paid(world: World) -> None:
    order, parcel, batch = await asked(world, "accepted", "packed")
    await world.pass_time(hours=5)
    row = await world.until(order, lambda r: r["cancellation"]["outcome"] == "refused", "refused")
    assert row["parcels"][0]["request"] == "cancel_refused"
    await world.answer(order, parcel, "shipped", "delivered")
    assert await batch.result() == {"closed": 1}
    assert "order.cancellation_answered.v1" in await world.told("retailer")


async def test_a_refusal_can_be_overruled_by_an_operator(world: World) -> None:
    order, parcel, batch = await asked(world, "accepted", "packed")
    await world.answer(order, parcel, "cancellation_refused")
    await world.until(order, lambda r: r["cancellation"]["outcome"] == "refused", "refused")
    await world.say(order, "command.cancel", reason="recall", by="operator", force=True)
    assert await batch.result() == {"cancelled": 1}
    assert (await world.told("near"))[-1] == "parcel.withdrawn.v1"
