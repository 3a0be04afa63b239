"""Plots of the throughput benches, drawn from their JSON."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

_COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#e45756", "#72b7b2", "#b279a2", "#9d755d", "#bab0ac", "#2b2b2b")
_TITLES = {
    "batch": ("most orders in a batch", True),
    "locations": ("locations", True),
    "skus": ("SKUs", True),
    "lines": ("lines an order", False),
    "zipf": ("hot SKUs: Zipf exponent", False),
    "workers": ("fulfilment processes, at half load", False),
    "open": ("orders open in MongoDB", True),
}
"""By axis: its title, and whether it is logarithmic."""


def _pyplot() -> Any:
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "tongqu"
    from matplotlib import pyplot

    return pyplot


def plot_growth(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """One panel for each axis: orders/s on the left, CPU an order on the right."""
    pyplot = _pyplot()
    axes = [axis for axis in _TITLES if any(row["axis"] == axis for row in rows)]
    figure, panels = pyplot.subplots(2, -(-len(axes) // 2), figsize=(16, 7.5), constrained_layout=True, squeeze=False)
    for panel, axis in zip(panels.flat, axes, strict=False):
        _panel(panel, axis, sorted((row for row in rows if row["axis"] == axis), key=lambda row: row["value"]))
    for panel in list(panels.flat)[len(axes) :]:
        panel.axis("off")
    figure.suptitle("Orders a second (blue, left) and CPU of all processes for one order (orange, right)")
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _panel(panel: Any, axis: str, rows: Sequence[dict[str, Any]]) -> None:
    title, logarithmic = _TITLES[axis]
    values = [row["value"] for row in rows]
    panel.plot(values, [r["dispatched_per_s"] for r in rows], "o-", color=_COLOURS[0], label="dispatched/s")
    if all("whole_life_per_s" in row for row in rows):
        panel.plot(values, [r["whole_life_per_s"] for r in rows], "o--", color=_COLOURS[0], label="whole life/s")
    panel.set_ylim(bottom=0)
    panel.set_xlabel(title, fontsize=9)
    if logarithmic:
        panel.set_xscale("log")
    else:
        panel.set_xticks(values)
    panel.grid(alpha=0.3)
    right = panel.twinx()
    right.plot(values, [r["cpu_ms_dispatch"] for r in rows], "s-", color=_COLOURS[1], label="CPU ms to dispatch")
    right.plot(values, [r["cpu_ms"] for r in rows], "s--", color=_COLOURS[1], label="CPU ms, whole life")
    right.set_ylim(bottom=0)
    lines = [*panel.get_lines(), *right.get_lines()]
    panel.legend(lines, [line.get_label() for line in lines], fontsize=6)


def plot_soak(result: dict[str, Any], path: Path) -> None:
    """Memory of every process over the time."""
    pyplot = _pyplot()
    samples, names = result["samples"], list(result["processes"])
    figure, (large, small) = pyplot.subplots(1, 2, figsize=(14, 5), constrained_layout=True)
    for number, name in enumerate(names):
        points = [(row["s"] / 60, row[name]) for row in samples if name in row]
        panel = large if max(mib for _, mib in points) > 250 else small
        panel.plot(*zip(*points, strict=True), color=_COLOURS[number % len(_COLOURS)], label=name, linewidth=1)
    for panel, title in ((large, "more than 250 MiB"), (small, "less")):
        panel.set_ylim(bottom=0)
        panel.set_xlabel("minutes")
        panel.set_ylabel("MiB in RAM")
        panel.set_title(f"{title}, {result['per_s']:g} orders/s", fontsize=10)
        panel.grid(alpha=0.3)
        if panel.get_lines():
            panel.legend(fontsize=8)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
