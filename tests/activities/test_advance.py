"""One step of an order: its first, what is told, deadlines that ended, goods that a count misses."""

from activities.orders.advance import advance, conclude
from contracts.orders import ParcelState, Stage
from contracts.routing import Policy
from contracts.subjects import RETAILER
from tests.builders import ACCEPT_S, NOW, SHIP_S, Levels, command, later, network, order, parcel, payment_outcome, reply
from tests.shop import Shop, answer, last, opened, the

TWO: Levels = {"near": {"tea": 10}, "far": {"tea": 10}}


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

    def test_money_that_is_booked_leaves_the_order_that_was_passed_in_as_it_was(self) -> None:
        paying = conclude(advance(order(method="card"), [], NOW, Policy()), NOW, Policy()).order
        before = paying.model_copy(deep=True)
        assert advance(paying, [payment_outcome(paying)], NOW, Policy()).order.payment.authorised == 100
        assert paying == before

    def test_the_causes_of_postings_name_the_step_so_that_a_repeated_step_books_nothing_twice(self) -> None:
        waiting = order(("tea", 2))
        parcel(waiting, due=later(ACCEPT_S))
        once, again = (advance(waiting, [], later(ACCEPT_S), Policy()) for _ in range(2))
        assert [p.cause for p in once.postings] == [p.cause for p in again.postings] == ["order-1.p1:released:0.0"]


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
