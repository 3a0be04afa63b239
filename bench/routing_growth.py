"""What a decision costs in CPU, and how that grows with locations, lines and orders routed together."""

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rich.table import Table

from activities.orders.routing import route
from bench.routing_arms import policies, prices_for
from bench.routing_world import DAYS, LINES, START, Places, draw, places_in
from infra.runtime import prepare

_STANDARD = {"locations": 1_000, "orders": 1_000, "lines": 0}
"""0 lines: as many as the benchmark's orders have."""
_VARIED: dict[str, tuple[int, ...]] = {
    "locations": (40, 200, 1_000, 3_000),
    "lines": (1, 2, 3, 4, 6),
    "orders": (100, 1_000, 4_000),
}
_SKUS = 200
_UNITS_A_SHELF = 1.0
"""Units that lie at a location of a SKU, on average: about half of the shelves are empty."""
_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Growth:
    rows: list[dict[str, Any]]

    def at_thousand(self) -> float:
        """Microseconds of CPU an order at 1,000 locations."""
        return next(float(row["us"]) for row in self.rows if row["varied"] == "locations" and row["value"] == 1_000)


def measure() -> Growth:
    """CPU time of the process, best of several rounds: what others do on the machine counts as little as possible."""
    return Growth(
        [
            {"varied": name, "value": value, "us": _microseconds(**{**_STANDARD, name: value})}
            for name, values in _VARIED.items()
            for value in values
        ]
    )


def _microseconds(locations: int, orders: int, lines: int) -> float:
    [places] = places_in(None)
    many = Places(places.name, places.customers, list(places.customers) * (1 + locations // len(places.customers)))
    wanted = {lines: 1.0} if lines else LINES
    per_order = sum(size * share for size, share in wanted.items()) / sum(wanted.values())
    cover = _UNITS_A_SHELF * locations * _SKUS / (orders * per_order)
    world = draw(many, cover, 1, locations=locations, skus=_SKUS, orders=orders, lines=wanted)
    held = policies("cost")
    prices = prices_for(world, held)
    prices.update(world.availability(), DAYS)
    demands = [demand for _, demand in world.orders]
    prepare()
    best = float("inf")
    for number in range(_ROUNDS):
        stock = world.availability()
        began = time.process_time()
        now = START + timedelta(seconds=number)
        route(demands, stock, world.network, [held[d.channel] for d in demands], prices, now)
        best = min(best, (time.process_time() - began) / len(demands) * 1e6)
    return best


def table(growth: Growth) -> Table:
    shown = Table("varied", "value", "CPU µs an order", title="growth; else 1,000 locations, 1,000 orders, 1.7 lines")
    for row in growth.rows:
        shown.add_row(row["varied"], f"{row['value']:,}", f"{row['us']:.0f}")
    return shown
