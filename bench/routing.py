"""`make bench-routing`: routing policies side by side, and against what could have been done knowing all orders.

Ends with 1 when a goal is missed. `DATA=dir`: a folder with real places (bench/routing_world.py says which files);
`OUT=path`: all figures as JSON; a plot is written beside it, or to docs/routing.svg.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from activities.orders.whatif import gini
from bench import routing_growth
from bench.hindsight import hindsight
from bench.routing_arms import ARMS, Play, policies
from bench.routing_plot import plot
from bench.routing_world import DAYS, NEARBY_KM, NEARBY_SHARE, draw, places_in
from contracts.routing import Policy

COVERS = tuple(n / 10 for n in range(6, 16))
SCARCE = 1.0
SEEDS = (1, 2, 3)
LOCATIONS, SKUS, ORDERS = 40, 20, 1_200
PRODUCT = "ours+re" if Policy().reevaluate else "ours"
"""The arm that is the default policy of the product."""

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Point:
    """One world of the sweep."""

    places: str
    cover: float
    seed: int


def figures_of(point: Point, folder: Path | None, size: tuple[int, int, int]) -> list[Figures]:
    """Every arm in one world, the bound last."""
    locations, skus, orders = size
    [places] = [one for one in places_in(folder) if one.name == point.places]
    world = draw(places, point.cover, point.seed, locations=locations, skus=skus, orders=orders)
    bound = hindsight(world, policies("cost"))
    rows: list[Figures] = [{"arm": arm} | _figures(Play(world, arm).run(), locations) for arm in ARMS]
    rows.append({"arm": "hindsight"} | asdict(bound) | {"per_unit": bound.shipping / bound.shipped})
    nearest = rows[0]
    for row in rows:
        row |= asdict(point)
        row["gap"] = (nearest["total"] - row["total"]) / (nearest["total"] - bound.total)
        row["per_unit_change"] = row["per_unit"] / nearest["per_unit"] - 1
        row["lost_change"] = row["lost"] / nearest["lost"] - 1 if nearest["lost"] else 0.0
        row["total_change"] = row["total"] / nearest["total"] - 1
        row["parcels_per_unit"] = row["parcels"] / row["shipped"]
    rows[-1]["least_lost_change"] = bound.least_lost / nearest["lost"] - 1 if nearest["lost"] else 0.0
    beyond = nearest["parcels_per_unit"] - rows[-1]["parcels_per_unit"]
    for row in rows:
        row["extra_parcels_removed"] = (nearest["parcels_per_unit"] - row["parcels_per_unit"]) / beyond
    return rows


def _figures(played: Any, locations: int) -> Figures:
    row = {name: value for name, value in asdict(played).items() if name != "load"}
    return row | {
        "total": played.total,
        "shipping": played.shipping,
        "per_unit": played.shipping / played.shipped,
        "km_per_parcel": played.km / played.parcels,
        "late_share": played.late / played.parcels,
        "load_gini": gini([*played.load.values(), *[0] * (locations - len(played.load))]),
        "load_most": max(played.load.values()),
    }


def goals_of(rows: Sequence[Figures], cpu_us: float) -> list[Figures]:
    """Value, target and whether it is met; averaged over the scarce half for the product's default policy."""
    scarce = [row for row in rows if row["arm"] == PRODUCT and row["cover"] <= SCARCE]
    bound = [row for row in rows if row["arm"] == "hindsight" and row["cover"] <= SCARCE]
    worst = max(row["total_change"] for row in rows if row["arm"] == PRODUCT)

    def mean(name: str, of: Sequence[Figures] = scarce) -> float:
        return fmean(row[name] for row in of)

    def goal(name: str, value: float, target: float, at_least: bool, **more: float) -> Figures:
        met = value >= target if at_least else value <= target
        return {"goal": name, "value": value, "target": target, "at_least": at_least, "met": met} | more

    return [
        goal("share of the gap between nearest and hindsight captured", mean("gap"), 0.5, True),
        goal("shipping cost per unit shipped, against nearest", mean("per_unit_change"), -0.10, False),
        goal(
            "lost sales, against nearest",
            mean("lost_change"),
            -0.30,
            False,
            least=mean("least_lost_change", bound),
        ),
        goal("parcels beyond hindsight removed", mean("extra_parcels_removed"), 0.4, True),
        goal("total cost against nearest, worst point of the sweep", worst, 0.01, False),
        goal("CPU per order at 1,000 locations, microseconds", cpu_us, 200, False),
    ]


def _points(folder: Path | None, seeds: Sequence[int], covers: Sequence[float]) -> Iterator[Point]:
    for places in places_in(folder):
        for seed in seeds:
            for cover in covers:
                yield Point(places.name, cover, seed)


def _sweep(points: Sequence[Point], folder: Path | None, size: tuple[int, int, int], workers: int) -> list[Figures]:
    rows: list[Figures] = []
    with ProcessPoolExecutor(workers) as pool, Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("worlds played", total=len(points))
        for done in as_completed([pool.submit(figures_of, point, folder, size) for point in points]):
            rows.extend(done.result())
            progress.advance(task)
    order = [*ARMS, "hindsight"]
    return sorted(rows, key=lambda row: (row["places"], row["cover"], row["seed"], order.index(row["arm"])))


_COLUMNS: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("total vs nearest", "total_change", lambda x: f"{x:+.1%}"),
    ("gap captured", "gap", lambda x: f"{x:.0%}"),
    ("per unit shipped", "per_unit_change", lambda x: f"{x:+.1%}"),
    ("lost sales", "lost_change", lambda x: f"{x:+.1%}"),
    ("parcels/unit", "parcels_per_unit", lambda x: f"{x:.3f}"),
    ("extra parcels removed", "extra_parcels_removed", lambda x: f"{x:.0%}"),
    ("km/parcel", "km_per_parcel", lambda x: f"{x:.0f}"),
    ("late", "late_share", lambda x: f"{x:.1%}"),
    ("load Gini", "load_gini", lambda x: f"{x:.2f}"),
)


def _table(title: str, rows: Sequence[Figures], by: str) -> Table:
    table = Table(by, "arm", *(name for name, _, _ in _COLUMNS), title=title)
    for value in sorted({row[by] for row in rows}):
        for arm in [*ARMS, "hindsight"]:
            here = [row for row in rows if row[by] == value and row["arm"] == arm]
            cells = [_cell(here, name, show) for _, name, show in _COLUMNS]
            table.add_row(str(value), arm, *cells, end_section=arm == "hindsight")
    return table


def _cell(rows: Sequence[Figures], name: str, show: Callable[[float], str]) -> str:
    values = [row[name] for row in rows if name in row]
    return show(fmean(values)) if values else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with real places; without it, our own")
    parser.add_argument("--out", type=Path, help="write all figures here as JSON, and the plot beside it")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--covers", type=float, nargs="+", default=COVERS)
    parser.add_argument("--orders", type=int, default=ORDERS)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    size = (LOCATIONS, SKUS, asked.orders)
    out = Console(width=None if sys.stdout.isatty() else 150)
    growth = routing_growth.measure()
    rows = _sweep(list(_points(asked.data, asked.seeds, asked.covers)), asked.data, size, asked.workers)
    out.print(
        f"{size[2]:,} orders in {DAYS} days, {size[0]} locations, {size[1]} SKUs, seeds {list(asked.seeds)}; "
        f"{NEARBY_SHARE:.0%} of those who live within {NEARBY_KM:.0f} km of a location buy there; "
        f"a lost unit costs {Policy().margin_bp / 100:.0f} % of its price"
    )
    for places in sorted({row["places"] for row in rows}):
        out.print(_table(f"places: {places}", [row for row in rows if row["places"] == places], "cover"))
    out.print(routing_growth.table(growth))
    goals = goals_of(rows, growth.at_thousand())
    for goal in goals:
        more = f"; no plan whatever: below {goal['least']:+.3f}" if "least" in goal else ""
        sign = "≥" if goal["at_least"] else "≤"
        verdict = "[green]met[/]" if goal["met"] else "[red]missed[/]"
        out.print(f"{verdict}  {goal['goal']}: {goal['value']:.3f} (goal {sign} {goal['target']}{more})")
    result = {
        "product_arm": PRODUCT,
        "size": {"locations": size[0], "skus": size[1], "orders": size[2], "seeds": list(asked.seeds)},
        "arms": rows,
        "growth": growth.rows,
        "goals": goals,
    }
    if asked.out:
        asked.out.write_text(json.dumps(result, indent=1))
        plot(rows, asked.out.with_suffix(".svg"))
    return 0 if all(goal["met"] for goal in goals) else 1


if __name__ == "__main__":
    sys.exit(main())
