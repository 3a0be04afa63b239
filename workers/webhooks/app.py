"""The process that sends webhooks: takes those that nobody sends to, one task for each, and keeps its leases."""

import asyncio
import logging
import time
from collections.abc import Iterable

from contracts.webhooks import Webhook
from infra.ending import ended
from infra.hearing import Hearing
from infra.mongo import Mongo, PyMongoError
from infra.sealing import Sealing
from infra.settings import Settings
from workers.webhooks.endpoint import Endpoint
from workers.webhooks.keeping import LEASE_S, Keeping
from workers.webhooks.rules import Rules
from workers.webhooks.sending import Sender

log = logging.getLogger(__name__)
_AT_MOST = 5_000
"""Webhooks that one process sends to."""
_CLAIMED_AT_ONCE = 200
_LOOK_S = 0.5
_END_WITHIN_S = 10.0


def rules_of(settings: Settings) -> Rules:
    return Rules(
        within_s=settings.webhook_within_s,
        retry_s=settings.webhook_retry_s,
        retry_max_s=settings.webhook_retry_max_s,
        gives_up_s=settings.webhook_gives_up_s,
    )


class WebhookWorker:
    """`owner` names this process in the database."""

    def __init__(
        self,
        mongo: Mongo,
        hearing: Hearing,
        sealing: Sealing,
        *,
        owner: str,
        rules: Rules,
        private: bool = False,
        lease_s: float = LEASE_S,
    ) -> None:
        self._mongo = mongo
        self._hearing = hearing
        self._rules = rules
        self._keeping = Keeping(mongo, sealing, owner, lease_s)
        self._sender = Sender(mongo.clock, within_s=rules.within_s, private=private)
        self._lease_s = lease_s
        self._renewed_at = float("-inf")
        self._running: dict[str, tuple[Endpoint, asyncio.Task[None]]] = {}
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Let what is under way end, give the leases back, and end `run`."""
        self._stop.set()

    async def run(self) -> None:
        """Send until stopped. A server that is away is waited for."""
        async with self._sender:
            try:
                while not self._stop.is_set():
                    try:
                        await self._look()
                    except PyMongoError as error:
                        log.warning("trying again in %g s: %s", _LOOK_S, error)
                    await self._pause()
            finally:
                await self._end()

    async def _look(self) -> None:
        began = time.monotonic()
        mine = await self._keeping.renew()
        self._renewed_at = began
        for name, (endpoint, task) in list(self._running.items()):
            known = mine.get(name)
            if task.done():
                await self._ended(name, task)
            elif known is None or known[0] != endpoint.hook.lease.token:
                endpoint.end()
            elif known[1] != endpoint.hook.generation:
                endpoint.look_again()
        if len(self._running) < _AT_MOST:
            self._begin(await self._keeping.claim(_CLAIMED_AT_ONCE))

    def _begin(self, hooks: Iterable[Webhook]) -> None:
        for hook in hooks:
            if hook.id in self._running:
                # It ends, and is begun when it has: nobody else can take it meanwhile.
                continue
            endpoint = Endpoint(
                hook,
                keeping=self._keeping,
                hearing=self._hearing,
                sender=self._sender,
                clock=self._mongo.clock,
                rules=self._rules,
                may_send=self._may_send,
            )
            self._running[hook.id] = endpoint, asyncio.create_task(endpoint.run())

    async def _ended(self, name: str, task: asyncio.Task[None]) -> None:
        del self._running[name]
        if error := task.exception():
            log.error("%s could not be carried on; it is begun again", name, exc_info=error)
        await self._keeping.give_back(name)

    def _may_send(self) -> bool:
        """By this machine's clock; half of the lease is left for what is under way."""
        return time.monotonic() - self._renewed_at < self._lease_s / 2

    async def _pause(self) -> None:
        """Shorter when stopped."""
        try:
            async with asyncio.timeout(_LOOK_S):
                await self._stop.wait()
        except TimeoutError:
            pass

    async def _end(self) -> None:
        for endpoint, _ in self._running.values():
            endpoint.end()
        tasks = [task for _, task in self._running.values()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=_END_WITHIN_S)
            await ended(late)
        try:
            await self._keeping.give_back()
        except PyMongoError as error:
            log.warning("leases were not given back: %s", error)
