"""Counts refusals by where they were met and their code, so that an operator sees what is being refused."""

from collections import Counter
from collections.abc import Sequence

from infra.mongo import Mongo, UpdateOne

PREFIX = "refusal"


async def count_refusals(mongo: Mongo, where: str, codes: Sequence[str]) -> None:
    """Add refusals to their counters. `where`: api, reply, order or import."""
    if not codes:
        return
    updates = [
        UpdateOne({"_id": f"{PREFIX}:{where}:{code}"}, {"$inc": {"count": number}}, upsert=True)
        for code, number in Counter(codes).items()
    ]
    await mongo.counters.bulk_write(updates, ordered=False)


async def refusals(mongo: Mongo) -> dict[str, dict[str, int]]:
    """All refusals so far: `{where: {code: count}}`."""
    found: dict[str, dict[str, int]] = {}
    async for row in mongo.counters.find({"_id": {"$regex": f"^{PREFIX}:"}}).sort("_id"):
        _, where, code = row["_id"].split(":", 2)
        found.setdefault(where, {})[code] = row["count"]
    return found
