"""From what is known of a chunk's series to their forecasts and targets. Pure: runs in a process of its own.

Series are fitted together where their interval is about as long; a forecast for such a length is brought to the exact
one, its middle in proportion and its spread with the root. Quantiles of all series of a chunk learn from each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil

import numpy as np

from activities.supply.classes import CLASSES, classes_of
from activities.supply.forecasting import Fitted, fit
from activities.supply.planned import Key
from activities.supply.pooling import LEVELS, at_level, pinball
from activities.supply.reading import policy_for
from activities.supply.table import DemandTable, Floats
from activities.supply.targets import target_of
from contracts.supply import QUANTILES, Coverage, Forecast, SupplyPolicy, Target, forecast_id

_LENGTHS = (1, 2, 3, 4, 5, 7, 9, 11, 14, 18, 22, 28, 35, 45, 60, 90, 120)
"""Days of intervals that are fitted."""
_PUBLISHED = (0.8, 0.9, 0.95)
_NAIVE = "Naive"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of one series: what its policy and interval follow from. `lead`, `lead_deviation`: calendar days."""

    key: Key
    division: str
    category: str
    lead: float
    lead_deviation: float


@dataclass(frozen=True, slots=True)
class Reckoned:
    forecast: Forecast
    target: Target
    policy: SupplyPolicy


def length_for(days: int, periods: int) -> int:
    """The nearest length that is fitted, and that a history of so many periods can be tried on."""
    longest = max(1, (periods - 8) // 3)
    able = [one for one in _LENGTHS if one <= longest] or [1]
    return min(able, key=lambda one: (abs(np.log(one / days)), one))


def reckon(
    table: DemandTable, wanted: Sequence[Wanted], policies: Sequence[SupplyPolicy], run: str, today: date
) -> list[Reckoned]:
    """In the order of the table. `today`: the first day that is not known."""
    kinds = classes_of(table)
    found = [
        policy_for(policies, one.division, one.category, CLASSES[kinds[number]]) for number, one in enumerate(wanted)
    ]
    days = [_interval(one, policy) for one, policy in zip(wanted, found, strict=True)]
    by_length: dict[int, list[int]] = {}
    for number, interval in enumerate(days):
        by_length.setdefault(length_for(interval, table.periods), []).append(number)
    made: dict[int, Reckoned] = {}
    for length, numbers in sorted(by_length.items()):
        made |= _fitted(table, kinds, length, numbers, wanted, found, days, run, today)
    return [made[number] for number in range(len(wanted))]


def _interval(one: Wanted, policy: SupplyPolicy) -> int:
    """Whole days that a target must last: the lead time and until the next look, or the season."""
    return policy.season_days if policy.one_season else max(1, ceil(one.lead) + policy.review_days)


def _fitted(
    table: DemandTable,
    kinds: np.ndarray,
    length: int,
    numbers: Sequence[int],
    wanted: Sequence[Wanted],
    policies: Sequence[SupplyPolicy],
    days: Sequence[int],
    run: str,
    today: date,
) -> Mapping[int, Reckoned]:
    part = table.of(np.array(numbers))
    # What is far too short to try anything on is told by the few days there are.
    learned = fit(part, length)
    said = learned.quantiles(part)
    coverage, errors = _tried(learned, kinds[list(numbers)])
    made = {}
    for place, number in enumerate(numbers):
        one, policy = wanted[number], policies[number]
        kind = int(kinds[number])
        quantiles, mean = _stretched(said[place], days[number] / length)
        deviation = float(np.sqrt(max(_second(quantiles) - mean**2, 0.0)))
        choice = learned.choices[kind]
        forecast = Forecast(
            id=forecast_id(run, *one.key),
            run=run,
            location=one.key[0],
            sku=one.key[1],
            demand_class=CLASSES[kind],
            model=choice.model,
            protection_days=days[number],
            mean=round(mean, 4),
            deviation=round(deviation, 4),
            quantiles=[round(float(value), 4) for value in _at_ours(quantiles)],
            coverage=coverage.get(kind, []),
            wmase=errors.get(kind, (None, None))[0],
            pinball=errors.get(kind, (None, None))[1],
            models={name: round(error, 5) for name, error in choice.errors.items()},
            daily_mean=round(mean / days[number], 6),
            daily_deviation=round(deviation / days[number] ** 0.5, 6),
            days_known=table.periods,
            days_censored=int((table.out[number] > 0).sum()),
            as_of=today,
        )
        target = target_of(forecast, policy, one.lead_deviation)
        made[number] = Reckoned(forecast, target, policy)
    return made


def _stretched(quantiles: Floats, part: float) -> tuple[Floats, float]:
    """Quantiles (levels) brought to another length, and their mean."""
    mean = _mean(quantiles)
    found = np.maximum.accumulate(np.maximum(mean * part + (quantiles - mean) * np.sqrt(part), 0.0))
    return found, _mean(found)


def _mass() -> Floats:
    """Of each level: the share of chance that is nearest to it."""
    levels = np.array(LEVELS)
    edges = np.concatenate([[0.0], (levels[1:] + levels[:-1]) / 2, [1.0]])
    return np.asarray(np.diff(edges))


def _mean(quantiles: Floats) -> float:
    return float(quantiles @ _mass())


def _second(quantiles: Floats) -> float:
    return float(quantiles**2 @ _mass())


def _at_ours(quantiles: Floats) -> Floats:
    return np.concatenate([at_level(quantiles[None, :], level) for level in QUANTILES])


def _tried(
    learned: Fitted,
    kinds: np.ndarray,
) -> tuple[dict[int, list[Coverage]], dict[int, tuple[float, float]]]:
    """By class: how often the published levels held at origins that did not know, and how far off the middle was: the
    mean absolute error a unit asked for, and the mean pinball loss a unit."""
    coverage: dict[int, list[Coverage]] = {}
    errors: dict[int, tuple[float, float]] = {}
    trial = learned.trial
    middle = trial.quantiles[:, :, LEVELS.index(0.5)]
    for kind in sorted(set(kinds.tolist())):
        rows = np.flatnonzero(kinds == kind)
        total = trial.total[:, rows]
        quantiles = trial.quantiles[:, rows].reshape(-1, len(LEVELS))
        flat = total.reshape(-1)
        coverage[kind] = [
            Coverage(level=level, achieved=round(float((flat <= at_level(quantiles, level)).mean()), 4), n=flat.size)
            for level in _PUBLISHED
        ]
        asked = max(float(total.sum()), 1e-9)
        off = float(np.abs(total - middle[:, rows]).sum())
        errors[kind] = (round(off / asked, 4), round(float(pinball(flat, quantiles).sum()) / asked, 5))
    return coverage, errors
