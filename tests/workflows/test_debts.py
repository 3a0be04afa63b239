"""Money that does not come when goods leave: authorised anew, or a debt that a person must look at."""

from tests.workflows.world import World


async def test_an_authorisation_that_has_lapsed_is_made_anew_and_captured(world: World) -> None:
    await world.open_stores({"near": {"tea": 5}})
    order, batch = await world.begin(("tea", 2), payment={"method": "card", "token": "tok_expire_1"})
    parcel = await world.offered_to(order, "near")
    await world.answer(order, parcel, "accepted", "shipped", "delivered")
    assert await batch.result() == {"closed": 1}
    pay = (await world.order(order))["payment"]
    assert [intent["operation"] for intent in pay["intents"]] == ["authorise", "capture", "authorise", "capture"]
    assert (pay["authorised"], pay["captured"], len(pay["charges"])) == (0, 2000, 1)


async def test_a_declined_capture_keeps_the_order_open_until_a_retry_is_paid(world: World) -> None:
    await world.open_stores({"near": {"tea": 5}})
    order, batch = await world.begin(("tea", 1), payment={"method": "card", "token": "tok_ok"})
    parcel = await world.offered_to(order, "near")
    # The card is stopped between authorisation and capture.
    await world.mongo.orders.update_one({"_id": order}, {"$set": {"payment.token": "tok_decline_1"}})
    await world.answer(order, parcel, "shipped", "delivered")
    row = await world.until(order, lambda r: r["attention"] is not None, "noticed")
    assert (row["attention"]["code"], row["stage"]) == ("payment_declined", "delivered")
    await world.pass_time(days=30)
    assert (await world.order(order))["stage"] == "delivered"
    await world.mongo.orders.update_one({"_id": order}, {"$set": {"payment.token": "tok_ok"}})
    await world.say(order, "command.retry", reason="the customer has a new card", by="operator")
    assert await batch.result() == {"closed": 1}
    intents = (await world.order(order))["payment"]["intents"]
    assert len({intent["key"] for intent in intents}) == len(intents) == 3
