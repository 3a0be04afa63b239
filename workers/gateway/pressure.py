"""How much has been accepted and is not dispatched yet, how fast it drains, and when no more is taken in.

What is accepted is safe however much it is; but each order beyond what the workers carry off only makes all the others
late. So beyond a limit callers are sent away with the time at which to come again.
"""

import asyncio
import logging
import math
import random
import time
from dataclasses import dataclass, replace
from typing import Protocol

from contracts.refusals import Refusal
from infra.mongo import Mongo, PyMongoError
from infra.outbox import waiting_rows
from workers.gateway.limits import Limits

log = logging.getLogger(__name__)

_RESUMED_AT = 0.8
"""Once full, the level must fall to this part of the limit: else every count would open and close the door."""
_SMOOTHED_S = 5.0
_COUNT_EVERY_S = 0.5
_WATCH_EVERY_S = 0.25
_COUNTING_AT_MOST = 0.05
"""The part of its time that the database may spend on our counts."""
_LONGEST_PAUSE_S = 2.0
_FIRST_RETRY_S = 1
_LAST_RETRY_S = 30


@dataclass(frozen=True, slots=True)
class Level:
    """How much of something waits, and how fast it drains (None: not known yet). `most` is the limit."""

    most: int
    waiting: int = 0
    per_s: float | None = None
    full: bool = False

    def counted(self, waiting: int, arrived: int, seconds: float) -> "Level":
        """After the next count: `arrived` have come since the last one, `seconds` ago."""
        per_s = self.per_s
        # What can be carried off shows only while there is something to carry off.
        if self.waiting and waiting:
            drained = max(self.waiting + arrived - waiting, 0) / seconds
            per_s = drained if per_s is None else per_s + (drained - per_s) * min(seconds / _SMOOTHED_S, 1.0)
        full = waiting > self.most * _RESUMED_AT if self.full else waiting >= self.most
        return replace(self, waiting=waiting, per_s=per_s, full=full)

    def arrived(self, number: int) -> "Level":
        """Between two counts, what comes in is added, so that the limit holds to the order."""
        waiting = self.waiting + number
        return replace(self, waiting=waiting, full=self.full or waiting >= self.most)

    def retry_after(self) -> int:
        """Whole seconds until it has fallen far enough, by the rate at which it drained lately."""
        too_many = self.waiting - self.most * _RESUMED_AT
        if too_many <= 0 or self.per_s is None:
            return _FIRST_RETRY_S
        if self.per_s * _LAST_RETRY_S <= too_many:
            return _LAST_RETRY_S
        return max(_FIRST_RETRY_S, math.ceil(too_many / self.per_s))


def spread(seconds: int, chance: random.Random) -> int:
    """Up to twice the time, so that those who were sent away together do not come again together."""
    return seconds + chance.randint(0, seconds)


class Intake(Protocol):
    """Orders that this process has written so far, and those that it holds and has not written."""

    accepted: int

    @property
    def waiting(self) -> int: ...


class Pressure:
    """Counts, in the background, orders that no batch has claimed and rows of events that the relay has not sent.

    One object per process; several gateways count the same. While the database does not answer, nothing is let in:
    who waits for it in here would only fill the memory.
    """

    def __init__(self, mongo: Mongo, limits: Limits, intake: Intake) -> None:
        self._mongo = mongo
        self._away_s = limits.store_away_s
        self._intake = intake
        self._accepted_before = 0
        self.orders = Level(limits.backlog_orders)
        self.rows = Level(limits.backlog_rows)
        self._counted_at = time.monotonic()
        self._silent_s = 0.0
        self._chance = random.Random()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            group.create_task(self._keep_counting())

    async def _watch(self) -> None:
        """Adds up how long the database is silent. A time in which this process itself stood still tells nothing."""
        before = time.monotonic()
        while True:
            await asyncio.sleep(_WATCH_EVERY_S)
            now = time.monotonic()
            self._silent_s += min(now - before, 2 * _WATCH_EVERY_S)
            before = now

    async def _keep_counting(self) -> None:
        while True:
            began, pause = time.monotonic(), _COUNT_EVERY_S
            try:
                await self.count()
                pause = max(pause, (time.monotonic() - began) / _COUNTING_AT_MOST)
            except PyMongoError as error:
                log.warning("what waits could not be counted: %s", error)
            await asyncio.sleep(min(pause, _LONGEST_PAUSE_S))

    async def count(self) -> None:
        """Raises PyMongoError."""
        accepted = self._intake.accepted
        orders, rows = await asyncio.gather(
            self._mongo.orders.count_documents({"batch": None}, limit=2 * self.orders.most),
            waiting_rows(self._mongo, 2 * self.rows.most),
        )
        now = time.monotonic()
        seconds = max(now - self._counted_at, 0.001)
        was_full = self.full
        self.orders = self.orders.counted(orders, accepted - self._accepted_before, seconds)
        self.rows = self.rows.counted(rows, 0, seconds)
        self._counted_at, self._accepted_before, self._silent_s = now, accepted, 0.0
        if was_full != self.full:
            state = "no more is taken" if self.full else "open again"
            log.warning("%d orders and %d rows of events wait: %s", orders, rows, state)

    @property
    def full(self) -> bool:
        return self.orders.full or self.rows.full

    def refuse_orders(self) -> None:
        """Raises Refusal 503 while too much waits to be dispatched."""
        level = self.orders.arrived(self._intake.accepted - self._accepted_before + self._intake.waiting)
        if level.full:
            self.orders = replace(self.orders, full=True)
            raise self._backlog(level, "orders wait to be given to stores")
        if self.rows.full:
            raise self._backlog(self.rows, "lists of events wait to be sent to stores")

    def refuse_all(self) -> None:
        """Raises Refusal 503 while the database has not answered for a while."""
        if self._silent_s > self._away_s:
            raise Refusal(
                "store_unavailable",
                f"The database has not answered for {self._silent_s:.0f} s.",
                remedy="Send the same request again after the seconds that Retry-After names.",
                status=503,
                retry_after=spread(2, self._chance),
            )

    def _backlog(self, level: Level, what: str) -> Refusal:
        return Refusal(
            "backlog_full",
            f"{level.waiting} {what}; {level.per_s or 0:.0f} a second are carried off.",
            remedy="Send the same request again after the seconds that Retry-After names.",
            status=503,
            retry_after=spread(level.retry_after(), self._chance),
        )
