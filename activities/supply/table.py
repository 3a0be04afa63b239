"""Demand of many series as one table, and the pace at which it is looked at. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]


class Key(NamedTuple):
    """Where something is asked for, and what."""

    location: str
    sku: str


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How a table's periods are looked at; all figures are counts of periods.

    `season`: after how many periods demand looks alike; `level`: over how many it is averaged to know how large a
    series is; `windows`: other stretches whose averages say where it is going; `trial`: how many of the last origins a
    forecast is tried on before it is used; `spacing`, `span`: between origins that are learned from, and how far back.
    """

    season: int
    level: int
    windows: Sequence[int]
    trial: int
    spacing: int
    span: int


DAYS = Rhythm(season=7, level=28, windows=(1, 3, 7, 14, 56), trial=14, spacing=3, span=75)
WEEKS = Rhythm(season=1, level=13, windows=(1, 2, 4, 8, 26), trial=10, spacing=1, span=40)


@dataclass(frozen=True, slots=True)
class DemandTable:
    """n series over T past periods, and what is planned for them and for those to come.

    `demand` (n, T): units asked for, estimated where stock ran out; `out` (n, T): share of the selling time without
    stock, 0 to 1: above 0 the period is censored. `plans` (n, T + ahead, k): promotions, of the past and as planned;
    `free` (T + ahead): share of the period on which one does not work. `groups` (n, g): numbers of what series have in
    common, such as location and category.
    """

    series: Sequence[Key]
    start: date
    demand: Floats
    out: Floats
    plans: Floats
    free: Floats
    groups: Ints
    rhythm: Rhythm = DAYS

    @property
    def periods(self) -> int:
        return int(self.demand.shape[1])

    @property
    def ahead(self) -> int:
        return int(self.free.shape[0]) - self.periods

    def until(self, period: int, ahead: int) -> "DemandTable":
        """As it was known before a period, with the plans for `ahead` periods from there on."""
        known = min(period + ahead, self.free.shape[0])
        return replace(
            self,
            demand=self.demand[:, :period],
            out=self.out[:, :period],
            plans=self.plans[:, :known],
            free=self.free[:known],
        )

    def of(self, chosen: Ints | slice) -> "DemandTable":
        """Some of the series."""
        numbers = np.arange(len(self.series))[chosen]
        return replace(
            self,
            series=[self.series[number] for number in numbers],
            demand=self.demand[numbers],
            out=self.out[numbers],
            plans=self.plans[numbers],
            groups=self.groups[numbers],
        )


def plain_table(demand: Any, *, start: date = date(2026, 1, 5), rhythm: Rhythm = DAYS, ahead: int = 28) -> DemandTable:
    """A table of demand alone: no stock-outs, no plans, no days off, nothing in common."""
    units = np.asarray(demand, dtype=np.float64)
    n, periods = units.shape
    return DemandTable(
        series=[Key("", str(number)) for number in range(n)],
        start=start,
        demand=units,
        out=np.zeros_like(units),
        plans=np.zeros((n, periods + ahead, 0)),
        free=np.zeros(periods + ahead),
        groups=np.zeros((n, 0), dtype=np.int64),
        rhythm=rhythm,
    )
