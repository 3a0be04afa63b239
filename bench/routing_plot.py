"""The sweep as a picture: one panel for each figure, over stock cover, one line for each arm."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

_PANELS = (
    ("total cost against nearest, %", "total_change", 100),
    ("gap to hindsight captured, %", "gap", 100),
    ("lost units", "lost", 1),
    ("shipping cost of a unit shipped, ¥", "per_unit", 0.01),
    ("parcels a unit", "parcels_per_unit", 1),
    ("km a parcel", "km_per_parcel", 1),
    ("late parcels, %", "late_share", 100),
    ("load of locations, Gini", "load_gini", 1),
)
_STYLES = {
    "nearest": ("#9a9a9a", "o"),
    "fewest": ("#4c78a8", "s"),
    "ours": ("#f58518", "^"),
    "ours+re": ("#e45756", "v"),
    "hindsight": ("#2b2b2b", "x"),
}


def plot(rows: Sequence[dict[str, Any]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    covers = sorted({row["cover"] for row in rows})
    figure, axes = pyplot.subplots(2, 4, figsize=(16, 7), constrained_layout=True)
    for axis, (title, name, scale) in zip(axes.flat, _PANELS, strict=True):
        for arm, (colour, marker) in _STYLES.items():
            points = [
                (cover, fmean(found) * scale)
                for cover in covers
                if (found := [r[name] for r in rows if r["arm"] == arm and r["cover"] == cover and name in r])
            ]
            if points:
                axis.plot(*zip(*points, strict=True), color=colour, marker=marker, markersize=4, label=arm)
        axis.axvspan(min(covers), 1.0, color="#f5e9d6", alpha=0.5, zorder=0)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("stock cover", fontsize=8)
        axis.grid(alpha=0.3)
    axes.flat[0].legend(fontsize=8)
    figure.suptitle("Routing policies over stock cover; scarce half shaded; means over places and seeds")
    figure.savefig(path)
    pyplot.close(figure)
