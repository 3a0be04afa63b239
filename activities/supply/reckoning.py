"""From what is known of a chunk's series to their forecasts and targets. Pure: runs in a process of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil

import numpy as np

from activities.supply.classes import CLASSES, classes_of
from activities.supply.planned import Key
from activities.supply.pooling import at_level
from activities.supply.reading import policy_for
from activities.supply.series import SeriesForecast, forecast_series
from activities.supply.table import DemandTable
from activities.supply.targets import target_of
from contracts.supply import QUANTILES, Coverage, DemandClass, Forecast, SupplyPolicy, Target, forecast_id

AHEAD = 400
"""Days for which a table's plans must reach: no interval is longer."""


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


def reckon(
    table: DemandTable, wanted: Sequence[Wanted], policies: Sequence[SupplyPolicy], run: str, today: date
) -> list[Reckoned]:
    """In the order of the table. `today`: the first day that is not known."""
    kinds: list[DemandClass] = [CLASSES[kind] for kind in classes_of(table)]
    found = [policy_for(policies, one.division, one.category, kind) for one, kind in zip(wanted, kinds, strict=True)]
    days = [interval(one.lead, policy) for one, policy in zip(wanted, found, strict=True)]
    said = forecast_series(table, days).series
    made = []
    for place, (one, policy, series) in enumerate(zip(wanted, found, said, strict=True)):
        censored = int((table.out[place] > 0).sum())
        forecast = _forecast(one, series, kinds[place], run, today, table.periods, censored)
        made.append(Reckoned(forecast, target_of(forecast, policy, one.lead_deviation), policy))
    return made


def interval(lead: float, policy: SupplyPolicy) -> int:
    """Whole days that a target must last: the lead time and until the next look, or the season."""
    days = policy.season_days if policy.one_season else ceil(lead) + policy.review_days
    return min(max(1, days), AHEAD)


def _forecast(
    one: Wanted, said: SeriesForecast, kind: DemandClass, run: str, today: date, known: int, censored: int
) -> Forecast:
    quantiles = np.concatenate([at_level(said.quantiles[None, :], level) for level in QUANTILES])
    return Forecast(
        id=forecast_id(run, *one.key),
        run=run,
        location=one.key[0],
        sku=one.key[1],
        demand_class=kind,
        model=said.model,
        protection_days=said.horizon,
        mean=round(said.mean, 4),
        deviation=round(said.deviation, 4),
        quantiles=[round(float(value), 4) for value in quantiles],
        coverage=[Coverage(level=level, achieved=round(held, 4), n=said.tested) for level, held in said.coverage],
        wmase=None if said.wmase is None else round(said.wmase, 4),
        pinball=None if said.error is None else round(said.error, 5),
        models={name: round(error, 5) for name, error in said.errors.items()},
        daily_mean=round(said.mean / said.horizon, 6),
        daily_deviation=round(said.deviation / said.horizon**0.5, 6),
        daily=[round(float(units), 3) for units in said.daily],
        days_known=known,
        days_censored=censored,
        as_of=today,
    )
