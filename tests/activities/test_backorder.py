"""Orders that no store can or will ship: they wait, are tried again, and end at their limit."""

import pytest

from contracts.orders import ParcelState, Stage
from contracts.routing import Policy
from contracts.subjects import RETAILER
from tests.builders import ACCEPT_S, NOW, Levels, event, later, network, order
from tests.shop import Shop, answer, last, opened, the

RETRY_S = Policy().backorder_retry_s
LIMIT_S = Policy().backorder_limit_s
TWO: Levels = {"near": {"tea": 10}, "far": {"tea": 10}}


class TestBackOrder:
    def test_without_stock_anywhere_the_order_waits_and_the_retailer_is_told_once(self) -> None:
        shop = Shop(network("near"), {"near": {"tea": 0}})
        shop.place(order())
        moves = shop.step(NOW)["order-1"]
        assert [(tell.type, tell.data["reason"]) for tell in moves.tells] == [
            ("order.backordered.v1", "no location has any of it available")
        ]
        assert (the(shop).stage, the(shop).due) == (Stage.BACKORDERED, later(60))
        assert not shop.step(later(60))["order-1"].tells
        assert the(shop).due == later(120)

    def test_it_is_looked_at_soon_and_then_ever_more_seldom_up_to_the_retry_time(self) -> None:
        shop = opened({"near": {"tea": 0}})
        waits = []
        for _ in range(12):
            due = the(shop).due
            assert due is not None
            shop.step(due)
            after = the(shop).due
            assert after is not None
            waits.append(int((after - due).total_seconds()))
        assert waits[:4] == [60, 120, 240, 480]
        assert waits[-1] == RETRY_S

    def test_stock_that_arrives_is_taken_at_once(self) -> None:
        shop = opened({"near": {"tea": 0}})
        shop.step(later(60), *shop.receive("near", "tea", 5, later(60)))
        assert (the(shop).stage, last(shop).location, the(shop).retry_at) == (Stage.DISPATCHED, "near", None)
        assert the(shop).reason is None

    def test_it_is_routed_again_at_the_retry_time_without_any_event(self) -> None:
        shop = opened({"near": {"tea": 0}})
        shop.receive("near", "tea", 5, later(60))
        shop.step(later(RETRY_S))
        assert the(shop).stage is Stage.DISPATCHED

    def test_at_its_limit_it_is_cancelled_with_the_reason(self) -> None:
        shop = opened({"near": {"tea": 0}})
        for turn in range(1, LIMIT_S // RETRY_S):
            shop.step(later(turn * RETRY_S))
        assert (the(shop).stage, the(shop).due) == (Stage.BACKORDERED, later(LIMIT_S))
        moves = shop.step(later(LIMIT_S))["order-1"]
        cancellation = the(shop).cancellation
        assert cancellation is not None
        assert (cancellation.outcome, cancellation.reason, cancellation.by, cancellation.at) == (
            "cancelled",
            "no_stock_within_limit",
            "timer",
            later(LIMIT_S),
        )
        # A prepaid order's money must go back before the order has ended.
        assert the(shop).stage is Stage.CANCELLING
        assert [intent.operation for intent in the(shop).payment.intents] == ["refund"]
        assert moves.order.due is None

    def test_after_n_refusals_it_waits_although_another_store_could_ship(self) -> None:
        stores: Levels = {place: {"tea": 10} for place in ("a", "b", "c", "d")}
        shop = opened(stores)
        answer(shop, "rejected", 10, reason="too_busy")
        answer(shop, "rejected", 20, reason="closed")
        assert (last(shop).location, the(shop).stage) == ("c", Stage.DISPATCHED)
        told = answer(shop, "rejected", 30, reason="other")
        assert told == [(RETAILER, "order.backordered.v1")]
        assert (the(shop).stage, the(shop).reason) == (
            Stage.BACKORDERED,
            "3 stores refused or did not answer",
        )
        assert the(shop).due == later(30 + RETRY_S)
        assert not shop.promised()
        shop.step(later(30 + RETRY_S))
        assert (last(shop).location, the(shop).refusals, the(shop).excluded) == ("a", 0, [])

    def test_silence_counts_as_a_refusal(self) -> None:
        shop = opened({place: {"tea": 10} for place in ("a", "b")}, policy=Policy(max_refusals=2))
        answer(shop, "rejected", 10, reason="too_busy")
        shop.step(later(10 + ACCEPT_S))
        assert (the(shop).refusals, the(shop).stage) == (2, Stage.BACKORDERED)

    def test_the_limit_runs_on_while_stores_are_asked_in_vain(self) -> None:
        shop = opened({"near": {"tea": 0}})
        shop.step(later(60), *shop.receive("near", "tea", 5, later(60)))
        assert the(shop).backordered_at == NOW
        answer(shop, "rejected", 90, reason="out_of_stock")
        assert (the(shop).stage, the(shop).backordered_at) == (Stage.BACKORDERED, NOW)

    def test_the_limit_starts_anew_once_a_store_has_accepted(self) -> None:
        shop = opened({"near": {"tea": 0}})
        shop.step(later(60), *shop.receive("near", "tea", 5, later(60)))
        answer(shop, "accepted", 90)
        assert the(shop).backordered_at is None
        answer(shop, "rejected", 120, reason="out_of_stock")
        assert the(shop).backordered_at == later(120)

    def test_the_part_that_waits_is_retried_although_the_other_part_was_accepted(self) -> None:
        shop = opened({"near": {"tea": 1}, "far": {"cup": 1}}, ("tea", 1), ("cup", 1))
        tea, cup = the(shop).parcels
        answer(shop, "rejected", 60, cup, reason="out_of_stock")
        answer(shop, "accepted", 90, tea)
        assert the(shop).stage is Stage.BACKORDERED
        assert (the(shop).due, the(shop).backordered_at) == (later(60 + 60), later(60))
        shop.receive("far", "cup", 1, later(100))
        shop.step(later(60 + RETRY_S))
        assert (last(shop).location, the(shop).stage) == ("far", Stage.DISPATCHED)

    def test_arrived_stock_is_tried_again_with_stores_that_lacked_it(self) -> None:
        shop = opened({"near": {"tea": 1}})
        answer(shop, "rejected", 60, reason="out_of_stock")
        assert the(shop).stage is Stage.BACKORDERED
        shop.step(later(90), *shop.receive("near", "tea", 1, later(90)))
        assert (len(the(shop).parcels), last(shop).state) == (2, ParcelState.OFFERED)

    def test_arrived_stock_is_tried_again_with_a_store_that_lacked_some_lines(self) -> None:
        shop = opened({"near": {"tea": 1, "cup": 1}}, ("tea", 1), ("cup", 1))
        answer(shop, "rejected", 60, reason="out_of_stock", lines=[2])
        assert (the(shop).stage, the(shop).excluded) == (Stage.BACKORDERED, ["near"])
        shop.step(later(90), *shop.receive("near", "cup", 1, later(90)))
        assert [(p.location, p.state) for p in the(shop).parcels] == [
            ("near", ParcelState.ACCEPTED),
            ("near", ParcelState.OFFERED),
        ]

    @pytest.mark.parametrize("reason", ["too_busy", "damaged", "closed", "other"])
    def test_goods_given_back_by_a_refusal_do_not_bring_the_order_back_to_that_store(self, reason: str) -> None:
        shop = opened({"near": {"tea": 9}})
        answer(shop, "rejected", 60, reason=reason)
        shop.step(later(61), *shop.woken("tea", later(61)))
        assert (the(shop).stage, len(the(shop).parcels)) == (Stage.BACKORDERED, 1)
        shop.step(later(61 + RETRY_S))
        assert (the(shop).stage, last(shop).location) == (Stage.DISPATCHED, "near")

    def test_stock_that_arrives_for_an_order_that_does_not_wait_changes_nothing(self) -> None:
        shop = opened(TWO)
        answer(shop, "rejected", 60, reason="too_busy")
        before = the(shop)
        woken = shop.receive("near", "tea", 1, later(90))
        assert not woken
        moves = shop.step(later(90), event("stock.arrived", "order-1", by="stock", at=later(90)))["order-1"]
        assert the(shop) == before.model_copy(update={"version": before.version + 1})
        assert not (moves.tells or moves.timeline)
