"""What would have been asked for while there was nothing to sell. Pure.

What was sold on a day without stock is the least that was asked for. How much more is told by days that had stock:
with equal chance by one of them that reached at least as much (each censored value handed on to those on its right,
after Efron, The two sample problem with censored data, 1967). Earlier days count that are of the same kind (worked or
free) and not far off; for the first weeks, which have none before them, the days of those weeks. Where none reached as
much, what was sold is all that is known. So no day is estimated from what was not known four weeks later at most.
"""

import numpy as np

from activities.supply.table import Bools, Floats, Ints

NEAR = 28
"""Periods back."""


def uncensored(sold: Floats, out: Floats, free: Bools, rng: np.random.Generator) -> Floats:
    """Demand (n, T) of units sold (n, T), where `out` (n, T) is the share of the time without stock.

    `free` (T): days on which one does not work. Draws come from `rng`, series by series.
    """
    demand = sold.copy()
    for row in range(sold.shape[0]):
        for kind in (False, True):
            days = np.flatnonzero(free == kind)
            lacking = days[out[row, days] > 0]
            if lacking.size:
                clean = days[out[row, days] == 0]
                demand[row, lacking] = _drawn(sold[row], lacking, clean, rng)
    return demand


def _drawn(sold: Floats, lacking: Ints, clean: Ints, rng: np.random.Generator) -> Floats:
    known, least = sold[clean], sold[lacking]
    near = (clean[None, :] < np.maximum(lacking, NEAR)[:, None]) & (clean[None, :] >= lacking[:, None] - NEAR)
    fits = near & (known[None, :] >= least[:, None])
    count = fits.sum(axis=1)
    wanted = np.floor(rng.random(lacking.size) * count).astype(np.int64)
    place = (fits.cumsum(axis=1) == (wanted + 1)[:, None]).argmax(axis=1) if clean.size else np.zeros_like(wanted)
    drawn = known[place] if clean.size else least
    return np.where(count > 0, drawn, least)
