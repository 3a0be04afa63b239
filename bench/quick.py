"""`python -m bench.quick`: what an order costs. All are dispatched while the stores are silent, then the stores answer.

So the two halves of an order's life are measured apart: until its offer is in the stream, and the rest.
"""

import argparse
import asyncio
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import seen
from bench.measuring import Cost, history_events
from bench.rig import Rig, rig
from bench.sending import PER_REQUEST
from bench.world import Shape, World, draw
from infra.settings import Settings


@dataclass(frozen=True, slots=True)
class Halves:
    """`dispatch_s`: from the first request to the last offer; `rest_s`: from the stores' first answer to the end."""

    orders: int
    dispatch: Cost
    rest: Cost
    dispatch_s: float
    rest_s: float
    events: int
    batches: int
    offers: int
    messages: dict[str, int]
    at: tuple[float, float, float]
    """When it began, when all were dispatched, and when all had ended: seconds since the epoch."""

    def as_json(self) -> dict[str, Any]:
        return {
            "orders": self.orders,
            "batches": self.batches,
            "dispatched_per_s": round(self.orders / self.dispatch_s, 1),
            "rest_per_s": round(self.orders / self.rest_s, 1),
            "whole_life_per_s": round(self.orders / (self.dispatch_s + self.rest_s), 1),
            "events_per_order": round(self.events / self.orders, 4),
            "offers_per_order": round(self.offers / self.orders, 4),
            "messages_per_order": {name: round(n / self.orders, 3) for name, n in self.messages.items()},
            "dispatch": self.dispatch.per_order(self.orders),
            "rest": self.rest.per_order(self.orders),
        }


async def halves(
    rig: Rig,
    number: int,
    prefix: str,
    *,
    clients: int = 4,
    size: int = PER_REQUEST,
    group_s: float = 1.0,
    world: World | None = None,
) -> Halves:
    """Place `number` orders as fast as they are taken, and measure both halves of their life.

    `size`: orders in a request. `group_s`: how often a store sends a list of answers; 0: each answer by itself.
    """
    await rig.tell(hold=True, delay_s=(0.0, 0.5), group_s=group_s)
    dispatched, closed = await rig.dispatched(), await rig.closed()
    offers = await seen.count(rig.js, seen.OFFERED)
    events, batches = await history_events(rig.temporal, rig.mongo), await rig.mongo.batches.count_documents({})
    published, before = await seen.messages(rig.js), await rig.cost()
    began = time.time()
    async with rig.sender(world) as sender:
        await sender.at_once(prefix, number, clients, size)
    rig.sent += number
    await rig.until(rig.dispatched, dispatched + number, "dispatch")
    all_dispatched = time.time()
    middle = await rig.cost()
    released = time.time()
    await rig.tell(hold=False)
    await rig.until(rig.closed, closed + number, "the rest of the life")
    ended = time.time()
    after = await rig.cost()
    return Halves(
        orders=number,
        dispatch=middle.since(before),
        rest=after.since(middle),
        dispatch_s=all_dispatched - began,
        rest_s=ended - released,
        events=await history_events(rig.temporal, rig.mongo) - events,
        batches=await rig.mongo.batches.count_documents({}) - batches,
        offers=await seen.count(rig.js, seen.OFFERED) - offers,
        messages={name: n - published[name] for name, n in (await seen.messages(rig.js)).items()},
        at=(began, all_dispatched, ended),
    )


def show(result: dict[str, Any], console: Console, title: str = "cost of an order") -> None:
    """Both halves beside each other."""
    table = Table(title=f"{title}: {result['orders']:,} orders in {result['batches']} batches")
    for column in ("", "until dispatched", "the rest"):
        table.add_column(column, justify="left" if not column else "right")
    first, second = result["dispatch"], result["rest"]
    table.add_row("orders/s (only meaningful alone)", f"{result['dispatched_per_s']:,}", f"{result['rest_per_s']:,}")
    for name in first["cpu_ms"]:
        if first["cpu_ms"][name] >= 0.0005 or second["cpu_ms"].get(name, 0) >= 0.0005:
            table.add_row(f"CPU ms, {name}", f"{first['cpu_ms'][name]:.3f}", f"{second['cpu_ms'].get(name, 0):.3f}")
    table.add_row("[bold]CPU ms, all", f"[bold]{first['cpu_ms_all']:.3f}", f"[bold]{second['cpu_ms_all']:.3f}")
    for name in first["written_bytes"]:
        table.add_row(
            f"bytes written, {name}", f"{first['written_bytes'][name]:,}", f"{second['written_bytes'][name]:,}"
        )
    table.add_row("MongoDB operations", f"{first['mongo_operations']:.2f}", f"{second['mongo_operations']:.2f}")
    for name in first["mongo_by_kind"]:
        table.add_row(f"  {name}", f"{first['mongo_by_kind'][name]:.3f}", f"{second['mongo_by_kind'][name]:.3f}")
    console.print(table)
    console.print(
        f"history events an order: {result['events_per_order']}; messages an order: {result['messages_per_order']}; "
        f"whole life: {result['whole_life_per_s']:,} orders/s"
    )


async def run(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """A fresh system for one measurement."""
    shape = Shape(options.locations, options.skus, options.lines, options.zipf, options.payment)
    async with rig(draw(shape, options.seed), console, workers=options.workers, batch_max=options.batch_max) as one:
        if options.warm:
            await halves(one, options.warm, "warm")
        return (await halves(one, options.orders, "q")).as_json()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=None, help="write the result as JSON")
    parser.add_argument("--orders", type=int, default=8_000)
    parser.add_argument("--warm", type=int, default=1_000, help="orders before, not measured")
    parser.add_argument("--locations", type=int, default=1_000)
    parser.add_argument("--skus", type=int, default=300)
    parser.add_argument("--lines", type=int, default=2)
    parser.add_argument("--zipf", type=float, default=0.8)
    parser.add_argument("--payment", choices=("prepaid", "card"), default="prepaid")
    parser.add_argument("--batch-max", type=int, default=Settings.model_fields["batch_max"].default)
    parser.add_argument("--workers", type=int, default=1, help="fulfilment processes")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    result = asyncio.run(run(options, Console(stderr=True)))
    show(result, Console())
    if options.out:
        options.out.write_text(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
