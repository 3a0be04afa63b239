"""At which quantile to stock, found by replay of the forecasts that were made for the last weeks. Pure.

The textbook stocks at s / (s + h) or at the service asked for. It holds for one period, no lost sales and a forecast
that is right; replay counts what really comes of a level over lead time and review, and takes the one that did best.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from activities.supply.ordering import forecast_rule
from activities.supply.pooling import at_level
from activities.supply.simulate import Replayed, replay, whole
from activities.supply.table import Floats

GRID: Floats = np.concatenate([np.arange(0.3, 0.9, 0.02), np.arange(0.9, 0.9901, 0.005)])
FLAT = 0.002
"""Of the least cost: levels that cost at most so much more are as good, and their middle is taken."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What a level is to reach. "cost": least holding and shortage cost; "fill": share of units served; "cycle": share
    of periods in which nothing lacks."""

    kind: Literal["cost", "fill", "cycle"]
    target: float = 0.0
    holding: float = 0.2
    shortage: float = 1.0

    @property
    def textbook(self) -> float:
        """The level where nothing can be tried."""
        return self.shortage / (self.shortage + self.holding) if self.kind == "cost" else self.target


def tried(quantiles: Floats, demand: Floats, level: float, lead: int) -> Replayed:
    """What a level would have done: quantiles (P, n, levels) as forecast before each period, demand (n, P).

    Begins with the level of the first period on the shelf, and counts once orders of its own arrive.
    """
    return replay(demand, forecast_rule(quantiles, level, lead), lead, whole(at_level(quantiles[0], level))).since(lead)


def level_for(aim: Aim, quantiles: Floats, demand: Floats, lead: int) -> float:
    """The level of least cost, or the least one that reaches the service; textbook's where too little can be tried."""
    if demand.shape[1] <= lead + 1 or demand.size == 0 or not demand.any():
        return aim.textbook
    found = [tried(quantiles, demand, float(level), lead) for level in GRID]
    if aim.kind == "cost":
        costs = np.array([one.cost(aim.holding, aim.shortage) for one in found])
        best = np.flatnonzero(costs <= costs.min() * (1 + FLAT))
        return float(GRID[best].mean())
    reached = np.array([one.fill_rate if aim.kind == "fill" else one.cycle_service for one in found])
    enough = np.flatnonzero(reached >= aim.target)
    if not enough.size:
        return float(GRID[-1])
    at = int(enough[0])
    if at == 0:
        return float(GRID[0])
    part = (aim.target - reached[at - 1]) / (reached[at] - reached[at - 1])
    return float(GRID[at - 1] + part * (GRID[at] - GRID[at - 1]))
