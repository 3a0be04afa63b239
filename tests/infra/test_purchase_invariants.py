"""`tongqu check` on purchase orders: each thing that may not be is found, and named."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from activities.buying.lead_times import observations_of
from activities.buying.shelving import shelve
from contracts.buying import PurchaseOrder
from infra.indexes import make_indexes
from infra.invariants import check
from infra.mongo import Mongo, Session
from tests.purchasing import done, said, sent


@pytest.fixture
async def mongo(mongo_url: str, database: str) -> AsyncIterator[Mongo]:
    mongo = Mongo(mongo_url, database)
    await make_indexes(mongo)
    yield mongo
    mongo.close()


@pytest.fixture
async def order(mongo: Mongo) -> PurchaseOrder:
    """One of which half has come."""
    order = sent(proposals=["run:purchase:sup-a:store-1:tea"], started=True)
    said(order, "confirmed")
    moves = done(order, receive={"reference": "dn-1", "items": [{"sku": "tea", "quantity": 50}]})
    assert not observations_of(moves), "a line is learned from when all of it has come"

    async def write(session: Session) -> None:
        await shelve(mongo, session, order.id, "dn-1", order.location, moves.goods, datetime.now(UTC))

    await mongo.transaction(write)
    await mongo.purchase_orders.insert_one(order.as_row())
    return order


async def found(mongo: Mongo) -> dict[str, list[str]]:
    return {one.invariant: one.examples for one in await check(mongo, None)}


async def test_nothing_is_found_while_all_is_well(mongo: Mongo, order: PurchaseOrder) -> None:
    assert await found(mongo) == {}


async def test_a_receipt_that_is_not_in_the_ledger_is_found(mongo: Mongo, order: PurchaseOrder) -> None:
    await mongo.purchase_orders.update_one({"_id": order.id}, {"$set": {"receipts.0.lines.0.good": 49}})
    examples = (await found(mongo))["purchases.shelved"]
    assert "line 1 of po-run-1 says 50 received, its receipts 49" in examples
    assert "received:po-run-1:dn-1:store-1:tea is 50 in the ledger, not 49" in examples


async def test_a_proposal_on_two_orders_is_found(mongo: Mongo, order: PurchaseOrder) -> None:
    await mongo.purchase_orders.drop_index("of_proposals")
    other = sent(id="po-run-2", proposals=order.proposals, started=True)
    await mongo.purchase_orders.insert_one(other.as_row())
    assert (await found(mongo))["purchases.once"] == [f"the proposal {order.proposals[0]} is on 2 orders"]


async def test_an_order_elsewhere_that_nobody_names_is_found(mongo: Mongo, order: PurchaseOrder) -> None:
    stray = sent(id="po-run-1.n1", predecessor=order.id, started=True)
    await mongo.purchase_orders.insert_one(stray.as_row())
    assert set(await found(mongo)) == {"purchases.once"}


async def test_an_order_that_nobody_carries_is_a_warning(mongo: Mongo, order: PurchaseOrder) -> None:
    await mongo.purchase_orders.update_one({"_id": order.id}, {"$set": {"started": False}})
    [finding] = await check(mongo, None)
    assert (finding.invariant, finding.violated) == ("purchases.carried", False)
