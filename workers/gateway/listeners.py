"""Who listens at the moment: event streams and waiting calls, each bounded, and ended when its key is revoked."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from contracts.refusals import Refusal
from infra.mongo import PyMongoError
from workers.gateway.limits import Limits
from workers.gateway.security import Caller, Keys

log = logging.getLogger(__name__)
_LOOK_S = 0.4
"""Within a second of its revocation whoever listens with a key is sent away."""


class Listener:
    """One open call. `bell` is rung when it should look around: something was told, or it `ended`."""

    def __init__(self) -> None:
        self.bell: asyncio.Event | None = None
        self.ended = False
        self.revoked = False

    def end(self, *, revoked: bool = False) -> None:
        self.ended = True
        self.revoked = self.revoked or revoked
        if self.bell is not None:
            self.bell.set()


class Listeners:
    """All that listen to this process."""

    def __init__(self, keys: Keys, limits: Limits) -> None:
        self._keys = keys
        self._limits = limits
        self._of_key: defaultdict[str, set[Listener]] = defaultdict(set)
        self.catching_up = asyncio.Semaphore(limits.catching_up)

    @property
    def open(self) -> int:
        return sum(map(len, self._of_key.values()))

    @contextmanager
    def admitted(self, caller: Caller) -> Iterator[Listener]:
        """Raises Refusal when the caller, or all callers together, listen too often already."""
        if len(self._of_key.get(caller.key, ())) >= self._limits.listeners_per_key:
            raise _too_many(f"{self._limits.listeners_per_key} calls of this key listen already.", 429)
        if self.open >= self._limits.listeners:
            raise _too_many(f"{self.open} calls listen already.", 503)
        listener = Listener()
        self._of_key[caller.key].add(listener)
        try:
            yield listener
        finally:
            self._of_key[caller.key].discard(listener)
            if not self._of_key[caller.key]:
                del self._of_key[caller.key]

    async def run(self) -> None:
        """Look for revoked keys, for ever."""
        while True:
            await asyncio.sleep(_LOOK_S)
            if not self._of_key:
                continue
            try:
                revoked = await self._keys.revoked(self._of_key)
            except PyMongoError as error:
                log.warning("whether keys were revoked could not be seen: %s", error)
                continue
            for key in revoked:
                for listener in self._of_key.get(key, ()):
                    listener.end(revoked=True)


def _too_many(detail: str, status: int) -> Refusal:
    return Refusal(
        "too_many_listeners",
        detail,
        remedy="Close those that nobody reads, and come again after the seconds that Retry-After names.",
        status=status,
        retry_after=5,
    )
