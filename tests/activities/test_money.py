"""An order's money: authorised before goods are promised, captured as parcels ship, never kept without goods."""

from typing import Any

import pytest

from activities.orders.money import settled
from contracts.orders import CommandKind, Stage
from contracts.payments import PaymentStatus
from contracts.routing import Policy
from tests.builders import NOW, SHIP_S, Levels, command, event, later, network, order, payment_outcome, reply
from tests.shop import Shop, opened, the

TWO_HALVES: Levels = {"near": {"tea": 5}, "far": {"cup": 5}}


def placed(*lines: tuple[str, int], levels: Levels | None = None, method: str = "card", **more: Any) -> Shop:
    """A shop with one order, by card if not said otherwise, after its first step."""
    return opened(levels or {"near": {"tea": 10, "cup": 10}}, *lines, method=method, **more)


def authorised(*lines: tuple[str, int], **more: Any) -> Shop:
    shop = placed(*lines, **more)
    pay(shop, 1)
    return shop


def pay(shop: Shop, seconds: float, status: PaymentStatus = "done", **more: Any) -> None:
    """The provider answers the open intent."""
    shop.step(later(seconds), payment_outcome(the(shop), status, at=later(seconds), **more))


def ship(shop: Shop, seconds: float, number: int = 0, kind: str = "shipped") -> None:
    shop.step(later(seconds), reply(kind, the(shop).parcels[number], at=later(seconds)))


def cancel(shop: Shop, seconds: float) -> None:
    shop.step(later(seconds), command("cancel", at=later(seconds)))


def intents(shop: Shop) -> list[tuple[str, int, str]]:
    return [(intent.operation, intent.amount, intent.state) for intent in the(shop).payment.intents]


def money(shop: Shop) -> tuple[int, int, int]:
    """Authorised, captured, refunded."""
    pay = the(shop).payment
    return pay.authorised, pay.captured, pay.refunded


class TestAuthorisation:
    def test_a_card_order_is_authorised_before_any_goods_are_promised(self) -> None:
        shop = placed(("tea", 3))
        assert (the(shop).stage, the(shop).parcels, the(shop).pay_at) == (Stage.PAYING, [], NOW)
        assert intents(shop) == [("authorise", 300, "todo")]
        pay(shop, 1)
        assert (the(shop).stage, the(shop).pay_at, money(shop)) == (Stage.DISPATCHED, None, (300, 0, 0))
        assert the(shop).payment.reference == "auth-1"

    def test_a_decline_cancels_the_order_with_the_reason(self) -> None:
        shop = placed(("tea", 3))
        pay(shop, 1, "declined", code="card_expired")
        assert (the(shop).stage, the(shop).reason) == (Stage.CANCELLED, "payment_declined")
        assert (intents(shop), shop.ledger) == ([("authorise", 300, "declined")], [])
        assert (the(shop).pay_at, the(shop).due) == (None, None)

    def test_an_order_that_costs_nothing_needs_no_authorisation(self) -> None:
        shop = placed(("tea", 3), price=0)
        assert (the(shop).stage, intents(shop)) == (Stage.DISPATCHED, [])
        ship(shop, 60, kind="delivered")
        assert the(shop).stage is Stage.CLOSED

    def test_a_prepaid_order_asks_nothing_of_the_provider(self) -> None:
        shop = placed(("tea", 3), method="prepaid")
        ship(shop, 60, kind="delivered")
        assert (the(shop).stage, money(shop), intents(shop)) == (Stage.CLOSED, (0, 300, 0), [])

    def test_one_without_a_reference_is_as_good_as_no_answer(self) -> None:
        shop = placed(("tea", 3))
        pay(shop, 1, reference="")
        assert (money(shop), the(shop).stage) == ((0, 0, 0), Stage.PAYING)
        assert [(i.state, i.tries) for i in the(shop).payment.intents] == [("todo", 1)]
        pay(shop, 60)
        assert (money(shop), len(intents(shop))) == ((300, 0, 0), 1)


class TestFailures:
    def test_a_failure_is_tried_again_under_the_same_key_after_growing_waits(self) -> None:
        shop = placed()
        key = the(shop).payment.intents[0].key
        waits = []
        for turn in range(4):
            pay(shop, turn, "failed", code="timeout")
            pay_at = the(shop).pay_at
            assert pay_at is not None
            waits.append((pay_at - later(turn)).total_seconds())
        assert waits == [30, 60, 120, 240]
        assert [(i.key, i.state) for i in the(shop).payment.intents] == [(key, "todo")]
        assert (the(shop).stage, the(shop).attention) == (Stage.PAYING, None)

    def test_after_n_failures_a_person_must_look_and_nothing_more_is_asked(self) -> None:
        shop = placed()
        for turn in range(5):
            pay(shop, turn, "failed", code="timeout", detail="no answer within 10 s")
        attention = the(shop).attention
        assert attention is not None
        assert attention.code == "payment_failed"
        assert attention.detail == "authorise of 100 failed 5 times: no answer within 10 s"
        assert (the(shop).stage, the(shop).pay_at, intents(shop)) == (
            Stage.PAYING,
            None,
            [("authorise", 100, "failed")],
        )

    def test_a_retry_asks_n_times_again_under_the_same_key_and_never_as_the_same_try(self) -> None:
        shop = placed()
        asked = []
        for turn in range(5):
            asked.append((the(shop).payment.intents[0].key, the(shop).payment.intents[0].tries))
            pay(shop, turn, "failed")
        shop.step(later(10), command("retry", at=later(10)))
        assert (the(shop).attention, the(shop).pay_at) == (None, later(10))
        for turn in range(10, 14):
            asked.append((the(shop).payment.intents[0].key, the(shop).payment.intents[0].tries))
            pay(shop, turn, "failed")
            assert the(shop).attention is None
        assert the(shop).pay_at == later(13 + 240)
        asked.append((the(shop).payment.intents[0].key, the(shop).payment.intents[0].tries))
        pay(shop, 14, "failed")
        assert the(shop).attention is not None
        assert len(set(asked)) == len(asked) == 10
        assert len({key for key, _ in asked}) == 1

    @pytest.mark.parametrize("kind", ["reroute", "release"])
    def test_only_a_retry_or_a_cancellation_ends_the_attention_for_a_payment(self, kind: CommandKind) -> None:
        shop = placed()
        for turn in range(5):
            pay(shop, turn, "failed")
        shop.step(later(10), command(kind, at=later(10)))
        assert the(shop).attention is not None

    def test_a_failed_payment_is_not_hidden_by_a_parcel_that_is_overdue(self) -> None:
        shop = authorised(("tea", 1), ("cup", 1), levels=TWO_HALVES)
        ship(shop, 60, 0)
        ship(shop, 60, 1, "accepted")
        for turn in range(5):
            pay(shop, 61 + turn, "failed")
        shop.step(later(60 + SHIP_S))
        ship(shop, 61 + SHIP_S, 1)
        attention = the(shop).attention
        assert attention is not None
        assert attention.code == "payment_failed"

    def test_an_answer_to_an_intent_that_is_not_open_changes_nothing(self) -> None:
        shop = placed()
        answer = payment_outcome(the(shop), at=later(1))
        twin = answer.model_copy(update={"id": "twin"})
        moves = shop.step(later(1), answer, twin)["order-1"]
        assert money(shop) == (100, 0, 0)
        assert [entry.what for entry in moves.timeline].count("payment.authorised") == 1
        stranger = event("payment.outcome", "order-1", by="payment", at=later(2), key="other", status="declined")
        shop.step(later(2), stranger)
        assert (the(shop).stage, money(shop)) == (Stage.DISPATCHED, (100, 0, 0))

    def test_the_policy_says_how_often_and_how_long(self) -> None:
        shop = Shop(network("near"), {"near": {"tea": 1}}, Policy(payment_tries=2, payment_retry_s=7))
        shop.place(order(method="card"))
        shop.step(NOW)
        pay(shop, 0, "failed")
        assert the(shop).pay_at == later(7)
        pay(shop, 7, "failed")
        assert the(shop).attention is not None


class TestCapture:
    def test_each_parcels_share_is_captured_when_it_ships(self) -> None:
        shop = authorised(("tea", 1), ("cup", 2), levels=TWO_HALVES)
        ship(shop, 60, 0)
        assert intents(shop)[1:] == [("capture", 100, "todo")]
        pay(shop, 61)
        assert money(shop) == (200, 100, 0)
        ship(shop, 62, 1)
        pay(shop, 63)
        assert money(shop) == (0, 300, 0)
        assert settled(the(shop))

    def test_two_parcels_that_ship_while_a_capture_is_in_flight_are_captured_in_turn(self) -> None:
        shop = authorised(("tea", 1), ("cup", 2), levels=TWO_HALVES)
        ship(shop, 60, 0)
        ship(shop, 61, 1)
        assert intents(shop)[1:] == [("capture", 100, "todo")]
        pay(shop, 62)
        assert intents(shop)[1:] == [("capture", 100, "done"), ("capture", 200, "todo")]

    def test_an_order_is_closed_only_when_its_money_is_there(self) -> None:
        shop = authorised(("tea", 3))
        ship(shop, 60, kind="delivered")
        assert the(shop).stage is Stage.DELIVERED
        pay(shop, 61)
        assert (the(shop).stage, money(shop)) == (Stage.CLOSED, (0, 300, 0))

    def test_a_declined_capture_needs_a_person_and_a_retry_asks_under_a_new_key(self) -> None:
        shop = authorised(("tea", 3))
        ship(shop, 60, kind="delivered")
        pay(shop, 61, "declined", code="expired", detail="the authorisation has expired")
        attention = the(shop).attention
        assert attention is not None
        assert (attention.code, the(shop).stage) == ("payment_declined", Stage.DELIVERED)
        shop.step(later(70), command("retry", at=later(70)))
        assert intents(shop)[1:] == [("capture", 300, "dropped"), ("capture", 300, "todo")]
        assert len({intent.key for intent in the(shop).payment.intents}) == 3
        pay(shop, 71)
        assert (the(shop).stage, the(shop).attention) == (Stage.CLOSED, None)

    def test_parts_of_a_line_are_captured_to_the_last_fen(self) -> None:
        levels: Levels = {place: {"tea": 1} for place in ("a", "b", "c")}
        shop = authorised(("tea", 3), levels=levels, price=33, shipping_fee=1)
        captured = []
        for number in range(3):
            ship(shop, 60 + 2 * number, number)
            captured.append(intents(shop)[-1][1])
            pay(shop, 61 + 2 * number)
        assert captured == [33, 33, 34]


class TestCancellation:
    def test_an_authorisation_is_voided_before_the_order_has_ended(self) -> None:
        shop = authorised(("tea", 3))
        cancel(shop, 60)
        assert (the(shop).stage, intents(shop)[1:]) == (Stage.CANCELLING, [("void", 300, "todo")])
        pay(shop, 61)
        assert (the(shop).stage, money(shop)) == (Stage.CANCELLED, (0, 0, 0))

    def test_a_prepaid_order_is_refunded_before_it_has_ended(self) -> None:
        shop = placed(("tea", 3), method="prepaid")
        cancel(shop, 60)
        assert (the(shop).stage, intents(shop)) == (Stage.CANCELLING, [("refund", 300, "todo")])
        pay(shop, 61)
        assert (the(shop).stage, money(shop)) == (Stage.CANCELLED, (0, 300, 300))

    def test_before_the_first_step_there_is_nothing_to_undo(self) -> None:
        shop = Shop(network("near"), {"near": {"tea": 1}})
        shop.place(order(method="card"))
        shop.step(NOW, command("cancel"))
        assert (the(shop).stage, intents(shop)) == (Stage.CANCELLED, [])

    def test_while_the_authorisation_is_in_flight_its_answer_is_awaited_and_voided(self) -> None:
        shop = placed(("tea", 3))
        cancel(shop, 1)
        assert (the(shop).stage, intents(shop)) == (Stage.CANCELLING, [("authorise", 300, "todo")])
        pay(shop, 2)
        assert (the(shop).stage, intents(shop)[1:]) == (Stage.CANCELLING, [("void", 300, "todo")])
        assert not shop.ledger
        pay(shop, 3)
        assert (the(shop).stage, money(shop)) == (Stage.CANCELLED, (0, 0, 0))

    def test_while_the_authorisation_is_in_flight_a_decline_ends_it(self) -> None:
        shop = placed(("tea", 3))
        cancel(shop, 1)
        pay(shop, 2, "declined")
        assert (the(shop).stage, the(shop).reason) == (Stage.CANCELLED, "asked for")

    def test_an_authorisation_of_unknown_outcome_is_cleared_up_before_the_order_has_ended(self) -> None:
        shop = placed(("tea", 3))
        cancel(shop, 1)
        for turn in range(5):
            pay(shop, 2 + turn, "failed")
        assert the(shop).stage is Stage.CANCELLING
        assert the(shop).attention is not None
        shop.step(later(20), command("retry", at=later(20)))
        pay(shop, 21)
        pay(shop, 22)
        assert (the(shop).stage, money(shop), the(shop).attention) == (Stage.CANCELLED, (0, 0, 0), None)

    def test_a_cancellation_after_failures_asks_the_provider_again_instead_of_standing_still(self) -> None:
        shop = placed(("tea", 3))
        for turn in range(5):
            pay(shop, turn, "failed")
        cancel(shop, 10)
        assert (the(shop).stage, the(shop).attention, the(shop).pay_at) == (Stage.CANCELLING, None, later(10))
        pay(shop, 11, "declined")
        assert the(shop).stage is Stage.CANCELLED

    def test_a_cancellation_after_a_declined_capture_does_not_leave_the_money_lying(self) -> None:
        shop = authorised(("tea", 1), ("cup", 2), levels=TWO_HALVES)
        ship(shop, 60, 0)
        pay(shop, 61, "declined")
        cancel(shop, 70)
        assert intents(shop)[1:] == [("capture", 100, "dropped"), ("capture", 100, "todo")]
        pay(shop, 71)
        pay(shop, 72)
        assert intents(shop)[3:] == [("void", 200, "done")]
        ship(shop, 80, 0, "delivered")
        assert (the(shop).stage, money(shop)) == (Stage.CLOSED, (0, 100, 0))

    @pytest.mark.parametrize("method", ["card", "prepaid"])
    def test_of_a_partly_shipped_order_only_what_was_shipped_is_paid(self, method: str) -> None:
        shop = placed(("tea", 1), ("cup", 2), levels=TWO_HALVES, method=method)
        if method == "card":
            pay(shop, 1)
        ship(shop, 60, 0)
        cancel(shop, 61)
        while the(shop).pay_at:
            pay(shop, 62)
        ship(shop, 70, 0, "delivered")
        authorised, captured, refunded = money(shop)
        assert (the(shop).stage, authorised, captured - refunded) == (Stage.CLOSED, 0, 100)

    def test_a_refused_cancellation_leaves_the_money_alone(self) -> None:
        shop = authorised(("tea", 3))
        ship(shop, 60)
        pay(shop, 61)
        cancel(shop, 62)
        assert (money(shop), the(shop).pay_at) == ((0, 300, 0), None)

    @pytest.mark.parametrize("kind", ["retry", "cancel", "reroute", "release"])
    def test_an_order_that_has_ended_never_moves_again(self, kind: CommandKind) -> None:
        shop = placed(("tea", 3))
        pay(shop, 1, "declined")
        shop.step(later(10), command(kind, at=later(10)))
        assert (the(shop).stage, the(shop).pay_at, the(shop).due) == (Stage.CANCELLED, None, None)


class TestAttention:
    def test_the_retailer_hears_of_it_once(self) -> None:
        shop = authorised(("tea", 3))
        ship(shop, 60)
        about = payment_outcome(the(shop), "declined", at=later(61), detail="expired")
        moves = shop.step(later(61), about)["order-1"]
        assert [(tell.type, tell.data["reason"]) for tell in moves.tells] == [
            ("order.attention.v1", "capture of 300 was declined: expired")
        ]
        again = shop.step(later(62), reply("shipped", the(shop).parcels[0], at=later(62)))["order-1"]
        assert not again.tells

    def test_a_payment_that_needs_a_person_is_told_although_an_overdue_parcel_needs_one_too(self) -> None:
        shop = authorised(("tea", 1), ("cup", 1), levels=TWO_HALVES)
        ship(shop, 60, 0)
        ship(shop, 60, 1, "accepted")
        shop.step(later(60 + SHIP_S))
        declined = payment_outcome(the(shop), "declined", at=later(61 + SHIP_S))
        moves = shop.step(later(61 + SHIP_S), declined)["order-1"]
        assert [tell.type for tell in moves.tells] == ["order.attention.v1"]
        attention = the(shop).attention
        assert attention is not None
        assert attention.code == "payment_declined"


def expired(shop: Shop, seconds: float) -> None:
    """The open intent is answered: the authorisation has lapsed."""
    pay(shop, seconds, "declined", code="authorisation-expired", detail="it has lapsed")


class TestLapsedAuthorisation:
    def test_a_capture_is_authorised_anew_and_then_made(self) -> None:
        shop = authorised(("tea", 3))
        ship(shop, 60, kind="delivered")
        expired(shop, 61)
        assert intents(shop)[1:] == [("capture", 300, "dropped"), ("authorise", 300, "todo")]
        assert (the(shop).attention, money(shop), the(shop).stage) == (None, (0, 0, 0), Stage.DELIVERED)
        pay(shop, 62, reference="auth-2")
        assert intents(shop)[3:] == [("capture", 300, "todo")]
        pay(shop, 63)
        assert (the(shop).stage, money(shop)) == (Stage.CLOSED, (0, 300, 0))

    def test_a_bank_that_says_no_leaves_a_debt_that_is_never_closed_silently(self) -> None:
        shop = authorised(("tea", 3))
        ship(shop, 60, kind="delivered")
        expired(shop, 61)
        pay(shop, 62, "declined", code="card_expired")
        attention = the(shop).attention
        assert attention is not None
        assert (attention.code, the(shop).stage, the(shop).cancellation) == ("payment_declined", Stage.DELIVERED, None)
        assert "300 is owed" in attention.detail
        for seconds in (70, 80):
            shop.step(later(seconds), command("retry", at=later(seconds)))
            assert intents(shop)[-1] == ("authorise", 300, "todo")
            pay(shop, seconds + 1, "declined")
            assert (the(shop).stage, the(shop).due, the(shop).pay_at) == (Stage.DELIVERED, None, None)
        shop.step(later(90), command("retry", at=later(90)))
        pay(shop, 91, reference="auth-2")
        pay(shop, 92)
        assert (the(shop).stage, the(shop).attention, money(shop)) == (Stage.CLOSED, None, (0, 300, 0))
        assert len({intent.key for intent in the(shop).payment.intents}) == len(the(shop).payment.intents)

    def test_each_charge_is_refunded_under_its_own_reference(self) -> None:
        shop = authorised(("tea", 1), ("cup", 2), levels=TWO_HALVES)
        ship(shop, 60, 0)
        pay(shop, 61)
        ship(shop, 62, 1)
        expired(shop, 63)
        assert intents(shop)[-1] == ("authorise", 200, "todo")
        pay(shop, 64, reference="auth-2")
        pay(shop, 65)
        charges = [(charge.reference, charge.captured) for charge in the(shop).payment.charges]
        assert charges == [("auth-1", 100), ("auth-2", 200)]

    def test_a_lapsed_authorisation_needs_no_void(self) -> None:
        shop = authorised(("tea", 3))
        cancel(shop, 60)
        expired(shop, 61)
        assert (the(shop).stage, money(shop), intents(shop)[-1]) == (
            Stage.CANCELLED,
            (0, 0, 0),
            ("void", 300, "dropped"),
        )


def give(shop: Shop, seconds: float, amount: int, key: str = "g1") -> None:
    at = later(seconds)
    given = event("command.goodwill", the(shop).id, by="service", at=at, key=key, amount=amount, reason="late")
    shop.step(at, given)


class TestGoodwill:
    def test_what_was_captured_is_given_back_once(self) -> None:
        shop = authorised(("tea", 3))
        ship(shop, 60)
        pay(shop, 61)
        give(shop, 70, 40)
        give(shop, 80, 40)
        assert intents(shop)[-1] == ("refund", 40, "todo")
        assert [one.state for one in the(shop).goodwill] == ["given"]
        pay(shop, 90)
        assert (money(shop), [one.state for one in the(shop).goodwill]) == ((0, 300, 40), ["paid"])
        ship(shop, 100, kind="delivered")
        assert the(shop).stage is Stage.CLOSED and settled(the(shop))

    def test_what_is_not_captured_yet_is_captured_without_it(self) -> None:
        shop = authorised(("tea", 3))
        give(shop, 30, 40)
        ship(shop, 60)
        assert intents(shop)[-1] == ("capture", 260, "todo")
        pay(shop, 61)
        assert intents(shop)[-1] == ("void", 40, "todo")

    def test_more_than_is_paid_is_refused(self) -> None:
        shop = authorised(("tea", 3))
        give(shop, 30, 200, "first")
        give(shop, 31, 101, "second")
        assert [one.state for one in the(shop).goodwill] == ["paid", "refused"]

    def test_goods_that_come_back_are_paid_back_as_far_as_they_were_paid(self) -> None:
        shop = placed(("tea", 3), method="prepaid")
        ship(shop, 60)
        give(shop, 70, 40)
        pay(shop, 71)
        shop.step(later(80), reply("lost", the(shop).parcels[0], at=later(80)))
        assert intents(shop)[-1] == ("refund", 260, "todo")
        pay(shop, 90)
        assert (money(shop), the(shop).stage) == ((0, 300, 300), Stage.CLOSED)

    def test_the_books_balance_in_every_step(self) -> None:
        shop = authorised(("tea", 3))
        ship(shop, 60)
        pay(shop, 61)
        give(shop, 70, 40)
        pay(shop, 71)
        entries = list(shop.entries.values())
        assert sum(entry.amount for entry in entries) == 0
        assert sum(entry.amount for entry in entries if entry.account == "customer") == 0
        assert sum(entry.amount for entry in entries if entry.account == "compensation") == -40
