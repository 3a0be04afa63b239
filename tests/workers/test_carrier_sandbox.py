"""What the sandbox carriers plan and keep: fates by token, scans until they are taken, doubts that end."""

from pathlib import Path
from typing import get_args

import pytest

from contracts.carriers import LabelInstruction, TrackingState
from infra.demo_carriers import carriers
from workers.carrier_sandbox.book import TELLS_AT_MOST, Book
from workers.carrier_sandbox.journeys import Fate, Rates, fate_of, journey

DAY_S = 100.0
FATES: tuple[Fate, ...] = get_args(Fate)
END = {"lost": "lost", "refused": "refused", "returned": "returned"}


class Kept:
    """A book whose clock stands still until it is moved."""

    def __init__(self, folder: Path) -> None:
        self.now = 1_000_000.0
        self._file = folder / "book.db"
        self.book = self.opened()

    def opened(self) -> Book:
        return Book(self._file, carriers(), day_s=DAY_S, rates=Rates(), url="http://x", clock=lambda: self.now)

    def label(self, fate: str) -> str:
        instruction = LabelInstruction(
            key=f"{fate}:1",
            parcel=f"order-fate-{fate}.p1",
            service="yunque/express",
            origin="330106",
            destination="110105",
            weight_g=500,
        )
        [outcome] = self.book.answer_all([instruction])
        assert outcome.tracking is not None
        return outcome.tracking


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


@pytest.mark.parametrize("fate", FATES)
def test_every_way_begins_with_a_label_and_ends_as_its_fate_says(fate: Fate) -> None:
    way = journey(fate, 2)
    assert way[0].state is TrackingState.LABELLED
    assert way[-1].state == END.get(fate, "delivered")
    assert [step.days for step in way] == sorted(step.days for step in way)
    assert all(step.told_days >= step.days for step in way), "nothing is told before it has happened"
    in_time = way[-1].days <= 2
    assert in_time is (fate not in ("late", "lost", "returned"))


def test_jumbled_scans_are_told_in_another_order() -> None:
    way = journey("jumbled", 2)
    assert [s.state for s in sorted(way, key=lambda s: s.told_days)] != [s.state for s in way]


@pytest.mark.parametrize(
    ("parcel", "fate"),
    [("a-fate-lost-7.p1", "lost"), ("fate-twice.p2", "twice"), ("fate-lostandfound.p1", "ok"), ("order-1.p1", "ok")],
)
def test_a_token_in_the_order_s_id_decides_its_fate(parcel: str, fate: str) -> None:
    assert fate_of(parcel, "key", Rates()) == fate


def test_chances_are_drawn_from_seed_and_key() -> None:
    rates = Rates(late=0.25, lost=0.25, seed=3)
    drawn = [fate_of("order.p1", f"key-{n}", rates) for n in range(400)]
    assert drawn == [fate_of("order.p1", f"key-{n}", rates) for n in range(400)]
    assert all(60 < drawn.count(fate) < 140 for fate in ("late", "lost"))


def test_scans_are_due_by_the_clock_and_survive_a_restart(kept: Kept) -> None:
    number = kept.label("ok")
    assert [scan.code for scan in kept.book.due(10)] == ["ORDERED"]
    kept.now += 3 * DAY_S
    codes = [scan.code for scan in kept.opened().due(10) if scan.number == number]
    assert codes == ["ORDERED", "PICKED_UP", "ARRIVED_HUB", "LEFT_HUB", "WITH_COURIER", "SIGNED"]


def test_a_scan_whose_number_nobody_knows_is_given_up_in_the_end(kept: Kept) -> None:
    kept.label("ok")
    [scan] = kept.book.due(1)
    for _ in range(TELLS_AT_MOST):
        assert kept.book.totals()["given_up"] == 0
        kept.book.doubted([scan.row])
    assert kept.book.totals()["given_up"] == 1


def test_a_scan_that_nobody_could_be_told_is_kept_for_ever(kept: Kept) -> None:
    kept.label("ok")
    for _ in range(10 * TELLS_AT_MOST):
        due = kept.book.due(10)
        assert due
        kept.book.put_off([scan.row for scan in due])
        assert kept.book.due(10) == []
        kept.now += 1
    assert kept.book.totals()["waiting"] == 6
