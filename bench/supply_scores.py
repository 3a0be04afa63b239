"""How good forecasts are, ours and those of statsforecast's models on the same windows.

A window is the lead time and review after an origin; what is forecast is the sum in it. Each model of statsforecast
gets what ours gets to turn a point into quantiles: its own errors at the last origins before, pooled by size. That is
more than its own intervals, which are of single periods and not of the sum.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from activities.supply.candidates import sums
from activities.supply.pooling import LEVELS, pinball, poisson_like, pool_of
from activities.supply.table import Bools, Floats
from bench.supply_arms import Ours
from bench.supply_data import World

SCORED = 100
"""Series of a sample; theta takes some milliseconds for each series and origin."""
SPACING = 3
TRIED = 5
"""Origins before each fit from whose errors a model's quantiles are made."""
_MIDDLE = LEVELS.index(0.5)


@dataclass(frozen=True, slots=True)
class Windows:
    """Some series at some origins: `at` (o) places of the origins among the reported periods, `total` (o, n), `seen`
    (o, n): no period of the window was without stock; `naive` (n): mean error of the seasonal naive sum before the
    reported periods; `weight` (n): units of the last level's length before them."""

    origins: Sequence[int]
    at: Sequence[int]
    total: Floats
    seen: Bools
    naive: Floats
    weight: Floats


def windows_of(world: World, rows: slice) -> Windows:
    demand, horizon, season = world.table.demand[rows], world.horizon, world.table.rhythm.season
    last = world.table.periods - horizon
    origins = [
        origin
        for begin in range(world.first, last + 1, world.refit)
        for origin in range(begin, min(begin + world.refit, last + 1), SPACING)
    ]
    whole = np.concatenate([np.zeros((demand.shape[0], 1)), demand.cumsum(axis=1)], axis=1)
    each = whole[:, horizon:] - whole[:, :-horizon]
    lag = -(-horizon // season) * season
    before = each[:, : world.first - horizon + 1]
    return Windows(
        origins=origins,
        at=[origin - world.first for origin in origins],
        total=each[:, origins].T,
        seen=np.stack([world.clean[rows][:, origin : origin + horizon].all(axis=1) for origin in origins]),
        naive=np.abs(before[:, lag:] - before[:, :-lag]).mean(axis=1),
        weight=demand[:, world.first - world.table.rhythm.level : world.first].sum(axis=1),
    )


def score(windows: Windows, quantiles: Floats, seen: bool) -> dict[str, float]:
    """Pinball loss a unit asked for, weighted MASE of the median, and how often demand stayed below some levels.

    `quantiles` (o, n, levels). `seen`: only windows without a period out of stock.
    """
    counted = windows.seen if seen else np.ones_like(windows.seen)
    total, said = windows.total[counted], quantiles[counted]
    loss = float(pinball(total, said).sum() / total.sum())
    error = np.where(counted, np.abs(windows.total - quantiles[:, :, _MIDDLE]), 0.0).sum(axis=0)
    count = counted.sum(axis=0)
    fit = (count > 0) & (windows.naive > 0)
    mase = error[fit] / count[fit] / windows.naive[fit]
    found = {"pinball": loss, "wmase": float(np.average(mase, weights=windows.weight[fit]))}
    for level in (0.8, 0.9, 0.95):
        found[f"coverage_{level}"] = float((total <= said[:, LEVELS.index(level)]).mean())
    return found | {"windows": float(counted.sum())}


def of_ours(mine: Ours, windows: Windows, rows: slice) -> Floats:
    return mine.quantiles[list(windows.at)][:, rows]


def of_models(world: World, windows: Windows, rows: slice) -> Mapping[str, Floats]:
    """(o, n, levels) by model, each fit's origins with errors from before it."""
    parts: dict[str, list[Floats]] = {}
    table = world.table.of(rows)
    for begin in range(world.first, world.table.periods - world.horizon + 1, world.refit):
        now = [origin for origin in windows.origins if begin <= origin < begin + world.refit]
        step = now[1] - now[0] if len(now) > 1 else SPACING
        newest = begin - world.horizon
        before = [newest - step * back for back in reversed(range(TRIED))]
        early = _said(world, before, rows)
        for name, late in _said(world, now, rows).items():
            total = np.stack([table.demand[:, o : o + world.horizon].sum(axis=1) for o in before])
            scale = np.stack([_scale(table.demand, o, world) for o in before])
            pool = pool_of(poisson_like(early[name].ravel()), total.ravel(), scale.ravel())
            for row, origin in zip(late, now, strict=True):
                said = pool.quantiles(poisson_like(row), _scale(table.demand, origin, world))
                parts.setdefault(name, []).append(said)
    return {name: np.stack(each) for name, each in parts.items()}


def _scale(demand: Floats, origin: int, world: World) -> Floats:
    found: Floats = demand[:, origin - world.table.rhythm.level : origin].mean(axis=1)
    return found


def _said(world: World, origins: Sequence[int], rows: slice) -> Mapping[str, Floats]:
    return sums(world.table.of(rows), (), world.horizon, origins, made=models(world, origins[0]))


def models(world: World, periods: int) -> list[Any]:
    """statsforecast's models for such series. AutoETS and AutoCES are left out: they take several times as long as the
    slowest of these, and on daily series of both data sets they did not do better than theta."""
    from statsforecast import models as of

    season, level = world.table.rhythm.season, min(world.table.rhythm.level, periods)
    return [
        of.SeasonalNaive(season, alias="SeasonalNaive"),
        of.WindowAverage(level, alias="WindowAverage"),
        of.SeasonalWindowAverage(season, min(4, periods // season), alias="SeasonalWindowAverage"),
        of.SimpleExponentialSmoothingOptimized(alias="SESOptimized"),
        of.CrostonSBA(alias="CrostonSBA"),
        of.TSB(0.1, 0.1, alias="TSB"),
        of.ADIDA(alias="ADIDA"),
        of.IMAPA(alias="IMAPA"),
        of.DynamicOptimizedTheta(season_length=season, alias="DynamicOptimizedTheta"),
    ]
