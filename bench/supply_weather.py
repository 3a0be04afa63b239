"""`python -m bench.supply_weather FILE [--out PATH]`: whether weather betters the forecast of the sum over lead
time and review. Reported in docs/forecasts.md.

FILE holds daily sales in the form of FreshRetailNet, with what was measured of each store's weather. It holds no
forecasts of weather, so there are two arms beside the one without: weather as it came, which nobody can know and which
no forecast of it betters; and weather of days that are past when the forecast is made, which everybody can know. Both
are given to the model as promotions are: by series and day, for days past and to come.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from activities.supply.forecasting import fit
from activities.supply.pooling import LEVELS, pinball
from activities.supply.table import Floats, Ints
from bench.supply_data import SERIES, Part, World, fresh_retail
from bench.supply_scores import Windows, windows_of

WITHOUT, PAST, CAME = "without", "weather of past days", "weather as it came"
MEASURED = ("precpt", "temp", "humidity", "wind")
DRAWS = 2_000
_INTERVAL = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Weather:
    """Of each series: `days` (n, T, 4) in standard deviations, rain as its logarithm; `city` (n)."""

    days: Floats
    city: Ints


@dataclass(frozen=True, slots=True)
class Off:
    """How far an arm was off, by series: sums over its windows of `loss` (pinball) and `total` (units), the weighted
    error of the middle against the seasonal naive one `mase`, and its `weight` (n each)."""

    loss: Floats
    total: Floats
    mase: Floats
    weight: Floats

    def pinball(self, rows: Ints) -> float:
        return float(self.loss[rows].sum() / self.total[rows].sum())

    def wmase(self, rows: Ints) -> float:
        return float(self.mase[rows].sum() / self.weight[rows].sum())


def weather_of(file: Path, world: World) -> Weather:
    """As it was measured where each series is sold."""
    import polars

    of = polars.read_parquet(file, columns=["city_id", "store_id", "dt", *MEASURED])
    of = of.unique(["store_id", "dt"]).sort("store_id", "dt")
    days = of["dt"].n_unique()
    place = {str(store): number for number, store in enumerate(of["store_id"].unique().sort())}
    rows = np.array([place[key.location] for key in world.table.series])
    found = np.stack([of[name].to_numpy().reshape(-1, days) for name in MEASURED], axis=2).astype(np.float64)
    found[:, :, 0] = np.log1p(found[:, :, 0])
    known = found[:, : world.first]
    found = (found - known.mean(axis=(0, 1))) / known.std(axis=(0, 1))
    return Weather(found[rows], of["city_id"].to_numpy().reshape(-1, days)[rows, 0].astype(np.int64))


def arms(world: World, weather: Weather) -> Mapping[str, World]:
    """The same world with more or less known of its weather. In the arm of past days each day has the weather of as
    many days before as the sum is long, so that all of it is past when the first day begins."""
    late = world.horizon
    past = np.concatenate([np.repeat(weather.days[:, :1], late, axis=1), weather.days[:, :-late]], axis=1)
    return {WITHOUT: world, PAST: _given(world, past), CAME: _given(world, weather.days)}


def _given(world: World, days: Floats) -> World:
    return replace(world, table=replace(world.table, plans=np.concatenate([world.table.plans, days], axis=2)))


def quantiles_of(world: World, windows: Windows) -> Floats:
    """(o, n, levels): what is said at each origin, learned anew as often as in the other benches."""
    found, fitted, learned = [], None, -1
    for origin in windows.origins:
        past = world.table.until(origin, world.horizon)
        if fitted is None or (origin - world.first) // world.refit != learned:
            fitted, learned = fit(past, world.horizon), (origin - world.first) // world.refit
        found.append(fitted.quantiles(past))
    return np.stack(found)


def off_of(windows: Windows, quantiles: Floats) -> Off:
    """On all windows: those without stock too, whose demand is estimated alike for every arm."""
    fit_rows = windows.naive > 0
    middle = quantiles[:, :, LEVELS.index(0.5)]
    mase = np.abs(windows.total - middle).mean(axis=0) / np.where(fit_rows, windows.naive, 1.0)
    weight = np.where(fit_rows, windows.weight, 0.0)
    loss = np.stack([pinball(total, said) for total, said in zip(windows.total, quantiles, strict=True)])
    return Off(loss.sum(axis=0), windows.total.sum(axis=0), mase * weight, weight)


def compared(offs: Mapping[str, Off], city: Ints, draws: int = DRAWS) -> dict[str, dict[str, Any]]:
    """Of each arm its errors, and by what share they are larger than without weather; the interval holds 95 % of
    `draws` in which cities are drawn anew, for all stores of a city have the same weather."""
    everyone, rng = np.arange(city.size), np.random.default_rng(1)
    members = [np.flatnonzero(city == one) for one in np.unique(city)]
    picks = [rng.integers(len(members), size=len(members)) for _ in range(draws)]
    samples = [np.concatenate([members[one] for one in pick]) for pick in picks]
    found: dict[str, dict[str, Any]] = {}
    for arm, off in offs.items():
        base, row = offs[WITHOUT], {}
        for name in ("pinball", "wmase"):
            mine, theirs = getattr(off, name), getattr(base, name)
            spread = np.percentile([mine(rows) / theirs(rows) - 1 for rows in samples], _INTERVAL)
            row[name] = mine(everyone)
            row[f"{name}_change"] = mine(everyone) / theirs(everyone) - 1
            row[f"{name}_interval"] = [float(end) for end in spread]
        found[arm] = row
    return found


def joined(offs: Sequence[Off]) -> Off:
    """Of several samples, one after the other."""
    return Off(*(np.concatenate([getattr(off, name) for off in offs]) for name in ("loss", "total", "mase", "weight")))


def measure(file: Path, seeds: Sequence[int], series: int, part: Part) -> Iterator[dict[str, Any]]:
    """All samples so far, after each."""
    offs: dict[str, list[Off]] = {name: [] for name in (WITHOUT, PAST, CAME)}
    cities: list[Ints] = []
    for number, seed in enumerate(seeds, 1):
        world = fresh_retail(file, seed, part, series)
        weather, windows = weather_of(file, world), windows_of(world, slice(None))
        cities.append(weather.city)
        for name, given in arms(world, weather).items():
            offs[name].append(off_of(windows, quantiles_of(given, windows)))
        city = np.concatenate(cities)
        whole = {name: joined(each) for name, each in offs.items()}
        yield {"seeds": list(seeds[:number]), "series": int(city.size), "part": part, "arms": compared(whole, city)}


def main() -> None:
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("file", type=Path, metavar="FILE")
    asked.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    asked.add_argument("--series", type=int, default=SERIES)
    asked.add_argument("--part", choices=["tuning", "reported"], default="reported")
    asked.add_argument("--out", type=Path, help="written anew after each sample")
    given = asked.parse_args()
    for found in measure(given.file, given.seeds, given.series, given.part):
        text = json.dumps(found, indent=1)
        print(text, flush=True)
        if given.out is not None:
            given.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
