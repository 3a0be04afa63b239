"""When promises, calendars or holidays change, every open case that goes by older ones is told to reckon anew."""

from activities.service.recounting import tell_older
from infra.cases import Cases
from infra.service_book import stamp_of
from workers.servicing.loop import for_ever

_EVERY_S = 2.0


class Recounting:
    """Once after each change, and once at the start: for what changed while nobody ran, and for holidays that a new
    version of the system has brought."""

    def __init__(self, cases: Cases) -> None:
        self._cases = cases
        self._seen: int | None = None

    async def run(self) -> None:
        await for_ever(self.once, _EVERY_S, "reckoning anew")

    async def once(self) -> int:
        """How many cases were told."""
        stamp = await stamp_of(self._cases.mongo)
        if stamp == self._seen:
            return 0
        told = await tell_older(self._cases)
        self._seen = stamp
        return told
