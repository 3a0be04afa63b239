"""Group commit: what many requests bring within milliseconds is handled in one go, and each gets its own outcome."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from contracts.refusals import Refusal

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class Grouping(Generic[Item, Outcome]):
    """A group goes out `within_s` after its first item, or at once when it holds `at_most`.

    While `at_once` groups are being handled the next one keeps growing: the slower the database, the larger the
    groups. Beyond `waiting_at_most` items in memory further ones are refused.
    """

    def __init__(
        self,
        handle: Callable[[list[Item]], Awaitable[Sequence[Outcome]]],
        *,
        within_s: float,
        at_most: int,
        waiting_at_most: int,
        at_once: int,
    ) -> None:
        self._handle = handle
        self._within_s = within_s
        self._at_most = at_most
        self._waiting_at_most = waiting_at_most
        self._at_once = at_once
        self._entries: list[tuple[Sequence[Item], asyncio.Future[Sequence[Outcome]]]] = []
        self._gathered = 0
        self._held = 0
        self._due: asyncio.TimerHandle | None = None
        self._handling: set[asyncio.Task[None]] = set()

    @property
    def held(self) -> int:
        """Items in memory: gathered or being handled."""
        return self._held

    async def add(self, item: Item) -> Outcome:
        return (await self.add_all([item]))[0]

    async def add_all(self, items: Sequence[Item]) -> Sequence[Outcome]:
        """Outcomes in the order of the items, which stay together in one group. Raises Refusal when overloaded."""
        if self._held + len(items) > max(self._waiting_at_most, len(items)):
            raise overloaded(self._held)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Sequence[Outcome]] = loop.create_future()
        self._entries.append((items, future))
        self._gathered += len(items)
        self._held += len(items)
        if self._gathered >= self._at_most:
            self._send()
        elif self._due is None:
            self._due = loop.call_later(self._within_s, self._send)
        return await future

    async def close(self) -> None:
        """Handle what is left."""
        while self._entries or self._handling:
            self._send()
            await asyncio.wait(self._handling)

    def _send(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if not self._entries or len(self._handling) >= self._at_once:
            return
        entries, self._entries, self._gathered = self._entries, [], 0
        task = asyncio.get_running_loop().create_task(self._finish(entries))
        self._handling.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._handling.discard(task)
        self._send()

    async def _finish(self, entries: list[tuple[Sequence[Item], asyncio.Future[Sequence[Outcome]]]]) -> None:
        items = [item for group, _ in entries for item in group]
        try:
            outcomes = await self._handle(items)
        except Exception as error:
            for _, future in entries:
                if not future.done():
                    future.set_exception(error)
            return
        finally:
            self._held -= len(items)
        start = 0
        for group, future in entries:
            if not future.done():
                future.set_result(outcomes[start : start + len(group)])
            start += len(group)


def overloaded(held: int) -> Refusal:
    return Refusal(
        "overloaded",
        f"{held} are waiting to be written and no more are taken in for the moment.",
        remedy="Send the same request again after the seconds that Retry-After names.",
        status=503,
        retry_after=1,
    )
