"""Rings the bells of batches: many events, one ring, and fewer rings for each event the more batches there are."""

import asyncio
import logging
import time

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from contracts.fulfilment import BELL

log = logging.getLogger(__name__)
_TICK_S = 0.01
_LONGEST_S = 60.0
_MOMENT_S = 10.0


class Bell:
    """A ring that is asked for is given after a pause, in which others for the same batch join it.

    The pause is `urgent_s` for what somebody waits for and `progress_s` for the rest, and grows with the number of
    batches that wait for a ring, so that no more than `rings_per_s` (four times as many urgent ones) go out.
    """

    def __init__(self, temporal: Client, *, urgent_s: float, progress_s: float, rings_per_s: float) -> None:
        self._temporal = temporal
        self._urgent_s = urgent_s
        self._progress_s = progress_s
        self._rings_per_s = rings_per_s
        self._due: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._just_rung: dict[str, float] = {}

    def ask(self, batch: str, *, urgent: bool) -> None:
        if urgent:
            pause = max(self._urgent_s, len(self._due) / (4 * self._rings_per_s))
        else:
            pause = max(self._progress_s, len(self._due) / self._rings_per_s)
        due = time.monotonic() + min(pause, _LONGEST_S)
        self._due[batch] = min(due, self._due.get(batch, due))

    def due_in(self, batch: str) -> float | None:
        """Seconds until a batch's ring; None when none is asked for."""
        due = self._due.get(batch)
        return None if due is None else due - time.monotonic()

    def asked(self) -> list[str]:
        """Batches whose ring is yet to come, or has been given a moment ago."""
        return [*self._due, *self._just_rung]

    async def run(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            now = time.monotonic()
            self._just_rung = {batch: at for batch, at in self._just_rung.items() if now - at < _MOMENT_S}
            for batch in [batch for batch, due in self._due.items() if due <= now]:
                del self._due[batch]
                self._just_rung[batch] = now
                task = asyncio.create_task(self._ring(batch))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _ring(self, batch: str) -> None:
        try:
            await self._temporal.get_workflow_handle(batch).signal(BELL)
        except RPCError as error:
            # Not running: it has ended, or the sweep will give its open orders to another batch.
            if error.status is not RPCStatusCode.NOT_FOUND:
                log.warning("the bell of %s could not be rung, the sweep will: %s", batch, error)
