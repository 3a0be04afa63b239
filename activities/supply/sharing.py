"""Fair share: what a supplier has too little of goes load by load to whom it would run out first. Pure.

The rule of multi-echelon stock (Clark and Scarf's balance): all that are short end with the same chance of running out
before the next look, as nearly as loads allow; and not with the same part of what they wanted, which favours who wants
most.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush

import numpy as np

from activities.supply.planned import Planned
from activities.supply.quantity import Quantity
from contracts.supply import QUANTILES, SupplyPolicy

_LOADS = 2_000
"""At most so many steps; beyond it several multiples go at once."""


@dataclass(frozen=True, slots=True)
class Need:
    """`there`: the position, with what transfers bring; `units`: what it would order by itself, a whole number of
    multiples and not below the minimum; `quantiles` of the sum of demand, at QUANTILES."""

    key: str
    there: float
    units: int
    minimum: int
    multiple: int
    quantiles: Sequence[float]


def fair_shares(needs: Sequence[Need], available: int) -> list[int]:
    """Units for each; what was wanted where there is enough for all. Never more than is available in all, and nothing
    below a minimum or beside a multiple."""
    if sum(one.units for one in needs) <= available:
        return [one.units for one in needs]
    given = [0] * len(needs)
    left = max(available, 0)
    coarse = max(1, left // _LOADS)
    waiting = [(-_runs_out(one, 0), one.key, place) for place, one in enumerate(needs) if one.units]
    heapify(waiting)
    while waiting and left > 0:
        _, key, place = heappop(waiting)
        one = needs[place]
        load = _load(one, given[place], coarse)
        if load > left:
            load = _load(one, given[place], 1)
        if load <= left:
            given[place] += load
            left -= load
            if given[place] < one.units:
                heappush(waiting, (-_runs_out(one, given[place]), key, place))
    return given


def _load(one: Need, given: int, coarse: int) -> int:
    """What it can be given next: first at least the minimum, never more than it wants."""
    step = -(-coarse // one.multiple) * one.multiple
    if not given:
        step = max(step, -(-one.minimum // one.multiple) * one.multiple)
    return min(step, one.units - given)


def _runs_out(one: Need, given: int) -> float:
    """The chance that more is asked for than is there then. Beyond the outermost quantiles it goes on in proportion, so
    that who has less of nothing still comes first."""
    there = one.there + given
    low, high = max(one.quantiles[0], 1e-9), max(one.quantiles[-1], 1e-9)
    if there < low:
        return 1.0 - QUANTILES[0] * there / low
    if there > high:
        return (1.0 - QUANTILES[-1]) * high / there
    return 1.0 - float(np.interp(there, one.quantiles, QUANTILES))


@dataclass(frozen=True, slots=True)
class Bought:
    """What a series buys. `moved`: units that transfers of the same run bring it."""

    row: Planned
    policy: SupplyPolicy
    units: Quantity
    moved: int


def share_out(bought: Sequence[Bought], available: Mapping[tuple[str, str], int]) -> list[Bought]:
    """The same, with its share for each where its supplier has too little of a SKU for all."""
    found = {id(one): one for one in bought}
    for (supplier, sku), units in available.items():
        alike = [one for one in bought if one.row.sku == sku and _supplier(one) == supplier]
        wanted = sum(one.units.units for one in alike)
        if wanted <= units:
            continue
        for one, share in zip(alike, fair_shares([_need(one) for one in alike], units), strict=True):
            if share != one.units.units:
                one.row.target.terms |= {"supplier_has": units, "asked_of_supplier": wanted}
                found[id(one)] = replace(one, units=replace(one.units, units=share, bound="fair_share"))
    return list(found.values())


def _supplier(one: Bought) -> str:
    return one.row.sourcing.supplier if one.row.sourcing is not None else ""


def _need(one: Bought) -> Need:
    return Need(
        key=one.row.location,
        there=one.row.position.total + one.moved,
        units=one.units.units,
        minimum=one.units.minimum,
        multiple=one.units.multiple,
        quantiles=one.row.forecast.quantiles,
    )
