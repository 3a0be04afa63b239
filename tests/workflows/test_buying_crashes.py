"""What a crash in the middle of a purchase order leaves behind: nothing twice, and nothing forgotten.

A worker is killed by letting its activities fail at chosen points, before and after what they write: to the workflow
that is what a killed process looks like, and it happens where it is meant to. Whole processes are killed in
tests/e2e/test_purchases.py.
"""

import asyncio
from typing import Any

import pytest

from activities.buying import steps
from activities.buying.open import on_order
from infra.invariants import check
from infra.mongo import Mongo, Session
from tests.workflows.buying import STORE, Purchasing
from tests.workflows.test_buying import buying

__all__ = ["buying"]


class Killed(Exception):
    """The process ended here."""


class Crashes:
    """Fails the first steps of each kind, alternately before anything is committed and after all of it is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, mongo: Mongo) -> None:
        self.count = 0
        self._seen: dict[str, int] = {}
        inside, transaction = steps._write, mongo.transaction

        async def writing(mongo: Mongo, session: Session, step: Any, moves: Any) -> None:
            await inside(mongo, session, step, moves)
            self._die(f"in {step.order}:{step.number}")

        async def committed(work: Any) -> Any:
            done = await transaction(work)
            if hasattr(done, "step"):
                self._die(f"after {done.id}:{done.step}")
            return done

        monkeypatch.setattr(steps, "_write", writing)
        monkeypatch.setattr(mongo, "transaction", committed)

    def _die(self, place: str) -> None:
        self._seen[place] = self._seen.get(place, 0) + 1
        if self._seen[place] == 1:
            self.count += 1
            raise Killed(place)


async def test_each_step_may_die_before_and_after_its_commit(
    buying: Purchasing, monkeypatch: pytest.MonkeyPatch
) -> None:
    supplier = await buying.supplier("sup-a", 100)
    crashes = Crashes(monkeypatch, buying.mongo)
    process = await buying.order(supplier, ("tea", 10), ("cup", 4))
    order = process.id
    await buying.says(order, "confirmed")
    await buying.stands(order, "confirmed")
    await buying.receive(order, "dn-1", ("tea", 10))
    await buying.receive(order, "dn-2", ("cup", 4))
    lines = [{"line": 1, "quantity": 10, "unit_price": 100}, {"line": 2, "quantity": 4, "unit_price": 100}]
    await buying.says(order, "invoiced", reference="inv-1", lines=lines)
    assert await asyncio.wait_for(process.result(), 90) == "closed"
    assert crashes.count >= 8, "it died before and after each of four steps"
    assert (await buying.shelf("tea"), await buying.shelf("cup")) == (10, 4)
    assert len((await buying.known(order)).receipts) == 2
    assert await buying.mongo.lead_observations.count_documents({}) == 2
    kinds = [one["kind"] for one in await buying.told(supplier)]
    assert kinds.count("purchase.ordered.v1") == 1
    assert kinds.count("purchase.received.v1") == 2
    assert kinds.count("purchase.invoice.v1") == 1
    assert not await check(buying.mongo, None)


async def test_what_goes_to_the_next_supplier_goes_there_once(
    buying: Purchasing, monkeypatch: pytest.MonkeyPatch
) -> None:
    await buying.supplier("sup-a", 100)
    await buying.supplier("sup-b", 110)
    Crashes(monkeypatch, buying.mongo)
    process = await buying.order("sup-a")
    await buying.says(process.id, "declined", reason="out_of_stock")
    assert await asyncio.wait_for(process.result(), 90) == "declined"
    assert await buying.mongo.purchase_orders.count_documents({"supplier": "sup-b"}) == 1
    assert await on_order(buying.mongo, STORE, "tea") == 10
    assert len(await buying.told("sup-b", "purchase.ordered.v1")) == 1


async def test_the_same_decision_asked_many_times_at_once_orders_once(buying: Purchasing) -> None:
    supplier = await buying.supplier("sup-a", 100)
    asked = buying.asked(supplier, await buying.now(), ("tea", 10), ("cup", 4))
    # Others of the same run overlap with it: the worker of a run was killed, and a person approved again.
    overlapping = asked.model_copy(update={"id": "po-run-2", "lines": asked.lines[:1]})
    both = [asked, overlapping] * 5
    made = await asyncio.gather(*(buying.activities.order(one) for one in both), return_exceptions=True)
    failed = [one for one in made if isinstance(one, BaseException)]
    for one in both if failed else []:
        await buying.activities.order(one)
    assert (await on_order(buying.mongo, STORE, "tea"), await on_order(buying.mongo, STORE, "cup")) == (10, 4)
    proposals = [p async for row in buying.mongo.purchase_orders.find({}) for p in row["proposals"]]
    assert sorted(proposals) == sorted({line.proposal for line in asked.lines})
