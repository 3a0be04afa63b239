"""The example store's memory, from which it goes on after it was killed."""

from pathlib import Path

from examples.store_agent import Memory


def test_a_label_that_comes_after_the_parcel_has_left_is_not_used_even_after_a_restart(tmp_path: Path) -> None:
    memory = Memory(str(tmp_path / "store"))
    memory.label("in-time")
    for parcel in ("in-time", "left-without"):
        memory.go_without(parcel)
    memory.label("left-without")
    for one in (memory, Memory(str(tmp_path / "store"))):
        assert (one.labelled("in-time"), one.labelled("left-without")) == (True, False)


def test_the_same_offer_is_taken_once_and_a_finished_one_is_not_taken_up_again(tmp_path: Path) -> None:
    memory = Memory(str(tmp_path / "store"))
    assert [memory.keep("near", {"parcel": "p"}) for _ in range(2)] == [True, False]
    assert Memory(str(tmp_path / "store")).unfinished("near") == [{"parcel": "p"}]
    memory.finish("p")
    again = Memory(str(tmp_path / "store"))
    assert again.unfinished("near") == [] and not again.keep("near", {"parcel": "p"})
