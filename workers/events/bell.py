"""Rings the bells of batches: many events, one ring, and fewer rings for each event the more batches there are."""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from contracts.fulfilment import BELL

log = logging.getLogger(__name__)
_TICK_S = 0.01
_LONGEST_S = 60.0
_HELD_AT_MOST_S = 15.0
_RUSH_LASTS_S = 1.0
_MOMENT_S = 10.0
_ORDERS_A_RING = 50
"""A step of a batch of so many orders more costs about one small batch's step more."""
_SIZES_KEPT = 50_000


@dataclass(slots=True)
class _Wanted:
    """A ring that was asked for: given at `due`, in a rush at `latest`; seconds of the monotonic clock. `weight`: how
    many small batches' rings it costs."""

    due: float
    latest: float
    weight: float


class Bell:
    """A ring that is asked for is given after a pause, in which others for the same batch join it.

    The pause is `urgent_s` for what somebody waits for and `progress_s` for the rest. Both grow with what waits for a
    ring, so that no more than `rings_per_s` (four times as many urgent ones) go out; of those for progress a large
    batch counts as several, since a step costs about the same whether one of its orders has news or fifty have. In a
    rush, while orders wait to be dispatched at all, rings for progress are held back up to 15 s.
    """

    def __init__(self, temporal: Client, *, urgent_s: float, progress_s: float, rings_per_s: float) -> None:
        self._temporal = temporal
        self._urgent_s = urgent_s
        self._progress_s = progress_s
        self._rings_per_s = rings_per_s
        self._rush_until = 0.0
        self._wanted: dict[str, _Wanted] = {}
        self._load = 0.0
        self._just_rung: dict[str, float] = {}
        self._sizes: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.lost: set[str] = set()
        """Batches whose workflow is not running, for the sweep to look after."""

    def unknown(self, batches: Iterable[str]) -> set[str]:
        """Those whose size was not learned; they are rung as if they were small."""
        return {batch for batch in batches if batch not in self._sizes}

    def learn(self, sizes: Mapping[str, int]) -> None:
        """How many orders batches carry."""
        if len(self._sizes) + len(sizes) > _SIZES_KEPT:
            self._sizes.clear()
        self._sizes.update(sizes)

    def ask(self, batch: str, *, urgent: bool) -> None:
        now = time.monotonic()
        if urgent:
            pause = max(self._urgent_s, len(self._wanted) / (4 * self._rings_per_s))
        else:
            pause = max(self._progress_s, self._load / self._rings_per_s)
        due = now + min(pause, _LONGEST_S)
        latest = due if urgent else max(due, now + _HELD_AT_MOST_S)
        known = self._wanted.pop(batch, None)
        if known is not None:
            due, latest = min(due, known.due), min(latest, known.latest)
            self._load -= known.weight
        weight = 1 + (self._sizes.get(batch, 1) - 1) / _ORDERS_A_RING
        self._wanted[batch] = _Wanted(due, latest, weight)
        self._load += weight

    def rush(self) -> None:
        """Orders wait to be dispatched: for a moment, let progress wait."""
        self._rush_until = time.monotonic() + _RUSH_LASTS_S

    def due_in(self, batch: str) -> float | None:
        """Seconds until a batch's ring; None when none is asked for."""
        wanted = self._wanted.get(batch)
        return None if wanted is None else self._at(wanted) - time.monotonic()

    def asked(self) -> list[str]:
        """Batches whose ring is yet to come, or has been given a moment ago."""
        return [*self._wanted, *self._just_rung]

    async def run(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            now = time.monotonic()
            self._just_rung = {batch: at for batch, at in self._just_rung.items() if now - at < _MOMENT_S}
            for batch in [batch for batch, wanted in self._wanted.items() if self._at(wanted) <= now]:
                self._load -= self._wanted.pop(batch).weight
                self._just_rung[batch] = now
                task = asyncio.create_task(self._ring(batch))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def _at(self, wanted: _Wanted) -> float:
        return max(wanted.due, min(self._rush_until, wanted.latest))

    async def _ring(self, batch: str) -> None:
        try:
            await self._temporal.get_workflow_handle(batch).signal(BELL)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                self.lost.add(batch)
            else:
                log.warning("the bell of %s could not be rung, the sweep will: %s", batch, error)
