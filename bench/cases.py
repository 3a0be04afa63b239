"""`make bench-cases`: open cases with timers on one machine, and a day of cases on the server that skips time."""

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import cases_day, cases_timers
from bench.machine import settings_of
from infra.runtime import prepare

_MEMORY = Path("/dev/shm")


def show(result: dict[str, Any], console: Console) -> None:
    verdict = Table("goal", "value", "target", "")
    for goal in result["goals"]:
        verdict.add_row(goal["name"], f"{goal['value']:g}", f"{goal['target']:g}", "met" if goal["met"] else "missed")
    console.print(verdict)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=["timers", "day", "both"], default="both")
    parser.add_argument("--cases", type=int, default=cases_timers.CASES, help="open at once, with timers")
    parser.add_argument("--window-s", type=float, default=cases_timers.WINDOW_S, help="in which timers fire")
    parser.add_argument("--grid-s", type=int, default=cases_timers.GRID_S, help="deadlines are rounded up to it")
    parser.add_argument("--day", type=int, default=cases_day.CASES, help="cases of the day")
    parser.add_argument("--seed", type=int, default=20261123)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 160)
    prepare()
    found: dict[str, Any] = {}
    data_dir = Path(tempfile.mkdtemp(prefix="tongqu-cases-"))
    # The day measures no disk, and waits for it at every step: its database lies in memory where that can be.
    in_memory = Path(tempfile.mkdtemp(prefix="tongqu-day-", dir=_MEMORY if _MEMORY.is_dir() else None))
    try:
        if options.part != "day":
            timers = cases_timers.measure(options.cases, options.window_s, options.grid_s, data_dir / "t", console)
            found["timers"] = asyncio.run(timers)
        if options.part != "timers":
            found["day"] = asyncio.run(cases_day.measure(options.day, options.seed, in_memory, console))
    finally:
        for one in (data_dir, in_memory):
            shutil.rmtree(one, ignore_errors=True)
    for result in found.values():
        show(result, console)
    if options.out is not None:
        about = {"cases": options.cases, "day": options.day, "window_s": options.window_s, "grid_s": options.grid_s}
        whole = {"bench": "cases", "pid": os.getpid(), "about": about, "machine": settings_of(), **found}
        options.out.write_text(json.dumps(whole, indent=1, default=str))
    return 0 if all(goal["met"] for result in found.values() for goal in result["goals"]) else 1


if __name__ == "__main__":
    sys.exit(main())
