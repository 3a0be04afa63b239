"""When promises, calendars, teams or rotas change, every live case is told to reckon anew; it notes what has moved."""

from contracts.cases import LIVE, CaseEvent
from infra.cases import Cases
from infra.service_book import stamp_of
from workers.servicing.loop import for_ever

_EVERY_S = 2.0
_POSITION = "service_recount"
_AT_ONCE = 500


class Recounting:
    """Once for each change: an event's id is made of the change and the case."""

    def __init__(self, cases: Cases) -> None:
        self._cases = cases
        self._mongo = cases.mongo

    async def run(self) -> None:
        await for_ever(self.once, _EVERY_S, "reckoning anew")

    async def once(self) -> int:
        """How many cases were told."""
        stamp = await stamp_of(self._mongo)
        kept = await self._mongo.counters.find_one({"_id": _POSITION})
        if kept is not None and int(kept["value"]) >= stamp:
            return 0
        told, rows = 0, []
        async for row in self._mongo.cases.find({"state": {"$in": sorted(LIVE)}}, {"_id": 1}):
            case = row["_id"]
            at = self._mongo.clock.now()
            rows.append(CaseEvent(id=f"recount:{stamp}:{case}", case=case, at=at, by="tongqu", what="recount"))
            if len(rows) == _AT_ONCE:
                told, rows = told + await self._tell(rows), []
        told += await self._tell(rows)
        await self._mongo.counters.update_one({"_id": _POSITION}, {"$max": {"value": stamp}}, upsert=True)
        return told

    async def _tell(self, events: list[CaseEvent]) -> int:
        await self._cases.write_events(events)
        return len(events)
