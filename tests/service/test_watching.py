"""Cases that open themselves: orders go wrong as the orders' own state machine has it, and service hears of it."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from activities.orders.advance import advance, conclude
from activities.orders.moves import Moves
from contracts.orders import InboxEvent, OrderState, ParcelState
from contracts.routing import Policy
from infra.cases import Cases
from infra.keyring import keyring
from infra.outbox import outgoing, rows_of
from infra.sealing import Sealing
from infra.settings import Settings
from tests.builders import NOW, command, later, order, parcel, payment_outcome, reply
from tests.databases import Databases
from workers.servicing.watching import REFUSALS, Watching, what_is_wrong

POLICY = Policy(payment_tries=2, payment_retry_s=1)
Told = list[tuple[str, dict[str, Any]]]


def moved(of: OrderState, *events: InboxEvent, at: datetime = NOW) -> Moves:
    return conclude(advance(of, events, at, POLICY), at, POLICY)


def told(moves: Moves) -> Told:
    return [(one.type, one.data) for one in moves.tells]


def wrong(moves: Moves) -> list[Any]:
    """What a case would be about, for each of what the order has told."""
    row = moves.order.model_dump()
    found = (what_is_wrong(kind, data, row) for kind, data in told(moves) if kind.startswith("order."))
    return [one for one in found if one is not None]


def given_back(refusals: int, of: OrderState | None = None) -> Moves:
    """An order that so many stores refuse, one after the other; no other store is left then."""
    made = of or order()
    for number in range(refusals):
        offered = parcel(made, f"store-{number}")
        made = moved(made, reply("rejected", offered, reason="damaged")).order
    return moved(made)


def refund_goes_wrong(status: Any, tries: int = 1) -> Moves:
    """A paid order that is cancelled; the provider does not pay back."""
    moves = moved(order(), command("cancel"))
    for number in range(tries):
        at = later(60 * (number + 1))
        moves = moved(moves.order, payment_outcome(moves.order, status, at=at, code="over-refund"), at=at)
    return moves


class TestRefunds:
    @pytest.mark.parametrize(("status", "tries"), [("declined", 1), ("failed", POLICY.payment_tries)])
    def test_one_that_is_not_paid_is_a_case_of_high_priority(self, status: str, tries: int) -> None:
        assert wrong(refund_goes_wrong(status, tries)) == [("refund_failed", "high", None, None)]

    def test_one_that_will_be_tried_again_is_none_yet(self) -> None:
        assert wrong(refund_goes_wrong("failed", POLICY.payment_tries - 1)) == []

    def test_a_payment_that_fails_is_no_refund(self) -> None:
        made = order(method="card")
        asked = moved(made)
        for number in range(POLICY.payment_tries):
            at = later(60 * (number + 1))
            asked = moved(asked.order, payment_outcome(asked.order, "failed", at=at, code="unavailable"), at=at)
        assert asked.order.attention is not None and asked.order.attention.code == "payment_failed"
        assert wrong(asked) == []


class TestRefusals:
    @pytest.mark.parametrize(("refusals", "opens"), [(REFUSALS - 1, False), (REFUSALS, True)])
    def test_an_order_that_stores_have_refused_so_often_is_a_case(self, refusals: int, opens: bool) -> None:
        row = given_back(refusals).order.model_dump()
        found = what_is_wrong("order.backordered.v1", {"order": "order-1"}, row)
        assert found == (("order_refused", "normal", None, None) if opens else None)

    def test_refusals_of_several_rounds_add_up(self) -> None:
        """Two stores are near; every round both are asked, and both refuse."""
        made = given_back(REFUSALS - 1).order
        made.refusals = 0
        twice = given_back(REFUSALS - 1, made).order
        assert twice.refusals < REFUSALS
        found = what_is_wrong("order.backordered.v1", {"order": "order-1"}, twice.model_dump())
        assert found is not None and found[0] == "order_refused"


def test_a_partner_that_accepts_and_is_silent_is_named() -> None:
    made = order()
    accepted = parcel(made, "near", state=ParcelState.ACCEPTED, due=later(10))
    silent = moved(made, at=later(20))
    assert wrong(silent) == [("partner_silent", "normal", accepted.id, "near")]


@pytest.fixture
async def cases(databases: Databases, tmp_path: Path) -> AsyncIterator[Cases]:
    async with databases.lent() as mongo:
        yield Cases(mongo, Sealing(keyring(Settings(data_dir=tmp_path))))


async def _tells(cases: Cases, moves: Moves, turn: int) -> None:
    """The order as it stands, and what it tells, in a turn of the outbox."""
    row = {"_id": moves.order.id, **moves.order.model_dump(exclude={"id"})}
    await cases.mongo.orders.replace_one({"_id": moves.order.id}, row, upsert=True)
    events = [
        outgoing(one.partner, f"{moves.order.id}:{turn}:{number}", one.type, one.subject, NOW, one.data)
        for number, one in enumerate(moves.tells)
    ]
    await cases.mongo.outbox.insert_many([{**made, "turn": turn} for made in rows_of(events, NOW)])


async def test_what_orders_tell_opens_one_case_each_however_often_it_is_read(cases: Cases) -> None:
    watching = Watching(cases)
    assert await watching.once() == 0
    await _tells(cases, refund_goes_wrong("declined"), 1)
    refused = given_back(REFUSALS, order(order_id="order-2"))
    refused.tell_retailer("backordered", stage=refused.order.stage, reason=refused.order.reason)
    await _tells(cases, refused, 2)
    assert await watching.once() == 2
    assert await watching.once() == 0
    await cases.mongo.counters.update_one({"_id": "service_watch"}, {"$set": {"value": 0}})
    assert await watching.once() == 0, "read again, nothing is opened twice"
    rows = {row["order"]: row async for row in cases.mongo.cases.find({})}
    assert {name: (row["kind"], row["priority"], row["state"]) for name, row in rows.items()} == {
        "order-1": ("refund_failed", "high", "open"),
        "order-2": ("order_refused", "normal", "open"),
    }


async def test_what_is_over_is_told_to_the_case_that_is_about_it(cases: Cases) -> None:
    watching = Watching(cases)
    await watching.once()
    refused = given_back(REFUSALS)
    refused.tell_retailer("backordered", stage=refused.order.stage, reason=refused.order.reason)
    await _tells(cases, refused, 1)
    assert await watching.once() == 1
    delivered = Moves(refused.order, refused.order)
    for stage in ("shipped", "delivered"):
        delivered.tell_retailer(stage, stage=stage, reason=None)
    await _tells(cases, delivered, 2)
    assert await watching.once() == 1
    rows = [row async for row in cases.mongo.case_inbox.find({"what": "settled"})]
    assert [(row["data"]["by"], row["taken"]) for row in rows] == [("order.delivered.v1", None)]
    await cases.mongo.counters.update_one({"_id": "service_watch"}, {"$set": {"value": 1}})
    await watching.once()
    assert await cases.mongo.case_inbox.count_documents({"what": "settled"}) == 1, "however often it is read"


async def test_orders_without_a_case_are_nothing_to_tell(cases: Cases) -> None:
    watching = Watching(cases)
    await watching.once()
    made = order()
    delivered = Moves(made, made)
    delivered.tell_retailer("delivered", stage="delivered", reason=None)
    await _tells(cases, delivered, 1)
    assert await watching.once() == 0
