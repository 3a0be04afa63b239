"""What is known of every series before a period, as numbers that compare across series. Pure.

All are shares of the series' own level, so that one model serves small and large series.
"""

from dataclasses import dataclass

import numpy as np

from activities.supply.table import DemandTable, Floats

_SMOOTHING = (0.1, 0.3)
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Known:
    """What is known before a period `origin`. `x` (n, f); `scale` (n): units expected if nothing changed;
    `total` (n): units that were asked for in the horizon from there, where they are past (else None)."""

    origin: int
    x: Floats
    scale: Floats
    total: Floats | None


class Looker:
    """Looks at one table, any origin of it, for the sum over `horizon` periods."""

    def __init__(self, table: DemandTable, horizon: int) -> None:
        self._table, self._horizon = table, horizon
        n = table.demand.shape[0]
        self._sums = np.concatenate([np.zeros((n, 1)), table.demand.cumsum(axis=1)], axis=1)
        self._out = np.concatenate([np.zeros((n, 1)), table.out.cumsum(axis=1)], axis=1)
        self._smooth = [_smoothed(table.demand, alpha, table.rhythm.season) for alpha in _SMOOTHING]
        self._all = self._sums.sum(axis=0)

    def at(self, origin: int) -> Known:
        """Before a period; `table.free` and `table.plans` reach `horizon` periods beyond it."""
        known = origin + self._horizon <= self._table.periods
        level = self._level(origin)
        columns = [
            *self._history(origin, level),
            *self._alike(origin, level),
            *self._planned(origin, level),
            *self._common(origin),
        ]
        return Known(
            origin=origin,
            x=np.stack(columns, axis=1),
            scale=level * self._horizon,
            total=self._sums[:, origin + self._horizon] - self._sums[:, origin] if known else None,
        )

    def _mean(self, origin: int, window: int, sums: Floats | None = None) -> Floats:
        of = self._sums if sums is None else sums
        reach = min(window, origin)
        mean: Floats = (of[:, origin] - of[:, origin - reach]) / reach
        return mean

    def _level(self, origin: int) -> Floats:
        span = self._table.rhythm.level
        return self._mean(origin, span) + 1 / span

    def _history(self, origin: int, level: Floats) -> list[Floats]:
        past = self._table.demand[:, max(0, origin - self._table.rhythm.level) : origin]
        asked = past > 0
        since = np.where(asked.any(axis=1), asked[:, ::-1].argmax(axis=1), past.shape[1])
        return [
            np.log(level),
            *(self._mean(origin, window) / level for window in self._table.rhythm.windows),
            *(smooth[:, origin] / level for smooth in self._smooth),
            past.std(axis=1) / level,
            past.max(axis=1) / level,
            1 - asked.mean(axis=1),
            since.astype(np.float64),
            self._mean(origin, self._table.rhythm.season, self._out),
            self._mean(origin, self._table.rhythm.level, self._out),
        ]

    def _alike(self, origin: int, level: Floats) -> list[Floats]:
        """The same stretch of earlier seasons, and what all series together made of it."""
        season, horizon = self._table.rhythm.season, self._horizon
        first = -(-horizon // season) * season
        lags = [lag for lag in (first + k * season for k in range(4)) if lag <= origin] or [min(origin, first)]
        ends = [min(origin - lag + horizon, origin) for lag in lags]
        same = np.stack([self._sums[:, e] - self._sums[:, origin - g] for g, e in zip(lags, ends, strict=True)])
        share = same / (level * horizon)
        pooled = np.mean([self._all[e] - self._all[origin - g] for g, e in zip(lags, ends, strict=True)]) / horizon
        reach = min(self._table.rhythm.level, origin)
        usual = (self._all[origin] - self._all[origin - reach]) / reach
        profile = np.full(level.shape, pooled / (usual + _TINY))
        return [share[0], share.mean(axis=0), np.median(share, axis=0), profile]

    def _planned(self, origin: int, level: Floats) -> list[Floats]:
        """What is planned for the horizon against what was planned, and what that has moved so far."""
        table, ahead = self._table, slice(origin, origin + self._horizon)
        past = slice(max(0, origin - 2 * table.rhythm.level), origin)
        lately = slice(max(0, origin - table.rhythm.level), origin)
        free = [table.free[ahead].mean(), table.free[lately].mean()]
        found = [np.full(level.shape, value) for value in free]
        if table.rhythm.season > 1:
            found.append(np.full(level.shape, float(origin % table.rhythm.season)))
        units = table.demand[:, past] - table.demand[:, past].mean(axis=1, keepdims=True)
        for plan in np.moveaxis(table.plans, 2, 0):
            usual = plan[:, past].mean(axis=1)
            swing = plan[:, past] - usual[:, None]
            slope = (swing * units).sum(axis=1) / ((swing**2).sum(axis=1) + 0.05) / level
            now, last = plan[:, ahead].mean(axis=1), plan[:, max(0, origin - table.rhythm.season) : origin].mean(axis=1)
            found += [now, now - plan[:, lately].mean(axis=1), now - last, slope, slope * (now - usual)]
        return found

    def _common(self, origin: int) -> list[Floats]:
        """Where series go that have something in common with this one."""
        season, level = self._mean(origin, self._table.rhythm.windows[2]), self._mean(origin, self._table.rhythm.level)
        found = []
        for group in self._table.groups.T:
            recent, usual = np.bincount(group, season), np.bincount(group, level)
            found.append(((recent + _TINY) / (usual + _TINY))[group])
        return found


def _smoothed(demand: Floats, alpha: float, season: int) -> Floats:
    """(n, T + 1): simple exponential smoothing as it stood before each period."""
    n, periods = demand.shape
    level = np.empty((n, periods + 1))
    level[:, 0] = demand[:, : max(season, 4)].mean(axis=1)
    for period in range(periods):
        level[:, period + 1] = level[:, period] + alpha * (demand[:, period] - level[:, period])
    return level
