"""Steps of a stock transfer that are cut off after their transaction: who waits for the goods is told all the same."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.stock.booking import book
from activities.supply import moving
from contracts.refusals import Refusal
from contracts.stock import Change, Movement
from contracts.transfers import CarryOut, Command, OpenTransfer, TransferLine
from infra.mongo import Mongo, Session
from tests.databases import Databases

NOW = datetime(2026, 11, 3, tzinfo=UTC)
SHIP = {"ship": {"lines": [{"sku": "tea", "units": 3}]}}


class CutOff(Exception):
    """The process ended here."""


@pytest.fixture
async def mongo(databases: Databases) -> AsyncIterator[Mongo]:
    async with databases.lent() as mongo:
        await opened(mongo)
        yield mongo


async def opened(mongo: Mongo) -> None:
    """A transfer of four tea from `full` to `short`, and an order that waits for one."""

    async def receive(session: Session) -> None:
        change = Change(sku="tea", on_hand=4)
        await book(mongo, session, [Movement(id="r", kind="received", location="full", changes=[change], at=NOW)], 0)

    await mongo.transaction(receive)
    lines = [TransferLine(sku="tea", asked=4)]
    places = {"source": "full", "destination": "short"}
    until = {"ship_by": NOW + timedelta(days=1), "arrive_by": NOW + timedelta(days=3)}
    asked = OpenTransfer.model_validate(
        {"id": "t1", "run": "run-1", **places, "lines": lines, "by": "planner", "approved_at": NOW, **until}
    )
    assert (await moving.open_transfer(mongo, asked)).lines[0].held == 4
    waiting: dict[str, Any] = {"stage": "backordered", "attention": None, "batch": "b1", "version": 1, "placed_at": NOW}
    await mongo.orders.insert_one(
        {"_id": "waits", "lines": [{"line": 1, "sku": "tea", "quantity": 1}], "parcels": [], **waiting}
    )


def step(number: int, command: dict[str, Any]) -> CarryOut:
    return CarryOut(
        transfer="t1", number=number, now=NOW, command=Command.model_validate({"by": "somebody", **command})
    )


@pytest.mark.parametrize(
    ("before", "command"),
    [
        ([], SHIP),
        ([], {"cancel": {"reason": "Not wanted."}}),
        ([{"ship": {}}], {"receive": {"reference": "DN-1"}}),
    ],
    ids=["what stays", "cancelled", "received"],
)
async def test_a_step_that_was_cut_off_before_it_woke_anybody_wakes_them_when_it_is_repeated(
    mongo: Mongo, monkeypatch: pytest.MonkeyPatch, before: list[dict[str, Any]], command: dict[str, Any]
) -> None:
    for number, one in enumerate(before, 1):
        assert (await moving.carry_out(mongo, step(number, one)))[1] == set()
    asked = step(len(before) + 1, command)

    async def cut_off(*_: object) -> set[str]:
        raise CutOff

    with monkeypatch.context() as patched:
        patched.setattr(moving, "wake_waiting", cut_off)
        with pytest.raises(CutOff):
            await moving.carry_out(mongo, asked)
    done, woken = await moving.carry_out(mongo, asked)
    assert (done.step, woken) == (asked.number, {"b1"})
    assert await mongo.inbox.count_documents({"order": "waits", "kind": "stock.arrived"}) == 1
    # Once more: it was told already, and is passed over.
    assert (await moving.carry_out(mongo, asked))[1] == set()


async def test_goods_that_are_lost_wake_nobody(mongo: Mongo) -> None:
    assert (await moving.carry_out(mongo, step(1, SHIP)))[1] == {"b1"}
    await mongo.inbox.delete_many({})
    assert (await moving.carry_out(mongo, step(2, {"lose": {"reason": "Never came."}})))[1] == set()


async def test_a_delivery_note_counts_once_and_says_one_thing(mongo: Mongo) -> None:
    came: dict[str, Any] = {"receive": {"reference": "DN-1", "lines": [{"sku": "tea", "units": 1}]}}
    await moving.carry_out(mongo, step(1, {"ship": {}}))
    await moving.carry_out(mongo, step(2, came))
    again, _ = await moving.carry_out(mongo, step(3, came))
    assert again.lines[0].received == 1
    other = {"receive": {"reference": "DN-1", "lines": [{"sku": "tea", "units": 2}]}}
    with pytest.raises(Refusal) as caught:
        await moving.carry_out(mongo, step(4, other))
    assert (caught.value.code, caught.value.field) == ("reference_taken", "reference")
    found = await moving.find_transfer(mongo, "t1")
    assert found is not None and (found.lines[0].received, found.step) == (1, 3)
