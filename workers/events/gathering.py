"""Gathers single items that arrive close together and hands them on as one group."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class Gathering(Generic[Item, Outcome]):
    """`add` returns the item's own outcome once its group was handled, or raises what the group's handling raised."""

    def __init__(
        self, handle: Callable[[Sequence[Item]], Awaitable[Sequence[Outcome]]], *, most: int, within_s: float
    ) -> None:
        self._handle = handle
        self._most = most
        self._within_s = within_s
        self._waiting: list[tuple[Item, asyncio.Future[Outcome]]] = []
        self._filled = asyncio.Event()

    async def add(self, item: Item) -> Outcome:
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._filled.set()
        return await future

    async def run(self) -> None:
        while True:
            await self._filled.wait()
            if len(self._waiting) < self._most:
                await asyncio.sleep(self._within_s)
            group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            if not self._waiting:
                self._filled.clear()
            await self._finish(group)

    async def _finish(self, group: list[tuple[Item, asyncio.Future[Outcome]]]) -> None:
        try:
            outcomes = await self._handle([item for item, _ in group])
        except Exception as error:
            for _, future in group:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), outcome in zip(group, outcomes, strict=True):
            if not future.done():
                future.set_result(outcome)
