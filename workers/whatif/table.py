"""The arms side by side at the terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Column, Table

from contracts.money import display
from workers.cli.console import plain
from workers.whatif.run import ASSUMPTIONS, Outcome, figures

_ROWS = (
    ("cost", "cost", "money"),
    ("  freight", "freight", "money"),
    ("  handling", "handling", "money"),
    ("  lateness", "lateness", "money"),
    ("  margin not earned", "lost_margin", "money"),
    ("cost an order", "cost_per_order", "money"),
    ("parcels", "parcels", "count"),
    ("parcels an order", "parcels_per_order", "number"),
    ("split orders", "split_orders", "count"),
    ("km a parcel", "km_per_parcel", "number"),
    ("orders that waited", "waited_orders", "count"),
    ("orders lost", "lost_orders", "count"),
    ("units lost", "lost_units", "count"),
    ("orders waiting at the end", "waiting_orders", "count"),
    ("units waiting at the end", "waiting_units", "count"),
    ("late parcels", "late_share", "share"),
    ("busiest location", "busiest", "busiest"),
    ("load Gini", "load_gini", "number4"),
    ("same choice as recorded", "as_recorded_share", "share"),
)


def table_of(outcome: Outcome, currency: str) -> Iterator[Table | str]:
    names = [name for name, _ in outcome.arms]
    found = [figures(tally, outcome.locations) for _, tally in outcome.arms]
    table = Table("", *[Column(plain(name), justify="right") for name in names], title_justify="left")
    for label, key, kind in _ROWS:
        cells = [_cell(one[key], kind, currency) for one in found]
        for number in range(1, len(found)):
            cells[number] += _change(found[0][key], found[number][key])
        table.add_row(label, *cells)
    yield table
    asked = outcome.asked
    yield (
        f"{outcome.routed:,} orders placed from {outcome.start:%Y-%m-%d %H:%M} to {asked.end:%Y-%m-%d %H:%M} UTC; "
        f"{outcome.never_routed:,} more were never routed. Compared with {plain(names[0])}; "
        f"a unit that nobody ships loses {asked.margin:.0%} of its price."
    )
    yield " ".join(ASSUMPTIONS)


def _cell(value: Any, kind: str, currency: str) -> str:
    if value is None:
        return "no data"
    if kind == "money":
        return display(round(value), currency)
    if kind == "share":
        return f"{value:.1%}"
    if kind == "busiest":
        return _busiest(value)
    return f"{value:,}" if kind == "count" else f"{value:,.4f}" if kind == "number4" else f"{value:,.2f}"


def _busiest(value: Mapping[str, Any]) -> str:
    return f"{plain(value['location'])}: {value['parcels']:,}"


def _change(before: Any, after: Any) -> str:
    """In hundredths of the first arm's figure."""
    if not isinstance(before, int | float) or not isinstance(after, int | float) or not before or before == after:
        return ""
    return f" [dim]{(after - before) / abs(before):+.1%}[/dim]"
