"""Orders that are paid later: goods are held for a while, offered when the payment comes, and given back when not."""

import pytest

from contracts.orders import InboxEvent, ParcelState, Stage
from contracts.routing import Policy
from contracts.subjects import RETAILER
from tests.builders import ACCEPT_S, NOW, Levels, command, event, later, network, order, payment_outcome
from tests.shop import Shop, answer, last, opened, the

POLICY = Policy()
TWO: Levels = {"near": {"tea": 3}, "far": {"tea": 3}}


def placed(levels: Levels = TWO) -> Shop:
    return opened(levels, ("tea", 3), method="later", customer="c-1")


def payment(shop: Shop, seconds: float, reference: str = "wx-1", amount: int = 300) -> InboxEvent:
    about = the(shop).id
    return event("payment.received", about, by="api", at=later(seconds), reference=reference, amount=amount)


def paid(shop: Shop, seconds: float, reference: str = "wx-1", amount: int = 300) -> list[tuple[str, str]]:
    """Report a payment. Returns what was told, to whom."""
    moves = shop.step(later(seconds), payment(shop, seconds, reference, amount))[the(shop).id]
    return [(tell.partner, tell.type) for tell in moves.tells]


def refunded(shop: Shop, seconds: float) -> None:
    """The provider gives back what it was asked to."""
    shop.step(later(seconds), payment_outcome(the(shop), at=later(seconds)))


class TestHold:
    def test_goods_are_reserved_at_once_and_nobody_is_told(self) -> None:
        shop = Shop(network("near"), {"near": {"tea": 3}})
        shop.place(order(("tea", 3), method="later"))
        moves = shop.step(NOW)["order-1"]
        assert (the(shop).stage, last(shop).state, last(shop).due) == (Stage.PAYING, ParcelState.HELD, None)
        assert (shop.level("near", "tea").reserved, moves.tells) == (3, [])
        assert the(shop).due == the(shop).hold_until == later(POLICY.hold_s)
        assert the(shop).dispatched_at is None

    def test_the_payment_offers_what_is_held_and_the_time_to_answer_starts_then(self) -> None:
        shop = placed()
        assert paid(shop, 600) == [("near", "parcel.offered.v1"), (RETAILER, "order.dispatched.v1")]
        assert (the(shop).stage, last(shop).due, the(shop).dispatched_at) == (
            Stage.DISPATCHED,
            later(600 + ACCEPT_S),
            later(600),
        )
        assert the(shop).payment.captured == 300
        answer(shop, "delivered", 700)
        assert (the(shop).stage, the(shop).payment.intents) == (Stage.CLOSED, [])

    def test_when_it_ends_the_goods_are_anybodys_and_the_order_waits_on(self) -> None:
        shop = placed()
        moves = shop.step(later(POLICY.hold_s))["order-1"]
        assert [(tell.partner, tell.type) for tell in moves.tells] == [(RETAILER, "order.hold_ended.v1")]
        assert (last(shop).state, last(shop).reason, shop.promised()) == (ParcelState.WITHDRAWN, "hold_ended", {})
        assert (the(shop).stage, the(shop).due) == (Stage.PAYING, later(POLICY.payment_limit_s))
        shop.step(later(POLICY.hold_s + 60), orders=["order-1"])
        assert len(the(shop).parcels) == 1

    def test_a_payment_in_time_counts_even_if_it_is_seen_after_the_hold(self) -> None:
        shop = placed()
        shop.step(later(POLICY.hold_s + 5), payment(shop, POLICY.hold_s - 1))
        assert (the(shop).stage, len(the(shop).parcels)) == (Stage.DISPATCHED, 1)

    def test_a_payment_after_the_hold_reserves_again(self) -> None:
        shop = placed()
        shop.step(later(POLICY.hold_s))
        paid(shop, POLICY.hold_s + 60)
        assert [(p.location, p.state) for p in the(shop).parcels] == [
            ("near", ParcelState.WITHDRAWN),
            ("near", ParcelState.OFFERED),
        ]

    def test_a_payment_for_goods_that_are_gone_goes_back_whole(self) -> None:
        shop = placed({"near": {"tea": 3}})
        shop.step(later(POLICY.hold_s))
        shop.place(order(("tea", 3), order_id="quicker", placed_at=later(POLICY.hold_s)))
        shop.step(later(POLICY.hold_s), orders=["quicker"])
        paid(shop, POLICY.hold_s + 60)
        assert (the(shop).stage, the(shop).reason) == (Stage.CANCELLING, "sold_out_before_payment")
        assert [(i.operation, i.amount) for i in the(shop).payment.intents] == [("refund", 300)]
        refunded(shop, POLICY.hold_s + 61)
        assert (the(shop).stage, the(shop).payment.refunded) == (Stage.CANCELLED, 300)

    def test_without_stock_there_is_nothing_to_pay_for(self) -> None:
        shop = placed({"near": {"tea": 2}})
        assert (the(shop).stage, the(shop).reason, the(shop).payment.intents) == (
            Stage.CANCELLED,
            "sold_out_before_payment",
            [],
        )

    def test_at_its_limit_it_is_cancelled(self) -> None:
        shop = placed()
        shop.step(later(POLICY.hold_s))
        moves = shop.step(later(POLICY.payment_limit_s))["order-1"]
        assert (the(shop).stage, the(shop).reason, the(shop).due) == (Stage.CANCELLED, "not_paid_in_time", None)
        assert [tell.type for tell in moves.tells] == ["order.cancelled.v1"]

    def test_a_cancellation_gives_the_goods_back_and_tells_no_store(self) -> None:
        shop = placed()
        moves = shop.step(later(60), command("cancel", at=later(60)))["order-1"]
        assert (the(shop).stage, shop.promised(), the(shop).hold_ended) == (Stage.CANCELLED, {}, True)
        assert [tell.partner for tell in moves.tells] == [RETAILER]

    def test_a_payment_after_the_cancellation_goes_back_also_when_the_order_had_ended(self) -> None:
        shop = placed()
        shop.step(later(60), command("cancel", at=later(60)))
        assert the(shop).closed_at == later(60)
        told = paid(shop, 120)
        assert (the(shop).stage, told) == (Stage.CANCELLING, [])
        refunded(shop, 121)
        assert (the(shop).stage, the(shop).payment.refunded, the(shop).closed_at) == (Stage.CANCELLED, 300, later(60))
        assert not shop.promised()

    def test_a_count_that_finds_fewer_goods_moves_the_hold_to_another_shelf_without_a_word(self) -> None:
        shop = placed()
        about = last(shop)
        shop.count("near", "tea", 1, later(60))
        short = event("stock.short", "order-1", by="stock", at=later(60), parcel=about.id)
        moves = shop.step(later(60), short)["order-1"]
        assert [(p.location, p.state) for p in the(shop).parcels] == [
            ("near", ParcelState.WITHDRAWN),
            ("far", ParcelState.HELD),
        ]
        assert (moves.tells, the(shop).hold_until) == ([], later(POLICY.hold_s))

    def test_a_hold_that_cannot_be_kept_whole_ends(self) -> None:
        shop = opened({"near": {"tea": 1}, "far": {"cup": 1}}, ("tea", 1), ("cup", 1), method="later", customer="c-1")
        assert shop.promised() == {("near", "tea"): 1, ("far", "cup"): 1}
        shop.step(later(60), command("reroute", at=later(60), parcel=the(shop).parcels[0].id))
        shop.step(later(61))
        assert (the(shop).stage, shop.promised(), the(shop).hold_ended) == (Stage.PAYING, {}, True)
        assert shop.stock.at("far", "cup") == 1

    def test_an_order_that_costs_nothing_awaits_nothing(self) -> None:
        shop = opened(TWO, ("tea", 3), method="later", price=0)
        assert (the(shop).stage, the(shop).hold_ended) == (Stage.DISPATCHED, True)


class TestReports:
    def test_the_same_reference_counts_once(self) -> None:
        shop = placed()
        paid(shop, 60)
        before = the(shop)
        assert paid(shop, 61) == []
        assert the(shop) == before.model_copy(update={"version": before.version + 1})

    @pytest.mark.parametrize(
        ("reference", "amount", "reason"), [("wx-2", 300, "wx-2: paid_before"), ("wx-1", 300, None)]
    )
    def test_a_second_payment_is_told_to_the_retailer_and_not_booked(
        self, reference: str, amount: int, reason: str | None
    ) -> None:
        shop = placed()
        paid(shop, 60)
        moves = shop.step(later(61), payment(shop, 61, reference, amount))["order-1"]
        told = [(tell.type, tell.data["reason"]) for tell in moves.tells]
        assert told == ([("order.payment_refused.v1", reason)] if reason else [])
        assert the(shop).payment.captured == 300

    def test_a_wrong_amount_changes_nothing(self) -> None:
        shop = placed()
        assert paid(shop, 60, amount=299) == [(RETAILER, "order.payment_refused.v1")]
        assert (the(shop).stage, the(shop).payment.captured) == (Stage.PAYING, 0)

    def test_an_order_that_awaits_no_payment_takes_none(self) -> None:
        shop = opened(TWO, ("tea", 3))
        assert paid(shop, 60) == [(RETAILER, "order.payment_refused.v1")]
        assert the(shop).payment.captured == 300
