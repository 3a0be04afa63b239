"""Quantiles of a sum from points and from how far points were off before, pooled over series of like size. Pure.

Errors are taken of sums over the whole interval, at origins that the point did not know; so trend, weekdays and what
hangs together from day to day are in them. They are measured in a spread of the series' own, so that many series tell
about each one.
"""

from dataclasses import dataclass

import numpy as np

from activities.supply.table import Floats, Ints
from contracts.supply import QUANTILES

LEVELS = QUANTILES
MASS: Floats = np.diff(np.concatenate([[0.0], (np.asarray(LEVELS)[1:] + np.asarray(LEVELS)[:-1]) / 2, [1.0]]))
"""What each level stands for when a mean is taken over all."""
BINS = 5
LEAST_POOLED = 200
"""Errors in a pool; fewer are pooled with those of all sizes."""


@dataclass(frozen=True, slots=True)
class Points:
    """What a model says of sums: `middle` (m), and how far they may lie `below` and `above` it (m each, > 0)."""

    middle: Floats
    below: Floats
    above: Floats

    def of(self, chosen: Ints | slice) -> "Points":
        return Points(self.middle[chosen], self.below[chosen], self.above[chosen])


def poisson_like(middle: Floats) -> Points:
    """Points of a model that says nothing of spread: it grows as the root of what is expected."""
    spread = np.sqrt(np.maximum(middle, 0)) + 0.5
    return Points(middle, spread, spread)


@dataclass(frozen=True, slots=True)
class Pool:
    """Quantiles of errors by size: `edges` (b - 1) of scales, `shape` (b, levels), `count` (b) of errors in each."""

    edges: Floats
    shape: Floats
    count: Ints

    def quantiles(self, points: Points, scale: Floats) -> Floats:
        """(m, levels) of sums, never below 0, rising with the level."""
        shape = self.shape[np.digitize(scale, self.edges)]
        spread = np.where(shape > 0, points.above[:, None], points.below[:, None])
        found: Floats = np.maximum.accumulate(np.maximum(points.middle[:, None] + shape * spread, 0.0), axis=1)
        return found


def pool_of(points: Points, total: Floats, scale: Floats) -> Pool:
    """From points that did not know `total` (m), of series of a size of `scale` (m)."""
    off = total - points.middle
    errors = off / np.where(off > 0, points.above, points.below)
    bins = BINS if errors.size >= BINS * LEAST_POOLED else 1
    edges = np.quantile(scale, np.linspace(0, 1, bins + 1)[1:-1])
    place = np.digitize(scale, edges)
    count = np.bincount(place, minlength=bins)
    whole = np.quantile(errors, LEVELS)
    shape = [np.quantile(errors[place == k], LEVELS) if count[k] >= LEAST_POOLED else whole for k in range(bins)]
    return Pool(edges, np.stack(shape), count)


def at_level(quantiles: Floats, level: float | Floats) -> Floats:
    """(m) at a level, or at each one's own (m), between the known ones in a straight line; (m, levels) given."""
    wanted = np.clip(np.broadcast_to(np.asarray(level, dtype=np.float64), quantiles.shape[:1]), LEVELS[0], LEVELS[-1])
    above = np.clip(np.searchsorted(LEVELS, wanted), 1, len(LEVELS) - 1)
    low, high = np.asarray(LEVELS)[above - 1], np.asarray(LEVELS)[above]
    rows = np.arange(quantiles.shape[0])
    part = (wanted - low) / (high - low)
    found: Floats = quantiles[rows, above - 1] * (1 - part) + quantiles[rows, above] * part
    return found


def pinball(total: Floats, quantiles: Floats, levels: tuple[float, ...] = LEVELS) -> Floats:
    """(m): mean over the levels of the loss of quantiles (m, levels) against sums (m)."""
    off = total[:, None] - quantiles
    level = np.asarray(levels)[None, :]
    found: Floats = np.maximum(level * off, (level - 1) * off).mean(axis=1)
    return found
