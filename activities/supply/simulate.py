"""Replay: demand of many series day by day through order-up-to levels, with what is not on the shelf lost. Pure.

In each period, in this order: what was ordered `lead` periods ago arrives; an order is placed, knowing what is on hand
and what is on order; demand is served; what is left is held, what lacks is lost. So an order placed in each period has
to cover demand of lead + 1 periods together with what was ordered before.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from activities.supply.table import Floats

OrderRule = Callable[[int, Floats, Floats], Floats]
"""Quantities (n) to order in a period, from what is on hand (n) then and what will arrive (n, lead - 1) in the next
periods, sooner ones first."""


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


def replay(demand: Floats, order: OrderRule, lead: int, on_hand: Floats) -> Replayed:
    """Demand (n, P) served from `on_hand` (n) and from what `order` asks for, which comes `lead` periods later.

    Nothing is on order in the beginning.
    """
    n, periods = demand.shape
    due = np.zeros((n, periods + lead + 1))
    shelf = on_hand.astype(np.float64).copy()
    left, lost, ordered = (np.empty((n, periods)) for _ in range(3))
    for period in range(periods):
        shelf += due[:, period]
        quantity = order(period, shelf, due[:, period + 1 : period + lead])
        due[:, period + lead] += quantity
        if lead == 0:
            shelf += quantity
        served = np.minimum(shelf, demand[:, period])
        shelf -= served
        left[:, period], lost[:, period] = shelf, demand[:, period] - served
        ordered[:, period] = quantity
    return Replayed(left, lost, ordered, demand)


def up_to(levels: Floats) -> OrderRule:
    """Whole units up to the period's level (n, P), counted from all that is on hand and on order."""

    def order(period: int, on_hand: Floats, coming: Floats) -> Floats:
        return whole(levels[:, period] - on_hand - coming.sum(axis=1))

    return order


def whole(units: Floats) -> Floats:
    """The next whole number of units, none below 0."""
    found: Floats = np.ceil(np.maximum(units, 0.0) - 1e-9)
    return found
