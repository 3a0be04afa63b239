"""A partner's score, out of its purchase orders and the service cases about its parcels. Pure.

Every line that was promised and is due is judged by what had arrived, in good units, at the end of the first day that
the supplier has promised: what was never delivered is late like anything else, and a promise that is moved later stays
what it was. Rates carry their counts and the Wilson interval, and without data there is no rate.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from math import sqrt

from contracts.buying import PurchaseLine, PurchaseOrder
from contracts.scoring import (
    RANKED_FROM,
    WINDOW_DAYS,
    LineDispute,
    Rate,
    Score,
    ScoredLine,
    Served,
    Verdict,
    dispute_id,
)
from contracts.workdays import day_of

_Z = 1.959963984540054
"""Of the normal distribution, for 95 %."""
WEIGHTS: Mapping[str, float] = {
    "lines": 0.5,
    "deliveries": 0.2,
    "answers": 0.1,
    "acceptance": 0.1,
    "invoices": 0.1,
    "service": 0.2,
    "satisfaction": 0.1,
}
_OF_SERVICE = frozenset({"service", "satisfaction"})


def rate(hits: int, n: int, *, interval: bool = True) -> Rate:
    """Wilson, E. B. (1927): the score interval of a proportion."""
    if n == 0:
        return Rate(hits=0, n=0, value=None, low=None, high=None)
    share = hits / n
    if not interval:
        return Rate(hits=hits, n=n, value=share, low=None, high=None)
    scale = 1 + _Z * _Z / n
    middle = (share + _Z * _Z / (2 * n)) / scale
    half = _Z / scale * sqrt(share * (1 - share) / n + _Z * _Z / (4 * n * n))
    return Rate(hits=hits, n=n, value=share, low=max(middle - half, 0.0), high=min(middle + half, 1.0))


def judged(wanted: int, arrived_by_day: int, arrived: int) -> Verdict:
    """`arrived_by_day`: units until the end of the promised day; `arrived`: until now."""
    if arrived_by_day >= wanted:
        return "on_time_in_full"
    if arrived_by_day > 0:
        return "short"
    return "late" if arrived > 0 else "never"


def scored_lines(
    orders: Iterable[PurchaseOrder], disputes: Mapping[str, LineDispute], today: date, window_days: int = WINDOW_DAYS
) -> list[ScoredLine]:
    """All lines whose day falls into the window, and those to come; also those that do not count, with the reason."""
    since = today - timedelta(days=window_days)
    found = [
        _scored(order, line, disputes.get(dispute_id(order.id, line.line)), today)
        for order in orders
        if order.sent_at is not None
        for line in order.lines
    ]
    return sorted((one for one in found if one.day > since), key=lambda one: (one.day, one.order, one.line))


def _scored(order: PurchaseOrder, line: PurchaseLine, dispute: LineDispute | None, today: date) -> ScoredLine:
    day = line.promised or line.due
    came = [
        (day_of(receipt.at, order.terms.zone), one.good)
        for receipt in order.receipts
        for one in receipt.lines
        if one.line == line.line and one.good
    ]
    scored = ScoredLine(
        order=order.id,
        line=line.line,
        sku=line.sku,
        location=order.location,
        day=day,
        wanted=line.wanted - line.withdrawn,
        arrived_by_day=sum(units for when, units in came if when <= day),
        arrived=sum(units for _, units in came),
        last_came=max((when for when, _ in came), default=None),
        verdict=None,
        dispute=dispute.state if dispute else None,
    )
    if dispute is not None and dispute.state == "accepted":
        scored.left_out = "disputed"
    elif line.promised is None:
        scored.left_out = "not_promised"
    elif scored.wanted <= 0:
        scored.left_out = "withdrawn"
    elif today <= day and scored.arrived_by_day < scored.wanted:
        scored.left_out = "not_due"
    else:
        scored.verdict = judged(scored.wanted, scored.arrived_by_day, scored.arrived)
    return scored


def score_of(
    supplier: str,
    orders: Sequence[PurchaseOrder],
    disputes: Mapping[str, LineDispute],
    today: date,
    window_days: int = WINDOW_DAYS,
    served: Served | None = None,
) -> tuple[Score, list[ScoredLine]]:
    """The score, and exactly the lines that made it and those that were left out."""
    told = served or Served()
    lines = scored_lines(orders, disputes, today, window_days)
    counted = [one for one in lines if one.verdict is not None]
    since = today - timedelta(days=window_days)
    asked = [one for one in orders if one.sent_at is not None and day_of(one.sent_at, one.terms.zone) > since]
    receipts = [receipt for order in orders for receipt in order.receipts if day_of(receipt.at) > since]
    clean = [r for r in receipts if not any(one.damaged or one.excess or one.wrong for one in r.lines)]
    decided = [one for one in asked if one.state not in ("sent", "countered", "cancelled")]
    invoices = [i for one in asked for i in one.invoices if i.state != "waits"]
    on_time = sum(one.verdict == "on_time_in_full" for one in counted)
    rates = {
        "lines": rate(on_time, len(counted)),
        "deliveries": rate(len(clean), len(receipts)),
        "answers": rate(sum(o.answered_at is not None or bool(o.receipts) for o in decided), len(decided)),
        "acceptance": rate(sum(one.state not in ("declined", "silent") for one in decided), len(decided)),
        "invoices": rate(sum(i.state == "matched" for i in invoices), len(invoices)),
        "service": rate(told.cases - told.at_fault, told.cases),
        "satisfaction": rate(told.stars - told.rated, 4 * told.rated, interval=False),
    }
    by_day = sum(min(one.arrived_by_day, one.wanted) for one in counted)
    score = Score(
        supplier=supplier,
        since=since,
        until=today,
        value=_value(rates),
        comparable=max(len(counted), told.cases) >= RANKED_FROM,
        units=rate(by_day, sum(one.wanted for one in counted), interval=False),
        left_out=dict(Counter(one.left_out for one in lines if one.left_out is not None)),
        disputes_open=sum(one.dispute == "open" for one in lines),
        **rates,
    )
    return score, lines


def _value(rates: Mapping[str, Rate]) -> float | None:
    """None while no line was judged and no case closed. Without lines only service counts: how fast somebody answers
    says nothing about what is delivered."""
    no_lines, no_cases = rates["lines"].value is None, rates["service"].value is None
    if no_lines and no_cases:
        return None
    known = [
        (WEIGHTS[name], one.value)
        for name, one in rates.items()
        if one.value is not None and (name in _OF_SERVICE or not no_lines)
    ]
    return round(100 * sum(weight * value for weight, value in known) / sum(weight for weight, _ in known), 1)
