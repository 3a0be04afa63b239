"""Simple models, by the class of demand they suit, through statsforecast. They say what is expected of each period.

Imported when first used: it brings a second's work and tens of megabytes.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from activities.supply.table import DemandTable, Floats, Rhythm
from contracts.supply import DemandClass

BY_CLASS: Mapping[DemandClass, Sequence[str]] = {
    "smooth": ("WindowAverage", "SES", "SeasonalWindow"),
    "erratic": ("WindowAverage", "SES", "SeasonalWindow"),
    "intermittent": ("TSB", "SBA", "ADIDA"),
    "lumpy": ("TSB", "SBA", "ADIDA"),
    "new": ("WindowAverage",),
}
SIMPLE: tuple[str, ...] = tuple(dict.fromkeys(name for names in BY_CLASS.values() for name in names))


def models_of(names: Sequence[str], rhythm: Rhythm, periods: int) -> list[Any]:
    """Models of statsforecast by our names, for histories of at least some periods."""
    from statsforecast import models

    window = min(rhythm.level, periods)
    seasons = max(1, min(4, periods // rhythm.season))
    makers: Mapping[str, Callable[[], Any]] = {
        "WindowAverage": lambda: models.WindowAverage(window, alias="WindowAverage"),
        "SES": lambda: models.SimpleExponentialSmoothingOptimized(alias="SES"),
        "SeasonalWindow": lambda: models.SeasonalWindowAverage(rhythm.season, seasons, alias="SeasonalWindow"),
        "TSB": lambda: models.TSB(0.1, 0.1, alias="TSB"),
        "SBA": lambda: models.CrostonSBA(alias="SBA"),
        "ADIDA": lambda: models.ADIDA(alias="ADIDA"),
    }
    return [makers[name]() for name in names]


def sums(
    table: DemandTable, names: Sequence[str], horizon: int, origins: Sequence[int], made: Sequence[Any] | None = None
) -> Mapping[str, Floats]:
    """(origins, n) expected sums over `horizon` periods from each origin, by model; origins equally far apart.

    `made`: other models of statsforecast than those of the product, named by their alias.
    """
    models = list(made) if made is not None else models_of(names, table.rhythm, origins[0])
    n = table.demand.shape[0]
    long = _ran(table, origins, horizon, models) if len(origins) > 1 else _once(table, origins[0], horizon, models)
    return {
        str(model.alias): np.maximum(
            long[str(model.alias)].reshape(n, len(origins), horizon).sum(axis=2).T.astype(np.float64), 0.0
        )
        for model in models
    }


def _ran(table: DemandTable, origins: Sequence[int], horizon: int, models: list[Any]) -> Mapping[str, Floats]:
    from statsforecast import StatsForecast

    step = origins[1] - origins[0]
    if any(later - sooner != step for sooner, later in itertools.pairwise(origins)):
        raise ValueError(f"origins {list(origins)} are not equally far apart")
    frame = _frame(table, origins[-1] + horizon)
    rows = StatsForecast(models=models, freq=1).cross_validation(
        df=frame, h=horizon, step_size=step, n_windows=len(origins)
    )
    rows = rows.sort(["unique_id", "cutoff", "ds"])
    return {str(model.alias): rows[str(model.alias)].to_numpy() for model in models}


def _once(table: DemandTable, origin: int, horizon: int, models: list[Any]) -> Mapping[str, Floats]:
    from statsforecast import StatsForecast

    rows = StatsForecast(models=models, freq=1).forecast(df=_frame(table, origin), h=horizon)
    rows = rows.sort(["unique_id", "ds"])
    return {str(model.alias): rows[str(model.alias)].to_numpy() for model in models}


def _frame(table: DemandTable, periods: int) -> Any:
    import polars

    n = table.demand.shape[0]
    return polars.DataFrame(
        {
            "unique_id": np.repeat(np.arange(n), periods),
            "ds": np.tile(np.arange(periods), n),
            "y": table.demand[:, :periods].ravel(),
        }
    )
