"""Ways to replenish, side by side: three as they are in books and in ERP systems, ours, and what hindsight allows.

Every arm sees the same demand until the period it orders in, begins with the same stock, and pays for the same units.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np

from activities.supply.forecasting import Fitted, fit
from activities.supply.levels import Aim, Pace, level_of_trial
from activities.supply.ordering import forecast_rule
from activities.supply.simulate import OrderRule, Replayed, replay, up_to, whole
from activities.supply.table import Floats
from bench.supply_data import World

HOLDING, SHORTAGE = 0.2, 1.0
CRITICAL = SHORTAGE / (SHORTAGE + HOLDING)
MONTH = 28
"""Days, or four weeks, for which an ERP system's levels stand until somebody sets them anew."""
Levels = Callable[[World, float], Floats]
"""Order-up-to levels (n, P) of the reported periods, for a service to be reached."""


def windows(world: World) -> tuple[int, int, int]:
    """Periods from which the classic arms take mean and deviation; each is an arm, and the best one counts."""
    return (14, 28, 56) if world.table.rhythm.season > 1 else (8, 13, 26)


def periods(world: World) -> range:
    return range(world.first, world.table.periods)


def play(world: World, rule: OrderRule) -> Replayed:
    """What came of the reported periods; those before which an arm's own orders can have arrived do not count."""
    past = world.table.demand[:, : world.first]
    begin = whole(past[:, -world.table.rhythm.level :].mean(axis=1) * world.horizon)
    return replay(world.table.demand[:, world.first :], rule, world.lead, begin).since(world.lead + 1)


def textbook(window: int) -> Levels:
    """Mean and deviation of a window, as if periods knew nothing of each other: μ(L+R) + zσ√(L+R)."""

    def levels(world: World, service: float) -> Floats:
        z, horizon = NormalDist().inv_cdf(service), world.horizon
        found = []
        for period in periods(world):
            past = world.table.demand[:, max(0, period - window) : period]
            found.append(past.mean(axis=1) * horizon + z * past.std(axis=1, ddof=1) * np.sqrt(horizon))
        return np.stack(found, axis=1)

    return levels


def seasonal_naive(world: World, service: float) -> Floats:
    """What was asked for in the same periods of the last season, and z deviations of how far that was off before."""
    z, horizon, season = NormalDist().inv_cdf(service), world.horizon, world.table.rhythm.season
    lag = -(-horizon // season) * season
    sums = _sums(world.table.demand, horizon)
    found = []
    for period in periods(world):
        last = period - horizon
        off = (sums[:, lag : last + 1] - sums[:, : last + 1 - lag])[:, -4 * max(season, 7) :]
        found.append(sums[:, period - lag] + z * off.std(axis=1))
    return np.stack(found, axis=1)


def _sums(demand: Floats, horizon: int) -> Floats:
    """(n, T - horizon + 1): the sum over the interval from each period."""
    whole_sums = np.concatenate([np.zeros((demand.shape[0], 1)), demand.cumsum(axis=1)], axis=1)
    found: Floats = whole_sums[:, horizon:] - whole_sums[:, :-horizon]
    return found


def min_max(window: int) -> Callable[[World, float], OrderRule]:
    """As ERP systems do it: a minimum of lead time demand and zσ√L, a maximum of a cycle's demand above it, both set
    once in four weeks; at or below the minimum it is filled up to the maximum."""

    def rule(world: World, service: float) -> OrderRule:
        z, lead, demand = NormalDist().inv_cdf(service), world.lead, world.table.demand
        month = MONTH if world.table.rhythm.season > 1 else 4
        least, most = [], []
        for period in periods(world):
            at = world.first + (period - world.first) // month * month
            past = demand[:, max(0, at - window) : at]
            mean, deviation = past.mean(axis=1), past.std(axis=1, ddof=1)
            least.append(mean * lead + z * deviation * np.sqrt(lead))
            most.append(least[-1] + mean)

        def order(period: int, on_hand: Floats, coming: Floats) -> Floats:
            position = on_hand + coming.sum(axis=1)
            return np.where(position <= least[period], whole(most[period] - position), 0.0)

        return order

    return rule


def hindsight(world: World) -> OrderRule:
    """Knows what will be asked for. Costs only what was already there or under way in the beginning."""
    ahead = np.concatenate([world.table.demand, np.zeros((len(world.table.series), world.horizon))], axis=1)
    return up_to(_sums(ahead, world.horizon)[:, world.first : world.table.periods])


Ruled = Callable[[World, float], OrderRule]


def classic(world: World) -> Mapping[str, Ruled]:
    """The arms that the goal names, each by every window, and the service (or cost ratio) they are given."""
    arms: dict[str, Ruled] = {}
    for window in windows(world):
        levels = textbook(window)
        arms[f"base stock, textbook, {window}"] = lambda w, s, of=levels: up_to(of(w, s))  # type: ignore[misc]
    arms["seasonal naive order-up-to"] = lambda w, s: up_to(seasonal_naive(w, s))
    for window in windows(world):
        arms[f"min/max, {window}"] = min_max(window)
    return arms


@dataclass(frozen=True, slots=True)
class Ours:
    """The policy of the product over the reported periods: `quantiles` (P, n, levels) of the sum as forecast before
    each period; `levels` by what is aimed at (P each); `fits`, with the period each was learned before."""

    quantiles: Floats
    levels: Mapping[str, Floats]
    fits: Sequence[tuple[int, Fitted]] = field(default=())

    def rule(self, world: World, aim: str) -> OrderRule:
        return forecast_rule(self.quantiles, self.levels[aim], world.lead)


def ours(world: World, aims: Mapping[str, Aim]) -> Ours:
    """Forecasts with what was known before each period; levels found by replay of the weeks before each fit."""
    table, horizon = world.table, world.horizon
    quantiles: list[Floats] = []
    levels: dict[str, list[float]] = {name: [] for name in aims}
    fits: list[tuple[int, Fitted]] = []
    found: dict[str, float] = {}
    for period in periods(world):
        if period + horizon > table.periods:
            quantiles.append(quantiles[-1])  # Its order would arrive when all is over.
        else:
            past = table.until(period, horizon)
            if (period - world.first) % world.refit == 0:
                fits.append((period, fit(past, horizon)))
                trial = fits[-1][1].trial
                tried = {name: level_of_trial(aim, trial, past, Pace(world.lead)) for name, aim in aims.items()}
                found = {name: level for name, level in tried.items() if level is not None}
            quantiles.append(fits[-1][1].quantiles(past))
        for name in aims:
            levels[name].append(found[name])
    return Ours(np.stack(quantiles), {name: np.array(each) for name, each in levels.items()}, fits)
