"""What scans do to an order, and what is said when they fail to come: late beforehand, late, and where is it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.carriers import TrackingState as S
from contracts.orders import CommandKind, InboxEvent, ParcelState, Stage
from contracts.routing import Policy
from tests.builders import NOW, command, later
from tests.parcels import NUMBER, Carried, scan_event, told

PROMISED = later(hours=60)
MARGIN = timedelta(seconds=Policy().late_margin_s)
OVERDUE = timedelta(seconds=Policy().overdue_s)
GOOD_WAY = (S.LABELLED, S.COLLECTED, S.IN_TRANSIT, S.OUT_FOR_DELIVERY, S.DELIVERED)


def carried(**more: Any) -> Carried:
    made = Carried(promised_at=PROMISED, **more)
    made.labelled()
    return made


class TestScans:
    def test_collected_is_shipped_though_the_store_forgot_to_say_so(self) -> None:
        it = carried()
        it.scanned(S.COLLECTED, later(hours=3))
        assert it.what() == ["shipped", "collected"]
        assert it.shop.level("near", "tea").on_hand == 4
        it.answer("shipped", later(hours=4))
        assert it.shop.level("near", "tea").on_hand == 4, "said again, nothing leaves twice"

    def test_delivered_closes_the_order(self) -> None:
        it = carried()
        for hours, state in enumerate(GOOD_WAY, 1):
            it.scanned(state, later(hours=hours))
        assert it.what() == ["delivered", "delivered"]
        assert it.order().stage is Stage.CLOSED
        assert [scan.state for scan in it.parcel().scans] == list(GOOD_WAY)

    def test_a_label_alone_moves_no_goods(self) -> None:
        it = carried()
        it.scanned(S.LABELLED, later(hours=1))
        assert it.what() == ["accepted", "labelled"]
        assert it.shop.level("near", "tea").on_hand == 5

    def test_a_scan_that_says_less_is_kept_and_moves_nothing(self) -> None:
        it = carried()
        it.scanned(S.OUT_FOR_DELIVERY, later(hours=9))
        moves = it.scanned(S.IN_TRANSIT, later(hours=5), heard_at=later(hours=10))
        assert moves.timeline == []
        assert it.what() == ["shipped", "out_for_delivery"]
        assert [scan.state for scan in it.parcel().scans] == [S.IN_TRANSIT, S.OUT_FOR_DELIVERY]

    def test_a_scan_of_a_parcel_that_is_not_there_changes_nothing(self) -> None:
        it = carried()
        stray = scan_event(it.parcel(), S.DELIVERED, NOW, NOW).model_copy(update={"parcel": "order-1.p9"})
        moves = it.step(later(60), stray)
        assert (moves.order.parcels, moves.drained) == (moves.before.parcels, [stray.id])

    def test_a_parcel_that_its_carrier_has_lost_is_paid_back(self) -> None:
        it = carried()
        it.scanned(S.COLLECTED, later(hours=1))
        moves = it.scanned(S.LOST, later(hours=9))
        assert it.what() == ["lost", "lost"]
        assert [(opened.reason, opened.by) for opened in moves.returns] == [("lost", "qinglu")]
        assert it.scanned(S.LOST, later(hours=10)).returns == []

    @pytest.mark.parametrize("states", [(S.REFUSED,), (S.RETURNING,), (S.RETURNED,), (S.REFUSED, S.RETURNED)])
    def test_a_parcel_that_is_turned_round_is_waited_for_as_a_return(self, states: tuple[S, ...]) -> None:
        it = carried()
        opened = []
        for hours, state in enumerate((S.OUT_FOR_DELIVERY, *states)):
            opened += it.scanned(state, later(hours=hours)).returns
        assert it.what() == ["returning", states[-1]]
        assert [one.reason for one in opened] == ["refused_at_door"]

    def test_a_parcel_that_was_delivered_first_is_the_customer_s_to_return(self) -> None:
        it = carried(price=100)
        it.scanned(S.DELIVERED, later(hours=3))
        assert it.scanned(S.RETURNING, later(hours=30)).returns == []
        assert it.what() == ["delivered", "returning"]

    @pytest.mark.parametrize("state", [S.LOST, S.REFUSED])
    def test_what_was_given_up_and_arrives_after_all_comes_to_a_person(self, state: S) -> None:
        it = carried()
        it.scanned(state, later(hours=9))
        it.scanned(S.DELIVERED, later(hours=12))
        assert it.needs() == "delivered_after_all"

    def test_a_parcel_that_was_taken_from_its_store_and_goes_all_the_same_comes_to_a_person(self) -> None:
        it = carried()
        first = it.parcel()
        it.answer("rejected", later(hours=1), reason="damaged")
        it.step(later(hours=2), scan_event(first, S.COLLECTED, later(hours=2), later(hours=2)))
        assert it.needs() == "parcel_on_its_way"
        assert it.order().parcels[0].state is ParcelState.REJECTED

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.integers(0, 4), min_size=1, max_size=12))
    def test_whatever_the_order_goods_leave_once_and_the_parcel_never_goes_back(self, told_order: list[int]) -> None:
        it = carried()
        scans = [scan_event(it.parcel(), state, later(hours=n), later(hours=n)) for n, state in enumerate(GOOD_WAY)]
        ranks = []
        for step, place in enumerate(told_order):
            at = later(hours=10, seconds=step)
            it.step(at, scans[place].model_copy(update={"received_at": at}))
            ranks.append(GOOD_WAY.index(it.parcel().tracking_state or S.LABELLED))
        assert ranks == sorted(ranks)
        assert it.shop.level("near", "tea").on_hand == (4 if max(told_order) > 0 else 5)
        assert len(it.parcel().scans) == len(set(told_order))


class TestLateness:
    def test_a_parcel_that_stands_still_is_told_late_before_its_promise_has_passed(self) -> None:
        it = carried()
        it.scanned(S.COLLECTED, later(hours=4))
        # Promised at 60 h and 4 h of margin; from the hub, which it has not reached, 29 h are left.
        due = later(hours=60 + 4 - 29)
        assert it.order().due == due
        [data] = told(it.step(due), "parcel.late_predicted.v1")
        assert data["promised_at"] == PROMISED and data["predicted_at"] >= PROMISED + MARGIN
        assert (data["tracking"], data["tracking_state"]) == (NUMBER, "collected")
        assert due < PROMISED
        assert told(it.step(later(hours=50)), "parcel.late_predicted.v1") == [], "told once"

    def test_a_scan_puts_the_question_off(self) -> None:
        it = carried()
        it.scanned(S.COLLECTED, later(hours=4))
        it.scanned(S.IN_TRANSIT, later(hours=20))
        assert it.order().due == later(hours=60 + 4 - 5)

    def test_a_parcel_that_nobody_collects_is_told_late_too(self) -> None:
        it = carried()
        due = later(hours=60 + 4 - 48)
        assert it.order().due == due
        moves = it.step(due)
        assert len(told(moves, "parcel.late_predicted.v1")) == 1

    def test_when_the_promise_passes_it_is_late_once(self) -> None:
        it = carried()
        it.scanned(S.OUT_FOR_DELIVERY, later(hours=50))
        assert it.order().due == PROMISED
        assert len(told(it.step(PROMISED), "parcel.late.v1")) == 1
        assert told(it.step(later(hours=61)), "parcel.late.v1") == []
        assert it.parcel().late_at == PROMISED

    def test_after_a_time_of_silence_nothing_is_predicted_that_has_happened(self) -> None:
        it = carried()
        it.scanned(S.COLLECTED, later(hours=4))
        moves = it.step(later(hours=70))
        assert told(moves, "parcel.late_predicted.v1") == []
        assert len(told(moves, "parcel.late.v1")) == 1

    def test_delivered_in_time_it_is_never_late(self) -> None:
        it = carried()
        it.scanned(S.COLLECTED, later(hours=4))
        moves = it.scanned(S.DELIVERED, later(hours=30))
        assert (it.order().due, it.order().stage) == (None, Stage.CLOSED)
        assert not [tell for tell in moves.tells if "late" in tell.type]

    def test_what_waits_at_the_counter_is_not_late(self) -> None:
        it = carried()
        it.scanned(S.AWAITING_PICKUP, later(hours=40))
        assert told(it.step(later(hours=70)), "parcel.late.v1") == []
        assert it.order().due == PROMISED + OVERDUE

    def test_a_week_beyond_its_promise_a_parcel_that_was_never_delivered_comes_to_a_person(self) -> None:
        it = carried()
        it.answer("shipped", later(hours=5))
        it.step(PROMISED)
        assert it.order().due == PROMISED + OVERDUE
        it.step(PROMISED + OVERDUE)
        assert it.needs() == "delivery_overdue"
        assert it.order().due is None
        it.scanned(S.DELIVERED, later(hours=300))
        assert (it.order().attention, it.order().stage) == (None, Stage.CLOSED)

    @pytest.mark.parametrize("kind", ["retry", "cancel"])
    def test_a_parcel_that_nobody_knows_of_is_not_forgotten_by_a_command(self, kind: CommandKind) -> None:
        it = carried()
        it.answer("shipped", later(hours=5))
        it.step(PROMISED)
        it.step(PROMISED + OVERDUE)
        at = PROMISED + OVERDUE + timedelta(hours=1)
        moves = it.step(at, command(kind, at=at))
        assert (it.needs(), it.order().stage, it.order().due) == ("delivery_overdue", Stage.SHIPPED, None)
        assert told(moves, "order.attention.v1") == [], "it was told before"
        it.scanned(S.DELIVERED, at + timedelta(hours=1))
        assert (it.needs(), it.order().stage) == (None, Stage.CLOSED)

    def test_without_a_carrier_the_policy_s_promise_counts(self) -> None:
        it = Carried(service=None)
        it.answer("shipped")
        promised = NOW + timedelta(seconds=it.shop.policy.promise_s)
        assert it.order().due == promised
        moves = it.step(promised)
        assert (told(moves, "parcel.late_predicted.v1"), len(told(moves, "parcel.late.v1"))) == ([], 1)


def test_a_step_that_is_made_again_makes_the_same_moves() -> None:
    def run(events: Sequence[InboxEvent]) -> list[object]:
        it = carried()
        moves = [it.step(event.received_at, event) for event in events]
        return [(m.order, m.timeline, m.tells) for m in moves]

    made = carried()
    events = [scan_event(made.parcel(), state, later(hours=n), later(hours=n)) for n, state in enumerate(GOOD_WAY, 1)]
    assert run(events) == run(events)
