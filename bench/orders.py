"""`make bench-orders`: thousands of orders a second, measured through the public API against stated goals."""

import argparse
import asyncio
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.arms import QUICK, Plan, batched, single
from bench.goals import goals_of
from bench.machine import settings_of
from bench.quick import show as show_halves

ARMS = ("batched", "single")


async def run(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    plan = QUICK if options.quick else Plan()
    began = time.monotonic()
    arms: dict[str, Any] = {}
    if "batched" in options.arms:
        arms["batched"] = await batched(plan, options.seed, console)
    if "single" in options.arms:
        arms["single"] = await single(plan, options.seed, console, options.single_starting)
    goals = goals_of(arms["batched"], arms.get("single")) if "batched" in arms else []
    settings = {**settings_of(), "seed": options.seed, "plan": json.loads(json.dumps(asdict(plan)))}
    return {"arms": arms, "goals": goals, "settings": settings, "took_s": round(time.monotonic() - began)}


def show(result: dict[str, Any], console: Console) -> None:
    arms = result["arms"]
    for name, arm in arms.items():
        show_halves(arm["burst"], console, name)
    table = Table(title="sustained load, open loop")
    for column in ("", *arms):
        table.add_column(column, justify="left" if not column else "right")
    for title, path in _ROWS:
        table.add_row(title, *(_at(arm, path) for arm in arms.values()))
    console.print(table)
    if result["goals"]:
        show_goals(result["goals"], console)


def show_goals(found: list[dict[str, Any]], console: Console) -> None:
    """The absolute figure and its share of the bare minimum, whichever of them meets the goal."""
    goals = Table(title="goals")
    for column in ("goal", "value", "target", "bare minimum", "share of it", ""):
        goals.add_column(column)
    for goal in found:
        met = "[green]met[/green]" if goal["met"] else "[red]missed[/red]"
        share = f"{goal['share']:.0%} (goal {goal['share_target']:.0%})" if "share" in goal else ""
        if goal.get("absolute_met") is False and goal["met"]:
            met = "[green]met by its share[/green]"
        ceiling = f"{goal['ceiling']:,}" if "ceiling" in goal else ""
        goals.add_row(goal["name"], f"{goal['value']:,}", f"{goal['target']:,}", ceiling, share, met)
    console.print(goals)
    for goal in found:
        if "note" in goal:
            console.print(f"{goal['name']}: {goal['note']}")


_ROWS = (
    ("orders/s placed → dispatched", ("sustained", "dispatched_per_s")),
    ("orders/s placed → delivered", ("life", "delivered_per_s")),
    ("orders/s offered, of them", ("life", "offered_per_s")),
    ("p50 at half of the peak, ms", ("half_peak", "p50_ms")),
    ("p99 at half of the peak, ms", ("half_peak", "p99_ms")),
    ("p50 at 20 orders/s, ms", ("night", "p50_ms")),
    ("p99 at 20 orders/s, ms", ("night", "p99_ms")),
    ("history events per order, whole life", ("sustained", "events_per_order")),
    ("MongoDB operations per order", ("sustained", "cost", "mongo_operations")),
    ("CPU ms per order, all processes", ("sustained", "cost", "cpu_ms_all")),
    ("bytes written per order by MongoDB", ("sustained", "cost", "written_bytes", "mongo")),
    ("bytes written per order by NATS", ("sustained", "cost", "written_bytes", "nats")),
    ("requests sent away under overload", ("sustained", "requests_sent_away")),
)


def _at(arm: dict[str, Any], path: tuple[str, ...]) -> str:
    found: Any = arm
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return "" if found is None else f"{found:,}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=None, help="write the result as JSON")
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes; the figures mean nothing")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--single-starting", type=int, default=8, help="batches_starting of the single arm")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    result = asyncio.run(run(options, Console(stderr=True)))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1))
    show(result, Console())
    return 0 if all(goal["met"] for goal in result["goals"]) else 1


if __name__ == "__main__":
    sys.exit(main())
