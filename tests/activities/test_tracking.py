"""Scans on one scale: never backwards, in whatever order and however often they come; and what they let expect."""

from datetime import timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.carriers.predicting import LEARNED_FROM, passes, predicted_delivery, remaining_of
from activities.carriers.tracking import RANK, SCANS_KEPT, Reached, merge, normalise, reached
from contracts.carriers import Scan, TrackingReport
from contracts.carriers import TrackingState as S
from infra.demo_carriers import NUMBERS, WORDS
from tests.builders import NOW, later

TURNED_ROUND = {S.RETURNING, S.RETURNED}


def scan(state: S, hours: float = 0, scan_id: str | None = None) -> Scan:
    return Scan(id=scan_id or f"{state}-{hours}", carrier="test", state=state, at=later(hours=hours))


def report(code: str) -> TrackingReport:
    return TrackingReport(id="scan-1", tracking="QI1", code=code, at=NOW, place="杭州")


class TestCodes:
    def test_each_carrier_s_own_code_is_read_by_its_own_table(self) -> None:
        assert normalise("yunque", WORDS, report("SIGNED")) == Scan(
            id="scan-1", carrier="yunque", state=S.DELIVERED, at=NOW, place="杭州"
        )
        assert normalise("qinglu", NUMBERS, report("50")) is not None

    @pytest.mark.parametrize("code", ["50", "signed", "SIGNED "])
    def test_a_code_that_the_table_lacks_means_nothing(self, code: str) -> None:
        assert normalise("yunque", WORDS, report(code)) is None


class TestReached:
    def test_nothing_is_known_without_a_scan(self) -> None:
        assert reached([]) is None

    def test_a_scan_that_comes_late_does_not_bring_the_parcel_back(self) -> None:
        scans = [scan(S.COLLECTED, 0), scan(S.OUT_FOR_DELIVERY, 20), scan(S.IN_TRANSIT, 30)]
        assert reached(scans) == Reached(S.OUT_FOR_DELIVERY, later(hours=20))

    def test_a_parcel_that_was_delivered_may_be_turned_round(self) -> None:
        assert reached([scan(S.DELIVERED, 1), scan(S.RETURNING, 2)]) == Reached(S.RETURNING, later(hours=2))

    def test_what_was_refused_or_lost_may_still_be_delivered(self) -> None:
        scans = [scan(S.REFUSED, 1), scan(S.LOST, 2), scan(S.DELIVERED, 3)]
        assert reached(scans) == Reached(S.DELIVERED, later(hours=3))

    def test_the_first_scan_of_a_state_is_when_it_was_reached(self) -> None:
        assert reached([scan(S.IN_TRANSIT, 9), scan(S.IN_TRANSIT, 4)]) == Reached(S.IN_TRANSIT, later(hours=4))

    def test_a_carrier_that_repeats_itself_for_ever_fills_no_order_and_can_still_deliver(self) -> None:
        kept = merge([], [scan(S.IN_TRANSIT, n) for n in range(500)])
        assert len(kept) == SCANS_KEPT
        assert reached(merge(kept, [scan(S.DELIVERED, 600)])) == Reached(S.DELIVERED, later(hours=600))


scans_told = st.lists(
    st.builds(scan, st.sampled_from(list(S)), st.integers(0, 200), st.sampled_from([f"scan-{n}" for n in range(12)])),
    max_size=15,
)


class TestProperties:
    @settings(max_examples=300, deadline=None)
    @given(scans_told)
    def test_the_state_never_runs_backwards_except_to_the_sender(self, told: list[Scan]) -> None:
        kept: list[Scan] = []
        before = None
        for one in told:
            kept = merge(kept, [one])
            now = reached(kept)
            assert now is not None
            if before is not None and now.state is not before.state:
                assert RANK[now.state] > RANK[before.state]
                assert before.state is not S.DELIVERED or now.state in TURNED_ROUND
                assert before.state is not S.RETURNED
            before = now

    @settings(max_examples=300, deadline=None)
    @given(scans_told, st.randoms(use_true_random=False))
    def test_order_and_repetition_make_no_difference(self, told: list[Scan], chance: Random) -> None:
        first = {one.id: one for one in reversed(told)}
        scans = list(first.values())
        shuffled = [*scans, *scans, *scans[:3]]
        chance.shuffle(shuffled)
        kept: list[Scan] = []
        for one in shuffled:
            kept = merge(kept, [one])
        assert kept == merge([], scans)
        assert reached(kept) == reached(scans)
        assert [one.at for one in kept] == sorted(one.at for one in scans)

    @given(scans_told)
    def test_told_again_nothing_changes(self, told: list[Scan]) -> None:
        kept = merge([], told)
        assert merge(kept, kept) == kept
        assert merge(kept, told) == kept


class TestPrediction:
    def test_a_parcel_that_moves_on_is_predicted_from_its_state(self) -> None:
        remaining = remaining_of(2)
        collected = Reached(S.COLLECTED, NOW)
        assert predicted_delivery(collected, remaining, later(hours=1)) == later(hours=48)
        out = Reached(S.OUT_FOR_DELIVERY, NOW)
        assert predicted_delivery(out, remaining, later(hours=1)) == later(hours=5)

    def test_one_that_stands_still_is_predicted_later_and_later(self) -> None:
        collected = Reached(S.COLLECTED, NOW)
        assert predicted_delivery(collected, remaining_of(2), later(hours=40)) == later(hours=40 + 29)

    @pytest.mark.parametrize("state", [S.AWAITING_PICKUP, S.REFUSED, S.RETURNING, S.RETURNED, S.LOST])
    def test_one_that_is_not_on_its_way_is_not_predicted(self, state: S) -> None:
        assert predicted_delivery(Reached(state, NOW), remaining_of(2), NOW) is None
        assert passes(Reached(state, NOW), remaining_of(2), NOW) is None

    @settings(max_examples=300, deadline=None)
    @given(
        st.sampled_from([S.LABELLED, S.COLLECTED, S.IN_TRANSIT, S.OUT_FOR_DELIVERY]),
        st.integers(0, 10),
        st.integers(-100, 400),
    )
    def test_the_moment_named_is_the_first_at_which_the_prediction_is_too_late(
        self, state: S, days: int, hours: int
    ) -> None:
        at, remaining, limit = Reached(state, NOW), remaining_of(days), later(hours=hours)
        moment = passes(at, remaining, limit)
        assert moment is not None and moment >= NOW
        after = predicted_delivery(at, remaining, moment + timedelta(milliseconds=1))
        assert after is not None and after > limit
        if moment > NOW:
            before = predicted_delivery(at, remaining, moment)
            assert before is not None and before <= limit

    def test_what_deliveries_took_is_believed_once_there_are_enough(self) -> None:
        def delivery(hours: int) -> list[Scan]:
            return [scan(S.COLLECTED, 0), scan(S.OUT_FOR_DELIVERY, hours - 2), scan(S.DELIVERED, hours)]

        few = [delivery(90)] * (LEARNED_FROM - 1)
        assert remaining_of(2, few) == remaining_of(2)
        enough = [delivery(hours) for hours in range(80, 80 + LEARNED_FROM + 1)]
        learned = remaining_of(2, enough)
        assert learned[S.COLLECTED] == 90 * 3600
        assert learned[S.OUT_FOR_DELIVERY] == 2 * 3600
        assert learned[S.LABELLED] == 90 * 3600, "never less than from a later state"

    def test_a_parcel_that_did_not_arrive_teaches_nothing(self) -> None:
        lost = [[scan(S.COLLECTED, 0), scan(S.LOST, 10)]] * 50
        assert remaining_of(2, lost) == remaining_of(2)
