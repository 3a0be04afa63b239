"""Replay: demand of many series day by day through order-up-to levels, with what is not on the shelf lost. Pure.

In each period, in this order: what was ordered `lead` periods ago arrives; it is ordered up to the level of that period,
counted from all that is on hand and on order; demand is served; what is left is held, what lacks is lost.
So a level covers demand of lead + 1 periods when it is looked at in each.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from activities.supply.table import Floats

OrderRule = Callable[[int, Floats], Floats]
"""Quantities (n) to order in a period, from the positions (n) then."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of it (n, P each): units left at the end of the period, lost, ordered; and what was asked for."""

    left: Floats
    lost: Floats
    ordered: Floats
    asked: Floats

    def since(self, period: int) -> "Replayed":
        return Replayed(self.left[:, period:], self.lost[:, period:], self.ordered[:, period:], self.asked[:, period:])

    @property
    def fill_rate(self) -> float:
        """Units served of units asked for; 1 where nothing was."""
        asked = float(self.asked.sum())
        return 1 - float(self.lost.sum()) / asked if asked else 1.0

    @property
    def cycle_service(self) -> float:
        """Share of periods of series in which nothing lacked."""
        return float((self.lost <= 0).mean())

    @property
    def stock(self) -> float:
        """Mean units left, of a series and period."""
        return float(self.left.mean())

    @property
    def turns(self) -> float:
        """Units served a period for each unit held."""
        held = float(self.left.sum())
        return float((self.asked - self.lost).sum()) / held if held else float("inf")

    def cost(self, holding: float, shortage: float) -> float:
        return holding * float(self.left.sum()) + shortage * float(self.lost.sum())


def replay(demand: Floats, order: OrderRule, lead: int, on_hand: Floats, on_order: Floats | None = None) -> Replayed:
    """Demand (n, P) served from `on_hand` (n) and from what `order` asks for, which comes `lead` periods later.

    `on_order` (n, lead): what arrives in the first periods.
    """
    n, periods = demand.shape
    due = np.zeros((n, periods + lead))
    if on_order is not None:
        due[:, : on_order.shape[1]] += on_order
    shelf, waiting = on_hand.astype(np.float64).copy(), due[:, :lead].sum(axis=1)
    left, lost, ordered = (np.empty((n, periods)) for _ in range(3))
    for period in range(periods):
        arrived = due[:, period]
        shelf += arrived
        waiting -= arrived if lead else 0.0
        quantity = order(period, shelf + waiting)
        if lead:
            due[:, period + lead] += quantity
            waiting += quantity
        else:
            shelf += quantity
        served = np.minimum(shelf, demand[:, period])
        shelf -= served
        left[:, period], lost[:, period] = shelf, demand[:, period] - served
        ordered[:, period] = quantity
    return Replayed(left, lost, ordered, demand)


def up_to(levels: Floats) -> OrderRule:
    """Whole units up to the period's level (n, P)."""

    def order(period: int, position: Floats) -> Floats:
        found: Floats = np.ceil(np.maximum(levels[:, period] - position, 0.0) - 1e-9)
        return found

    return order
