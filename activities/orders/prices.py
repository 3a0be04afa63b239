"""Scarcity prices: what a unit at a location is worth to the orders that are expected, beyond what it costs now.

The dual prices of the transport of expected demand to the stock at hand (Acimovic and Graves 2015, M&SOM 17:34-51,
who solve it as a linear program), smoothed by entropy, so that they follow from a few multiplications of matrices
and do not jump with the last unit: Bregman projections as in Benamou et al. 2015, SIAM J. Sci. Comput. 37:A1111,
with the capacities as inequalities. The smoothing stands for what a forecast does not know.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from activities.orders.network import Availability

SMOOTHING = 300.0
"""Minor units over which a choice between two locations is blurred."""
_LEAST = 1e-290
_EMPTY_SHELF = 0.3
"""Units that an empty shelf counts as: its price is high, yet finite."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Orders expected, by class of customers (h) and SKU (s).

    `units`: per day, shape (h, s). `cost`: freight and handling of a unit to class h from place l, shape (h, l),
    infinite where l may not serve h. `lost`: minor units lost with a unit that is not sold, shape (s,).
    """

    skus: Sequence[str]
    units: NDArray[np.float64]
    cost: NDArray[np.float64]
    lost: NDArray[np.float64]


class Prices:
    """Prices by SKU and place, brought up to date as stock and the time to the next delivery change."""

    def __init__(self, expected: Expected | None = None, smoothing: float = SMOOTHING) -> None:
        self.version = 0
        self._expected = expected
        self._smoothing = smoothing
        self._of: dict[str, NDArray[np.float64]] = {}
        if expected is not None:
            self._reach = np.exp(-expected.cost / smoothing)
            self._lost = np.exp(-expected.lost / smoothing)
            nearest = np.nan_to_num(expected.cost.min(axis=0), posinf=0.0)
            # A unit is worth no more than what the customer who is cheapest to serve from there would bring.
            self._most = np.maximum(expected.lost[None, :] - nearest[:, None], 0.0)
            self._factors = np.ones((expected.cost.shape[1], len(expected.skus)))

    def of(self, sku: str) -> NDArray[np.float64] | None:
        """Minor units by place; None where nothing is expected of the SKU."""
        return self._of.get(sku)

    def update(self, stock: Availability, days: float, rounds: int = 20) -> None:
        """Prices for demand of so many days against what is available now."""
        expected = self._expected
        if expected is None:
            return
        demand = expected.units * max(days, 0.0)
        units = np.stack([stock.of(sku) for sku in expected.skus], axis=1)
        there = np.maximum(units.astype(float), _EMPTY_SHELF)
        for _ in range(rounds):
            scale = demand / np.maximum(self._reach @ self._factors + self._lost, _LEAST)
            wanted = self._reach.T @ scale
            self._factors = np.clip(there / np.maximum(wanted, _LEAST), _LEAST, 1.0)
        prices = np.minimum(-self._smoothing * np.log(self._factors), self._most)
        self._of = {
            sku: row for sku, row in zip(expected.skus, np.ascontiguousarray(prices.T), strict=True) if row.any()
        }
        self.version += 1
