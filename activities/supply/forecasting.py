"""Forecasts of many series: which model for which class, tried at the last origins, with quantiles that held there.

`fit` learns from a table once; `Fitted.quantiles` then says what is expected from the table's end, and may be asked
again of a longer table. All series of a table share one horizon: lead time and review.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from activities.supply.boosted import LEAST_ROWS, Boosted, origins_to_learn
from activities.supply.candidates import BY_CLASS, SIMPLE, sums
from activities.supply.classes import CLASSES, classes_of
from activities.supply.features import Known, Looker
from activities.supply.pooling import LEVELS, Points, Pool, pinball, poisson_like, pool_of
from activities.supply.table import DemandTable, Floats, Ints

BOOSTED = "Boosted"
PUBLISHED = (0.8, 0.9, 0.95)
"""Levels whose achieved coverage is published."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Of one class: the model, how far off it was (mean pinball loss a unit of scale) and the others with it, how its
    errors lie, and what quantiles made of the older half of the errors were worth in the newer half.

    `coverage`: level, share of `tested` sums that stayed within it. `wmase`: error of the middle against that of the
    same time last season, weighted by size; None where there is nothing to compare with.
    """

    model: str
    errors: Mapping[str, float]
    pool: Pool
    coverage: Sequence[tuple[float, float]]
    tested: int
    wmase: float | None

    @property
    def error(self) -> float:
        return self.errors[self.model]


@dataclass(frozen=True, slots=True)
class Trial:
    """Forecasts made without knowing: at `origins`, `quantiles` (o, n, levels), and what came, `total` (o, n)."""

    origins: Sequence[int]
    quantiles: Floats
    total: Floats


@dataclass(frozen=True, slots=True)
class Fitted:
    """What was learned of a table for a horizon."""

    horizon: int
    choices: Mapping[int, Choice]
    """By number of the class."""
    boosted: Boosted | None
    trial: Trial
    until: int
    """Periods of the table it learned from."""

    def choice(self, kind: int) -> Choice:
        """Of a class; of one that had no series when it was learned, the first class' that had."""
        return self.choices.get(kind) or self.choices[min(self.choices)]

    def quantiles(self, table: DemandTable, looker: Looker | None = None) -> Floats:
        """(n, levels) of the sums from the table's end on, whose plans reach `horizon` beyond it."""
        known = (looker or Looker(table, self.horizon)).at(table.periods)
        kinds = classes_of(table)
        simple = sorted({c.model for c in self.choices.values()} - {BOOSTED})
        said: dict[str, Points] = {}
        if simple:
            expected = sums(table, simple, self.horizon, [table.periods])
            said = {name: poisson_like(found[0]) for name, found in expected.items()}
        if self.boosted is not None:
            said[BOOSTED] = self.boosted.points(known)
        return _by_class(kinds, self.choice, said, known.scale)


def fit(table: DemandTable, horizon: int) -> Fitted:
    """Learns from a table. Raises ValueError for one too short to try anything on: two horizons and a season."""
    rhythm = table.rhythm
    last = table.periods - horizon
    trial = min(max(rhythm.trial, 2 * horizon), max(last // 3, 1))
    first = last - trial + 1
    if first - horizon < rhythm.season or first <= horizon:
        raise ValueError(f"{table.periods} periods are too few for sums of {horizon}")
    origins = list(range(first, last + 1))
    spaced = origins[:: -rhythm.spacing][::-1]
    looker = Looker(table, horizon)
    seen = {origin: looker.at(origin) for origin in origins}
    kinds = classes_of(table)
    models = _simple(table, _suiting(kinds), horizon, spaced)
    early = _boosted(looker, table, first - horizon)
    if early is not None:
        models[BOOSTED] = {origin: early.points(known) for origin, known in seen.items()}
    naive = _naive_error(table, horizon, first)
    choices = {
        int(kind): _choose(np.flatnonzero(kinds == kind), int(kind), seen, models, spaced, naive) for kind in set(kinds)
    }
    chosen = {choice.model for choice in choices.values()}
    models |= _simple(table, sorted(chosen - {BOOSTED}), horizon, origins)
    return Fitted(
        horizon=horizon,
        choices=choices,
        boosted=_boosted(looker, table, last) if BOOSTED in chosen else None,
        trial=_trial(seen, models, lambda kind: choices[kind], kinds),
        until=table.periods,
    )


Said = dict[str, dict[int, Points]]
"""What models said at origins."""


def _suiting(kinds: Ints) -> list[str]:
    names = {name for kind in set(kinds) for name in BY_CLASS[CLASSES[kind]]}
    return [name for name in SIMPLE if name in names]


def _simple(table: DemandTable, names: Sequence[str], horizon: int, origins: Sequence[int]) -> Said:
    if not names:
        return {}
    found = sums(table, names, horizon, origins)
    return {
        name: {origin: poisson_like(row) for origin, row in zip(origins, rows, strict=True)}
        for name, rows in found.items()
    }


def _boosted(looker: Looker, table: DemandTable, last: int) -> Boosted | None:
    rhythm = table.rhythm
    origins = origins_to_learn(min(rhythm.level, last // 2), last, rhythm.spacing, rhythm.span)
    if len(origins) * len(table.series) < LEAST_ROWS:
        return None
    return Boosted([looker.at(origin) for origin in origins])


def _choose(
    rows: Ints, kind: int, seen: Mapping[int, Known], models: Said, origins: Sequence[int], naive: Floats
) -> Choice:
    """The model of a class with the least error over some origins; its pool is of all origins it spoke at."""
    errors: dict[str, float] = {}
    pools: dict[str, Pool] = {}
    for name in (*BY_CLASS[CLASSES[kind]], BOOSTED):
        if name not in models:
            continue
        points, total, scale = _gathered(rows, seen, models[name], list(models[name]))
        pools[name] = pool_of(points, total, scale)
        points, total, scale = _gathered(rows, seen, models[name], origins)
        errors[name] = float(pinball(total, pools[name].quantiles(points, scale)).sum() / scale.sum())
    best = min(errors, key=lambda name: errors[name])
    coverage, tested = _coverage(rows, seen, models[best])
    return Choice(best, errors, pools[best], coverage, tested, _wmase(rows, seen, models[best], naive))


def _coverage(
    rows: Ints, seen: Mapping[int, Known], said: Mapping[int, Points]
) -> tuple[list[tuple[float, float]], int]:
    origins = list(said)
    older, newer = origins[: len(origins) // 2], origins[len(origins) // 2 :]
    if not older:
        return [], 0
    points, total, scale = _gathered(rows, seen, said, newer)
    quantiles = pool_of(*_gathered(rows, seen, said, older)).quantiles(points, scale)
    found = [(level, float((total <= quantiles[:, LEVELS.index(level)]).mean())) for level in PUBLISHED]
    return found, int(total.size)


def _wmase(rows: Ints, seen: Mapping[int, Known], said: Mapping[int, Points], naive: Floats) -> float | None:
    off = np.mean([np.abs(_total(seen[origin]) - said[origin].middle)[rows] for origin in said], axis=0)
    size = np.mean([seen[origin].scale[rows] for origin in said], axis=0)
    fit = naive[rows] > 0
    return float(np.average(off[fit] / naive[rows][fit], weights=size[fit])) if fit.any() else None


def _naive_error(table: DemandTable, horizon: int, until: int) -> Floats:
    """(n): mean error of the sum of the last season, of sums that are past at `until`; 0 where there is none."""
    sums_before = np.concatenate([np.zeros((len(table.series), 1)), table.demand[:, :until].cumsum(axis=1)], axis=1)
    each = sums_before[:, horizon:] - sums_before[:, :-horizon]
    lag = -(-horizon // table.rhythm.season) * table.rhythm.season
    if each.shape[1] <= lag:
        return np.zeros(len(table.series))
    found: Floats = np.abs(each[:, lag:] - each[:, :-lag]).mean(axis=1)
    return found


def _gathered(
    rows: Ints, seen: Mapping[int, Known], said: Mapping[int, Points], origins: Sequence[int]
) -> tuple[Points, Floats, Floats]:
    """Points, sums and scales of some series at some origins, one after the other."""
    points = [said[origin].of(rows) for origin in origins]
    joined = Points(
        np.concatenate([one.middle for one in points]),
        np.concatenate([one.below for one in points]),
        np.concatenate([one.above for one in points]),
    )
    total = np.concatenate([_total(seen[origin])[rows] for origin in origins])
    return joined, total, np.concatenate([seen[origin].scale[rows] for origin in origins])


def _total(known: Known) -> Floats:
    if known.total is None:
        raise ValueError(f"the sum from period {known.origin} is not past")
    return known.total


def _trial(seen: Mapping[int, Known], models: Said, choice: Callable[[int], Choice], kinds: Ints) -> Trial:
    origins = list(seen)
    found = [
        _by_class(kinds, choice, {name: said[origin] for name, said in models.items() if origin in said}, known.scale)
        for origin, known in seen.items()
    ]
    return Trial(origins, np.stack(found), np.stack([_total(known) for known in seen.values()]))


def _by_class(kinds: Ints, choice: Callable[[int], Choice], said: Mapping[str, Points], scale: Floats) -> Floats:
    """(n, levels): each series by the choice of its class."""
    found = np.empty((kinds.size, len(LEVELS)))
    for kind in set(kinds):
        rows = np.flatnonzero(kinds == kind)
        of = choice(int(kind))
        found[rows] = of.pool.quantiles(said[of.model].of(rows), scale[rows])
    return found
