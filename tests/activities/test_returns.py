"""The state machine of a return: who approves, what comes too late, and when the customer is paid."""

from datetime import datetime
from typing import Any

import pytest

from activities.returns.advance import ReturnMoves, advance_return
from contracts.orders import ParcelState
from contracts.returns import Return, ReturnEvent, ReturnLine, ReturnState
from contracts.routing import Policy
from contracts.subjects import RETAILER
from tests.builders import NOW, later, order, parcel

ARRIVAL_S = Policy().return_arrival_s
DELIVERED = order(("tea", 3))
parcel(DELIVERED, state=ParcelState.DELIVERED)


def opened(reason: str = "changed_mind", state: ReturnState = ReturnState.REQUESTED, **changes: Any) -> Return:
    """Two of three units, asked for within the policy's time."""
    fields: dict[str, Any] = {
        "id": "order-1.r1",
        "order": "order-1",
        "parcel": "order-1.p1",
        "location": "near",
        "lines": [ReturnLine(line=1, sku="tea", quantity=2)],
        "reason": reason,
        "state": state,
        "by": "shop",
        "opened_at": NOW,
        "approve_until": later(60),
    }
    return Return.model_validate({**fields, **changes})


def step(returned: Return, now: datetime, *events: ReturnEvent) -> ReturnMoves:
    returned = returned.model_copy(update={"unread": list(events)})
    return advance_return(returned, DELIVERED, now, Policy())


def said(kind: str, at: datetime, **data: Any) -> ReturnEvent:
    return ReturnEvent.model_validate({"id": f"{kind}:{at}", "kind": kind, "at": at, "by": "desk", "data": data})


def came(at: datetime, sellable: int = 0, damaged: int = 0, location: str | None = None) -> ReturnEvent:
    lines = [{"line": 1, "sellable": sellable, "damaged": damaged, "missing": 2 - sellable - damaged}]
    return said("received", at, lines=lines, **({"location": location} if location else {}))


def told(moves: ReturnMoves) -> list[tuple[str, str, str | None]]:
    return [(tell.partner, tell.type, tell.data.get("state")) for tell in moves.tells]


class TestApproval:
    def test_within_the_policys_time_it_needs_nobody_and_the_location_is_told_once(self) -> None:
        moves = step(opened(), NOW)
        assert (moves.returned.state, moves.returned.due, moves.returned.next_due) == (
            ReturnState.APPROVED,
            later(ARRIVAL_S),
            later(ARRIVAL_S),
        )
        assert told(moves) == [
            ("near", "return.announced.v1", None),
            (RETAILER, "return.changed.v1", "approved"),
        ]
        assert step(moves.returned, later(5)).tells == []

    def test_later_an_operator_decides(self) -> None:
        late = opened(approve_until=later(-1))
        waiting = step(late, NOW).returned
        assert (waiting.state, waiting.next_due) == (ReturnState.REQUESTED, None)
        assert step(waiting, later(9), said("approved", later(9))).returned.state is ReturnState.APPROVED
        refused = step(waiting, later(9), said("refused", later(9), reason="worn")).returned
        assert (refused.state, refused.note, refused.closed_at) == (ReturnState.REFUSED, "worn", later(9))

    def test_what_is_on_its_way_cannot_be_refused(self) -> None:
        moves = step(opened(state=ReturnState.IN_TRANSIT), NOW, said("refused", NOW, reason="worn"))
        assert moves.returned.state is ReturnState.IN_TRANSIT
        assert moves.returned.timeline[-1].what == "return.ignored"


class TestReceipt:
    @pytest.mark.parametrize("state", [ReturnState.REQUESTED, ReturnState.APPROVED, ReturnState.IN_TRANSIT])
    def test_the_order_is_told_what_came_where_and_how_much_of_it_is_paid_back(self, state: ReturnState) -> None:
        moves = step(opened(state=state), later(9), came(later(9), sellable=1, location="far"))
        received = moves.received
        assert received is not None
        assert (received.id, received.kind, received.parcel) == (
            "order-1.r1:received",
            "return.received",
            "order-1.p1",
        )
        assert received.data == {
            "return": "order-1.r1",
            "location": "far",
            "lines": [{"line": 1, "sellable": 1, "damaged": 0, "missing": 1, "refund": 1}],
        }
        assert (moves.returned.state, moves.returned.next_due) == (ReturnState.RECEIVED, later(14))

    def test_goods_the_customer_never_had_are_paid_whatever_is_missing(self) -> None:
        moves = step(opened("refused_at_door", ReturnState.IN_TRANSIT), later(9), came(later(9), damaged=1))
        assert moves.received is not None
        assert moves.received.data["lines"][0]["refund"] == 2

    def test_a_second_receipt_changes_nothing(self) -> None:
        first = step(opened(state=ReturnState.APPROVED), later(9), came(later(9), sellable=2)).returned
        again = step(first, later(20), came(later(20), damaged=2))
        assert (again.received, again.returned.lines, again.tells) == (None, first.lines, [])

    def test_goods_that_arrive_before_the_deadline_count_even_if_both_are_seen_together(self) -> None:
        due = opened(state=ReturnState.APPROVED, due=later(100))
        assert step(due, later(200), came(later(99), sellable=2)).received is not None
        too_late = step(due, later(200), came(later(101), sellable=2))
        assert (too_late.received, too_late.returned.note) == (None, "not_received")


class TestDeadline:
    def test_goods_that_a_customer_keeps_are_not_paid_back(self) -> None:
        moves = step(opened(state=ReturnState.APPROVED, due=later(100)), later(100))
        assert (moves.returned.state, moves.returned.note, moves.received) == (ReturnState.CLOSED, "not_received", None)

    def test_goods_that_a_carrier_never_brings_back_are(self) -> None:
        moves = step(opened("refused_at_door", ReturnState.IN_TRANSIT, due=later(100)), later(100))
        assert moves.received is not None
        assert moves.received.data["lines"][0] == {
            "line": 1,
            "sellable": 0,
            "damaged": 0,
            "missing": 2,
            "refund": 2,
        }


class TestEnd:
    def test_it_waits_until_the_order_has_booked_it_and_paid(self) -> None:
        received = step(opened(state=ReturnState.APPROVED), later(9), came(later(9), sellable=2)).returned
        assert step(received, later(60)).returned.state is ReturnState.RECEIVED
        booked = received.model_copy(update={"amount": 200})
        unpaid = DELIVERED.model_copy(deep=True)
        unpaid.parcels[0].items[0].returned = 2
        assert advance_return(booked, unpaid, later(60), Policy()).returned.state is ReturnState.RECEIVED
        unpaid.payment.refunded = 200
        moves = advance_return(booked, unpaid, later(60), Policy())
        assert (moves.returned.state, moves.returned.closed_at) == (ReturnState.CLOSED, later(60))
        assert [entry.what for entry in moves.returned.timeline][-2:] == ["return.refunded", "return.closed"]
        assert moves.tells[-1].data["amount"] == 200

    def test_looking_after_the_money_grows_ever_more_seldom(self) -> None:
        received = step(opened(state=ReturnState.APPROVED), later(9), came(later(9), sellable=2)).returned
        waits = []
        now = later(9)
        for _ in range(16):
            after = step(received, now).returned.next_due
            assert after is not None
            waits.append((after - now).total_seconds())
            now = after
        assert waits[0] == 5
        assert waits == sorted(waits)
        assert waits[-1] <= 6 * 3600
