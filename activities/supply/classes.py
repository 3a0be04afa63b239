"""What kind of demand a series has: how often anything is asked for, and how unlike the amounts are. Pure.

After Syntetos, Boylan and Croston, On the categorization of demand patterns, 2005: mean interval between periods with
demand (ADI) at 1.32, squared coefficient of variation of the amounts asked for at 0.49.
"""

import numpy as np

from activities.supply.table import DemandTable, Floats, Ints
from contracts.supply import DemandClass

CLASSES: tuple[DemandClass, ...] = ("smooth", "erratic", "intermittent", "lumpy", "new")
INTERVAL, VARIATION = 1.32, 0.49
LEAST_ASKED = 4
"""Periods with demand below which nothing can be said."""


def intervals_and_variation(demand: Floats) -> tuple[Floats, Floats]:
    """ADI and CV² (n each) of demand (n, T), from the first period with demand on; inf and 0 without any."""
    asked = demand > 0
    count = asked.sum(axis=1)
    first = np.where(asked.any(axis=1), asked.argmax(axis=1), demand.shape[1])
    interval = np.where(count > 0, (demand.shape[1] - first) / np.maximum(count, 1), np.inf)
    mean = demand.sum(axis=1) / np.maximum(count, 1)
    square = (demand**2).sum(axis=1) / np.maximum(count, 1)
    variation = np.where(count > 0, (square - mean**2) / np.maximum(mean, 1e-9) ** 2, 0.0)
    return interval, variation


def classes_of(table: DemandTable) -> Ints:
    """Numbers into CLASSES (n). New: too little was asked for, or it is not known for a level's length yet."""
    interval, variation = intervals_and_variation(table.demand)
    asked = table.demand > 0
    known = table.periods - np.where(asked.any(axis=1), asked.argmax(axis=1), table.periods)
    new = (asked.sum(axis=1) < LEAST_ASKED) | (known < table.rhythm.level)
    kind = 2 * (interval >= INTERVAL) + (variation >= VARIATION)
    return np.where(new, CLASSES.index("new"), kind).astype(np.int64)
