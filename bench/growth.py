"""`make bench-growth`: how orders a second and the cost of an order change with one thing after the other.

One axis at a time, everything else as in the goal profile. Each point is a burst that is dispatched while the stores
are silent, and then the rest of its orders' life. Points that the JSON file has already are left out.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from annotated_types import Le
from rich.console import Console
from rich.table import Table

from bench.machine import settings_of
from bench.plots import plot_growth
from bench.quick import Halves, halves
from bench.rig import Rig, rig
from bench.sustained import life
from bench.synthetic import fill, models
from bench.world import Shape, draw
from infra.settings import Settings

AXES: dict[str, tuple[float, ...]] = {
    "batch": (1, 10, 50, 200, 500, 1_000, 2_000),
    "locations": (10, 100, 1_000, 3_000),
    "skus": (10, 100, 1_000, 10_000),
    "lines": (1, 2, 4, 8),
    "zipf": (0, 0.5, 1, 1.5),
    "workers": (1, 2, 4),
    "open": (10_000, 100_000, 1_000_000),
}
STANDARD = Shape()
WORKERS_COST, WORKERS_RATE, OPEN_SLOWER = 1.10, 1.5, 0.20
_SHAPES = ("locations", "skus")
_ORDERS_ONLY = ("lines", "zipf")
"""Their points share one system: network and stock are the same."""

Row = dict[str, Any]
Keep = Callable[[Row], None]


@dataclass(frozen=True, slots=True)
class Size:
    """`seconds` that a point's dispatch should take; orders of a first burst; most orders of a point."""

    seconds: float = 8.0
    first: int = 500
    at_most: int = 20_000


def values_of(axis: str) -> tuple[float, ...]:
    """Those that the settings allow."""
    if axis != "batch":
        return AXES[axis]
    most = next(limit.le for limit in Settings.model_fields["batch_max"].metadata if isinstance(limit, Le))
    return tuple(value for value in AXES[axis] if value <= float(str(most)))


def row_of(axis: str, value: float, found: dict[str, Any]) -> Row:
    first, second = found["dispatch"], found["rest"]
    cpu = {name: round(ms + second["cpu_ms"].get(name, 0.0), 4) for name, ms in first["cpu_ms"].items()}
    return {
        "axis": axis,
        "value": value,
        "orders": found["orders"],
        "dispatched_per_s": found["dispatched_per_s"],
        "whole_life_per_s": found["whole_life_per_s"],
        "cpu_ms_dispatch": first["cpu_ms_all"],
        "cpu_ms": round(first["cpu_ms_all"] + second["cpu_ms_all"], 4),
        "cpu_by_process": cpu,
        "mongo_operations": round(first["mongo_operations"] + second["mongo_operations"], 3),
        "events_per_order": found["events_per_order"],
        "offers_per_order": found["offers_per_order"],
        "batches": found["batches"],
    }


def shape_with(axis: str, value: float) -> Shape:
    """The goal profile with one thing changed."""
    changed: dict[str, Any] = {axis: value if axis == "zipf" else int(value)}
    return replace(STANDARD, **changed)


async def point(one: Rig, size: Size, prefix: str, shape: Shape | None = None) -> dict[str, Any]:
    """A burst to learn the rate and to warm up, and one that lasts."""
    world = draw(shape) if shape else None
    first = await halves(one, size.first, f"{prefix}a", world=world)
    number = int(min(max(size.first / first.dispatch_s * size.seconds, size.first), size.at_most))
    found: Halves = await halves(one, number, f"{prefix}b", world=world)
    return found.as_json()


async def _of_shapes(axis: str, values: list[float], size: Size, console: Console, keep: Keep) -> None:
    for value in values:
        async with rig(draw(shape_with(axis, value)), console) as one:
            keep(row_of(axis, value, await point(one, size, "p")))


async def _of_orders(axis: str, values: list[float], size: Size, console: Console, keep: Keep) -> None:
    async with rig(draw(STANDARD), console) as one:
        for number, value in enumerate(values):
            keep(row_of(axis, value, await point(one, size, f"p{number}", shape_with(axis, value))))


async def _of_batches(values: list[float], size: Size, console: Console, keep: Keep) -> None:
    for value in values:
        few = replace(size, first=min(size.first, max(int(value), 40)))
        async with rig(draw(STANDARD), console, batch_max=int(value)) as one:
            keep(row_of("batch", value, await point(one, few, "p")))


async def _of_workers(values: list[float], size: Size, console: Console, keep: Keep) -> None:
    """Half of what one process dispatches, with one, two and four; and what they dispatch in a burst."""
    half = None
    for value in values:
        async with rig(draw(STANDARD), console, workers=int(value)) as one:
            burst = await point(one, size, "p")
            half = half or burst["dispatched_per_s"] / 2
            await one.tell(delay_s=(0.0, 2.0), group_s=1.0, hold=False)
            steady = (await life(one, "half", half, 2 * size.seconds, 0.0)).as_json()
        cost = steady["cost"]
        row = row_of("workers", value, burst) | {
            "cpu_ms": cost["cpu_ms_all"],
            "cpu_by_process": cost["cpu_ms"],
            "steady_per_s": steady["offered_per_s"],
            "p99_ms": steady["p99_ms"],
        }
        row.pop("whole_life_per_s")
        keep(row)


async def _of_open(values: list[float], size: Size, console: Console, keep: Keep) -> None:
    """The same system with more and more open orders."""
    async with rig(draw(STANDARD), console) as one:
        await halves(one, size.first, "warm")
        rows = await models(one)
        there, repetition = 0, 1
        for number, value in enumerate(values):
            repetition = await fill(one, rows, int(value) - there, repetition)
            there = int(value)
            keep(row_of("open", value, await point(one, size, f"p{number}")))


async def measure(axis: str, values: list[float], size: Size, console: Console, keep: Keep) -> None:
    """Measure the points of one axis; each is handed over as soon as it is known."""
    if axis in _SHAPES:
        await _of_shapes(axis, values, size, console, keep)
    elif axis in _ORDERS_ONLY:
        await _of_orders(axis, values, size, console, keep)
    else:
        await {"batch": _of_batches, "workers": _of_workers, "open": _of_open}[axis](values, size, console, keep)


def goals_of(rows: list[Row], cores: int) -> list[dict[str, Any]]:
    """What growth may cost. Pure. Goals whose points are missing are left out."""
    return [goal for goal in _goals(rows, cores) if goal]


def _goals(rows: list[Row], cores: int) -> Iterator[dict[str, Any]]:
    at = {(row["axis"], row["value"]): row for row in rows}
    one, four = at.get(("workers", 1)), at.get(("workers", 4))
    if one and four:
        cost = round(four["cpu_ms"] / one["cpu_ms"], 3)
        name = "CPU per order with 4 processes against 1, at half load"
        yield {"name": name, "value": cost, "target": WORKERS_COST, "met": cost <= WORKERS_COST}
        rate, free = round(four["dispatched_per_s"] / one["dispatched_per_s"], 2), cores > 4
        note = "" if free else f"no free cores here ({cores}): stated, not judged"
        met = rate >= WORKERS_RATE if free else True
        yield {"name": "dispatched/s, 4 against 1", "value": rate, "target": WORKERS_RATE, "met": met, "note": note}
    few, many = at.get(("open", 10_000)), at.get(("open", 1_000_000))
    if few and many:
        slower = round(1 - many["dispatched_per_s"] / few["dispatched_per_s"], 3)
        name = "slower with 1 M open orders than with 10 k"
        yield {"name": name, "value": slower, "target": OPEN_SLOWER, "met": slower <= OPEN_SLOWER}


def show(rows: list[Row], goals: list[dict[str, Any]], console: Console) -> None:
    table = Table(title="growth: one thing varied, the rest as in the goal profile")
    for column in (
        "varied",
        "value",
        "dispatched/s",
        "whole life/s",
        "CPU ms to dispatch",
        "CPU ms, whole life",
        "ops",
    ):
        table.add_column(column, justify="left" if column == "varied" else "right")
    for row in rows:
        table.add_row(
            row["axis"],
            f"{row['value']:,}",
            f"{row['dispatched_per_s']:,}",
            f"{row['whole_life_per_s']:,}" if "whole_life_per_s" in row else "",
            f"{row['cpu_ms_dispatch']:.2f}",
            f"{row['cpu_ms']:.2f}",
            f"{row['mongo_operations']:.1f}",
        )
    console.print(table)
    for goal in goals:
        met = "[green]met[/green]" if goal["met"] else "[red]missed[/red]"
        console.print(f"{goal['name']}: {goal['value']} (goal {goal['target']}) {met} {goal.get('note', '')}")


def _sorted(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (list(AXES).index(row["axis"]), row["value"]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("growth.json"), help="JSON; a plot beside it")
    parser.add_argument("--axis", nargs="+", choices=list(AXES), default=list(AXES))
    parser.add_argument("--again", action="store_true", help="also the points that the file has")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each point's dispatch")
    options = parser.parse_args()
    console = Console(stderr=True)
    result = json.loads(options.out.read_text()) if options.out.exists() else {"rows": []}
    rows: list[Row] = result["rows"]
    if options.again:
        rows = [row for row in rows if row["axis"] not in options.axis]
    began = time.monotonic()

    def keep(row: Row) -> None:
        rows.append(row)
        found = _sorted(rows)
        goals = goals_of(found, os.cpu_count() or 1)
        options.out.write_text(json.dumps({"rows": found, "goals": goals, "settings": settings_of()}, indent=1))
        took = time.monotonic() - began
        console.print(f"{row['axis']} {row['value']:,}: {row['dispatched_per_s']:,} dispatched/s ({took:.0f} s)")

    for axis in options.axis:
        known = {row["value"] for row in rows if row["axis"] == axis}
        if values := [value for value in values_of(axis) if value not in known]:
            asyncio.run(measure(axis, values, Size(seconds=options.seconds), console, keep))
    rows = _sorted(rows)
    plot_growth(rows, options.out.with_suffix(".svg"))
    goals = goals_of(rows, os.cpu_count() or 1)
    show(rows, goals, Console())
    return 0 if all(goal["met"] for goal in goals) else 1


if __name__ == "__main__":
    sys.exit(main())
