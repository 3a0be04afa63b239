"""Which supplier: what a needed unit really costs there, with all reasons. Pure.

A unit's cost is its price, times what must be bought for each unit that is needed (minimum, multiple), dearer for each
working day that others are faster, and dearer by how often the supplier does not deliver on time and in full. Of a
supplier without data a middling record is assumed, and said so.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from contracts.buying_replies import Reported
from contracts.money import display
from contracts.partner_events import Bilingual
from contracts.scoring import Rate
from contracts.supply import LeadTime, Sourcing
from contracts.workdays import Day

DAY_COSTS = 0.005
"""Of the price, for each working day that it takes longer than the fastest."""
LATE_COSTS = 0.25
"""Of the price, for a line that is not on time and in full."""
UNKNOWN_RATE = 0.8
"""Assumed while no line was judged."""
LEARNED_FROM = 3
"""Receipts after which their lead time counts before what was promised."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of suppliers. `reports` by (supplier, SKU); `able`: those that take orders now."""

    able: Collection[str]
    rates: Mapping[str, Rate] = field(default_factory=dict)
    lead_times: Mapping[str, LeadTime] = field(default_factory=dict)
    reports: Mapping[tuple[str, str], Reported] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A source that could deliver. `quantity`: what must be bought there; `cost`: minor units for each needed unit."""

    source: Sourcing
    quantity: int
    lead_days: float
    cost: float
    why: list[Bilingual]


@dataclass(frozen=True, slots=True)
class Choice:
    """`ranked`: the best first; `excluded`: by supplier, why not."""

    ranked: list[Ranked]
    excluded: dict[str, str]

    @property
    def best(self) -> Ranked | None:
        return self.ranked[0] if self.ranked else None


def to_buy(quantity: int, minimum: int, multiple: int) -> int:
    """The least that covers a quantity, is a whole number of multiples, and not below the minimum."""
    least = max(quantity, minimum, 1)
    return -(-least // multiple) * multiple


def choose(
    sources: Sequence[Sourcing],
    quantity: int,
    division: str,
    known: Known,
    today: Day,
    tried: Collection[str] = (),
    least: int | None = None,
) -> Choice:
    """`division`: of the location that needs it. Of several rows of one supplier the most precise counts. `least`: who
    reports to have fewer is left out; None: who reports fewer than the quantity."""
    precise: dict[str, Sourcing] = {}
    for source in sorted(sources, key=lambda one: len(one.locations)):
        if source.active and division.startswith(source.locations):
            precise[source.supplier] = source
    excluded: dict[str, str] = {}
    able: list[tuple[Sourcing, float, Bilingual]] = []
    for supplier, source in sorted(precise.items()):
        why = _why_not(source, quantity if least is None else least, known, today, tried)
        if why is not None:
            excluded[supplier] = why
        else:
            able.append((source, *_lead(source, known, today)))
    fastest = min((lead for _, lead, _ in able), default=0.0)
    ranked = [_ranked(source, quantity, lead, why, lead - fastest, known) for source, lead, why in able]
    return Choice(sorted(ranked, key=lambda one: (one.cost, one.source.supplier)), excluded)


def _why_not(source: Sourcing, quantity: int, known: Known, today: Day, tried: Collection[str]) -> str | None:
    if source.supplier in tried:
        return "was asked before and does not deliver"
    if source.supplier not in known.able:
        return "takes no orders now"
    report = _holds(known.reports.get((source.supplier, source.sku)), today)
    if report is None or report.on_hand is None or report.per_week is None:
        return None
    if report.on_hand + report.per_week * 4 < quantity:
        return f"has {report.on_hand} and {report.per_week} a week, which is not {quantity} within four weeks"
    return None


def _holds(report: Reported | None, today: Day) -> Reported | None:
    return report if report is not None and (report.until is None or report.until >= today) else None


def _lead(source: Sourcing, known: Known, today: Day) -> tuple[float, Bilingual]:
    """Working days, and where they are known from."""
    learned = known.lead_times.get(source.supplier)
    if learned is not None and learned.n >= LEARNED_FROM:
        zh = f"交货期 {learned.mean:.1f} 个工作日，由 {learned.n} 次收货学得"
        en = f"{learned.mean:.1f} working days, learned from {learned.n} receipts"
        return learned.mean, Bilingual(zh=zh, en=en)
    report = _holds(known.reports.get((source.supplier, source.sku)), today)
    if report is not None and report.lead_days is not None:
        zh, en = f"交货期 {report.lead_days} 个工作日，供应商上报", f"{report.lead_days} working days, as reported"
        return float(report.lead_days), Bilingual(zh=zh, en=en)
    zh, en = f"交货期 {source.lead_days} 个工作日，按约定", f"{source.lead_days} working days, as agreed"
    return float(source.lead_days), Bilingual(zh=zh, en=en)


def _ranked(source: Sourcing, quantity: int, lead: float, time: Bilingual, slower: float, known: Known) -> Ranked:
    bought = to_buy(quantity, source.minimum, source.multiple)
    on_time, record = _record(known.rates.get(source.supplier))
    cost = source.price * (bought / quantity) * (1 + DAY_COSTS * slower + LATE_COSTS * (1 - on_time))
    price, whole = display(source.price, source.currency), display(round(cost), source.currency)
    paid = Bilingual(
        zh=f"单价 {price}，需要 {quantity} 件时采购 {bought} 件（起订量 {source.minimum}，订货倍数 {source.multiple}）",
        en=f"price {price} for a unit, {bought} for {quantity} needed"
        f" (minimum {source.minimum}, multiple {source.multiple})",
    )
    total = Bilingual(zh=f"计入风险后每件需要的商品成本为 {whole}", en=f"a needed unit costs {whole} with its risks")
    return Ranked(source, bought, lead, cost, [paid, time, record, total])


def _record(rate: Rate | None) -> tuple[float, Bilingual]:
    """The share of lines on time and in full that is counted with, and where it is known from."""
    if rate is None or rate.value is None or rate.low is None:
        zh, en = (
            f"没有其交货记录；按 {UNKNOWN_RATE:.0%} 估计",
            f"no data about its lines; {UNKNOWN_RATE:.0%} is assumed",
        )
        return UNKNOWN_RATE, Bilingual(zh=zh, en=en)
    zh = f"{rate.n} 行中 {rate.hits} 行按时足量，至少 {rate.low:.0%}"
    return rate.low, Bilingual(zh=zh, en=f"{rate.hits} of {rate.n} lines on time and in full, at least {rate.low:.0%}")
