"""Indexes on a real server: those on a part of a collection are used by the queries they are there for."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from infra.indexes import INDEXES, MOMENT, TEXT, make_indexes
from infra.mongo import Mongo

_AS = datetime(2026, 3, 2, tzinfo=UTC)
_PARTIAL = [
    pytest.param(collection, keys[0][0], options["partialFilterExpression"], id=f"{collection}.{keys[0][0]}")
    for collection, indexes in INDEXES.items()
    for keys, options in indexes
    if options.get("partialFilterExpression", {}).get(keys[0][0]) in (TEXT, MOMENT)
]


@pytest.fixture(scope="module")
async def mongo(mongo_url: str) -> AsyncIterator[Mongo]:
    mongo = Mongo(mongo_url, f"indexes_{uuid.uuid4().hex[:8]}")
    await make_indexes(mongo)
    yield mongo
    await mongo.client.drop_database(mongo.db.name)
    mongo.close()


def stages(plan: Any) -> set[str]:
    """Names of all stages of a query plan."""
    if isinstance(plan, list):
        return {name for one in plan for name in stages(one)}
    if not isinstance(plan, dict):
        return set()
    own = {plan["stage"]} if isinstance(plan.get("stage"), str) else set()
    return own | {name for value in plan.values() for name in stages(value)}


async def planned(mongo: Mongo, collection: str, query: dict[str, Any], **more: Any) -> set[str]:
    asked = {"find": collection, "filter": query, **more}
    plan = await mongo.db.command("explain", asked, verbosity="queryPlanner")
    return stages(plan["queryPlanner"]["winningPlan"])


@pytest.mark.parametrize(("collection", "field", "part"), _PARTIAL)
async def test_whoever_looks_for_a_value_uses_the_index(
    mongo: Mongo, collection: str, field: str, part: dict[str, Any]
) -> None:
    others = {name: value for name, value in part.items() if name != field and not isinstance(value, dict)}
    wanted = {"$lte": _AS} if part[field] == MOMENT else "x"
    assert "IXSCAN" in await planned(mongo, collection, {**others, field: wanted})


async def test_an_index_that_was_made_otherwise_is_made_anew(mongo: Mongo) -> None:
    cases = mongo.db["cases"]
    await cases.drop_index("of_order")
    await cases.create_index([("order", 1)], name="of_order", partialFilterExpression={"order": {"$type": "string"}})
    assert "IXSCAN" not in await planned(mongo, "cases", {"order": "x"})
    await make_indexes(mongo)
    assert "IXSCAN" in await planned(mongo, "cases", {"order": "x"})
