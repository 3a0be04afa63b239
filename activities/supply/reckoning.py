"""From what is known of a chunk's series to their forecasts and targets. Pure: runs in a process of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil

import numpy as np

from activities.supply.classes import CLASSES, classes_of
from activities.supply.levels import Aim, Pace, level_of_trial
from activities.supply.planned import Key
from activities.supply.pooling import at_level
from activities.supply.reading import policy_for
from activities.supply.series import SeriesForecast, TableForecast, forecast_series
from activities.supply.table import DemandTable
from activities.supply.targets import target_of
from contracts.supply import QUANTILES, Coverage, DemandClass, Forecast, SupplyPolicy, Target, forecast_id

AHEAD = 400
"""Days for which a table's plans must reach: no interval is longer."""
LEAST_TRIED = 50
"""Series in a replay; what fewer tell is chance."""
_YEAR_DAYS = 365.0


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
    forecasts = forecast_series(table, days)
    levels = tried_levels(table, forecasts, found, days)
    made = []
    for place, (one, policy, series) in enumerate(zip(wanted, found, forecasts.series, strict=True)):
        censored = int((table.out[place] > 0).sum())
        forecast = _forecast(one, series, kinds[place], run, today, table.periods, censored)
        made.append(Reckoned(forecast, target_of(forecast, policy, one.lead_deviation, levels[place]), policy))
    return made


def tried_levels(
    table: DemandTable, forecasts: TableForecast, policies: Sequence[SupplyPolicy], days: Sequence[int]
) -> list[float | None]:
    """Of each series: the level that did what its policy wants, replayed over the last weeks with all series of the
    policy that were learned for the same interval. None: too few, too short, or a policy that asks for a quantile."""
    levels: list[float | None] = [None] * len(days)
    for length, fitted in forecasts.fits.items():
        together: dict[tuple[str, int], list[int]] = {}
        for place, policy in enumerate(policies):
            if forecasts.series[place].learned_for == length and not policy.one_season:
                together.setdefault((policy.id, policy.version), []).append(place)
        for places in together.values():
            policy = policies[places[0]]
            aim, pace = aim_of(policy), Pace(length - policy.review_days, policy.review_days)
            if aim is None or pace.lead < 0 or len(places) < LEAST_TRIED:
                continue
            level = level_of_trial(aim, fitted.trial, table, pace, np.array(places))
            for place in places:
                levels[place] = level
    return levels


def aim_of(policy: SupplyPolicy) -> Aim | None:
    """What a replay is to reach. A cycle's service is a quantile of the sum itself, which needs no trial."""
    if policy.service.kind == "fill":
        return Aim("fill", policy.service.value)
    if policy.service.kind == "cost" and policy.shortage > 0:
        return Aim("cost", holding=policy.holding / _YEAR_DAYS, shortage=policy.shortage)
    return None


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
