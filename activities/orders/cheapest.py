"""The cheapest way to ship groups of lines from up to so many locations: exact. Pure.

Groups that go together are a block, a set of groups as a bit mask; every block is shipped from one location, no two
blocks from the same one. First the cheapest location of every block, then the cheapest partition of all groups into
blocks (dynamic programming over subsets), then, where two blocks want the same location, a search over the next best
locations of each, bounded by what the partition would cost without that conflict.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BlockCost = Callable[[int], NDArray[np.float64]]
"""Cost of shipping a block, by place; infinite where it cannot be shipped from there."""


@dataclass(frozen=True, slots=True)
class Cheapest:
    """`blocks`: (place, block) of each parcel. `bound`: no way costs less. `runner_up`: the next best seen."""

    blocks: tuple[tuple[int, int], ...]
    total: float
    bound: float
    runner_up: tuple[tuple[int, int], ...] = ()
    runner_up_total: float = np.inf


def cheapest(groups: int, cost: BlockCost, most: int, split_least: float) -> Cheapest | None:
    """The cheapest partition of `groups` groups into at most `most` blocks; None where there is none.

    `split_least`: what two parcels or more cost at least; where the best single one costs no more, no split is looked
    at.
    """
    everything = (1 << groups) - 1
    whole = cost(everything)
    single = _two_best(whole, everything)
    if groups == 1 or most == 1 or (single is not None and single.total <= split_least):
        return single
    split = _split(groups, cost, most, {everything: whole})
    found = [choice for choice in (single, split) if choice is not None]
    if not found:
        return None
    found.sort(key=lambda choice: choice.total)
    best, bound = found[0], min(choice.bound for choice in found)
    others = [(choice.blocks, choice.total) for choice in found[1:]]
    others += [(choice.runner_up, choice.runner_up_total) for choice in found if choice.runner_up]
    second = min(others, key=lambda other: other[1], default=((), np.inf))
    return Cheapest(best.blocks, best.total, bound, *second)


def _two_best(costs: NDArray[np.float64], block: int) -> Cheapest | None:
    place = int(np.argmin(costs))
    total = float(costs[place])
    if total == np.inf:
        return None
    rest = costs.copy()
    rest[place] = np.inf
    second = int(np.argmin(rest))
    if rest[second] == np.inf:
        return Cheapest(((place, block),), total, total)
    return Cheapest(((place, block),), total, total, ((second, block),), float(rest[second]))


def _split(groups: int, cost: BlockCost, most: int, known: dict[int, NDArray[np.float64]]) -> Cheapest | None:
    """The cheapest partition into two or more blocks."""
    everything = (1 << groups) - 1
    costs = {block: known[block] if block in known else cost(block) for block in range(1, everything + 1)}
    place = {block: int(np.argmin(row)) for block, row in costs.items()}
    least = {block: float(row[place[block]]) for block, row in costs.items()}
    best: dict[int, tuple[float, tuple[int, ...]]] = {block: (least[block], (block,)) for block in costs}
    answer: tuple[float, tuple[int, ...]] = (np.inf, ())
    for _ in range(2, most + 1):
        best = _one_more(best, least, everything)
        answer = min(answer, best.get(everything, (np.inf, ())))
    total, blocks = answer
    if total == np.inf:
        return None
    places = [place[block] for block in blocks]
    if len(set(places)) == len(places):
        return Cheapest(tuple(zip(places, blocks, strict=True)), total, total)
    found = _without_conflict(groups, costs, least, most)
    return None if found is None else Cheapest(found[1], found[0], found[0])


def _one_more(
    best: dict[int, tuple[float, tuple[int, ...]]], least: dict[int, float], everything: int
) -> dict[int, tuple[float, tuple[int, ...]]]:
    """From the cheapest partitions into n blocks to those into n + 1. The new block has the lowest group of its set."""
    reached: dict[int, tuple[float, tuple[int, ...]]] = {}
    for whole in range(1, everything + 1):
        lowest = whole & -whole
        part = (whole - 1) & whole
        found: tuple[float, tuple[int, ...]] = (np.inf, ())
        while part:
            if part & lowest and (whole ^ part) in best:
                rest = best[whole ^ part]
                total = least[part] + rest[0]
                if total < found[0]:
                    found = (total, (part, *rest[1]))
            part = (part - 1) & whole
        if found[0] < np.inf:
            reached[whole] = found
    return reached


def _without_conflict(
    groups: int, costs: dict[int, NDArray[np.float64]], least: dict[int, float], most: int
) -> tuple[float, tuple[tuple[int, int], ...]] | None:
    """Exact search with distinct places: of each block only the `most` best places can be needed."""
    ranked = {block: _ranked(row, most) for block, row in costs.items()}
    best: tuple[float, tuple[tuple[int, int], ...]] | None = None
    for blocks in sorted(_partitions((1 << groups) - 1, most), key=lambda blocks: sum(least[b] for b in blocks)):
        if best is not None and sum(least[block] for block in blocks) >= best[0]:
            break
        found = _distinct(blocks, ranked)
        if found is not None and (best is None or found[0] < best[0]):
            best = found
    return best


def _ranked(row: NDArray[np.float64], most: int) -> list[tuple[float, int]]:
    count = min(most, len(row))
    places = np.argpartition(row, count - 1)[:count]
    return sorted((float(row[place]), int(place)) for place in places if row[place] < np.inf)


def _partitions(whole: int, most: int) -> Iterator[tuple[int, ...]]:
    """Every partition of a set into two to `most` blocks, each once."""

    def parts(left: int, room: int) -> Iterator[tuple[int, ...]]:
        if not left:
            yield ()
        elif room:
            lowest, rest = left & -left, left & (left - 1)
            part = rest
            while True:
                for others in parts(rest ^ part, room - 1):
                    yield (lowest | part, *others)
                if not part:
                    break
                part = (part - 1) & rest

    for blocks in parts(whole, most):
        if len(blocks) > 1:
            yield blocks


def _distinct(
    blocks: Sequence[int], ranked: dict[int, list[tuple[float, int]]]
) -> tuple[float, tuple[tuple[int, int], ...]] | None:
    if not blocks:
        return 0.0, ()
    best: tuple[float, tuple[tuple[int, int], ...]] | None = None

    def extend(number: int, total: float, chosen: tuple[tuple[int, int], ...]) -> None:
        nonlocal best
        if best is not None and total >= best[0]:
            return
        if number == len(blocks):
            best = (total, chosen)
            return
        for price, place in ranked[blocks[number]]:
            if all(place != taken for taken, _ in chosen):
                extend(number + 1, total + price, (*chosen, (place, blocks[number])))

    extend(0, 0.0, ())
    return best
