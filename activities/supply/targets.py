"""Up to where a series is filled: from its forecast, its policy and how unsure its lead time is. Pure.

The forecast is of the sum over lead time and review. What the lead time adds to its spread follows from the law of
total variance: d² σL², d being what is asked for in a day. A series is looked at once in a review and filled up to its
order-up-to level whenever it is below it, so that both levels are one.
"""

from math import ceil, sqrt

from contracts.supply import QUANTILES, Forecast, SupplyPolicy, Target

_YEAR_DAYS = 365.0
_STEPS = 60


def target_of(forecast: Forecast, policy: SupplyPolicy, lead_deviation: float, tried: float | None = None) -> Target:
    """`lead_deviation` in calendar days. `tried`: the level that did what the policy wants when the last weeks were
    replayed (activities/supply/levels.py); None: it follows from the forecast alone."""
    from_lead = forecast.daily_mean * lead_deviation
    wider = sqrt(1 + (from_lead / forecast.deviation) ** 2) if forecast.deviation > 0 else 1.0
    level = level_of(forecast, policy, wider) if tried is None else tried
    up_to = _at(forecast, level, wider)
    if forecast.deviation == 0:
        up_to += from_lead
    return Target(
        reorder_point=ceil(round(up_to, 6)) - 1 if up_to > 0 else -1,
        order_up_to=ceil(round(up_to, 6)),
        level=round(level, 4),
        terms={
            "lead_spread": round(from_lead, 3),
            "demand_spread": round(forecast.deviation, 3),
            "wider_by": round(wider, 4),
            "level_from": "forecast" if tried is None else "replay",
            "aim": policy.service.kind if not policy.one_season else "newsvendor",
        },
    )


def level_of(forecast: Forecast, policy: SupplyPolicy, wider: float) -> float:
    """The quantile to be filled up to."""
    if policy.one_season:
        short, over = policy.margin, 1.0 - policy.salvage
        return short / (short + over) if short + over > 0 else 0.5
    if policy.service.kind == "cycle":
        return policy.service.value
    if policy.service.kind == "cost":
        kept = policy.holding * policy.review_days / _YEAR_DAYS
        return min(policy.shortage / (policy.shortage + kept), QUANTILES[-1]) if policy.shortage else QUANTILES[0]
    return _for_fill(forecast, policy, wider)


def _for_fill(forecast: Forecast, policy: SupplyPolicy, wider: float) -> float:
    """The least level at which what lacks before the next delivery, E(D - S)+, is no more than the share that may lack
    of what is asked for in a review (Silver, Pyke and Thomas, Inventory and Production Management, 2017, ch. 6)."""
    may = (1 - policy.service.value) * forecast.daily_mean * policy.review_days
    low, high = QUANTILES[0], QUANTILES[-1]
    if _lacking(forecast, _at(forecast, low, wider), wider) <= may:
        return low
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _lacking(forecast, _at(forecast, middle, wider), wider) <= may:
            high = middle
        else:
            low = middle
    return high


def _at(forecast: Forecast, level: float, wider: float) -> float:
    """A quantile with the lead time's spread in it, never below what the quantile without it says above the mean."""
    return max(0.0, forecast.mean + (forecast.at(level) - forecast.mean) * wider)


def _lacking(forecast: Forecast, there: float, wider: float) -> float:
    """E(D - S)+, the quantiles taken as straight between their levels."""
    levels = [0.0, *QUANTILES, 1.0]
    values = [max(0.0, forecast.mean + (one - forecast.mean) * wider) for one in forecast.quantiles]
    values = [values[0], *values, values[-1]]
    lacking = 0.0
    for place in range(1, len(levels)):
        low, high = values[place - 1] - there, values[place] - there
        chance = levels[place] - levels[place - 1]
        if low >= 0:
            lacking += chance * (low + high) / 2
        elif high > 0:
            lacking += chance * high * high / (high - low) / 2
    return lacking
