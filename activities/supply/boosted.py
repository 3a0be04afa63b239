"""One model of all series together: three quantiles of the sum by gradient boosting on trees.

It learns from every series at many origins, with loss weighted by size, so that what a promotion, a holiday or a rising
store does is learned once for all. It gives middle and spread; how wide the spread really is, errors tell afterwards
(activities/supply/pooling.py).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from activities.supply.features import Known, Looker
from activities.supply.pooling import Points
from activities.supply.table import Floats

LOW, MIDDLE, HIGH = 0.1, 0.5, 0.9
LEAST_ROWS = 2_000
"""Rows to learn from; with fewer the simple models do better."""
_NARROWEST = 0.05
"""Of what a series usually moves in the interval."""


class Boosted:
    """Fitted on what is past. Raises ValueError for fewer rows than LEAST_ROWS."""

    def __init__(self, learned: Sequence[Known]) -> None:
        from sklearn.ensemble import HistGradientBoostingRegressor
        from threadpoolctl import threadpool_limits

        x = np.concatenate([known.x for known in learned])
        scale = np.concatenate([known.scale for known in learned])
        total = np.concatenate([known.total for known in learned if known.total is not None])
        if x.shape[0] < LEAST_ROWS or total.size != scale.size:
            raise ValueError(f"{x.shape[0]} rows are too few to learn from")
        models = [
            HistGradientBoostingRegressor(
                loss="quantile",
                quantile=level,
                max_iter=100,
                learning_rate=0.06,
                max_features=0.4,
                max_leaf_nodes=15,
                max_bins=64,
                min_samples_leaf=40,
                l2_regularization=1.0,
                early_stopping=False,
                random_state=1,
            )
            for level in (LOW, MIDDLE, HIGH)
        ]
        with threadpool_limits(1):  # chunks run beside each other; threads within one would only wait for each other
            self._models: list[Any] = [model.fit(x, total / scale, sample_weight=scale) for model in models]

    def points(self, known: Known) -> Points:
        low, middle, high = (self._said(model, known) for model in self._models)
        least = _NARROWEST * known.scale
        return Points(np.maximum(middle, 0.0), np.maximum(middle - low, least), np.maximum(high - middle, least))

    @staticmethod
    def _said(model: Any, known: Known) -> Floats:
        said: Floats = model.predict(known.x) * known.scale
        return said


def origins_to_learn(first: int, last: int, spacing: int, span: int) -> list[int]:
    """Origins whose sums are past at `last` (not beyond it), newest first, `spacing` apart."""
    return list(range(last, max(first, last - span) - 1, -spacing))


def learned(looker: Looker, origins: Iterable[int]) -> list[Known]:
    return [looker.at(origin) for origin in origins]
