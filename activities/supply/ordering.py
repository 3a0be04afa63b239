"""How much to order of what a forecast says, where demand that is not served is lost. Pure.

Order-up-to takes for granted that what is on hand and on order will be there for the sum of demand. But what is lost
before the goods arrive takes nothing off the shelf: so much less is needed. The same thought as in projected
inventory levels (van Jaarsveld and Arts, Projected inventory-level policies for lost sales inventory systems, 2024),
reckoned from the quantiles of the sum instead of from a distribution of each period.
"""

import numpy as np

from activities.supply.pooling import LEVELS, MASS, at_level
from activities.supply.simulate import OrderRule, whole
from activities.supply.table import Floats
from contracts.supply import Forecast

_MIDDLE = LEVELS.index(0.5)


def stretched(quantiles: Floats, share: float | Floats) -> Floats:
    """Quantiles (n, levels) of demand in another length, `share` of the interval (one for all, or n): the middle in
    proportion, what is around it with the root of that, as for periods that know nothing of each other."""
    part = np.broadcast_to(np.asarray(share, dtype=np.float64), quantiles.shape[:1])[:, None]
    middle = quantiles[:, _MIDDLE : _MIDDLE + 1]
    found: Floats = np.maximum(middle * part + (quantiles - middle) * np.sqrt(part), 0.0)
    return found


def expected_loss(quantiles: Floats, there: Floats, share: float | Floats) -> Floats:
    """Units (n) that will be asked for and not be there before an order of now arrives.

    `quantiles` (n, levels) of the sum over lead time and review, of which the lead time is `share`; `there` (n): on
    hand and coming in that time. What comes late in it is taken as if it were there at once, so that rather too little
    is reckoned as lost.
    """
    asked = stretched(quantiles, share)
    found: Floats = (np.maximum(asked - there[:, None], 0.0) * MASS).sum(axis=1)
    return found


def lost_before(forecast: Forecast, there: float, lead_days: float) -> float:
    """The same of one forecast, with the position `there`."""
    share = min(lead_days / forecast.protection_days, 1.0)
    return float(expected_loss(np.array([forecast.quantiles]), np.array([float(there)]), share)[0])


def forecast_rule(quantiles: Floats, level: float | Floats, lead: int, review: int = 1, phase: int = 0) -> OrderRule:
    """Orders up to a level of each period's forecast (P, n, levels), less what is lost before it comes; once in
    `review` periods, from `phase` on. `level` may be each period's own (P)."""
    levels = np.broadcast_to(np.asarray(level, dtype=np.float64), quantiles.shape[:1])
    share = lead / (lead + review)

    def order(period: int, on_hand: Floats, coming: Floats) -> Floats:
        if period % review != phase:
            return np.zeros_like(on_hand)
        now, there = quantiles[period], on_hand + coming.sum(axis=1)
        return whole(at_level(now, float(levels[period])) - there - expected_loss(now, there, share))

    return order
