"""`make chaos`: orders and money under faults of every kind; exit status 0 only if nothing was lost or doubled."""

import argparse
import asyncio
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.chaos.recovery import Recovery, by_kind
from tests.chaos.run import Outcome, Plan, run
from tests.chaos.schedule import APART, SHORT, WORDS, Pace


def show(outcome: Outcome, console: Console) -> None:
    figures = Table(title="what became of it", show_header=False)
    for name, value in outcome.verdict.figures.items():
        figures.add_row(name, f"{value:,}" if isinstance(value, int) else str(value))
    figures.add_row("answers to cancellations", _counts(outcome.cancels))
    figures.add_row("tries without an answer", _counts(outcome.trouble))
    figures.add_row("ended by themselves", _counts(outcome.ended))
    figures.add_row("quiet after", f"{outcome.quiet_after_s:.0f} s")
    console.print(figures)
    table = Table(title="seconds from the end of a fault to the first new order …: p50 and max")
    table.add_column("fault", no_wrap=True)
    for column in ("times", "alone", "dispatched", "max", "card", "max", "shipped", "max"):
        table.add_column(column, justify="right", no_wrap=True)
    _row(table, "none", outcome.calm)
    for (kind, target), found in by_kind(outcome.recoveries).items():
        _row(table, f"{target} {WORDS[kind]}", found)
    _row(table, "all", outcome.recoveries)
    _row(table, "all alone", [one for one in outcome.recoveries if one.alone])
    console.print(table)
    for words in outcome.verdict.violations:
        console.print(f"[red]{words}[/red]", soft_wrap=True, highlight=False)


def _counts(numbers: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(numbers.items())) or "none"


def _row(table: Table, name: str, found: list[Recovery]) -> None:
    cells = [name, str(len(found)), str(sum(one.alone for one in found))]
    for what in ("dispatched_s", "card_s", "shipped_s"):
        values = [getattr(one.recovered, what) for one in found]
        known = [value for value in values if value is not None]
        cells += [f"{statistics.median(known):.1f}", f"{max(known):.1f}"] if known else ["–", "–"]
    table.add_row(*cells)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--rate", type=float, default=20.0, help="orders a second")
    paces = {"long": Pace(), "short": SHORT, "apart": APART}
    parser.add_argument("--pace", choices=paces, default="long", help="short: close together; apart: none overlap")
    parser.add_argument("--out", type=Path, help="where the figures go as JSON")
    options = parser.parse_args()
    console = Console()
    data_dir = Path(tempfile.mkdtemp(prefix="tongqu-chaos-"))
    plan = Plan(options.seed, options.faults, options.rate, paces[options.pace])
    columns = (BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console) as bars:
        bar = bars.add_task("", total=plan.faults)
        outcome = asyncio.run(
            run(data_dir, plan, lambda words, done: bars.update(bar, completed=done, description=words))
        )
    if options.out:
        options.out.write_text(json.dumps(outcome.as_dict(), indent=1))
    show(outcome, console)
    console.print(f"{len(outcome.recoveries)} faults, seed {plan.seed}, {outcome.seconds:.0f} s in all")
    if outcome.holds:
        console.print("[green]nothing was lost, nothing was doubled, nothing is stuck[/green]")
        shutil.rmtree(data_dir, ignore_errors=True)
        return 0
    console.print(f"[red]{len(outcome.verdict.violations)} violations[/red]; all data and logs are in {data_dir}")
    console.print(f"again: make chaos SEED={plan.seed} FAULTS={plan.faults} PACE={options.pace}", soft_wrap=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
