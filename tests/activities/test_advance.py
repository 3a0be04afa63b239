"""The life of an order by example: re-dispatch, back-order, cancellation at each stage, commands, counts and deadlines."""

import pytest

from activities.orders.advance import advance, conclude
from activities.orders.moves import residual
from contracts.orders import Attention, OrderState, Parcel, ParcelState, Stage
from contracts.routing import Policy
from contracts.subjects import RETAILER
from tests.builders import ACCEPT_S, NOW, SHIP_S, Levels, command, event, later, network, order, parcel, reply
from tests.shop import Shop

RETRY_S = 1_800
LIMIT_S = 72 * 3_600


def opened(levels: Levels, *lines: tuple[str, int], policy: Policy | None = None, **placed: object) -> Shop:
    """A shop with a store for each entry of `levels`, 10 km apart, and one order after its first step."""
    shop = Shop(network(*levels), levels, policy)
    shop.place(order(*lines, **placed))  # type: ignore[arg-type]
    shop.step(NOW)
    return shop


def the(shop: Shop) -> OrderState:
    return shop.orders["order-1"]


def last(shop: Shop) -> Parcel:
    return the(shop).parcels[-1]


def answer(
    shop: Shop, kind: str, seconds: float, about: Parcel | None = None, **more: object
) -> list[tuple[str, str]]:
    """A store answers for a parcel, by default the newest. Returns what was told, to whom."""
    at = later(seconds)
    moves = shop.step(at, reply(kind, about or last(shop), at=at, **more))["order-1"]
    return [(tell.partner, tell.type) for tell in moves.tells]


TWO = {"near": {"tea": 10}, "far": {"tea": 10}}


class TestFirstStep:
    def test_a_prepaid_order_is_routed_reserved_and_offered_at_once(self) -> None:
        shop = Shop(network("near"), {"near": {"tea": 10}})
        shop.place(order(("tea", 2), ("tea", 1)))
        moves = shop.step(NOW)["order-1"]
        (offer, told) = moves.tells
        made = last(shop)
        assert (made.id, made.location, made.attempt) == ("order-1.p1", "near", 1)
        assert (offer.partner, offer.type, offer.subject) == ("near", "parcel.offered.v1", made.id)
        assert offer.data["items"] == [
            {"line": 1, "sku": "tea", "quantity": 2},
            {"line": 2, "sku": "tea", "quantity": 1},
        ]
        assert offer.data["answer_by"] == later(ACCEPT_S)
        assert offer.data["ship_to"]["division"] == "330106"
        assert (told.partner, told.type) == (RETAILER, "order.dispatched.v1")
        assert told.data["parcels"] == [{"parcel": made.id, "location": "near"}]
        assert (the(shop).stage, the(shop).due, the(shop).dispatched_at) == (
            Stage.DISPATCHED,
            later(ACCEPT_S),
            NOW,
        )
        (row,) = shop.ledger
        assert (row.kind, [change.reserved for change in row.changes]) == ("reserved", [2, 1])

    def test_a_split_order_tells_the_retailer_once_of_all_its_parcels(self) -> None:
        shop = Shop(network("near", "far"), {"near": {"tea": 1}, "far": {"cup": 1}})
        shop.place(order(("tea", 1), ("cup", 1)))
        moves = shop.step(NOW)["order-1"]
        assert [tell.type for tell in moves.tells] == [
            "parcel.offered.v1",
            "parcel.offered.v1",
            "order.dispatched.v1",
        ]
        assert [part["location"] for part in moves.tells[-1].data["parcels"]] == ["near", "far"]

    def test_every_milestone_is_told_even_if_one_step_passes_several(self) -> None:
        shop = opened(TWO)
        assert answer(shop, "delivered", 60) == [
            (RETAILER, "order.shipped.v1"),
            (RETAILER, "order.delivered.v1"),
            (RETAILER, "order.closed.v1"),
        ]

    def test_a_milestone_is_not_told_twice(self) -> None:
        shop = opened(TWO)
        assert answer(shop, "shipped", 60) == [(RETAILER, "order.shipped.v1")]
        assert answer(shop, "shipped", 70) == []
        assert answer(shop, "delivered", 80) == [
            (RETAILER, "order.delivered.v1"),
            (RETAILER, "order.closed.v1"),
        ]


class TestBackOrder:
    def test_without_stock_anywhere_the_order_waits_and_the_retailer_is_told_once(self) -> None:
        shop = Shop(network("near"), {"near": {"tea": 0}})
        shop.place(order())
        moves = shop.step(NOW)["order-1"]
        assert [(tell.type, tell.data["reason"]) for tell in moves.tells] == [
            ("order.backordered.v1", "no location has any of it available")
        ]
        assert (the(shop).stage, the(shop).due) == (Stage.BACKORDERED, later(RETRY_S))
        assert not shop.step(later(RETRY_S))["order-1"].tells
        assert the(shop).due == later(2 * RETRY_S)

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
        assert (the(shop).due, the(shop).backordered_at) == (later(60 + RETRY_S), later(60))
        shop.receive("far", "cup", 1, later(100))
        shop.step(later(60 + RETRY_S))
        assert (last(shop).location, the(shop).stage) == ("far", Stage.DISPATCHED)

    def test_arrived_stock_is_tried_again_with_stores_that_lacked_it(self) -> None:
        shop = opened({"near": {"tea": 1}})
        answer(shop, "rejected", 60, reason="out_of_stock")
        assert the(shop).stage is Stage.BACKORDERED
        shop.step(later(90), *shop.receive("near", "tea", 1, later(90)))
        assert (len(the(shop).parcels), last(shop).state) == (2, ParcelState.OFFERED)

    @pytest.mark.parametrize("reason", ["too_busy", "damaged", "closed", "other"])
    def test_goods_given_back_by_a_refusal_do_not_bring_the_order_back_to_that_store(
        self, reason: str
    ) -> None:
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
        assert [(tell.type, tell.data["reason"]) for tell in moves.tells] == [
            ("order.cancelled.v1", "changed my mind")
        ]

    @pytest.mark.parametrize("kind", [None, "accepted", "packed"])
    def test_up_to_shipping_everything_is_undone_and_the_store_is_told(self, kind: str | None) -> None:
        shop = opened(TWO, ("tea", 3), price=0)
        if kind:
            answer(shop, kind, 60)
        moves = shop.step(later(90), command("cancel", at=later(90)))["order-1"]
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
        assert (the(shop).stage, the(shop).due) == (Stage.SHIPPED, None)

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
    def test_a_cancelled_order_obeys_no_more_commands(self, kind: str) -> None:
        shop = opened(TWO, price=0)
        shop.step(later(60), command("cancel", at=later(60)))
        before = the(shop)
        shop.step(later(90), command(kind, at=later(90)))  # type: ignore[arg-type]
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
        assert ("order.retried", "called them", "operator") in [
            (e.what, e.reason, e.by) for e in moves.timeline
        ]

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
    def test_an_order_that_stopped_on_an_error_moves_again_on_a_command(self, kind: str) -> None:
        shop = opened(TWO)
        stopped = the(shop)
        stopped.attention = Attention(code="error", detail="KeyError: 'x'", at=NOW)
        shop.step(later(60), command(kind, at=later(60)))  # type: ignore[arg-type]
        assert the(shop).attention is None


class TestCountShortfall:
    def test_an_offer_that_the_shelf_cannot_serve_is_planned_anew(self) -> None:
        shop = opened(TWO, ("tea", 3))
        moves = shop.step(later(60), *shop.count("near", "tea", 2, later(60)))["order-1"]
        assert [(p.location, p.state, p.reason) for p in the(shop).parcels] == [
            ("near", ParcelState.WITHDRAWN, "stock_short"),
            ("far", ParcelState.OFFERED, None),
        ]
        assert (moves.tells[0].partner, moves.tells[0].type) == ("near", "parcel.withdrawn.v1")
        assert (shop.level("near", "tea").available, the(shop).refusals) == (2, 0)

    def test_a_parcel_that_the_store_has_accepted_stays(self) -> None:
        shop = opened(TWO, ("tea", 3))
        about = last(shop)
        told = shop.count("near", "tea", 2, later(60))
        assert [event.parcel for event in told] == [about.id]
        shop.step(later(61), reply("accepted", about, at=later(59)), *told)
        assert (last(shop).state, len(the(shop).parcels)) == (ParcelState.ACCEPTED, 1)

    def test_only_the_named_parcel_is_taken_away(self) -> None:
        shop = opened(
            {"near": {"tea": 1, "pot": 1}, "far": {"cup": 1}, "third": {"tea": 1, "pot": 1}},
            ("tea", 1),
            ("cup", 1),
        )
        shop.step(later(60), *shop.count("near", "tea", 0, later(60)))
        assert [(p.location, p.state) for p in the(shop).parcels] == [
            ("near", ParcelState.WITHDRAWN),
            ("far", ParcelState.OFFERED),
            ("third", ParcelState.OFFERED),
        ]

    def test_when_goods_come_back_to_that_shelf_the_store_is_asked_again(self) -> None:
        shop = opened({"near": {"tea": 3}}, ("tea", 3))
        shop.step(later(60), *shop.count("near", "tea", 2, later(60)))
        assert the(shop).stage is Stage.BACKORDERED
        shop.step(later(90), *shop.count("near", "tea", 5, later(90)))
        assert (the(shop).stage, last(shop).location) == (Stage.DISPATCHED, "near")


class TestStep:
    def test_deadlines_that_ended_are_noted_in_the_order_in_which_they_ended(self) -> None:
        waiting = order(("tea", 1), ("cup", 1))
        parcel(waiting, "a", lines={1: 1}, due=later(200))
        parcel(waiting, "b", lines={2: 1}, due=later(100))
        moves = advance(waiting, [], later(300), Policy())
        assert [(entry.at, entry.location) for entry in moves.timeline] == [
            (later(100), "b"),
            (later(200), "a"),
        ]

    def test_an_event_from_a_clock_that_is_ahead_counts_as_now(self) -> None:
        waiting = order()
        about = parcel(waiting, due=later(ACCEPT_S))
        moves = advance(waiting, [reply("accepted", about, at=later(ACCEPT_S + 60))], later(60), Policy())
        assert moves.order.parcels[0].state is ParcelState.ACCEPTED
        assert moves.order.parcels[0].due == later(60 + SHIP_S)

    def test_every_event_is_drained_also_those_that_change_nothing(self) -> None:
        waiting = order()
        about = parcel(waiting, due=later(ACCEPT_S))
        events = [reply("accepted", about, event_id="b"), reply("accepted", about, event_id="a")]
        assert advance(waiting, events, NOW, Policy()).drained == ["a", "b"]

    def test_the_order_that_was_passed_in_stays_as_it_was(self) -> None:
        waiting = order(("tea", 2), ("cup", 1))
        about = parcel(waiting, due=later(ACCEPT_S))
        before = waiting.model_copy(deep=True)
        events = [
            reply("rejected", about, at=later(1), reason="damaged", lines=[2]),
            command("release", at=later(2)),
        ]
        conclude(advance(waiting, events, later(3), Policy()), later(3), Policy())
        assert waiting == before

    def test_the_causes_of_postings_name_the_step_so_that_a_repeated_step_books_nothing_twice(self) -> None:
        waiting = order(("tea", 2))
        parcel(waiting, due=later(ACCEPT_S))
        once, again = (advance(waiting, [], later(ACCEPT_S), Policy()) for _ in range(2))
        assert (
            [p.cause for p in once.postings]
            == [p.cause for p in again.postings]
            == ["order-1.p1:released:0.0"]
        )
