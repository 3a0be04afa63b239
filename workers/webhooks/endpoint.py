"""One webhook: its stream's events in order, one request at a time, each until it is answered 2xx."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from datetime import timedelta

from contracts.webhooks import Failure, Webhook
from infra.clock import Clock
from infra.hearing import BusSilent, Gone, Heard, Hearing
from infra.mongo import PyMongoError
from workers.webhooks.keeping import Keeping, Superseded
from workers.webhooks.rules import Again, Outcome, Rules, after_failure
from workers.webhooks.sending import Sender

log = logging.getLogger(__name__)
_PAGE_EVENTS = 50
_PAGE_BYTES = 256 * 1024
_KEEP_EVERY = 10
"""Events that are sent before the position is written down; so many come again after a death."""
_LOOK_S = 30.0
_AWAY_S, _AGAIN_S = 1.0, 0.1


class Endpoint:
    """Runs until it `ended`, or the webhook is paused, deleted, or somebody else's.

    `may_send` says whether this process's lease is good at the moment.
    """

    def __init__(
        self,
        hook: Webhook,
        *,
        keeping: Keeping,
        hearing: Hearing,
        sender: Sender,
        clock: Clock,
        rules: Rules,
        may_send: Callable[[], bool],
    ) -> None:
        self.hook = hook
        self._keeping = keeping
        self._hearing = hearing
        self._sender = sender
        self._clock = clock
        self._rules = rules
        self._may_send = may_send
        self._bell: asyncio.Event | None = None
        self._look_again = False
        self._last: Heard | None = None
        self._unkept = 0
        self.ended = False

    def look_again(self) -> None:
        """Somebody has changed the webhook."""
        self._look_again = True
        self._ring()

    def end(self) -> None:
        self.ended = True
        self._ring()

    def _ring(self) -> None:
        if self._bell is not None:
            self._bell.set()

    async def run(self) -> None:
        async with self._hearing.waiting(self.hook.stream) as bell:
            self._bell = bell
            while not self.ended:
                try:
                    if self._look_again:
                        await self._read()
                    else:
                        await self._go_on(bell)
                except Superseded:
                    self._look_again = True
                    await asyncio.sleep(_AGAIN_S)
                except (BusSilent, PyMongoError) as error:
                    log.warning("%s: trying again in %g s: %s", self.hook.id, _AWAY_S, error)
                    await asyncio.sleep(_AWAY_S)
            with contextlib.suppress(Superseded, PyMongoError):
                await self._keep()

    async def _read(self) -> None:
        """What was sent and not written down comes again, unless it can be written down now."""
        with contextlib.suppress(Superseded):
            await self._keep()
        found = await self._keeping.read(self.hook)
        self._look_again = False
        self._unkept = 0
        self._last = None
        if found is None:
            self.ended = True
        else:
            self.hook = found

    async def _go_on(self, bell: asyncio.Event) -> None:
        """One page, or one wait. Raises Superseded, BusSilent and what the database raises."""
        hook = self.hook
        if hook.next_at is not None:
            left = (hook.next_at - self._clock.now()).total_seconds()
            if left > 0:
                await self._rest(bell, left)
                return
        try:
            page = await self._hearing.read(
                hook.stream, hook.position, _PAGE_EVENTS, self._last, most_bytes=_PAGE_BYTES
            )
        except Gone as gone:
            detail = f"{gone.oldest} is the oldest number that is kept"
            await self._keeping.pause(hook, "events_gone", Failure(at=self._clock.now(), detail=detail))
            self.ended = True
            return
        for event in page.events:
            if self.ended or self._look_again:
                break
            if not await self._send(event):
                return
        if not page.more:
            await self._keep()
        if not page.events:
            await self._hearing.wait(hook.stream, bell, hook.position, _LOOK_S)

    async def _send(self, event: Heard) -> bool:
        """Whether it was taken."""
        if not self._may_send():
            # Others may have taken over: nothing goes out before the lease is known to be good again.
            raise Superseded
        outcome = await self._sender.send(self.hook, event)
        if not outcome.taken:
            await self._fail(outcome)
            return False
        hook, failed_before = self.hook, self.hook.attempts > 0
        hook.position = event.number
        hook.acknowledged = max(hook.acknowledged, event.number)
        hook.attempts, hook.failing_since, hook.next_at = 0, None, None
        self._last = event
        self._unkept += 1
        if failed_before or self._unkept >= _KEEP_EVERY:
            await self._keep()
        return True

    async def _fail(self, outcome: Outcome) -> None:
        hook, now = self.hook, self._clock.now()
        hook.attempts += 1
        hook.failing_since = hook.failing_since or now
        hook.last_failure = Failure(at=now, status=outcome.status, detail=outcome.detail)
        decided = after_failure(outcome, hook.attempts, hook.failing_since, now, random.random(), self._rules)
        if isinstance(decided, Again):
            hook.next_at = now + timedelta(seconds=decided.after_s)
            await self._keeping.failed(hook)
        else:
            await self._keeping.pause(hook, decided.reason, hook.last_failure)
            log.warning("%s is paused: %s", hook.id, decided.reason)
            self.ended = True
        self._unkept = 0

    async def _keep(self) -> None:
        if self._unkept:
            await self._keeping.reached(self.hook)
            self._unkept = 0

    async def _rest(self, bell: asyncio.Event, seconds: float) -> None:
        """Shorter when somebody calls; an event that was told is no reason."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not self.ended and not self._look_again:
            bell.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await bell.wait()
            except TimeoutError:
                return
