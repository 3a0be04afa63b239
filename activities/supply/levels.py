"""At which quantile to stock, found by replay of the forecasts that were made for the last weeks. Pure.

The textbook stocks at s / (s + h) or at the service asked for. It holds for one period, no lost sales and a forecast
that is right; replay counts what really comes of a level over lead time and review, and takes the one that did best.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from activities.supply.forecasting import Trial
from activities.supply.ordering import forecast_rule
from activities.supply.pooling import at_level
from activities.supply.simulate import Replayed, replay, whole
from activities.supply.table import DemandTable, Floats, Ints

GRID: Floats = np.concatenate([np.arange(0.3, 0.9, 0.02), np.arange(0.9, 0.9901, 0.005)])
PHASES = 3
"""Of a review, that are tried at most: on which day one looks should not decide."""
FLAT = 0.002
"""Of the least cost: levels that cost at most so much more are as good, and their middle is taken."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What a level is to reach. "cost": least holding cost (a unit and period) and shortage cost (a unit that lacks);
    "fill": share of units served."""

    kind: Literal["cost", "fill"]
    target: float = 0.0
    holding: float = 0.2
    shortage: float = 1.0


@dataclass(frozen=True, slots=True)
class Pace:
    """Periods from an order to its goods, and between two looks at the same series."""

    lead: int
    review: int = 1


def tried(quantiles: Floats, demand: Floats, level: float, pace: Pace, phase: int = 0) -> Replayed:
    """What a level would have done: quantiles (P, n, levels) as forecast before each period, demand (n, P).

    Begins with the level of the first period on the shelf, and counts once orders of its own arrive.
    """
    begin = whole(at_level(quantiles[0], level))
    rule = forecast_rule(quantiles, level, pace.lead, pace.review, phase)
    return replay(demand, rule, pace.lead, begin).since(pace.lead + phase)


def level_for(aim: Aim, quantiles: Floats, demand: Floats, pace: Pace) -> float | None:
    """The level of least cost, or the least one that reaches the service; None where there is too little to try: less
    than two reviews after the first order's goods are there, or nothing that was asked for."""
    phases = range(0, pace.review, -(-pace.review // PHASES))
    if demand.shape[1] - pace.lead - max(phases) < 2 * pace.review or not demand.any():
        return None
    found = [[tried(quantiles, demand, float(level), pace, phase) for phase in phases] for level in GRID]
    if aim.kind == "cost":
        costs = np.array([sum(one.cost(aim.holding, aim.shortage) for one in each) for each in found])
        best = np.flatnonzero(costs <= costs.min() * (1 + FLAT))
        return float(GRID[best].mean())
    reached = np.array([np.mean([one.fill_rate for one in each]) for each in found])
    enough = np.flatnonzero(reached >= aim.target)
    if not enough.size:
        return float(GRID[-1])
    at = int(enough[0])
    if at == 0:
        return float(GRID[0])
    part = (aim.target - reached[at - 1]) / (reached[at] - reached[at - 1])
    return float(GRID[at - 1] + part * (GRID[at] - GRID[at - 1]))


def level_of_trial(aim: Aim, trial: Trial, table: DemandTable, pace: Pace, rows: Ints | None = None) -> float | None:
    """By the forecasts that a model made for the last periods of a table, of all its series or of some."""
    chosen = np.arange(len(table.series)) if rows is None else rows
    known = table.demand[chosen, trial.origins[0] : trial.origins[-1] + 1]
    return level_for(aim, trial.quantiles[:, chosen], known, pace)
