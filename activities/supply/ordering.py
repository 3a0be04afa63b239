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

_MIDDLE = LEVELS.index(0.5)


def stretched(quantiles: Floats, share: float | Floats) -> Floats:
    """Quantiles (n, levels) of demand in another length, `share` of the interval (one for all, or n): the middle in
    proportion, what is around it with the root of that, as for periods that know nothing of each other."""
    part = np.broadcast_to(np.asarray(share, dtype=np.float64), quantiles.shape[:1])[:, None]
    middle = quantiles[:, _MIDDLE : _MIDDLE + 1]
    found: Floats = np.maximum(middle * part + (quantiles - middle) * np.sqrt(part), 0.0)
    return found


def expected_loss(quantiles: Floats, on_hand: Floats, coming: Floats, lead: int) -> Floats:
    """Units (n) that will be asked for and not be there before an order of now arrives.

    `quantiles` (n, levels) of the sum over the interval of lead + 1 periods; `coming` (n, lead - 1): what arrives
    before the second period's demand, the third's, and so on. What lacks at the end of a period was lost by then, so
    the largest of these is taken.
    """
    there = on_hand[:, None] + np.concatenate([np.zeros((on_hand.size, 1)), coming.cumsum(axis=1)], axis=1)
    worst = np.zeros(on_hand.size)
    for period in range(lead):
        asked = stretched(quantiles, (period + 1) / (lead + 1))
        lacking = (np.maximum(asked - there[:, period : period + 1], 0.0) * MASS).sum(axis=1)
        worst = np.maximum(worst, lacking)
    return worst


def forecast_rule(quantiles: Floats, level: float | Floats, lead: int) -> OrderRule:
    """Orders up to a level of each period's forecast (P, n, levels), less what is lost before it comes. `level` may be
    each period's own (P)."""
    levels = np.broadcast_to(np.asarray(level, dtype=np.float64), quantiles.shape[:1])

    def order(period: int, on_hand: Floats, coming: Floats) -> Floats:
        now = quantiles[period]
        lost = expected_loss(now, on_hand, coming, lead) if lead else 0.0
        return whole(at_level(now, float(levels[period])) - on_hand - coming.sum(axis=1) - lost)

    return order
