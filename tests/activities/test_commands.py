"""What callers and operators may ask of an order: cancel at each stage, reroute, release, retry."""

from datetime import timedelta

import pytest

from activities.orders.moves import residual
from contracts.orders import Attention, CommandKind, ParcelState, Stage
from contracts.routing import Policy
from contracts.subjects import RETAILER
from tests.builders import NOW, SHIP_S, Levels, command, later, network, order, reply
from tests.shop import Shop, answer, last, opened, the

LIMIT_S = Policy().backorder_limit_s
TWO: Levels = {"near": {"tea": 10}, "far": {"tea": 10}}


class TestCancel:
    def test_before_the_first_step_nothing_was_reserved_and_nothing_is(self) -> None:
        shop = Shop(network("near"), {"near": {"tea": 10}})
        shop.place(order(price=0))
        moves = shop.step(NOW, command("cancel", reason="changed my mind"))["order-1"]
        assert (the(shop).stage, the(shop).reason, the(shop).parcels) == (
            Stage.CANCELLED,
            "changed my mind",
            [],
        )
        assert not shop.ledger
        assert [(tell.type, tell.data["reason"]) for tell in moves.tells] == [("order.cancelled.v1", "changed my mind")]

    @pytest.mark.parametrize("kind", [None, "accepted", "packed"])
    def test_before_acceptance_or_by_force_everything_is_undone_and_the_store_is_told(self, kind: str | None) -> None:
        shop = opened(TWO, ("tea", 3), price=0)
        if kind:
            answer(shop, kind, 60)
        moves = shop.step(later(90), command("cancel", at=later(90), force=kind is not None))["order-1"]
        assert (the(shop).stage, the(shop).closed_at, the(shop).due) == (Stage.CANCELLED, later(90), None)
        assert (last(shop).state, last(shop).reason, last(shop).due) == (
            ParcelState.WITHDRAWN,
            "order_cancelled",
            None,
        )
        assert (shop.level("near", "tea").on_hand, shop.level("near", "tea").reserved) == (10, 0)
        assert [(tell.partner, tell.type) for tell in moves.tells] == [
            ("near", "parcel.withdrawn.v1"),
            (RETAILER, "order.cancelled.v1"),
        ]

    def test_a_back_ordered_order_is_cancelled_and_not_woken_again(self) -> None:
        shop = opened({"near": {"tea": 0}}, price=0)
        shop.step(later(60), command("cancel", at=later(60)))
        assert (the(shop).stage, the(shop).retry_at, the(shop).due) == (Stage.CANCELLED, None, None)

    def test_what_was_shipped_is_kept_and_the_rest_is_cancelled(self) -> None:
        shop = opened({"near": {"tea": 1}, "far": {"cup": 1}}, ("tea", 1), ("cup", 1), price=0)
        tea, _ = the(shop).parcels
        answer(shop, "shipped", 60, tea)
        shop.step(later(90), command("cancel", at=later(90)))
        cancellation = the(shop).cancellation
        assert cancellation is not None
        assert cancellation.outcome == "partly"
        assert [p.state for p in the(shop).parcels] == [ParcelState.SHIPPED, ParcelState.WITHDRAWN]
        assert (the(shop).stage, residual(the(shop))) == (Stage.SHIPPED, {})
        answer(shop, "delivered", 120, tea)
        assert the(shop).stage is Stage.CLOSED

    def test_a_shipped_part_is_kept_when_the_rest_was_waiting_for_stock(self) -> None:
        shop = opened({"near": {"tea": 1}, "far": {"cup": 1}}, ("tea", 1), ("cup", 1), price=0)
        tea, cup = the(shop).parcels
        answer(shop, "shipped", 60, tea)
        answer(shop, "rejected", 60, cup, reason="out_of_stock")
        assert the(shop).stage is Stage.BACKORDERED
        shop.step(later(90), command("cancel", at=later(90)))
        promised = NOW + timedelta(seconds=shop.policy.promise_s)
        assert (the(shop).stage, the(shop).due) == (Stage.SHIPPED, promised)

    def test_an_order_that_was_shipped_whole_cannot_be_cancelled(self) -> None:
        shop = opened(TWO, ("tea", 3))
        answer(shop, "shipped", 60)
        moves = shop.step(later(90), command("cancel", at=later(90)))["order-1"]
        cancellation = the(shop).cancellation
        assert cancellation is not None
        assert (cancellation.outcome, moves.refused) == ("refused", ["already_shipped"])
        assert (the(shop).stage, last(shop).state, the(shop).reason) == (
            Stage.SHIPPED,
            ParcelState.SHIPPED,
            None,
        )
        assert not moves.tells
        answer(shop, "delivered", 120)
        assert the(shop).stage is Stage.CLOSED

    def test_which_came_first_decides_between_a_cancellation_and_a_shipment(self) -> None:
        for cancelled_at, shipped_at, state, refused in [
            (60, 61, "withdrawn", "parcel_withdrawn"),
            (61, 60, "shipped", "already_shipped"),
        ]:
            shop = opened(TWO, ("tea", 3))
            moves = shop.step(
                later(90),
                command("cancel", at=later(cancelled_at)),
                reply("shipped", last(shop), at=later(shipped_at)),
            )["order-1"]
            assert (last(shop).state, moves.refused) == (state, [refused])
            assert shop.level("near", "tea").on_hand == (10 if state == "withdrawn" else 7)

    def test_a_second_cancellation_changes_nothing(self) -> None:
        shop = opened(TWO, price=0)
        shop.step(later(60), command("cancel", at=later(60), reason="first"))
        moves = shop.step(later(90), command("cancel", at=later(90), reason="second"))["order-1"]
        assert the(shop).reason == "first"
        assert not (moves.tells or moves.timeline or moves.postings)

    @pytest.mark.parametrize("kind", ["reroute", "release"])
    def test_a_cancelled_order_obeys_no_more_commands(self, kind: CommandKind) -> None:
        shop = opened(TWO, price=0)
        shop.step(later(60), command("cancel", at=later(60)))
        before = the(shop)
        shop.step(later(90), command(kind, at=later(90)))
        assert the(shop) == before.model_copy(update={"version": before.version + 1})


class TestReroute:
    def test_the_store_is_told_to_stop_and_another_is_asked(self) -> None:
        shop = opened(TWO, ("tea", 3))
        answer(shop, "packed", 60)
        moves = shop.step(later(90), command("reroute", at=later(90)))["order-1"]
        assert [(p.location, p.state) for p in the(shop).parcels] == [
            ("near", ParcelState.WITHDRAWN),
            ("far", ParcelState.OFFERED),
        ]
        assert [(tell.partner, tell.type) for tell in moves.tells] == [
            ("near", "parcel.withdrawn.v1"),
            ("far", "parcel.offered.v1"),
            (RETAILER, "order.dispatched.v1"),
        ]
        assert shop.promised() == {("far", "tea"): 3}
        assert [(e.what, e.reason, e.by) for e in moves.timeline if e.what == "order.rerouted"] == [
            ("order.rerouted", "asked for", "operator")
        ]

    def test_only_the_named_parcel_is_moved(self) -> None:
        shop = opened({"near": {"tea": 1}, "far": {"cup": 1}, "third": {"cup": 1}}, ("tea", 1), ("cup", 1))
        _, cup = the(shop).parcels
        shop.step(later(60), command("reroute", at=later(60), parcel=cup.id))
        assert [(p.location, p.state) for p in the(shop).parcels] == [
            ("near", ParcelState.OFFERED),
            ("far", ParcelState.WITHDRAWN),
            ("third", ParcelState.OFFERED),
        ]

    def test_it_is_obeyed_after_any_number_of_refusals(self) -> None:
        stores: Levels = {place: {"tea": 10} for place in ("a", "b")}
        shop = opened(stores, policy=Policy(max_refusals=1))
        answer(shop, "rejected", 60, reason="too_busy")
        assert the(shop).stage is Stage.BACKORDERED
        shop.step(later(90), command("reroute", at=later(90)))
        assert (the(shop).stage, last(shop).location) == (Stage.DISPATCHED, "b")

    def test_what_was_shipped_stays(self) -> None:
        shop = opened(TWO)
        answer(shop, "shipped", 60)
        shop.step(later(90), command("reroute", at=later(90)))
        assert (the(shop).stage, len(the(shop).parcels)) == (Stage.SHIPPED, 1)


class TestReleaseAndRetry:
    def test_a_released_order_gives_its_goods_back_and_is_held_until_it_is_retried(self) -> None:
        shop = opened(TWO, ("tea", 3))
        moves = shop.step(later(60), command("release", at=later(60)))["order-1"]
        assert (the(shop).stage, the(shop).due, shop.promised()) == (Stage.HELD, None, {})
        assert [(tell.partner, tell.type) for tell in moves.tells] == [("near", "parcel.withdrawn.v1")]
        shop.step(later(90), command("retry", at=later(90)))
        assert (the(shop).stage, last(shop).location) == (Stage.DISPATCHED, "near")

    def test_stock_does_not_move_a_held_order_nor_does_the_limit_cancel_it(self) -> None:
        shop = opened({"near": {"tea": 0}})
        shop.step(later(60), command("release", at=later(60)))
        assert (the(shop).stage, the(shop).due) == (Stage.HELD, None)
        shop.step(later(90), *shop.receive("near", "tea", 5, later(90)), orders=["order-1"])
        assert the(shop).stage is Stage.HELD
        shop.step(later(LIMIT_S), orders=["order-1"])
        assert the(shop).stage is Stage.HELD

    def test_a_held_order_can_be_cancelled(self) -> None:
        shop = opened(TWO, price=0)
        shop.step(later(60), command("release", at=later(60)))
        shop.step(later(90), command("cancel", at=later(90)))
        assert the(shop).stage is Stage.CANCELLED

    def test_a_retry_forgets_refusals_and_exclusions(self) -> None:
        shop = opened({"near": {"tea": 10}})
        answer(shop, "rejected", 60, reason="too_busy")
        moves = shop.step(later(90), command("retry", at=later(90), reason="called them"))["order-1"]
        assert (the(shop).stage, last(shop).location, the(shop).refusals) == (Stage.DISPATCHED, "near", 0)
        assert ("order.retried", "called them", "operator") in [(e.what, e.reason, e.by) for e in moves.timeline]

    def test_a_retry_of_an_overdue_parcel_gives_it_time_again_and_it_is_not_forgotten(self) -> None:
        shop = opened(TWO)
        answer(shop, "accepted", 60)
        shop.step(later(60 + SHIP_S))
        again = 60 + SHIP_S + 600
        shop.step(later(again), command("retry", at=later(again)))
        assert (the(shop).attention, the(shop).due) == (None, later(again + SHIP_S))
        shop.step(later(again + SHIP_S))
        assert the(shop).attention is not None

    def test_rerouting_one_overdue_parcel_keeps_the_attention_for_the_other(self) -> None:
        shop = opened({"near": {"tea": 1}, "far": {"cup": 1}, "third": {"cup": 1}}, ("tea", 1), ("cup", 1))
        tea, cup = the(shop).parcels
        shop.step(later(60), reply("accepted", tea, at=later(60)), reply("accepted", cup, at=later(60)))
        shop.step(later(60 + SHIP_S))
        at = later(61 + SHIP_S)
        shop.step(at, command("reroute", at=at, parcel=cup.id))
        assert the(shop).attention is not None
        at = later(62 + SHIP_S)
        shop.step(at, command("reroute", at=at))
        assert the(shop).attention is None

    @pytest.mark.parametrize("kind", ["retry", "reroute", "release"])
    def test_an_order_that_stopped_on_an_error_moves_again_on_a_command(self, kind: CommandKind) -> None:
        shop = opened(TWO)
        stopped = the(shop)
        stopped.attention = Attention(code="error", detail="KeyError: 'x'", at=NOW)
        shop.step(later(60), command(kind, at=later(60)))
        assert the(shop).attention is None
