"""What the policies of production would have done: days that are past, replayed with the functions that runs use. Pure.

On each day the goods that are due arrive; series whose review is due are forecast with what was known then, and ordered
for; demand is served as far as the shelf goes, the rest is lost. Of promotions of days to come that is known which was
planned when the day began.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from math import ceil

import numpy as np

from activities.supply.ordering import lost_before
from activities.supply.quantity import quantity
from activities.supply.reckoning import AHEAD, Reckoned, Wanted, reckon
from activities.supply.simulate import Replayed
from activities.supply.table import DemandTable, Floats, Ints
from contracts.supply import Position, Sourcing, SupplyPolicy

_RUN = "simulated"
_YEAR_DAYS = 365.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of some series over some days. `classes`, `policies`: by series, as at the last forecast; `cost`: in minor units,
    for goods held and sales lost, as each series' policy has it of its price."""

    days: Replayed
    classes: Sequence[str]
    policies: Sequence[SupplyPolicy]
    cost: float


def replay_policies(
    table: DemandTable,
    wanted: Sequence[Wanted],
    policies: Sequence[SupplyPolicy],
    sourcing: Sequence[Sourcing],
    days: int,
    planned: Callable[[int], Floats],
    tell: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """The last `days` of a table whose plans reach AHEAD periods beyond it. Begins with what the first forecast wants
    on the shelf, and counts from the day on which the first orders of the slowest series are there. `planned`: what
    was planned, before a period, for the AHEAD periods from it on (n, AHEAD)."""
    first = table.periods - days
    leads = np.array([max(1, ceil(one.lead)) for one in wanted], dtype=np.int64)
    due = np.zeros((len(wanted), days + int(leads.max(initial=1)) + 1))
    made = _reckoned(table, wanted, policies, first, planned)
    shelf = np.array([float(one.target.order_up_to) for one in made])
    left, lost, ordered = (np.zeros((len(wanted), days)) for _ in range(3))
    for day in range(days):
        shelf += due[:, day]
        reviewed = [place for place, one in enumerate(made) if day % one.policy.review_days == 0]
        if day and reviewed:
            made = _reckoned(table, wanted, policies, first + day, planned)
        for place in reviewed:
            coming = int(due[place, day + 1 :].sum())
            units = _ordered(made[place], sourcing[place], int(shelf[place]), coming, int(leads[place]))
            due[place, day + int(leads[place])] += units
            ordered[place, day] = units
        asked = table.demand[:, first + day]
        served = np.minimum(shelf, asked)
        shelf -= served
        left[:, day], lost[:, day] = shelf, asked - served
        tell(day + 1)
    done = Replayed(left, lost, ordered, table.demand[:, first:]).since(min(int(leads.max(initial=1)), days - 1))
    kinds = [one.forecast.demand_class for one in made]
    return Outcome(done, kinds, [one.policy for one in made], _cost(done, made, sourcing))


def _reckoned(
    table: DemandTable,
    wanted: Sequence[Wanted],
    policies: Sequence[SupplyPolicy],
    period: int,
    planned: Callable[[int], Floats],
) -> list[Reckoned]:
    """With what was known before a period."""
    known = table.until(period, AHEAD)
    plans = known.plans.copy()
    plans[:, period:] = planned(period)[:, :, None]
    today = table.start + timedelta(days=period)
    return reckon(replace(known, plans=plans), wanted, policies, _RUN, today)


def _ordered(made: Reckoned, sourcing: Sourcing, on_hand: int, coming: int, lead: int) -> int:
    position = Position(on_hand=on_hand, purchases=coming)
    lost = 0.0 if made.policy.one_season else lost_before(made.forecast, position.total, lead)
    return quantity(position, made.target, made.policy, sourcing, lost=lost).units


def _cost(done: Replayed, made: Sequence[Reckoned], sourcing: Sequence[Sourcing]) -> float:
    price = np.array([one.price for one in sourcing], dtype=np.float64)
    holding = np.array([one.policy.holding for one in made]) / _YEAR_DAYS
    shortage = np.array([one.policy.shortage for one in made])
    each: Floats = price * (holding * done.left.sum(axis=1) + shortage * done.lost.sum(axis=1))
    return float(each.sum())


def figures(outcomes: Sequence[Outcome]) -> Mapping[str, Mapping[str, float]]:
    """Fill rate, days without shortage, stock, turns a year, units asked for and lost: of all, and by class."""
    names = ["all", *sorted({kind for outcome in outcomes for kind in outcome.classes})]
    return {name: _of([part for outcome in outcomes if (part := _part(outcome, name)) is not None]) for name in names}


def _part(outcome: Outcome, name: str) -> Replayed | None:
    places: Ints = np.array([p for p, kind in enumerate(outcome.classes) if name in ("all", kind)], dtype=np.int64)
    if not places.size:
        return None
    days = outcome.days
    return Replayed(days.left[places], days.lost[places], days.ordered[places], days.asked[places])


def _of(parts: Sequence[Replayed]) -> Mapping[str, float]:
    asked, lost = sum(float(p.asked.sum()) for p in parts), sum(float(p.lost.sum()) for p in parts)
    held, cells = sum(float(p.left.sum()) for p in parts), sum(p.asked.size for p in parts)
    return {
        "series": float(sum(p.asked.shape[0] for p in parts)),
        "asked": asked,
        "lost": lost,
        "fill_rate": 1 - lost / asked if asked else 1.0,
        "no_shortage": sum(float((p.lost <= 0).sum()) for p in parts) / cells,
        "stock": held / cells,
        "turns_a_year": (asked - lost) / held * _YEAR_DAYS if held else 0.0,
    }
