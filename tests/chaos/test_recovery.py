"""Recovery times, worked out from what the retailer sent and heard."""

from tests.chaos.recovery import Happened, Heard, Recovered, by_kind, recoveries
from tests.chaos.schedule import Fault, Kind


def _fault(number: int, kind: Kind, target: str, began: float, ended: float) -> Happened:
    return Happened(Fault(number, kind, target, began, ended - began), began, ended)


HEARD = Heard(
    sent={"before": 9.0, "prepaid": 10.5, "card": 11.0, "late": 30.0},
    dispatched={"before": 10.1, "prepaid": 12.0, "card": 15.0, "late": 31.0},
    shipped={"before": 11.0, "card": 18.0, "prepaid": 19.0},
    cards=frozenset({"card"}),
)


def test_only_orders_that_were_sent_after_the_end_count() -> None:
    [found] = recoveries([_fault(1, "kill", "relay", 8.0, 10.0)], HEARD)
    assert found.recovered == Recovered(dispatched_s=2.0, card_s=5.0, shipped_s=8.0)
    assert found.alone


def test_what_never_came_has_no_time() -> None:
    [found] = recoveries([_fault(1, "kill", "relay", 25.0, 30.0)], HEARD)
    assert found.recovered == Recovered(dispatched_s=1.0, card_s=None, shipped_s=None)


def test_a_fault_is_alone_only_if_none_lies_before_its_last_moment() -> None:
    first, second = _fault(1, "kill", "relay", 8.0, 10.0), _fault(2, "pause", "nats", 17.0, 17.5)
    assert [one.alone for one in recoveries([first, second], HEARD)] == [False, True]


def test_kinds_stand_together_in_order() -> None:
    kinds: tuple[Kind, ...] = ("pause", "kill", "pause")
    faults = [_fault(i, kind, "relay", 8.0, 10.0) for i, kind in enumerate(kinds)]
    assert [(key, len(found)) for key, found in by_kind(recoveries(faults, HEARD)).items()] == [
        (("kill", "relay"), 1),
        (("pause", "relay"), 2),
    ]
