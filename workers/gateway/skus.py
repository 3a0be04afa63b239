"""Which SKUs exist. A SKU that was named by any stock upsert is known for ever, so what is known can be kept."""

from collections.abc import Iterable, Sequence

from infra.grouping import Grouping
from infra.mongo import Mongo
from workers.gateway.limits import Limits

_KEPT = 1_000_000


class Skus:
    """Looks up only what it has not seen, and what many requests miss at the same time in one read."""

    def __init__(self, mongo: Mongo, limits: Limits) -> None:
        self._mongo = mongo
        self._known: set[str] = set()
        self._lookups: Grouping[str, bool] = Grouping(
            self._look_up,
            within_s=limits.gather_ms / 1000,
            at_most=10_000,
            waiting_at_most=1_000_000,
            at_once=1,
        )

    def learn(self, skus: Iterable[str]) -> None:
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known.update(skus)

    async def unknown(self, skus: set[str]) -> set[str]:
        """Those of the SKUs that do not exist."""
        missed = sorted(skus - self._known)
        if not missed:
            return set()
        found = await self._lookups.add_all(missed)
        return {sku for sku, exists in zip(missed, found, strict=True) if not exists}

    async def _look_up(self, skus: list[str]) -> Sequence[bool]:
        wanted = sorted(set(skus))
        found = {row["_id"] async for row in self._mongo.skus.find({"_id": {"$in": wanted}}, {"_id": 1})}
        self.learn(found)
        return [sku in found for sku in skus]
