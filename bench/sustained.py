"""Open-loop load over a while, and what the stream of events says became of it."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bench import seen
from bench.measuring import Cost, all_memory, history_events
from bench.rig import Rig
from bench.sending import PER_REQUEST, Sent
from workers.report import percentile

_MEMORY_EVERY_S = 1.0


@dataclass(slots=True)
class Memory:
    """MiB by process, every second."""

    samples: list[tuple[float, dict[str, float]]] = field(default_factory=list)

    def as_json(self) -> dict[str, dict[str, float]]:
        names = sorted(self.samples[-1][1]) if self.samples else []
        of = {name: [mib[name] for _, mib in self.samples if name in mib] for name in names}
        return {
            name: {"start": round(all_[0], 1), "end": round(all_[-1], 1), "peak": round(max(all_), 1)}
            for name, all_ in of.items()
        }


@asynccontextmanager
async def memory_watched(rig: Rig, every_s: float = _MEMORY_EVERY_S) -> AsyncIterator[Memory]:
    memory = Memory()

    async def watch() -> None:
        while True:
            memory.samples.append((time.time(), all_memory(rig.processes)))
            await asyncio.sleep(every_s)

    task = asyncio.create_task(watch())
    try:
        yield memory
    finally:
        task.cancel()
        memory.samples.append((time.time(), all_memory(rig.processes)))


@dataclass(frozen=True, slots=True)
class Load:
    """One open-loop load: what was sent, and by order when its offer and its end were in the stream."""

    sent: Sent
    times: seen.Times

    @property
    def orders(self) -> int:
        return len(self.sent.placed)

    def latencies_ms(self) -> list[float]:
        """From placed (the request that was accepted) to dispatched, of all orders."""
        at = self.times.dispatched
        return [(at[order] - placed) * 1000 for order, placed in self.sent.placed.items() if order in at]

    def as_json(self) -> dict[str, Any]:
        found = self.latencies_ms()
        lasted = self.sent.ended - self.sent.began
        return {
            "orders": self.orders,
            "offered_per_s": round(self.orders / lasted, 1),
            "requests": self.sent.requests,
            "requests_sent_away": self.sent.sent_away,
            "sender_late_ms": round(self.sent.late_s * 1000, 1),
            "answer_p99_ms": round(percentile(self.sent.answer_ms, 99), 1),
            "p50_ms": round(percentile(found, 50), 1),
            "p99_ms": round(percentile(found, 99), 1),
        }


def rate(moments: Mapping[str, float], first: float, last: float) -> float:
    """Orders a second of those moments that lie in a stretch of time."""
    return sum(first <= at < last for at in moments.values()) / (last - first)


async def load(
    rig: Rig, prefix: str, rate: float, seconds: float, size: int = PER_REQUEST, *, to_the_end: bool = True
) -> Load:
    """Send at a rate, wait until all are dispatched, and with `to_the_end` until all have ended."""
    async with rig.sender() as sender:
        with rig.console.status(f"{prefix}: {rate:,.0f} orders/s for {seconds:g} s"):
            sent = await sender.steadily(prefix, rate, seconds, size)
    rig.sent += len(sent.placed)
    await rig.until(rig.dispatched, rig.sent, f"{prefix}: dispatch of the rest")
    if to_the_end:
        await rig.until(rig.closed, rig.sent, f"{prefix}: until all have ended")
    return Load(sent, await seen.times(rig.js, prefix, sent.began - 1))


@dataclass(frozen=True, slots=True)
class Life:
    """A load with the cost of its orders' whole life."""

    load: Load
    cost: Cost
    events: int
    batches: int
    memory: Memory
    window: tuple[float, float]

    def as_json(self) -> dict[str, Any]:
        orders = self.load.orders
        return {
            **self.load.as_json(),
            "dispatched_per_s": round(rate(self.load.times.dispatched, *self.window), 1),
            "delivered_per_s": round(rate(self.load.times.closed, *self.window), 1),
            "window_s": round(self.window[1] - self.window[0], 1),
            "events_per_order": round(self.events / orders, 4),
            "batches": self.batches,
            "cost": self.cost.per_order(orders),
            "memory_mib": self.memory.as_json(),
        }


async def life(rig: Rig, prefix: str, rate: float, seconds: float, warm_s: float) -> Life:
    """A load over the orders' whole life; rates are those after `warm_s`, until the last request was sent.

    Raises ValueError when nothing is left to be counted.
    """
    if warm_s >= seconds:
        raise ValueError(f"of {seconds:g} s, {warm_s:g} s cannot be left out")
    events, batches = await history_events(rig.temporal, rig.mongo), await rig.mongo.batches.count_documents({})
    before = await rig.cost()
    async with memory_watched(rig) as memory:
        done = await load(rig, prefix, rate, seconds)
    return Life(
        load=done,
        cost=(await rig.cost()).since(before),
        events=await history_events(rig.temporal, rig.mongo) - events,
        batches=await rig.mongo.batches.count_documents({}) - batches,
        memory=memory,
        window=(done.sent.began + warm_s, done.sent.ended),
    )
