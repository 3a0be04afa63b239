"""From a table of demand to the forecast of each of its series, whatever their lead times are. Pure.

Series of one table are learned from together, whatever their own interval: for a few lengths of it, from the nearest of
which the others are stretched. A table too short to try anything on gets a prior instead, and says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from activities.supply.classes import CLASSES, classes_of
from activities.supply.features import Looker
from activities.supply.forecasting import Fitted, fit
from activities.supply.ordering import stretched
from activities.supply.pooling import LEVELS, MASS
from activities.supply.table import DemandTable, Floats, Ints

LENGTHS = 3
"""Of intervals that are learned for one table; each costs a fit."""
PRIOR = "Prior"
_PRIOR_UNITS, _PRIOR_DAYS = 0.5, 14.0
_PRIOR_SPREAD = 2.0
"""Variance of a prior's sum, in means: it is not known how demand comes in."""


@dataclass(frozen=True, slots=True)
class SeriesForecast:
    """Of one series: `quantiles` (levels) of the sum over `horizon` periods; `daily` (horizon): what is expected of
    each. What is published of it is what its class achieved at the last origins; nothing for a prior."""

    demand_class: str
    model: str
    horizon: int
    learned_for: int
    """The length of interval that it was stretched from; 0: nothing was learned."""
    quantiles: Floats
    mean: float
    deviation: float
    daily: Floats
    coverage: Sequence[tuple[float, float]]
    tested: int
    wmase: float | None
    error: float | None
    errors: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class TableForecast:
    """`series` in the table's order; `fits` by length of interval, empty for a table too short to learn from."""

    series: Sequence[SeriesForecast]
    fits: Mapping[int, Fitted]


def forecast_series(table: DemandTable, horizons: Sequence[int]) -> TableForecast:
    """The sum over `horizons[i]` periods from the table's end, of each series; `table` plans reach that far."""
    wanted = np.asarray(horizons, dtype=np.int64)
    kinds = classes_of(table)
    fits: dict[int, Fitted] = {}
    rows: list[SeriesForecast | None] = [None] * len(table.series)
    for length, chosen in _lengths(wanted).items():
        fitted = _fitted(table, length)
        if fitted is None:
            for row in chosen:
                rows[row] = _prior(table, int(row), CLASSES[kinds[row]], int(wanted[row]))
            continue
        fits[length] = fitted
        quantiles = fitted.quantiles(table, Looker(table, length))[chosen]
        said = stretched(quantiles, wanted[chosen] / length)
        for row, own in zip(chosen, said, strict=True):
            rows[row] = _one(fitted, table, int(kinds[row]), int(wanted[row]), own)
    return TableForecast([row for row in rows if row is not None], fits)


def _fitted(table: DemandTable, length: int) -> Fitted | None:
    try:
        return fit(table, length)
    except ValueError:
        return None


def _lengths(wanted: Ints) -> dict[int, Ints]:
    """Rows by the length that is learned for them."""
    distinct = np.unique(wanted)
    if distinct.size > LENGTHS:
        inner = np.linspace(0, 1, 2 * LENGTHS + 1)[1::2]
        distinct = np.unique(np.quantile(wanted, inner, method="nearest"))
    nearest = np.abs(np.log(wanted[:, None] / distinct[None, :])).argmin(axis=1)
    return {int(length): np.flatnonzero(nearest == place) for place, length in enumerate(distinct)}


def _one(fitted: Fitted, table: DemandTable, kind: int, horizon: int, quantiles: Floats) -> SeriesForecast:
    choice = fitted.choice(kind)
    mean = float(quantiles @ MASS)
    return SeriesForecast(
        demand_class=CLASSES[kind],
        model=choice.model,
        horizon=horizon,
        learned_for=fitted.horizon,
        quantiles=quantiles,
        mean=mean,
        deviation=float(np.sqrt(max(float((quantiles - mean) ** 2 @ MASS), 0.0))),
        daily=mean * _shares(table, horizon),
        coverage=choice.coverage,
        tested=choice.tested,
        wmase=choice.wmase,
        error=choice.error,
        errors=choice.errors,
    )


def _shares(table: DemandTable, horizon: int) -> Floats:
    """(horizon): how the sum falls on its periods, as that of all series together does over a season."""
    season = table.rhythm.season
    past = table.demand[:, -4 * season :].sum(axis=0)
    place = np.arange(table.periods - past.size, table.periods) % season
    usual = np.array([past[place == day].mean() if (place == day).any() else 0.0 for day in range(season)])
    ahead = usual[np.arange(table.periods, table.periods + horizon) % season]
    return ahead / ahead.sum() if ahead.sum() > 0 else np.full(horizon, 1 / horizon)


def _prior(table: DemandTable, row: int, demand_class: str, horizon: int) -> SeriesForecast:
    """Of what little is known: units a day with half a unit in two weeks added, spread as a negative binomial."""
    from scipy.stats import nbinom

    asked = table.demand[row]
    mean = horizon * (float(asked.sum()) + _PRIOR_UNITS) / (asked.size + _PRIOR_DAYS)
    size = mean / (_PRIOR_SPREAD - 1)
    quantiles = np.asarray(nbinom.ppf(LEVELS, size, 1 / _PRIOR_SPREAD), dtype=np.float64)
    return SeriesForecast(
        demand_class=demand_class,
        model=PRIOR,
        horizon=horizon,
        learned_for=0,
        quantiles=quantiles,
        mean=mean,
        deviation=float(np.sqrt(_PRIOR_SPREAD * mean)),
        daily=np.full(horizon, mean / horizon),
        coverage=[],
        tested=0,
        wmase=None,
        error=None,
        errors={},
    )
