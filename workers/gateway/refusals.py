"""Counts refusals without a write for each: gathered in memory, added to the database once a second."""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable

from infra.counting import count_refusals
from infra.mongo import Mongo, PyMongoError

log = logging.getLogger(__name__)
WHERE = "api"
_EVERY_S = 1.0


class Refusals:
    """At most a second's refusals are lost when the process is killed; none when it is stopped."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._noted: Counter[str] = Counter()

    def note(self, codes: Iterable[str]) -> None:
        self._noted.update(codes)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.flush()

    async def flush(self) -> None:
        noted, self._noted = self._noted, Counter()
        try:
            await count_refusals(self._mongo, WHERE, list(noted.elements()))
        except PyMongoError as error:
            self._noted.update(noted)
            log.warning("refusals could not be counted, they are kept for the next time: %s", error)
