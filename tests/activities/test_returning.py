"""Goods that come back or never arrive: what that does to the order's parcels, stock and money, to the fen."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.orders.moves import Moves
from contracts.orders import ParcelState, Stage
from contracts.returns import ReturnState
from contracts.subjects import RETAILER
from tests.builders import Levels, command, event, later, payment_outcome
from tests.shop import Shop, answer, last, opened, the

TWO: Levels = {"near": {"tea": 10}, "far": {"tea": 10}}


def delivered(*lines: tuple[str, int], **placed: Any) -> Shop:
    shop = opened({"near": {"tea": 10, "cup": 10}, "far": {"tea": 10}}, *(lines or [("tea", 3)]), **placed)
    while the(shop).pay_at:
        paid(shop, 1)
    answer(shop, "delivered", 60)
    while the(shop).pay_at:
        paid(shop, 61)
    assert the(shop).stage is Stage.CLOSED
    return shop


def paid(shop: Shop, seconds: float) -> None:
    shop.step(later(seconds), payment_outcome(the(shop), at=later(seconds)))


def said(shop: Shop, kind: str, seconds: float, **data: Any) -> Moves:
    about = event(f"reply.{kind}", "order-1", by="carrier", at=later(seconds), parcel=last(shop).id, **data)
    return shop.step(later(seconds), about)["order-1"]


def came_back(shop: Shop, seconds: float, *lines: tuple[int, int, int, int, int], returned: str = "r1") -> Moves:
    """Lines as (line, sellable, damaged, missing, units paid back); received by "far"."""
    names = ("line", "sellable", "damaged", "missing", "refund")
    rows = [dict(zip(names, line, strict=True)) for line in lines]
    data: dict[str, Any] = {"return": returned, "location": "far", "lines": rows}
    about = event("return.received", "order-1", by="far", at=later(seconds), parcel=the(shop).parcels[0].id, **data)
    return shop.step(later(seconds), about)["order-1"]


class TestGoodsThatComeBack:
    @pytest.mark.parametrize("method", ["prepaid", "card"])
    def test_a_closed_order_moves_only_its_money(self, method: str) -> None:
        shop = delivered(method=method)
        closed_at = the(shop).closed_at
        moves = came_back(shop, 900, (1, 1, 1, 0, 2))
        assert (the(shop).stage, moves.refunds, moves.tells) == (Stage.REFUNDING, {"r1": 200}, [])
        assert the(shop).payment.intents[-1].amount == 200
        paid(shop, 901)
        assert (the(shop).stage, the(shop).payment.refunded, the(shop).closed_at) == (Stage.CLOSED, 200, closed_at)
        assert last(shop).state is ParcelState.DELIVERED

    def test_sellable_goods_lie_where_they_were_received_and_damaged_ones_nowhere(self) -> None:
        shop = delivered()
        came_back(shop, 900, (1, 1, 2, 0, 3))
        assert (shop.level("far", "tea").on_hand, shop.stock.at("far", "tea")) == (11, 11)
        assert (shop.level("near", "tea").on_hand, shop.ledger[-1].kind) == (7, "returned")

    def test_what_was_missing_in_the_parcel_is_not_paid_back(self) -> None:
        shop = delivered()
        assert came_back(shop, 900, (1, 1, 0, 2, 1)).refunds == {"r1": 100}

    def test_more_than_there_was_is_never_paid_back(self) -> None:
        shop = delivered()
        came_back(shop, 900, (1, 2, 0, 0, 2))
        paid(shop, 901)
        assert came_back(shop, 950, (1, 3, 0, 0, 3), returned="r2").refunds == {"r2": 100}
        paid(shop, 951)
        assert (the(shop).payment.refunded, the(shop).stage) == (300, Stage.CLOSED)

    @settings(max_examples=60, deadline=None)
    @given(
        price=st.integers(1, 999), fee=st.integers(0, 500), parts=st.lists(st.integers(1, 3), min_size=1, max_size=4)
    )
    def test_parts_that_come_back_one_by_one_add_up_to_the_last_fen(
        self, price: int, fee: int, parts: list[int]
    ) -> None:
        shop = delivered(("tea", sum(parts)), ("cup", 2), price=price, shipping_fee=fee) if sum(parts) < 10 else None
        if shop is None:
            return
        amounts = []
        for number, units in enumerate(parts):
            amounts.append(
                came_back(shop, 900 + number, (1, units, 0, 0, units), returned=f"r{number}").refunds[f"r{number}"]
            )
            while the(shop).pay_at:
                paid(shop, 900 + number)
        assert sum(amounts) == the(shop).payment.refunded == the(shop).lines[0].amount
        assert the(shop).stage is Stage.CLOSED

    def test_part_of_an_order_that_is_still_under_way_is_paid_back_at_once(self) -> None:
        shop = opened({"near": {"tea": 1}, "far": {"cup": 1}}, ("tea", 1), ("cup", 1))
        answer(shop, "delivered", 60, the(shop).parcels[0])
        came_back(shop, 900, (1, 1, 0, 0, 1))
        assert [(i.operation, i.amount) for i in the(shop).payment.intents] == [("refund", 100)]
        assert the(shop).stage is Stage.DISPATCHED

    def test_an_expired_charge_and_a_new_one_are_each_refunded_under_their_own_reference(self) -> None:
        shop = delivered(("tea", 1), ("cup", 2), method="card")
        pay = the(shop).payment
        pay.charges = [pay.charges[0].model_copy(update={"captured": 100})]
        pay.charges.append(pay.charges[0].model_copy(update={"reference": "auth-2", "captured": 200}))
        came_back(shop, 900, (1, 1, 0, 0, 1), (2, 1, 0, 0, 1))
        asked = []
        while the(shop).pay_at:
            asked.append((the(shop).payment.intents[-1].reference, the(shop).payment.intents[-1].amount))
            paid(shop, 901)
        assert asked == [("auth-1", 100), ("auth-2", 100)]


class TestLoss:
    def test_a_lost_parcel_is_paid_back_in_full(self) -> None:
        shop = opened(TWO, ("tea", 3))
        answer(shop, "shipped", 60)
        moves = said(shop, "lost", 900)
        (opened_return,) = moves.returns
        assert (opened_return.id, opened_return.state, opened_return.amount) == (
            "order-1.p1.lost",
            ReturnState.RECEIVED,
            300,
        )
        assert (last(shop).state, the(shop).stage) == (ParcelState.LOST, Stage.REFUNDING)
        paid(shop, 901)
        assert (the(shop).stage, the(shop).payment.refunded) == (Stage.CLOSED, 300)
        assert shop.level("near", "tea").on_hand == 7

    def test_a_card_that_was_not_charged_yet_is_never_charged_for_it(self) -> None:
        shop = opened(TWO, ("tea", 3), method="card")
        paid(shop, 1)
        answer(shop, "shipped", 60)
        paid(shop, 61)
        said(shop, "lost", 900)
        while the(shop).pay_at:
            paid(shop, 901)
        pay = the(shop).payment
        assert (the(shop).stage, pay.authorised, pay.captured - pay.refunded) == (Stage.CLOSED, 0, 0)

    @pytest.mark.parametrize("closed", [True, False])
    def test_on_wish_it_is_sent_again_from_wherever_it_is_and_not_paid_twice(self, closed: bool) -> None:
        shop = opened(TWO, ("tea", 3))
        answer(shop, "delivered" if closed else "shipped", 60)
        moves = said(shop, "lost", 900, wish="replacement")
        assert (moves.returns[0].amount, the(shop).stage, the(shop).closed_at) == (0, Stage.DISPATCHED, None)
        assert [(p.location, p.state) for p in the(shop).parcels] == [
            ("near", ParcelState.LOST),
            ("near", ParcelState.OFFERED),
        ]
        told = answer(shop, "delivered", 1000)
        assert (the(shop).stage, the(shop).payment.intents) == (Stage.CLOSED, [])
        assert (RETAILER, "order.closed.v1") in told

    def test_a_replacement_that_is_cancelled_is_paid_back(self) -> None:
        shop = opened({"near": {"tea": 3}}, ("tea", 3))
        answer(shop, "shipped", 60)
        said(shop, "lost", 900, wish="replacement")
        assert the(shop).stage is Stage.BACKORDERED
        shop.step(later(950), command("cancel", at=later(950)))
        paid(shop, 951)
        assert (the(shop).stage, the(shop).payment.refunded) == (Stage.CANCELLED, 300)

    def test_the_same_loss_twice_counts_once_and_what_never_left_cannot_be_lost(self) -> None:
        shop = opened(TWO, ("tea", 3))
        assert said(shop, "lost", 30).refused == ["not_under_way"]
        answer(shop, "shipped", 60)
        said(shop, "lost", 900)
        again = said(shop, "lost", 901)
        assert not (again.returns or again.refused)
        assert [i.amount for i in the(shop).payment.intents] == [300]

    @pytest.mark.parametrize("wish", ["refund", "replacement"])
    def test_a_lost_parcel_that_turns_up_is_good_for_the_shelf_and_nothing_else(self, wish: str) -> None:
        shop = opened(TWO, ("tea", 3))
        answer(shop, "shipped", 60)
        said(shop, "lost", 900, wish=wish)
        while the(shop).pay_at:
            paid(shop, 901)
        refunded = the(shop).payment.refunded
        assert came_back(shop, 950, (1, 3, 0, 0, 3)).refunds == {"r1": 0}
        assert shop.level("far", "tea").on_hand == 13
        assert (the(shop).payment.refunded, the(shop).pay_at) == (refunded, None)
        assert sum(i.quantity for p in the(shop).parcels if p.state is ParcelState.OFFERED for i in p.items) == (
            3 if wish == "replacement" else 0
        )

    def test_of_a_parcel_of_which_some_came_back_only_the_rest_is_paid(self) -> None:
        shop = delivered()
        came_back(shop, 900, (1, 1, 0, 0, 1))
        paid(shop, 901)
        moves = said(shop, "lost", 950)
        assert (moves.returns[0].amount, moves.returns[0].lines[0].quantity) == (200, 2)


class TestRefusedAtTheDoor:
    def test_the_parcel_is_on_its_way_back_and_nothing_is_paid_until_it_arrives(self) -> None:
        shop = opened(TWO, ("tea", 3))
        answer(shop, "shipped", 60)
        moves = said(shop, "refused_at_door", 900)
        (opened_return,) = moves.returns
        assert (opened_return.state, opened_return.due) == (ReturnState.IN_TRANSIT, later(900 + 14 * 86400))
        assert (last(shop).state, the(shop).stage, the(shop).payment.intents) == (
            ParcelState.RETURNING,
            Stage.SHIPPED,
            [],
        )
        came_back(shop, 1000, (1, 2, 1, 0, 3))
        assert (last(shop).state, the(shop).stage) == (ParcelState.RETURNED, Stage.DELIVERED)
        paid(shop, 1001)
        assert (the(shop).stage, the(shop).payment.refunded) == (Stage.CLOSED, 300)

    def test_the_store_has_no_more_say_about_it(self) -> None:
        shop = opened(TWO, ("tea", 3))
        answer(shop, "shipped", 60)
        said(shop, "refused_at_door", 900)
        assert answer(shop, "delivered", 901) == []
        assert last(shop).state is ParcelState.RETURNING
