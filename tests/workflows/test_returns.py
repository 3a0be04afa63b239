"""OrderReturn on the time-skipping server: goods that come back, never come back, or never arrived."""

from datetime import timedelta

from contracts.returns import Return, ReturnLine, ReturnState
from infra.invariants import check
from tests.workflows.world import World


async def closed_order(world: World, units: int = 3, **placed: object) -> tuple[str, str]:
    """An order that was delivered and has ended; its id and its parcel's."""
    await world.open_stores({"near": {"tea": 5}, "far": {"tea": 5}})
    order, batch = await world.begin(("tea", units), **placed)
    parcel = await world.offered_to(order, "near")
    await world.answer(order, parcel, "shipped", "delivered")
    assert await batch.result() == {"closed": 1}
    return order, parcel


async def opened(world: World, order: str, parcel: str, units: int, days_after: int = 0) -> str:
    """A customer's return, asked for so many days after the time in which it needs nobody's approval."""
    now = await world.now()
    one = Return(
        id=f"{order}.r1",
        order=order,
        parcel=parcel,
        location="near",
        lines=[ReturnLine(line=1, sku="tea", quantity=units)],
        reason="changed_mind",
        state=ReturnState.REQUESTED,
        by="shop",
        opened_at=now,
        approve_until=now - timedelta(days=days_after),
    )
    await world.mongo.returns.insert_one(one.as_row())
    return one.id


async def test_goods_come_back_after_the_order_was_closed_and_are_paid_back_to_the_fen(world: World) -> None:
    order, parcel = await closed_order(world, payment={"method": "card", "token": "tok_ok"})
    returned = await opened(world, order, parcel, 2)
    process = await world.follow(returned)
    await world.return_is(returned, "approved")
    await world.say_of_return(returned, "sent", tracking="SF1")
    await world.return_is(returned, "in_transit")
    lines = [{"line": 1, "sellable": 1, "damaged": 1, "missing": 0}]
    await world.say_of_return(returned, "received", location="far", lines=lines)
    again = await world.carry_again(order)
    assert await again.result() == {"closed": 1}
    assert await process.result() == "closed"
    row, pay = await world.return_is(returned, "closed"), (await world.order(order))["payment"]
    assert (row["amount"], pay["captured"], pay["refunded"]) == (2000, 3000, 2000)
    assert await world.levels() == {"near/tea": (2, 0), "far/tea": (6, 0)}
    assert [entry["what"] for entry in row["timeline"]][-2:] == ["return.refunded", "return.closed"]
    assert "return.announced.v1" in await world.told("near")
    assert (await world.told("retailer")).count("order.refunded.v1") == 1
    assert [finding for finding in await check(world.mongo, None) if finding.violated] == []


async def test_a_request_that_comes_late_waits_for_an_operator_and_ends_when_it_is_refused(world: World) -> None:
    order, parcel = await closed_order(world)
    returned = await opened(world, order, parcel, 1, days_after=1)
    process = await world.follow(returned)
    await world.pass_time(days=3)
    await world.return_is(returned, "requested")
    await world.say_of_return(returned, "refused", reason="too late")
    assert await process.result() == "refused"
    assert (await world.order(order))["payment"]["refunded"] == 0


async def test_goods_that_a_customer_never_sends_are_not_paid_back(world: World) -> None:
    order, parcel = await closed_order(world)
    returned = await opened(world, order, parcel, 1)
    process = await world.follow(returned)
    await world.pass_time(days=15)
    assert await process.result() == "closed"
    assert (await world.return_is(returned, "closed"))["note"] == "not_received"
    assert (await world.order(order))["payment"]["refunded"] == 0


async def test_a_parcel_refused_at_the_door_that_never_comes_back_is_paid_back_in_full(world: World) -> None:
    await world.open_stores({"near": {"tea": 5}})
    order, batch = await world.begin(("tea", 2))
    parcel = await world.offered_to(order, "near")
    await world.answer(order, parcel, "shipped")
    await world.say(order, "reply.refused_at_door", parcel=parcel, by="carrier")
    returned = f"{parcel}.refused_at_door"
    await world.return_is(returned, "in_transit")
    process = await world.follow(returned)
    await world.pass_time(days=13)
    assert (await world.order(order))["payment"]["refunded"] == 0
    await world.pass_time(days=2)
    assert await batch.result() == {"closed": 1}
    assert await process.result() == "closed"
    assert (await world.order(order))["payment"]["refunded"] == 2000
    assert await world.levels() == {"near/tea": (3, 0)}


async def test_a_parcel_lost_after_it_was_called_delivered_is_sent_again(world: World) -> None:
    order, parcel = await closed_order(world)
    await world.say_of_ended(order, "reply.lost", parcel=parcel, by="carrier", wish="replacement")
    again = await world.carry_again(order)
    second = await world.offered_to(order, "far")
    await world.answer(order, second, "shipped", "delivered")
    assert await again.result() == {"closed": 1}
    assert await (await world.follow(f"{parcel}.lost")).result() == "closed"
    pay = (await world.order(order))["payment"]
    assert (pay["captured"], pay["refunded"]) == (3000, 0)
    assert await world.levels() == {"near/tea": (2, 0), "far/tea": (2, 0)}
    assert [finding for finding in await check(world.mongo, None) if finding.violated] == []


async def test_a_lost_parcel_is_paid_back_in_full(world: World) -> None:
    await world.open_stores({"near": {"tea": 5}})
    order, batch = await world.begin(("tea", 2))
    parcel = await world.offered_to(order, "near")
    await world.answer(order, parcel, "shipped")
    await world.say(order, "reply.lost", parcel=parcel, by="carrier")
    assert await batch.result() == {"closed": 1}
    assert await (await world.follow(f"{parcel}.lost")).result() == "closed"
    row = await world.return_is(f"{parcel}.lost", "closed")
    assert (row["amount"], (await world.order(order))["payment"]["refunded"]) == (2000, 2000)
