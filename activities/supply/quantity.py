"""How much is bought: from position and target to a quantity that a supplier takes and a shelf holds. Pure."""

from dataclasses import dataclass
from math import ceil, lcm

from contracts.supply import Constraint, Position, Sourcing, SupplyPolicy, Target


@dataclass(frozen=True, slots=True)
class Quantity:
    """`wanted`: before any constraint. `bound`: what made it another in the end."""

    units: int
    wanted: float
    bound: Constraint
    minimum: int
    multiple: int


def quantity(
    position: Position, target: Target, policy: SupplyPolicy, sourcing: Sourcing, moved: int = 0, lost: float = 0.0
) -> Quantity:
    """Nothing above the reorder point; else up to order-up-to, at least the minimum, in whole multiples, and never more
    than the shelf holds. `moved`: what transfers of the same run bring; `lost`: what is expected to be
    asked for in vain before the goods come, which takes nothing off the shelf (activities/supply/ordering.py)."""
    there = position.total + moved
    minimum = max(policy.minimum_quantity, sourcing.minimum)
    multiple = lcm(policy.order_multiple, sourcing.multiple)
    wanted = max(0.0, target.order_up_to - there - lost)
    if there > target.reorder_point or wanted <= 0:
        return Quantity(0, wanted, "none", minimum, multiple)
    exact = ceil(round(wanted, 9))
    units = ceil(max(exact, minimum) / multiple) * multiple
    bound: Constraint = "season" if policy.one_season else "none"
    if units > exact:
        bound = "minimum" if minimum > exact else "multiple"
    if policy.shelf_capacity is not None:
        # What is owed to orders leaves at once and takes no place.
        room = max(0, policy.shelf_capacity - max(there, 0))
        if units > room:
            units, bound = room // multiple * multiple, "capacity"
            if units < minimum:
                units = 0
    return Quantity(units, wanted, bound, minimum, multiple)
