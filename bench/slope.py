"""Whether something grows: the slope of samples over time, with its interval. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

BLOCKS = 20
"""Samples are averaged in so many blocks first: neighbours are alike, and would make the interval too narrow."""
_STUDENT_95 = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 8: 2.31, 10: 2.23, 13: 2.16, 18: 2.10}
"""Two-sided 95 % points of Student's distribution, by degrees of freedom; in between the next lower one is taken."""


@dataclass(frozen=True, slots=True)
class Slope:
    """Units an hour, with the ends of the 95 % interval, and the mean of the samples."""

    per_hour: float
    low: float
    high: float
    mean: float


def slope(samples: Sequence[tuple[float, float]]) -> Slope:
    """Least squares over block means; samples are seconds and values. Raises ValueError for fewer than three."""
    points = _blocks(sorted(samples))
    freedom = len(points) - 2
    if freedom < 1:
        raise ValueError(f"a slope needs three samples, not {len(points)}")
    mean_x, mean_y = fmean(x for x, _ in points), fmean(y for _, y in points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if spread == 0:
        raise ValueError("a slope needs samples of different moments")
    per_hour = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    errors = sum((y - mean_y - per_hour * (x - mean_x)) ** 2 for x, y in points)
    half = _student(freedom) * math.sqrt(errors / freedom / spread)
    return Slope(per_hour, per_hour - half, per_hour + half, mean_y)


def _blocks(samples: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Hours and values, averaged."""
    size = max(len(samples) // BLOCKS, 1)
    blocks = [samples[start : start + size] for start in range(0, len(samples), size)]
    whole = [block for block in blocks if len(block) == size]
    return [(fmean(x for x, _ in block) / 3600, fmean(y for _, y in block)) for block in whole]


def _student(freedom: int) -> float:
    return _STUDENT_95[max(known for known in _STUDENT_95 if known <= freedom)]
