"""Makes routing decisions for tests, and reads them."""

from activities.orders.network import Network
from activities.orders.routing import Demand, StockSeen, decide
from contracts.routing import Decision, Policy
from tests.builders import NOW, Levels, availability

NEAREST = Policy(rule="fewest")
"""The nearest location that has all, else the fewest parcels."""


def decided(wanted: Demand, places: Network, levels: Levels, policy: Policy | None = None) -> Decision:
    return decide(wanted, availability(places, levels), places, policy or NEAREST, NOW, StockSeen(0, 0))


def given_out(decision: Decision) -> dict[str, dict[int, int]]:
    """Units by line, by location."""
    return {part.location: {item.line: item.quantity for item in part.items} for part in decision.allocations}


def chosen(decision: Decision) -> list[str]:
    return [part.location for part in decision.allocations]


def assert_fills(wanted: Demand, decision: Decision, levels: Levels) -> None:
    """Every line is handed out exactly, from stock that is there, and no parcel is empty."""
    given = given_out(decision)
    for line, _, units in wanted.lines:
        assert sum(items.get(line, 0) for items in given.values()) == units
    for part in decision.allocations:
        assert part.items
        for sku in {item.sku for item in part.items}:
            assert sum(item.quantity for item in part.items if item.sku == sku) <= levels[part.location][sku]
