"""`make soak`: a steady load for an hour, and whether any process's memory grows.

The rule: a process is flat when, after the warm-up (the first third, twenty minutes at most, in which caches fill), the
lower end of the 95 % interval of its slope is at most ALLOWED_SHARE of its memory an hour, or ALLOWED_MIB an hour.
MongoDB fills its cache first, whose size is set; it is judged by that: at most the cache and MONGO_BESIDE_MIB.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.machine import settings_of
from bench.measuring import all_memory
from bench.rig import Rig, bar, rig
from bench.sending import Sender
from bench.slope import slope
from bench.sustained import memory_watched
from bench.world import Shape, draw

ALLOWED_SHARE, ALLOWED_MIB = 0.05, 8.0
MONGO_BESIDE_MIB = 600.0
"""What MongoDB needs beside its cache: connections, plans, the oplog's and the journal's buffers."""
_STEP_S = 10.0
_WARM_SHARE, _WARM_AT_MOST_S = 1 / 3, 1_200.0
_NOT_JUDGED = ("load", "stores")
"""The bench's own: they hold every order's time, and every answer that is planned."""
Samples = Sequence[tuple[float, Mapping[str, float]]]


def verdicts(samples: Samples, mongo_cache_mib: float) -> dict[str, dict[str, Any]]:
    """By process: its slope in MiB an hour with its interval, and whether it is flat by the rule."""
    began, ended = samples[0][0], samples[-1][0]
    warm: float = began + min((ended - began) * _WARM_SHARE, _WARM_AT_MOST_S)
    found: dict[str, dict[str, Any]] = {}
    for name in sorted(set(samples[-1][1]) - set(_NOT_JUDGED)):
        own = [(at, mib[name]) for at, mib in samples if at >= warm and name in mib]
        fitted = slope(own)
        allowed = max(ALLOWED_SHARE * fitted.mean, ALLOWED_MIB)
        found[name] = {
            "start_mib": round(samples[0][1].get(name, own[0][1]), 1),
            "warm_mib": round(own[0][1], 1),
            "end_mib": round(own[-1][1], 1),
            "peak_mib": round(max(mib for _, mib in own), 1),
            "slope_mib_per_hour": round(fitted.per_hour, 2),
            "interval": [round(fitted.low, 2), round(fitted.high, 2)],
            "allowed_mib_per_hour": round(allowed, 2),
            "flat": fitted.low <= allowed,
        }
    if "mongo" in found:
        limit = mongo_cache_mib + MONGO_BESIDE_MIB
        found["mongo"] |= {"limit_mib": limit, "flat": bool(found["mongo"]["peak_mib"] <= limit)}
    return found


async def soak(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Send orders at a steady rate for so long, in pieces, and sample every process's memory."""
    shape = Shape(locations=options.locations, skus=options.skus)
    async with rig(draw(shape, options.seed), console) as one:
        await one.tell(delay_s=options.delay_s, group_s=1.0, hold=False)
        began = time.time()
        async with memory_watched(one, options.every_s) as memory, one.sender() as sender:
            await _steadily(one, sender, options.rate, options.minutes * 60)
        lasted = time.time() - began
        await one.empty()
        settings = settings_of()
        found = verdicts(memory.samples, one.settings.mongo_cache_gb * 1024)
        series = [{"s": round(at - began, 1), **{n: round(m, 1) for n, m in mib.items()}} for at, mib in memory.samples]
        return {
            "minutes": round(lasted / 60, 2),
            "orders": one.sent,
            "per_s": round(one.sent / lasted, 1),
            "processes": found,
            "flat": all(process["flat"] for process in found.values()),
            "after_mib": {name: round(mib, 1) for name, mib in all_memory(one.processes).items()},
            "bounded_by_configuration": {
                "mongo": f"its cache, {one.settings.mongo_cache_gb:g} GiB; judged by that and {MONGO_BESIDE_MIB:g} MiB",
                "nats": "streams by bytes and age, on disk; memory of ids by the duplicate window of 120 s",
                "temporal": "its caches' default sizes; closed workflows by the namespace's retention, on disk",
            },
            "settings": settings,
            "samples": series,
        }


async def _steadily(one: Rig, sender: Sender, rate: float, seconds: float) -> None:
    """Pieces of ten seconds, each with ids of its own, so that nothing of a whole hour is kept here."""
    pieces = max(round(seconds / _STEP_S), 1)
    with bar(one.console) as progress:
        task = progress.add_task(f"soak, {rate:g} orders/s, pieces of {_STEP_S:g} s", total=pieces)
        for piece in range(pieces):
            sent = await sender.steadily(f"soak{piece:04d}", rate, min(_STEP_S, seconds))
            one.sent += len(sent.placed)
            one.system.watch()
            progress.advance(task)


def show(result: dict[str, Any], console: Console) -> None:
    table = Table(title=f"memory over {result['minutes']:g} minutes at {result['per_s']:g} orders/s, MiB")
    for column in ("process", "start", "warm", "end", "peak", "slope an hour", "95 % interval", ""):
        table.add_column(column, justify="left" if column in ("process", "") else "right")
    for name, one in result["processes"].items():
        low, high = one["interval"]
        verdict = "[green]flat[/green]" if one["flat"] else "[red]grows[/red]"
        sizes = (f"{one[key]:,.0f}" for key in ("start_mib", "warm_mib", "end_mib", "peak_mib"))
        table.add_row(name, *sizes, f"{one['slope_mib_per_hour']:+.1f}", f"{low:+.1f} … {high:+.1f}", verdict)
    console.print(table)
    console.print("memory is flat" if result["flat"] else "[red]memory grows[/red]")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=None, help="JSON; a plot beside it")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=100.0, help="orders a second")
    parser.add_argument("--every-s", type=float, default=5.0)
    parser.add_argument("--delay-s", nargs=2, type=float, default=(2.0, 10.0), help="of each of a store's answers")
    parser.add_argument("--locations", type=int, default=1_000)
    parser.add_argument("--skus", type=int, default=300)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    result = asyncio.run(soak(options, Console(stderr=True)))
    if options.out:
        from bench.plots import plot_soak

        options.out.write_text(json.dumps(result, indent=1))
        plot_soak(result, options.out.with_suffix(".svg"))
    show(result, Console())
    return 0 if result["flat"] else 1


if __name__ == "__main__":
    sys.exit(main())
