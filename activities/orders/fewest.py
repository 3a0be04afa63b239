"""The fewest locations that together have what is wanted, at the least distance: exact, with bounded effort. Pure."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

STEPS_MAX = 5_000
"""Groups begun before the search stops being exact; some tens of milliseconds."""
_FAR_KM = 1e9
"""Stands for an unknown distance in sums: fewer unknown ones first, then the known kilometres."""


def fewest(
    places: NDArray[np.intp],
    covered: NDArray[np.int64],
    wanted: NDArray[np.int64],
    distance: NDArray[np.float64],
    most: int,
) -> tuple[list[int], bool]:
    """Two to `most` of `places`, nearest first, or none; and whether that is proven to be the best.

    `covered[sku, place]`: units of what is wanted that a place has, at most `wanted[sku]`. No single place has all.
    """
    kilometres = np.minimum(distance, _FAR_KM)
    places = places[np.lexsort((places, kilometres[places]))]
    together = -np.sort(-covered[:, places], axis=1)[:, :most].cumsum(axis=1)
    steps = STEPS_MAX
    for size in range(2, min(most, len(places)) + 1):
        if (together[:, size - 1] < wanted).any():
            continue
        kept = _undominated(places, covered, size)
        search = _Search(covered[:, kept].tolist(), kilometres[kept].tolist(), steps)
        search.extend((), 0.0, wanted.tolist(), (1 << len(kept)) - 1, size)
        steps = search.steps
        if search.best:
            return [int(kept[number]) for number in sorted(search.best)], steps > 0
        if steps <= 0:
            return _greedy(places, covered, wanted, most), False
    return [], True


def _undominated(places: NDArray[np.intp], covered: NDArray[np.int64], size: int) -> NDArray[np.intp]:
    """Places worth trying in groups of `size`; `places` come nearest first, and so do these.

    A place is left out when `size` nearer ones each cover at least as much of every SKU: one of them is not in
    its group, and could take its place at no greater distance. So leaving it out never costs the optimum.
    """
    rows = covered[:, places]
    better = np.zeros(len(places), dtype=np.int64)
    kept = []
    number = 0
    while number < len(places):
        kept.append(number)
        better[number + 1 :] += (rows[:, number + 1 :] <= rows[:, number : number + 1]).all(axis=0)
        open_to_all = np.flatnonzero(better[number + 1 :] < size)
        number = number + 1 + int(open_to_all[0]) if len(open_to_all) else len(places)
    return places[kept]


class _Search:
    """Depth-first over groups, kept as numbers of places, nearest first; sets of places are bit masks.

    Always branches on the wanted SKU that the fewest places have: one of those must be in the group.
    """

    def __init__(self, rows: list[list[int]], kilometres: list[float], steps: int) -> None:
        self.steps = steps
        self.best: tuple[int, ...] = ()
        self._least = float("inf")
        self._rows = rows
        self._kilometres = kilometres
        self._by_units = [sorted(range(len(row)), key=row.__getitem__, reverse=True) for row in rows]
        self._levels = [_levels(row) for row in rows]

    def extend(self, chosen: tuple[int, ...], cost: float, left: list[int], free: int, slots: int) -> None:
        """Fill `slots` more places out of `free` so that nothing is `left`."""
        self.steps -= 1
        unmet = [sku for sku, units in enumerate(left) if units > 0]
        for sku in unmet:
            free &= self._having(sku, left[sku] - self._most(sku, slots - 1, free))
        if not free:
            return
        if slots == 1:
            self._complete(chosen, cost, free)
            return
        scarce = min((self._having(sku, 1) & free for sku in unmet), key=int.bit_count)
        for number in _members(scarce):
            free &= ~(1 << number)
            reached = cost + self._kilometres[number]
            if self.steps <= 0 or reached + self._nearest(free, slots - 1) >= self._least:
                return
            rest = [units - row[number] for units, row in zip(left, self._rows, strict=True)]
            self.extend((*chosen, number), reached, rest, free, slots - 1)

    def _complete(self, chosen: tuple[int, ...], cost: float, free: int) -> None:
        nearest = next(_members(free))
        cost += self._kilometres[nearest]
        if cost < self._least:
            self._least, self.best = cost, (*chosen, nearest)

    def _having(self, sku: int, units: int) -> int:
        """Places with at least so many units."""
        levels, masks = self._levels[sku]
        return masks[bisect_left(levels, units)]

    def _most(self, sku: int, places: int, free: int) -> int:
        """Units that the best `places` free places have together."""
        total = 0
        for number in self._by_units[sku]:
            if places == 0:
                break
            if free >> number & 1:
                total += self._rows[sku][number]
                places -= 1
        return total

    def _nearest(self, free: int, places: int) -> float:
        """Kilometres of the nearest `places` free places: no choice of so many costs less."""
        return sum(self._kilometres[number] for number, _ in zip(_members(free), range(places), strict=False))


def _levels(row: list[int]) -> tuple[list[int], list[int]]:
    """The amounts that occur, growing, and for each the places that have at least so much; nobody has more."""
    levels = sorted(set(row))
    masks = [0] * (len(levels) + 1)
    for number, units in enumerate(row):
        masks[bisect_left(levels, units)] |= 1 << number
    for level in range(len(levels) - 1, -1, -1):
        masks[level] |= masks[level + 1]
    return levels, masks


def _members(mask: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def _greedy(places: NDArray[np.intp], covered: NDArray[np.int64], wanted: NDArray[np.int64], most: int) -> list[int]:
    """Take the place that covers most of what is left, the nearer on a tie; nothing if that needs too many."""
    left = wanted.copy()
    chosen: list[int] = []
    while left.any() and len(chosen) < most:
        gains = np.minimum(covered[:, places], left[:, None]).sum(axis=0)
        gains[chosen] = 0
        number = int(np.argmax(gains))
        if gains[number] == 0:
            break
        chosen.append(number)
        left = (left - covered[:, places[number]]).clip(min=0)
    return [] if left.any() else [int(places[number]) for number in _needed(sorted(chosen), places, covered, wanted)]


def _needed(
    chosen: Sequence[int], places: NDArray[np.intp], covered: NDArray[np.int64], wanted: NDArray[np.int64]
) -> list[int]:
    """Without those, farthest first, that the others can do without."""
    needed = list(chosen)
    for number in reversed(chosen):
        others = [places[other] for other in needed if other != number]
        if (covered[:, others].sum(axis=1) >= wanted).all():
            needed.remove(number)
    return needed
