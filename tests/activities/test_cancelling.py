"""Cancelling what stores have accepted: they are asked, answer or keep silent, and the order's outcome follows."""

from datetime import timedelta

import pytest

from activities.orders.moves import residual
from contracts.orders import ParcelState, Stage
from contracts.routing import Policy
from contracts.subjects import RETAILER
from tests.builders import NOW, SHIP_S, Levels, command, later, payment_outcome, reply
from tests.shop import Shop, answer, last, opened, the

ANSWER_S = Policy().cancel_answer_s
TWO: Levels = {"near": {"tea": 10}, "far": {"tea": 10}}
HALVES: Levels = {"near": {"tea": 1}, "far": {"cup": 1}}


def asked(kind: str = "accepted") -> Shop:
    """One order whose store has accepted (or packed) it at 60 s and was asked at 90 s to give it up."""
    shop = opened(TWO, ("tea", 3), price=0)
    answer(shop, kind, 60)
    shop.step(later(90), command("cancel", at=later(90)))
    return shop


def outcome(shop: Shop) -> str:
    cancellation = the(shop).cancellation
    assert cancellation is not None
    return cancellation.outcome


class TestAsking:
    @pytest.mark.parametrize("kind", ["accepted", "packed"])
    def test_a_store_that_has_accepted_is_asked_and_nothing_is_given_back_yet(self, kind: str) -> None:
        shop = opened(TWO, ("tea", 3), price=0)
        answer(shop, kind, 60)
        moves = shop.step(later(90), command("cancel", at=later(90), reason="too late"))["order-1"]
        (told,) = moves.tells
        assert (told.partner, told.type, told.data["reason"], told.data["answer_by"]) == (
            "near",
            "parcel.cancellation_requested.v1",
            "too late",
            later(90 + ANSWER_S),
        )
        assert (last(shop).state, last(shop).request, outcome(shop)) == (kind, "cancel_requested", "pending")
        assert (the(shop).stage, the(shop).due, residual(the(shop))) == (Stage(kind), later(90 + ANSWER_S), {})
        assert shop.promised() == {("near", "tea"): 3}

    def test_offers_are_withdrawn_at_once_while_the_other_store_is_asked(self) -> None:
        shop = opened(HALVES, ("tea", 1), ("cup", 1), price=0)
        tea, cup = the(shop).parcels
        answer(shop, "accepted", 60, tea)
        moves = shop.step(later(90), command("cancel", at=later(90)))["order-1"]
        assert [(tell.partner, tell.type) for tell in moves.tells] == [
            ("near", "parcel.cancellation_requested.v1"),
            ("far", "parcel.withdrawn.v1"),
        ]
        assert outcome(shop) == "pending"
        answer(shop, "cancellation_refused", 120, tea)
        assert (outcome(shop), the(shop).stage) == ("partly", Stage.ACCEPTED)
        assert the(shop).parcels[1].id == cup.id

    def test_asking_again_asks_nobody_twice(self) -> None:
        shop = asked()
        moves = shop.step(later(100), command("cancel", at=later(100)))["order-1"]
        assert not (moves.tells or moves.timeline or moves.postings)


class TestAnswers:
    def test_a_store_that_agrees_ends_the_order_and_its_money_goes_back(self) -> None:
        shop = opened(TWO, ("tea", 3))
        answer(shop, "packed", 60)
        shop.step(later(90), command("cancel", at=later(90)))
        assert the(shop).payment.intents == []
        assert answer(shop, "cancellation_accepted", 120) == [("near", "parcel.withdrawn.v1")]
        assert (outcome(shop), the(shop).stage, shop.promised()) == ("cancelled", Stage.CANCELLING, {})
        assert (last(shop).state, last(shop).request) == (ParcelState.WITHDRAWN, "cancel_accepted")
        shop.step(later(121), payment_outcome(the(shop), at=later(121)))
        assert (the(shop).stage, the(shop).payment.refunded) == (Stage.CANCELLED, 300)

    def test_a_store_that_refuses_goes_on_and_is_paid(self) -> None:
        shop = asked()
        assert answer(shop, "cancellation_refused", 120) == [(RETAILER, "order.cancellation_answered.v1")]
        assert (outcome(shop), the(shop).stage, the(shop).reason) == ("refused", Stage.ACCEPTED, None)
        answer(shop, "delivered", 200)
        assert (the(shop).stage, shop.level("near", "tea").on_hand) == (Stage.CLOSED, 7)

    def test_silence_gives_up_what_is_only_accepted(self) -> None:
        shop = asked("accepted")
        moves = shop.step(later(90 + ANSWER_S))["order-1"]
        assert (outcome(shop), the(shop).stage, shop.promised()) == ("cancelled", Stage.CANCELLED, {})
        assert ("parcel.withdrawn", "timer") in [(entry.what, entry.by) for entry in moves.timeline]

    def test_silence_keeps_what_is_packed(self) -> None:
        shop = asked("packed")
        shop.step(later(90 + ANSWER_S))
        assert (outcome(shop), the(shop).stage, last(shop).request) == ("refused", Stage.PACKED, "cancel_refused")
        assert the(shop).due == later(60 + SHIP_S)

    def test_packing_while_asked_counts(self) -> None:
        shop = asked("accepted")
        answer(shop, "packed", 100)
        shop.step(later(90 + ANSWER_S))
        assert outcome(shop) == "refused"

    def test_what_is_shipped_meanwhile_has_won(self) -> None:
        shop = asked()
        assert (RETAILER, "order.shipped.v1") in answer(shop, "shipped", 100)
        promised = NOW + timedelta(seconds=shop.policy.promise_s)
        assert (outcome(shop), last(shop).request, the(shop).due) == ("refused", "cancel_refused", promised)
        moves = shop.step(later(110), reply("cancellation_accepted", last(shop), at=later(110)))["order-1"]
        assert (moves.refused, shop.level("near", "tea").on_hand) == (["answered_before"], 7)

    def test_a_rejection_while_asked_is_as_good_as_agreeing(self) -> None:
        shop = asked()
        answer(shop, "rejected", 100, reason="damaged")
        assert (outcome(shop), the(shop).stage) == ("cancelled", Stage.CANCELLED)
        assert len(the(shop).parcels) == 1

    def test_a_parcel_that_was_kept_and_then_rejected_is_not_given_to_another_store(self) -> None:
        shop = asked()
        answer(shop, "cancellation_refused", 120)
        answer(shop, "rejected", 130, reason="too_busy")
        assert (outcome(shop), the(shop).stage, len(the(shop).parcels)) == ("cancelled", Stage.CANCELLED, 1)

    @pytest.mark.parametrize("kind", ["cancellation_accepted", "cancellation_refused"])
    def test_the_same_answer_twice_changes_nothing_and_an_unasked_one_is_refused(self, kind: str) -> None:
        shop = asked()
        answer(shop, kind, 120)
        before = the(shop)
        moves = shop.step(later(130), reply(kind, last(shop), at=later(130)))["order-1"]
        assert the(shop) == before.model_copy(update={"version": before.version + 1})
        assert not (moves.tells or moves.refused)
        fresh = opened(TWO, ("tea", 3))
        unasked = fresh.step(later(60), reply(kind, last(fresh), at=later(60)))["order-1"]
        assert (unasked.refused, last(fresh).state) == (["nothing_asked"], ParcelState.OFFERED)


class TestForce:
    @pytest.mark.parametrize("pending", [True, False])
    def test_an_operator_takes_the_parcel_away_unasked(self, pending: bool) -> None:
        shop = asked("packed")
        if not pending:
            answer(shop, "cancellation_refused", 120)
        moves = shop.step(later(130), command("cancel", at=later(130), force=True))["order-1"]
        assert [(tell.partner, tell.type) for tell in moves.tells] == [
            ("near", "parcel.withdrawn.v1"),
            (RETAILER, "order.cancelled.v1"),
        ]
        assert (outcome(shop), the(shop).stage, shop.promised()) == ("cancelled", Stage.CANCELLED, {})

    def test_what_has_left_cannot_be_forced(self) -> None:
        shop = asked()
        answer(shop, "shipped", 100)
        moves = shop.step(later(110), command("cancel", at=later(110), force=True))["order-1"]
        assert (moves.refused, last(shop).state) == (["already_shipped"], ParcelState.SHIPPED)

    def test_a_parcel_that_was_overdue_when_its_store_was_asked_is_not_forgotten(self) -> None:
        shop = opened(TWO, ("tea", 3), price=0)
        answer(shop, "packed", 60)
        shop.step(later(60 + SHIP_S))
        assert the(shop).attention is not None
        at = 100 + SHIP_S
        shop.step(later(at), command("cancel", at=later(at)))
        answer(shop, "cancellation_refused", at + 60)
        assert the(shop).due == later(at + 60 + SHIP_S)
