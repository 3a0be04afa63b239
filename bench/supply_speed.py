"""How long forecasts, levels and order-up-to quantities of many series take, and in how much memory: the pure part of a
run, in chunks as a run takes them. What MongoDB and Temporal add to it is measured where they run."""

import resource
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from time import perf_counter
from typing import Any

import numpy as np

from activities.supply.levels import Aim, Pace, level_of_trial
from activities.supply.pooling import at_level
from activities.supply.series import forecast_series
from bench.supply_data import SERIES, drawn

SIZES = (2_500, 5_000, 10_000)
LEAD, AHEAD = 2, 3


def chunk(seed: int) -> tuple[int, int]:
    """One chunk, from its table to its quantities. Answers with series done and the process' peak memory in KiB."""
    world = drawn(seed, "reported", SERIES)
    past = world.table.until(world.table.periods - AHEAD, AHEAD)
    found = forecast_series(past, [AHEAD] * SERIES)
    [fitted] = found.fits.values()
    level = level_of_trial(Aim("cost"), fitted.trial, past, Pace(LEAD))
    assert level is not None
    at_level(np.stack([one.quantiles for one in found.series]), level)
    return len(found.series), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def measure(workers: int) -> dict[str, Any]:
    """Seconds and memory of each size; `growth`: time a series of the largest against the smallest."""
    rows = []
    for size in SIZES:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            list(pool.map(chunk, range(workers)))  # What is imported once in a process' life.
            start = perf_counter()
            done = list(pool.map(chunk, range(size // SERIES)))
            seconds = perf_counter() - start
        rows.append({"series": sum(n for n, _ in done), "seconds": seconds, "mib": max(kib for _, kib in done) / 1024})
    first, last = rows[0], rows[-1]
    growth = (last["seconds"] / last["series"]) / (first["seconds"] / first["series"])
    return {"seconds": last["seconds"], "mib_a_process": last["mib"], "growth": growth, "rows": rows}
