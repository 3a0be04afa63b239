"""OrderFulfilment on the time-skipping server: every branch of an order's way, with hours passing in milliseconds."""

import asyncio

import pytest
from temporalio.client import WorkflowExecutionStatus

from contracts.fulfilment import BATCH_SIZE, ORDERS, STAGE
from tests.support import eventually
from tests.workflows.world import World

CARD = {"payment": {"method": "card", "token": "tok_ok"}}


async def test_an_order_goes_to_the_nearest_store_and_is_delivered_and_closed(world: World) -> None:
    await world.open_stores({"far": {"tea": 5}, "near": {"tea": 5}})
    order, batch = await world.begin(("tea", 2))
    parcel = await world.offered_to(order, "near")
    assert (await world.levels())["near/tea"] == (5, 2)

    await world.answer(order, parcel, "accepted", "packed", "shipped", "delivered")
    assert await batch.result() == {"closed": 1}
    assert await world.levels() == {"near/tea": (3, 0), "far/tea": (5, 0)}
    assert await world.told("near") == ["parcel.offered.v1"]
    told = await world.told("retailer")
    assert (told[0], told[-1]) == ("order.dispatched.v1", "order.closed.v1")


@pytest.mark.parametrize("max_cached_workflows", [0], ids=["nothing kept in memory"])
async def test_a_worker_that_forgets_batches_between_their_steps_carries_them_all(world: World) -> None:
    """It cancels all tasks of a workflow to forget it, which must not be taken for the workflow's cancellation."""
    await world.open_stores({"near": {"tea": 50}})
    begun = [await world.begin(("tea", 1)) for _ in range(10)]
    for order, _ in begun:
        parcel = await world.offered_to(order, "near")
        await world.answer(order, parcel, "accepted", "packed", "shipped", "delivered")
    async with asyncio.timeout(60):
        assert [await batch.result() for _, batch in begun] == [{"closed": 1}] * 10


async def test_a_silent_store_is_passed_over_when_its_time_ends(world: World) -> None:
    await world.open_stores({"near": {"tea": 1}, "far": {"tea": 1}})
    order, _ = await world.begin(("tea", 1))
    await world.offered_to(order, "near")
    await world.pass_time(minutes=29)
    assert (await world.order(order))["attempt"] == 1
    await world.pass_time(minutes=2)
    await world.offered_to(order, "far")
    row = await world.order(order)
    assert row["excluded"] == ["near"]
    assert row["parcels"][0]["state"] == "expired"
    assert await world.levels() == {"near/tea": (1, 0), "far/tea": (1, 1)}
    assert await world.told("near") == ["parcel.offered.v1", "parcel.withdrawn.v1"]


async def test_the_goods_that_a_silent_store_gives_back_do_not_send_the_order_there_again(world: World) -> None:
    await world.open_stores({"near": {"tea": 1}})
    order, _ = await world.begin(("tea", 1))
    await world.offered_to(order, "near")
    await world.pass_time(minutes=31)
    await world.reaches(order, "backordered")
    await world.pass_time(hours=3)
    assert [p["state"] for p in (await world.order(order))["parcels"]] == ["expired"]


async def test_an_answer_after_the_time_limit_is_refused_and_changes_nothing(world: World) -> None:
    await world.open_stores({"near": {"tea": 1}, "far": {"tea": 1}})
    order, _ = await world.begin(("tea", 1))
    late = await world.offered_to(order, "near")
    await world.pass_time(minutes=31)
    await world.offered_to(order, "far")
    await world.answer(order, late, "accepted")
    row = await world.until(order, lambda r: "reply.refused" in [t["what"] for t in r["timeline"]], "refused")
    assert row["stage"] == "dispatched"
    assert (await world.told("near"))[-1] == "reply.refused.v1"

    async def counted() -> bool:
        return await world.mongo.counters.find_one({"_id": "refusal:order:answer_too_late", "count": 1}) is not None

    await eventually(counted)


async def test_a_rejection_goes_to_the_next_store_and_empties_the_shelf_it_names(world: World) -> None:
    await world.open_stores({"near": {"tea": 5}, "far": {"tea": 5}})
    order, _ = await world.begin(("tea", 2))
    parcel = await world.offered_to(order, "near")
    await world.answer(order, parcel, "rejected", reason="out_of_stock")
    await world.offered_to(order, "far")
    assert await world.levels() == {"near/tea": (0, 0), "far/tea": (5, 2)}


async def test_a_rejected_line_is_sent_from_another_store_and_the_rest_stays(world: World) -> None:
    await world.open_stores({"near": {"tea": 5, "cup": 5}, "far": {"cup": 5}})
    order, batch = await world.begin(("tea", 1), ("cup", 1))
    first = await world.offered_to(order, "near")
    await world.answer(order, first, "rejected", reason="damaged", lines=[2])
    second = await world.offered_to(order, "far")
    assert await world.levels() == {"near/tea": (5, 1), "near/cup": (4, 0), "far/cup": (5, 1)}
    await world.answer(order, first, "shipped", "delivered")
    await world.answer(order, second, "accepted", "shipped", "delivered")
    assert await batch.result() == {"closed": 1}
    assert (await world.order(order))["payment"]["captured"] == 2000


async def test_units_that_are_not_found_are_sent_from_another_store(world: World) -> None:
    await world.open_stores({"near": {"tea": 5}, "far": {"tea": 5}})
    order, batch = await world.begin(("tea", 3))
    first = await world.offered_to(order, "near")
    for _ in range(2):
        await world.say(order, "reply.rejected", parcel=first, by="near", reason="not_found", quantities={"1": 2})
    second = await world.offered_to(order, "far")
    assert await world.levels() == {"near/tea": (1, 1), "far/tea": (5, 2)}
    await world.answer(order, first, "shipped", "delivered")
    await world.answer(order, second, "shipped", "delivered")
    assert await batch.result() == {"closed": 1}
    assert (await world.order(order))["payment"]["refunded"] == 0


async def test_after_three_refusals_the_order_waits_and_is_cancelled_at_its_limit(world: World) -> None:
    await world.open_stores({"near": {"tea": 1}, "mid": {"tea": 1}, "far": {"tea": 1}})
    order, batch = await world.begin(("tea", 1))
    for store in ("near", "mid", "far"):
        parcel = await world.offered_to(order, store)
        await world.answer(order, parcel, "rejected", reason="out_of_stock")
    await world.reaches(order, "backordered")
    await world.pass_time(hours=71)
    assert (await world.order(order))["stage"] == "backordered"
    await world.pass_time(hours=2)
    assert await batch.result() == {"cancelled": 1}
    row = await world.order(order)
    assert row["reason"] == "no_stock_within_limit"
    assert row["payment"]["refunded"] == row["payment"]["captured"] == 1000


async def test_a_back_order_is_sent_when_stock_arrives(world: World) -> None:
    await world.open_stores({"near": {"tea": 0}})
    order, _ = await world.begin(("tea", 1))
    await world.reaches(order, "backordered")
    await world.receive("near", "tea", 3)
    await world.say(order, "stock.arrived", by="stock")
    await world.offered_to(order, "near")


async def test_a_back_order_is_looked_at_again_even_if_nobody_says_that_stock_came(world: World) -> None:
    await world.open_stores({"near": {"tea": 0}})
    order, _ = await world.begin(("tea", 1))
    await world.reaches(order, "backordered")
    await world.receive("near", "tea", 3)
    await world.pass_time(minutes=2)
    await world.offered_to(order, "near")


async def test_goods_given_back_by_a_cancelled_order_go_to_the_one_that_waits(world: World) -> None:
    await world.open_stores({"near": {"tea": 1}})
    first, _ = await world.begin(("tea", 1))
    await world.offered_to(first, "near")
    waiting, _ = await world.begin(("tea", 1))
    await world.reaches(waiting, "backordered")
    await world.say(first, "command.cancel", reason="changed my mind", by="customer")
    await world.offered_to(waiting, "near")


async def test_cancelling_before_shipping_undoes_everything(world: World) -> None:
    await world.open_stores({"near": {"tea": 5}})
    order, batch = await world.begin(("tea", 2), **CARD)
    parcel = await world.offered_to(order, "near")
    await world.answer(order, parcel, "accepted", "packed")
    await world.reaches(order, "packed")
    await world.say(order, "command.cancel", reason="changed my mind", by="customer")
    await world.until(order, lambda r: (r["cancellation"] or {}).get("outcome") == "pending", "asked")
    await world.answer(order, parcel, "cancellation_accepted")
    assert await batch.result() == {"cancelled": 1}
    row = await world.order(order)
    assert row["cancellation"]["outcome"] == "cancelled"
    assert await world.levels() == {"near/tea": (5, 0)}
    assert (row["payment"]["authorised"], row["payment"]["captured"]) == (0, 0)
    assert [i["operation"] for i in row["payment"]["intents"]] == ["authorise", "void"]
    assert (await world.told("near"))[-1] == "parcel.withdrawn.v1"


async def test_cancelling_after_shipping_is_refused_and_the_order_goes_on(world: World) -> None:
    await world.open_stores({"near": {"tea": 5}})
    order, batch = await world.begin(("tea", 2))
    parcel = await world.offered_to(order, "near")
    await world.answer(order, parcel, "shipped")
    await world.reaches(order, "shipped")
    await world.say(order, "command.cancel", reason="too late", by="customer")
    row = await world.until(order, lambda r: r["cancellation"] is not None, "answered")
    assert row["cancellation"]["outcome"] == "refused"
    await world.answer(order, parcel, "delivered")
    assert await batch.result() == {"closed": 1}


async def test_cancelling_when_one_of_two_parcels_has_left_keeps_that_one(world: World) -> None:
    await world.open_stores({"near": {"tea": 1}, "far": {"cup": 1}})
    order, batch = await world.begin(("tea", 1), ("cup", 1))
    tea = await world.offered_to(order, "near")
    await world.answer(order, tea, "shipped")
    await world.until(order, lambda r: r["parcels"][0]["state"] == "shipped", "shipped in part")
    await world.say(order, "command.cancel", reason="the rest is not needed", by="customer")
    await world.answer(order, tea, "delivered")
    assert await batch.result() == {"closed": 1}
    row = await world.order(order)
    assert row["cancellation"]["outcome"] == "partly"
    assert row["payment"]["captured"] - row["payment"]["refunded"] == 1000
    assert await world.levels() == {"near/tea": (0, 0), "far/cup": (1, 0)}


async def test_a_declined_card_cancels_the_order_before_anything_is_reserved(world: World) -> None:
    await world.open_stores({"near": {"tea": 5}})
    order, batch = await world.begin(("tea", 1), payment={"method": "card", "token": "tok_decline_1"})
    assert await batch.result() == {"cancelled": 1}
    assert (await world.order(order))["reason"] == "payment_declined"
    assert await world.levels() == {"near/tea": (5, 0)}


async def test_a_card_is_authorised_first_and_captured_as_the_parcel_leaves(world: World) -> None:
    await world.open_stores({"near": {"tea": 5}})
    order, batch = await world.begin(("tea", 3), **CARD)
    parcel = await world.offered_to(order, "near")
    assert (await world.order(order))["payment"]["authorised"] == 3000
    await world.answer(order, parcel, "accepted", "shipped", "delivered")
    assert await batch.result() == {"closed": 1}
    payment = (await world.order(order))["payment"]
    assert (payment["authorised"], payment["captured"], payment["refunded"]) == (0, 3000, 0)


async def test_a_provider_that_fails_is_asked_again_later_under_the_same_key(world: World) -> None:
    await world.open_stores({"near": {"tea": 5}})
    order, _ = await world.begin(("tea", 1), payment={"method": "card", "token": f"tok_flaky_{world.prefix}"})
    await world.until(order, lambda r: any(i["tries"] for i in r["payment"]["intents"]), "failing once")
    await world.pass_time(minutes=5)
    await world.offered_to(order, "near")
    intents = (await world.order(order))["payment"]["intents"]
    assert [i["operation"] for i in intents] == ["authorise"]


async def test_the_same_answer_twice_counts_once(world: World) -> None:
    await world.open_stores({"near": {"tea": 5}})
    order, batch = await world.begin(("tea", 2))
    parcel = await world.offered_to(order, "near")
    await world.answer(order, parcel, "shipped", "accepted", "shipped", "packed", "shipped")
    await world.reaches(order, "shipped")
    await world.answer(order, parcel, "delivered", "delivered")
    assert await batch.result() == {"closed": 1}
    assert await world.levels() == {"near/tea": (3, 0)}


async def test_a_store_that_accepts_and_never_ships_comes_to_a_persons_attention(world: World) -> None:
    await world.open_stores({"near": {"tea": 5}, "far": {"tea": 5}})
    order, batch = await world.begin(("tea", 1))
    parcel = await world.offered_to(order, "near")
    await world.answer(order, parcel, "accepted")
    await world.reaches(order, "accepted")
    await world.pass_time(hours=25)
    row = await world.until(order, lambda r: r["attention"] is not None, "noticed")
    assert row["attention"]["code"] == "ship_overdue"
    await world.say(order, "command.reroute", reason="the store does not answer the phone", by="operator")
    second = await world.offered_to(order, "far")
    await world.answer(order, second, "shipped", "delivered")
    assert await batch.result() == {"closed": 1}


async def test_a_released_order_is_held_until_it_is_retried(world: World) -> None:
    await world.open_stores({"near": {"tea": 1}})
    order, _ = await world.begin(("tea", 1))
    await world.offered_to(order, "near")
    await world.say(order, "command.release", reason="fraud check", by="operator")
    await world.reaches(order, "held")
    assert await world.levels() == {"near/tea": (1, 0)}
    await world.pass_time(hours=100)
    assert (await world.order(order))["stage"] == "held"
    await world.say(order, "command.retry", reason="checked", by="operator")
    await world.offered_to(order, "near")


async def test_an_order_that_cannot_be_advanced_stands_still_and_holds_up_no_other(world: World) -> None:
    await world.open_stores({"near": {"tea": 5}})
    good, bad = await world.place(("tea", 1)), await world.place(("tea", 1))
    await world.mongo.orders.update_one({"_id": bad}, {"$set": {"lines": [{"line": "no number"}]}})
    batch = await world.start(good, bad)
    parcel = await world.offered_to(good, "near")
    await world.answer(good, parcel, "shipped", "delivered")
    await world.reaches(good, "closed")
    row = await world.until(bad, lambda r: r["attention"] is not None, "noticed")
    assert row["attention"]["code"] == "error"
    description = await batch.describe()
    assert description.status is WorkflowExecutionStatus.RUNNING


async def test_a_damaged_order_with_a_payment_due_stands_still_too(world: World) -> None:
    await world.open_stores({"near": {"tea": 5}})
    good, bad = await world.place(("tea", 1), **CARD), await world.place(("tea", 1), **CARD)
    broken = {"payment.intents": [{"key": "no operation"}], "pay_at": await world.now()}
    await world.mongo.orders.update_one({"_id": bad}, {"$set": broken})
    batch = await world.start(good, bad)
    await world.offered_to(good, "near")
    row = await world.until(bad, lambda r: r["attention"] is not None, "noticed")
    assert (row["attention"]["code"], row["pay_at"]) == ("error", None)
    assert len((await batch.fetch_history()).events) < 60


async def test_an_order_that_stopped_on_an_error_goes_on_after_its_repair_and_a_retry(world: World) -> None:
    await world.open_stores({"near": {"tea": 5}})
    order = await world.place(("tea", 1))
    whole = (await world.order(order))["lines"]
    await world.mongo.orders.update_one({"_id": order}, {"$set": {"lines": [{"line": "no number"}]}})
    await world.start(order)
    await world.until(order, lambda r: r["attention"] is not None, "noticed")
    await world.mongo.orders.update_one({"_id": order}, {"$set": {"lines": whole}})
    await world.say(order, "command.retry", reason="repaired", by="operator")
    await world.offered_to(order, "near")


async def test_a_hundred_channels_in_one_batch_are_carried(world: World) -> None:
    await world.open_stores({"near": {"tea": 200}}, channels=[f"c{n}-{'x' * 30}" for n in range(20)])
    orders = [await world.place(("tea", 1), channel=f"c{n}-{'x' * 30}") for n in range(100)]
    await world.start(*orders)
    await world.reaches(orders[19], "dispatched")
    await world.reaches(orders[99], "backordered")


async def test_the_query_and_the_details_tell_how_the_batch_stands(world: World) -> None:
    await world.open_stores({"near": {"tea": 1}})
    sent, waiting = await world.place(("tea", 1)), await world.place(("tea", 1))
    batch = await world.start(sent, waiting)
    await world.reaches(sent, "dispatched")
    await world.pass_time(seconds=5)
    assert await batch.query("order", sent) == "dispatched"
    assert await batch.query("order", waiting) == "backordered"
    assert "not in this batch" in await batch.query("order", "somebody-elses")
    attributes = (await batch.describe()).typed_search_attributes
    assert attributes.get(STAGE) == ["backordered", "dispatched"]
    assert attributes.get(ORDERS) == sorted([sent, waiting])
    assert attributes.get(BATCH_SIZE) == 2


async def test_cancelling_the_workflow_cancels_what_has_not_been_shipped(world: World) -> None:
    await world.open_stores({"near": {"tea": 5}})
    shipped, unshipped = await world.place(("tea", 1)), await world.place(("tea", 1))
    batch = await world.start(shipped, unshipped)
    parcel = await world.offered_to(shipped, "near")
    await world.answer(shipped, parcel, "shipped")
    await world.reaches(shipped, "shipped")
    await batch.cancel()
    await world.reaches(unshipped, "cancelled")
    await world.answer(shipped, parcel, "delivered")
    assert await batch.result() == {"cancelled": 1, "closed": 1}


async def test_five_hundred_orders_are_one_workflow(world: World) -> None:
    await world.open_stores({"near": {"tea": 480}})
    orders = [await world.place(("tea", 1)) for _ in range(500)]
    batch = await world.start(*orders)
    await world.reaches(orders[479], "dispatched")
    await world.reaches(orders[480], "backordered")
    row = await world.mongo.ledger.aggregate([{"$group": {"_id": "$kind", "rows": {"$sum": 1}}}]).to_list(None)
    assert {r["_id"]: r["rows"] for r in row} == {"received": 1, "reserved": 480}
    history = await batch.fetch_history()
    assert len(history.events) < 30
