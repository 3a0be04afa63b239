"""What one decision orders, on the real database: in orders of which none has too many lines, in answers that can be
carried, and under ids that stay while others become orders."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import date

import pytest

from activities.supply.deciding import group, ordered
from contracts.buying import LINES_MAX
from contracts.replenishing import Group, OrderedAs, Orders, Region
from contracts.supply import Explanation, Position, Proposal, ProposalKind, proposal_id
from infra.mongo import Mongo
from tests.databases import Databases
from tests.purchasing import MONDAY

RUN, DECISION, CARRIED = "east-1", "d1", 2_000_000
LONGEST = "s" * 58


@pytest.fixture
async def mongo(databases: Databases) -> AsyncIterator[Mongo]:
    async with databases.lent() as mongo:
        await mongo.supply_regions.insert_one(Region(id="east").as_row())
        yield mongo


def proposal(kind: ProposalKind, source: str, location: str, sku: str) -> Proposal:
    why = Explanation(
        demand_mean=1,
        level=0.95,
        quantile=2,
        protection_days=7,
        lead_mean=5,
        lead_deviation=1,
        position=Position(),
        reorder_point=1,
        order_up_to=2,
        wanted=2,
        demand_class="smooth",
        model="mean",
        policy="default",
        policy_version=1,
    )
    return Proposal(
        id=proposal_id(RUN, kind, source, location, sku),
        run=RUN,
        region="east",
        kind=kind,
        source=source,
        location=location,
        sku=sku,
        proposed=2,
        quantity=2,
        price=100,
        value=200,
        due=date(2026, 3, 9),
        explanation=why,
        state="approved",
        decided_by="planner",
        decided_at=MONDAY,
        decision=DECISION,
        created_at=MONDAY,
    )


def _ids(orders: Orders) -> set[str]:
    return {one.id for one in orders.purchases} | {one.id for one in orders.transfers}


async def decided(mongo: Mongo, kind: ProposalKind, source: str, location: str, skus: int) -> None:
    rows = [proposal(kind, source, location, f"{LONGEST}{n:05}").as_row() for n in range(skus)]
    await mongo.proposals.insert_many(rows)


async def test_all_of_it_is_ordered_once_in_parts_whose_ids_stay(mongo: Mongo) -> None:
    for store in ("store-1", "store-2"):
        await decided(mongo, "purchase", "sup-a", store, 1_100)
    await decided(mongo, "transfer", "store-4", "store-1", 600)
    asked = Group(decision=DECISION, now=MONDAY)
    lines, answers, names = Counter[str](), 0, list[str]()
    while (found := await group(mongo, asked)).purchases or found.transfers:
        answers += 1
        assert len(found.model_dump_json()) < CARRIED, "more than Temporal carries at once"
        known = _ids(found)
        part = found.purchases[0] if found.purchases else found.transfers[0]
        proposals = (
            [one.proposal for one in found.purchases[0].lines]
            if found.purchases
            else [each for one in found.transfers[0].lines for each in one.proposals]
        )
        assert len(proposals) <= LINES_MAX
        # Whoever ordered is killed after the first of them, and asks again.
        await ordered(mongo, OrderedAs(order=part.id, proposals=proposals, now=MONDAY))
        lines.update(proposals)
        names.append(part.id)
        again = await group(mongo, asked)
        assert known - {part.id} <= _ids(again)
    assert answers == len(set(names)) == 2 * 3 + 2, "three orders for each store, and two transfers"
    assert len(lines) == 2 * 1_100 + 600 and set(lines.values()) == {1}
    states = await mongo.proposals.distinct("state", {"decision": DECISION})
    assert states == ["ordered"]


async def test_how_much_is_left_is_told(mongo: Mongo) -> None:
    for number in range(6):
        await decided(mongo, "purchase", "sup-a", f"store-{number}", LINES_MAX)
    found = await group(mongo, Group(decision=DECISION, now=MONDAY))
    assert (len(found.purchases), found.left) == (4, 2)
    assert all(len(one.lines) == LINES_MAX for one in found.purchases)
