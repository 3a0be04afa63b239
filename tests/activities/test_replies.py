"""What stores' answers do to parcels and stock: in any order, twice, too late, and from the wrong store."""

from typing import Any

import pytest

from activities.orders.moves import Moves
from contracts.orders import Parcel, ParcelState, Stage
from contracts.stock import Level
from contracts.subjects import RETAILER
from tests.builders import ACCEPT_S, NOW, SHIP_S, later, network, order, reply
from tests.shop import Shop, the


def offered(*lines: tuple[str, int], **placed: Any) -> Shop:
    """One order, offered to "near"; "far" could take it too. Both hold ten of each SKU."""
    new = order(*lines, **placed)
    stocked = {line.sku: 10 for line in new.lines}
    shop = Shop(network("near", "far"), {"near": stocked, "far": stocked})
    shop.place(new)
    shop.step(NOW)
    return shop


def first(shop: Shop) -> Parcel:
    return the(shop).parcels[0]


def near(shop: Shop, sku: str = "tea") -> Level:
    return shop.level("near", sku)


def refusal(moves: Moves) -> dict[str, object]:
    """The only refusal among what was told."""
    (told,) = (tell for tell in moves.tells if tell.type == "reply.refused.v1")
    return {"partner": told.partner, "subject": told.subject, **told.data}


class TestForward:
    def test_a_parcel_goes_from_offer_to_delivery_and_its_goods_leave_when_it_is_shipped(self) -> None:
        shop = offered(("tea", 3))
        assert (the(shop).stage, near(shop).on_hand, near(shop).reserved) == (Stage.DISPATCHED, 10, 3)
        stages = []
        for minute, kind in enumerate(["accepted", "packed", "shipped"]):
            shop.step(later(60 * minute), reply(kind, first(shop), at=later(60 * minute), tracking="SF1"))
            stages.append((the(shop).stage, first(shop).state, near(shop).on_hand, near(shop).reserved))
        assert stages == [
            (Stage.ACCEPTED, ParcelState.ACCEPTED, 10, 3),
            (Stage.PACKED, ParcelState.PACKED, 10, 3),
            (Stage.SHIPPED, ParcelState.SHIPPED, 7, 0),
        ]
        moves = shop.step(later(600), reply("delivered", first(shop), at=later(600)))["order-1"]
        assert (the(shop).stage, the(shop).closed_at, the(shop).due) == (Stage.CLOSED, later(600), None)
        assert first(shop).tracking == "SF1"
        assert [entry.what for entry in moves.timeline] == ["parcel.delivered", "stage.closed"]

    def test_acceptance_sets_the_time_to_hand_over_from_when_it_was_received(self) -> None:
        shop = offered()
        assert first(shop).due == later(ACCEPT_S)
        shop.step(later(500), reply("accepted", first(shop), at=later(300)))
        assert first(shop).due == the(shop).due == later(300 + SHIP_S)
        shop.step(later(600), reply("packed", first(shop), at=later(600)))
        assert first(shop).due == later(300 + SHIP_S)

    @pytest.mark.parametrize("kind", ["packed", "shipped", "delivered"])
    def test_an_answer_that_skips_steps_implies_them(self, kind: str) -> None:
        shop = offered(("tea", 3))
        moves = shop.step(later(60), reply(kind, first(shop), at=later(60)))["order-1"]
        left = kind in ("shipped", "delivered")
        assert first(shop).state == kind
        assert (near(shop).on_hand, near(shop).reserved) == ((7, 0) if left else (10, 3))
        assert [row.kind for row in shop.ledger] == ["reserved", "shipped"] if left else ["reserved"]
        assert not moves.refused

    @pytest.mark.parametrize("early", ["accepted", "packed", "shipped", "delivered"])
    def test_an_answer_that_says_less_than_is_known_changes_nothing(self, early: str) -> None:
        shop = offered(("tea", 3))
        shop.step(later(60), reply("delivered", first(shop), at=later(60)))
        before, rows = the(shop), len(shop.ledger)
        moves = shop.step(later(120), reply(early, first(shop), at=later(120), tracking="other"))["order-1"]
        assert the(shop) == before.model_copy(update={"version": before.version + 1})
        assert len(shop.ledger) == rows
        assert not (moves.tells or moves.refused or moves.timeline)

    def test_answers_that_are_seen_together_are_taken_in_the_order_of_receipt(self) -> None:
        shop = offered(("tea", 3))
        about = first(shop)
        moves = shop.step(
            later(90),
            reply("delivered", about, at=later(80)),
            reply("accepted", about, at=later(10)),
            reply("shipped", about, at=later(70)),
            reply("packed", about, at=later(40)),
        )["order-1"]
        assert [(entry.what, entry.at) for entry in moves.timeline] == [
            ("parcel.accepted", later(10)),
            ("parcel.packed", later(40)),
            ("parcel.shipped", later(70)),
            ("parcel.delivered", later(80)),
            ("stage.closed", later(90)),
        ]
        assert near(shop).on_hand == 7

    def test_an_order_of_two_parcels_stands_where_its_slowest_parcel_stands(self) -> None:
        shop = Shop(network("near", "far"), {"near": {"tea": 1}, "far": {"cup": 1}})
        shop.place(order(("tea", 1), ("cup", 1)))
        shop.step(NOW)
        one, two = the(shop).parcels
        stages = []
        for about, kind in [(one, "delivered"), (two, "accepted"), (two, "shipped"), (two, "delivered")]:
            shop.step(later(60), reply(kind, about, at=later(60)))
            stages.append(the(shop).stage)
        assert stages == [Stage.DISPATCHED, Stage.ACCEPTED, Stage.SHIPPED, Stage.CLOSED]


class TestRejection:
    @pytest.mark.parametrize(
        ("reason", "on_hand"),
        [
            ("out_of_stock", 0),
            ("not_found", 0),
            ("damaged", 7),
            ("mismatch", 7),
            ("worn_display", 7),
            ("too_busy", 10),
            ("closed", 10),
            ("other", 10),
            (None, 10),
        ],
    )
    def test_each_reason_has_its_effect_on_the_shelf_and_the_next_store_is_asked(
        self, reason: str | None, on_hand: int
    ) -> None:
        shop = offered(("tea", 3))
        moves = shop.step(later(60), reply("rejected", first(shop), at=later(60), reason=reason))["order-1"]
        assert (near(shop).on_hand, near(shop).reserved) == (on_hand, 0)
        assert (first(shop).state, first(shop).reason, first(shop).due) == (
            ParcelState.REJECTED,
            reason or "other",
            None,
        )
        again = the(shop).parcels[1]
        assert (again.location, again.state, again.attempt) == ("far", ParcelState.OFFERED, 2)
        assert shop.level("far", "tea").reserved == 3
        assert (the(shop).excluded, the(shop).refusals, the(shop).stage) == (["near"], 1, Stage.DISPATCHED)
        assert [(tell.partner, tell.type) for tell in moves.tells] == [
            ("far", "parcel.offered.v1"),
            (RETAILER, "order.dispatched.v1"),
        ]

    def test_out_of_stock_leaves_what_is_promised_to_other_orders(self) -> None:
        shop = offered(("tea", 3))
        shop.place(order(("tea", 4), order_id="order-2"))
        shop.step(NOW)
        shop.step(later(60), reply("rejected", first(shop), at=later(60), reason="out_of_stock"))
        assert (near(shop).on_hand, near(shop).reserved, near(shop).available) == (4, 4, 0)

    def test_out_of_stock_does_not_add_goods_where_a_count_had_found_too_few(self) -> None:
        shop = offered(("tea", 3))
        shop.count("near", "tea", 1, later(10))
        shop.step(later(60), reply("rejected", first(shop), at=later(60), reason="out_of_stock"))
        assert (near(shop).on_hand, near(shop).reserved) == (0, 0)

    def test_out_of_stock_empties_a_shelf_once_although_two_lines_wanted_from_it(self) -> None:
        shop = offered(("tea", 3), ("tea", 1))
        shop.place(order(("tea", 2), order_id="order-2"))
        shop.step(NOW)
        shop.step(later(60), reply("rejected", first(shop), at=later(60), reason="out_of_stock"))
        assert (near(shop).on_hand, near(shop).reserved) == (2, 2)
        assert [row.reason for row in shop.ledger if row.kind == "adjusted"] == ["out_of_stock"]

    def test_after_acceptance_a_store_may_still_reject_until_it_has_shipped(self) -> None:
        shop = offered(("tea", 3))
        shop.step(later(60), reply("packed", first(shop), at=later(60)))
        shop.step(later(120), reply("rejected", first(shop), at=later(120), reason="damaged"))
        assert (first(shop).state, near(shop).on_hand, near(shop).reserved) == (ParcelState.REJECTED, 7, 0)
        assert the(shop).parcels[1].location == "far"

    @pytest.mark.parametrize("state", ["shipped", "delivered"])
    def test_what_has_left_the_store_cannot_be_rejected(self, state: str) -> None:
        shop = offered(("tea", 3))
        shop.step(later(60), reply(state, first(shop), at=later(60)))
        moves = shop.step(later(120), reply("rejected", first(shop), at=later(120), reason="damaged"))["order-1"]
        assert moves.refused == ["already_shipped"]
        assert refusal(moves)["field"] == "kind"
        assert (first(shop).state, near(shop).on_hand, the(shop).refusals) == (state, 7, 0)


class TestRejectionByLine:
    def test_the_named_lines_go_to_another_store_and_the_rest_is_accepted(self) -> None:
        shop = offered(("tea", 3), ("cup", 2))
        shop.step(later(60), reply("rejected", first(shop), at=later(60), reason="out_of_stock", lines=[2]))
        kept, moved = the(shop).parcels
        assert (kept.state, [item.line for item in kept.items]) == (ParcelState.ACCEPTED, [1])
        assert (moved.location, [item.line for item in moved.items]) == ("far", [2])
        assert (near(shop, "tea").on_hand, near(shop, "tea").reserved) == (10, 3)
        assert (near(shop, "cup").on_hand, near(shop, "cup").reserved) == (0, 0)
        assert kept.due == later(60 + SHIP_S)
        assert (the(shop).excluded, the(shop).refusals) == (["near"], 1)

    def test_damage_takes_only_the_named_lines_off_the_shelf(self) -> None:
        shop = offered(("tea", 3), ("tea", 2))
        shop.step(later(60), reply("rejected", first(shop), at=later(60), reason="damaged", lines=[2]))
        assert (near(shop).on_hand, near(shop).reserved) == (8, 3)

    def test_naming_all_lines_rejects_the_parcel(self) -> None:
        shop = offered(("tea", 3), ("cup", 2))
        shop.step(later(60), reply("rejected", first(shop), at=later(60), reason="closed", lines=[2, 1]))
        assert first(shop).state is ParcelState.REJECTED
        assert sorted(item.line for item in the(shop).parcels[1].items) == [1, 2]

    @pytest.mark.parametrize("lines", [[3], [1, 3], [1, 2, 3]])
    def test_a_line_that_the_parcel_does_not_have_is_refused_and_changes_nothing(self, lines: list[int]) -> None:
        shop = offered(("tea", 3), ("cup", 2))
        moves = shop.step(later(60), reply("rejected", first(shop), at=later(60), reason="closed", lines=lines))[
            "order-1"
        ]
        assert moves.refused == ["unknown_line"]
        assert refusal(moves)["field"] == "lines"
        assert (first(shop).state, len(first(shop).items), len(shop.ledger)) == (ParcelState.OFFERED, 2, 1)

    def test_the_same_rejection_by_line_under_another_id_rejects_nothing_more(self) -> None:
        shop = offered(("tea", 3), ("cup", 2))
        again = [reply("rejected", first(shop), at=later(60), reason="closed", lines=[2]) for _ in range(2)]
        moves = shop.step(later(60), *again)["order-1"]
        assert moves.refused == ["unknown_line"]
        assert (first(shop).state, the(shop).refusals) == (ParcelState.ACCEPTED, 1)

    def test_two_rejections_in_one_step_are_booked_under_causes_of_their_own(self) -> None:
        shop = offered(("tea", 3), ("cup", 2))
        both = [reply("rejected", first(shop), at=later(60), reason="damaged", lines=[line]) for line in (1, 2)]
        shop.step(later(60), *both)
        assert len({row.id for row in shop.ledger}) == len(shop.ledger) == 6
        assert [(near(shop, sku).on_hand, near(shop, sku).reserved) for sku in ("tea", "cup")] == [(7, 0), (8, 0)]

    def test_the_rest_of_a_packed_parcel_stays_packed(self) -> None:
        shop = offered(("tea", 3), ("cup", 2))
        shop.step(later(60), reply("packed", first(shop), at=later(60)))
        shop.step(later(90), reply("rejected", first(shop), at=later(90), reason="damaged", lines=[1]))
        assert (first(shop).state, first(shop).due) == (ParcelState.PACKED, later(60 + SHIP_S))

    def test_the_rest_ships_without_the_rejected_lines(self) -> None:
        shop = offered(("tea", 3), ("cup", 2))
        shop.step(later(60), reply("rejected", first(shop), at=later(60), reason="too_busy", lines=[2]))
        shop.step(later(90), reply("shipped", first(shop), at=later(90)))
        assert (near(shop, "tea").on_hand, near(shop, "cup").on_hand) == (7, 10)
        assert shop.promised() == {("far", "cup"): 2}


class TestRejectionByUnits:
    @pytest.mark.parametrize(("reason", "on_hand"), [("not_found", 1), ("mismatch", 8), ("too_busy", 10)])
    def test_of_three_units_one_is_found_and_shipped_and_two_come_from_another_store(
        self, reason: str, on_hand: int
    ) -> None:
        shop = offered(("tea", 3), ("cup", 1))
        shop.step(later(60), reply("rejected", first(shop), at=later(60), reason=reason, quantities={"1": 2}))
        kept, moved = the(shop).parcels
        assert (kept.state, [(i.line, i.quantity) for i in kept.items]) == (ParcelState.ACCEPTED, [(1, 1), (2, 1)])
        assert (moved.location, [(i.line, i.quantity) for i in moved.items]) == ("far", [(1, 2)])
        assert (near(shop).on_hand, near(shop).reserved) == (on_hand, 1)
        shop.step(later(90), reply("shipped", kept, at=later(90)))
        assert (near(shop).on_hand, near(shop).reserved) == (on_hand - 1, 0)

    def test_units_and_lines_may_be_refused_together(self) -> None:
        shop = offered(("tea", 3), ("cup", 2))
        about = reply("rejected", first(shop), at=later(60), reason="damaged", lines=[2], quantities={"1": 1})
        shop.step(later(60), about)
        assert [(i.line, i.quantity) for i in first(shop).items] == [(1, 2)]
        assert (near(shop, "tea").on_hand, near(shop, "cup").on_hand) == (9, 8)

    def test_all_units_of_all_lines_are_the_parcel(self) -> None:
        shop = offered(("tea", 3))
        shop.step(later(60), reply("rejected", first(shop), at=later(60), reason="closed", quantities={"1": 3}))
        assert first(shop).state is ParcelState.REJECTED

    @pytest.mark.parametrize(
        ("quantities", "code"), [({"1": 4}, "too_many_units"), ({"9": 1}, "unknown_line"), ({"1": 1, "9": 1}, None)]
    )
    def test_more_than_the_parcel_has_is_refused_and_changes_nothing(
        self, quantities: dict[str, int], code: str | None
    ) -> None:
        shop = offered(("tea", 3))
        about = reply("rejected", first(shop), at=later(60), reason="damaged", quantities=quantities)
        moves = shop.step(later(60), about)["order-1"]
        assert moves.refused == [code or "unknown_line"]
        assert refusal(moves)["field"] == "quantities"
        assert (first(shop).state, len(shop.ledger)) == (ParcelState.OFFERED, 1)

    def test_after_it_has_left_or_was_given_away_a_refusal_of_units_is_harmless(self) -> None:
        shop = offered(("tea", 3))
        shop.step(later(60), reply("shipped", first(shop), at=later(60)))
        units = reply("rejected", first(shop), at=later(61), reason="mismatch", quantities={"1": 1})
        assert shop.step(later(61), units)["order-1"].refused == ["already_shipped"]
        other = offered(("tea", 3))
        late = reply("rejected", first(other), at=later(ACCEPT_S + 1), reason="mismatch", quantities={"1": 1})
        assert other.step(later(ACCEPT_S + 1), late)["order-1"].refused == ["answer_too_late"]
        assert near(other).on_hand == 10


class TestRefusedAnswers:
    def test_an_answer_after_the_time_limit_is_refused_even_if_both_are_seen_in_the_same_step(self) -> None:
        shop = offered(("tea", 3))
        moves = shop.step(later(ACCEPT_S + 60), reply("accepted", first(shop), at=later(ACCEPT_S + 1)))["order-1"]
        assert first(shop).state is ParcelState.EXPIRED
        assert moves.refused == ["answer_too_late"]
        assert refusal(moves)["partner"] == "near"
        assert (near(shop).reserved, shop.level("far", "tea").reserved) == (0, 3)
        assert [(entry.what, entry.at) for entry in moves.timeline][:2] == [
            ("parcel.expired", later(ACCEPT_S)),
            ("reply.refused", later(ACCEPT_S + 1)),
        ]

    def test_an_answer_in_time_counts_even_if_it_is_seen_after_the_time_limit(self) -> None:
        shop = offered(("tea", 3))
        moves = shop.step(later(ACCEPT_S + 60), reply("accepted", first(shop), at=later(ACCEPT_S - 1)))["order-1"]
        assert (first(shop).state, moves.refused) == (ParcelState.ACCEPTED, [])

    def test_a_store_cannot_answer_for_another_stores_parcel(self) -> None:
        shop = offered(("tea", 3))
        before = the(shop)
        moves = shop.step(later(60), reply("rejected", first(shop), by="far", at=later(60), reason="damaged"))[
            "order-1"
        ]
        assert moves.refused == ["not_your_parcel"]
        told = refusal(moves)
        assert (told["partner"], told["code"], told["field"]) == ("far", "not_your_parcel", "parcel")
        assert told["remedy"]
        assert the(shop).parcels == before.parcels
        assert (near(shop).on_hand, near(shop).reserved, len(shop.ledger)) == (10, 3, 1)

    def test_a_parcel_that_does_not_exist_is_refused(self) -> None:
        shop = offered()
        moves = shop.step(later(60), reply("accepted", "order-1.p9", by="near", at=later(60)))["order-1"]
        assert moves.refused == ["unknown_parcel"]
        assert refusal(moves)["reply"]

    def test_a_rejection_cannot_be_taken_back_nor_given_twice(self) -> None:
        shop = offered(("tea", 3))
        about = first(shop)
        shop.step(later(60), reply("rejected", about, at=later(60), reason="damaged"))
        on_hand = near(shop).on_hand
        moves = shop.step(
            later(90),
            reply("accepted", about, at=later(80)),
            reply("rejected", about, at=later(81), reason="damaged"),
        )["order-1"]
        assert moves.refused == ["parcel_rejected", "parcel_rejected"]
        assert (near(shop).on_hand, the(shop).refusals) == (on_hand, 1)

    def test_a_refused_answer_is_on_the_timeline_with_who_gave_it(self) -> None:
        shop = offered()
        moves = shop.step(later(60), reply("shipped", first(shop), by="far", at=later(60)))["order-1"]
        (entry,) = moves.timeline
        assert (entry.what, entry.by, entry.reason) == ("reply.refused", "far", "not_your_parcel")
