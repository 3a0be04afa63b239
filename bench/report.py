"""`python -m bench.report FILE...`: the tables of docs/performance.md in Markdown, from the JSON of the benches.

With `--into docs/performance.md` they are put between the document's marks, such as `<!-- orders -->` and
`<!-- /orders -->`, and the plots beside it are drawn anew; what has no file stays as it is.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

Result = dict[str, Any]
_TITLES = {
    "batch": "most orders in a batch",
    "locations": "locations",
    "skus": "SKUs",
    "lines": "lines an order",
    "zipf": "hot SKUs (Zipf exponent)",
    "workers": "fulfilment processes",
    "open": "open orders in MongoDB",
}


def kind_of(result: Result) -> str:
    """Which bench it came from. Raises ValueError for none of them."""
    for kind, sign in (("orders", "arms"), ("growth", "rows"), ("soak", "samples")):
        if sign in result:
            return kind
    raise ValueError("this is not what a throughput bench writes")


def report(result: Result) -> str:
    """Whichever bench it came from."""
    parts: dict[str, Callable[[], Iterable[str]]] = {
        "orders": lambda: [_goals(result["goals"]), _sustained(result["arms"]), *_batched(result["arms"])],
        "growth": lambda: [*_growth(result["rows"]), _goals(result["goals"])],
        "soak": lambda: [_soak(result)],
    }
    found = [*parts[kind_of(result)](), _made_on(result)]
    return "\n\n".join(part for part in found if part)


def filled(text: str, kind: str, tables: str) -> str:
    """The document with the tables between its marks. Raises ValueError when it has no such marks."""
    first, last = f"<!-- {kind} -->", f"<!-- /{kind} -->"
    before, found, rest = text.partition(first)
    _, ended, after = rest.partition(last)
    if not (found and ended):
        raise ValueError(f"the document has no marks {first} and {last}")
    return f"{before}{first}\n\n{tables}\n\n{last}{after}"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """First column to the left, the rest to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "**no**"
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _goals(goals: Sequence[dict[str, Any]]) -> str:
    if not goals:
        return ""
    rows = [
        [
            goal["name"] + (f" ({goal['note']})" if goal.get("note") else ""),
            goal["value"],
            goal["target"],
            goal.get("ceiling"),
            f"{goal['share']:.0%}" if "share" in goal else None,
            goal["met"] if goal.get("absolute_met", goal["met"]) == goal["met"] else "by its share",
        ]
        for goal in goals
    ]
    return table(["goal", "measured", "goal's value", "bare minimum", "share of it", "met"], rows)


def _sustained(arms: dict[str, Any]) -> str:
    def row(title: str, *path: str) -> list[object]:
        return [title, *(_at(arm, path) for arm in arms.values())]

    rows = [
        row("orders/s placed → dispatched, under more than it takes", "sustained", "dispatched_per_s"),
        row("orders/s placed → delivered", "life", "delivered_per_s"),
        row("orders/s dispatched in a burst, stores silent", "burst", "dispatched_per_s"),
        row("placed → dispatched p50 at half of the peak, ms", "half_peak", "p50_ms"),
        row("placed → dispatched p99 at half of the peak, ms", "half_peak", "p99_ms"),
        row("placed → dispatched p50 at 20 orders/s, ms", "night", "p50_ms"),
        row("placed → dispatched p99 at 20 orders/s, ms", "night", "p99_ms"),
        row("history events per order, whole life", "sustained", "events_per_order"),
        row("MongoDB operations per order", "sustained", "cost", "mongo_operations"),
        row("bytes written per order, MongoDB", "sustained", "cost", "written_bytes", "mongo"),
        row("bytes written per order, NATS", "sustained", "cost", "written_bytes", "nats"),
        row("bytes written per order, Temporal", "sustained", "cost", "written_bytes", "temporal"),
        row("requests sent away with Retry-After", "sustained", "requests_sent_away"),
    ]
    return table(["", *arms], rows)


def _at(arm: dict[str, Any], path: Sequence[str]) -> object:
    found: Any = arm
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _batched(arms: dict[str, Any]) -> Iterator[str]:
    if "batched" not in arms:
        return
    arm = arms["batched"]
    first, second, single = arm["burst"]["dispatch"], arm["burst"]["rest"], arms.get("single")
    names = sorted(first["cpu_ms"], key=lambda name: -first["cpu_ms"][name] - second["cpu_ms"].get(name, 0))
    rows: list[list[object]] = []
    for name in [*names, None]:
        of = [half["cpu_ms"].get(name, 0.0) if name else half["cpu_ms_all"] for half in (first, second)]
        row: list[object] = [name or "**all**", round(of[0], 3), round(of[1], 3)]
        if single:
            cost = single["sustained"]["cost"]
            row.append(round(cost["cpu_ms"].get(name, 0.0) if name else cost["cpu_ms_all"], 2))
        rows.append(row)
    yield table(["CPU ms an order", "until dispatched", "the rest", *(["single, whole life"] if single else [])], rows)
    memory = arm["sustained"]["memory_mib"]
    yield table(
        ["memory, MiB", "start", "end", "peak"], [[n, m["start"], m["end"], m["peak"]] for n, m in memory.items()]
    )
    yield _floor(arm)
    yield table(
        ["reported without a goal", "dispatched/s", "CPU ms to dispatch", "CPU ms, the rest"],
        [
            [name, one["dispatched_per_s"], *(round(one[half]["cpu_ms_all"], 2) for half in ("dispatch", "rest"))]
            for name, one in {"goal profile": arm["burst"], **arm["reported"]}.items()
        ],
    )


def _floor(arm: dict[str, Any]) -> str:
    written = arm["floor"]["writes_per_order"]
    names = list(dict.fromkeys([*written["until dispatched"], *written["whole life"]]))
    rows: list[list[object]] = [
        ["orders/s, at most", *(arm["floor"][what]["per_s"] for what in ("dispatched", "delivered"))],
        ["writers at once", *(arm["floor"][what]["lanes"] for what in ("dispatched", "delivered"))],
    ]
    rows += [[name, *(round(written[phase].get(name, 0.0), 3) for phase in written)] for name in names]
    return table(["bare minimum, for one order", "until dispatched", "whole life"], rows)


def _growth(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    for axis, title in _TITLES.items():
        points = [row for row in rows if row["axis"] == axis]
        if points:
            yield table(
                [title, "dispatched/s", "whole life/s", "CPU ms to dispatch", "CPU ms, whole life", "operations"],
                [
                    [
                        f"{point['value']:,}",
                        point["dispatched_per_s"],
                        point.get("whole_life_per_s"),
                        round(point["cpu_ms_dispatch"], 2),
                        round(point["cpu_ms"], 2),
                        round(point["mongo_operations"], 1),
                    ]
                    for point in points
                ],
            )


def _soak(result: Result) -> str:
    rows = [
        [
            name,
            *(round(one[key]) for key in ("start_mib", "warm_mib", "end_mib", "peak_mib")),
            f"{one['slope_mib_per_hour']:+.1f} ({one['interval'][0]:+.1f} to {one['interval'][1]:+.1f})",
            one["flat"],
        ]
        for name, one in result["processes"].items()
    ]
    head = f"{result['orders']:,} orders in {result['minutes']:g} minutes"
    return f"{head}\n\n" + table(["memory, MiB", "start", "warm", "end", "peak", "slope an hour (95 %)", "flat"], rows)


def _made_on(result: Result) -> str:
    settings = result["settings"]
    durable = "; ".join(f"{name}: {how}" for name, how in settings["durability"].items())
    return f"{settings['cores']} cores ({settings['processor']}), {settings['where']}. Durable: {durable}."


def _draw(result: Result, folder: Path) -> None:
    from bench.plots import plot_growth, plot_soak

    if kind_of(result) == "growth":
        plot_growth(result["rows"], folder / "growth.svg")
    elif kind_of(result) == "soak":
        plot_soak(result, folder / "soak.svg")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--into", type=Path, help="the document to be filled")
    options = parser.parse_args()
    for file in options.files:
        result = json.loads(file.read_text())
        if options.into is None:
            print(report(result), end="\n\n")
            continue
        options.into.write_text(filled(options.into.read_text(), kind_of(result), report(result)))
        _draw(result, options.into.parent)
    return 0


if __name__ == "__main__":
    sys.exit(main())
