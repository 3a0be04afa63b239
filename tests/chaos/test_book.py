"""What partners write down: each event under its number, copies counted, contradictions kept."""

from pathlib import Path
from typing import Any

from tests.chaos.partner import Book, heard
from tests.chaos.verify import Verdict, of_partners


def _event(number: int, event: str, **data: Any) -> dict[str, Any]:
    return {"id": event, "type": "order.closed.v1", "subject": "o-1", "sequence": str(number), "data": data}


def _verdict(path: Path, told: dict[int, str]) -> list[str]:
    verdict = Verdict()
    of_partners(verdict, [path], {("store", number): event for number, event in told.items()})
    return [words.split(":")[0] for words in verdict.violations]


def test_a_copy_is_recognised_by_its_number_and_only_counted(tmp_path: Path) -> None:
    book = Book(tmp_path / "b")
    assert [book.write_down("store", _event(n, f"e{n}")) for n in (1, 2, 1, 1)] == [True] * 4
    assert heard(tmp_path / "b").execute("SELECT number, times FROM heard").fetchall() == [(1, 3), (2, 1)]
    assert _verdict(tmp_path / "b", {1: "e1", 2: "e2"}) == []


def test_other_content_under_a_number_is_a_contradiction(tmp_path: Path) -> None:
    book = Book(tmp_path / "b")
    book.write_down("store", _event(1, "e1", amount=5))
    assert not book.write_down("store", _event(1, "e1", amount=6))
    assert not book.write_down("store", _event(1, "e2"))
    assert _verdict(tmp_path / "b", {1: "e1"}) == ["a number with two contents"]


def test_gaps_and_events_that_were_never_heard_are_seen(tmp_path: Path) -> None:
    book = Book(tmp_path / "b")
    for number in (1, 3):
        book.write_down("store", _event(number, f"e{number}"))
    found = _verdict(tmp_path / "b", {1: "e1", 2: "e2", 3: "e3", 4: "e4"})
    assert found == ["gaps in what a partner heard", "numbers under which a partner heard otherwise than was told"]
    book.write_down("store", _event(2, "e1"))
    assert "events told under two numbers" in _verdict(tmp_path / "b", {1: "e1", 2: "e1", 3: "e3"})
