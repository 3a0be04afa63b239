"""What an import did, as tables: what was read and left out, how orders ended, and how far parcels travelled."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from infra.invariants import Finding, violations
from workers.cli.console import plain, stage
from workers.importing.distances import Comparison, Travelled
from workers.importing.outcome import Outcome
from workers.importing.rows import BadRow

_SHOWN = 10


@dataclass(slots=True)
class Report:
    """`notes` are facts about the input, by name; `seconds` from the first request until all orders were still.

    `findings` of the invariants, where they were checked.
    """

    source: str
    orders_read: int
    left_out: Counter[str] = field(default_factory=Counter)
    placed: int = 0
    placed_before: int = 0
    bad: list[BadRow] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    still: bool = True
    outcome: Outcome = field(default_factory=Outcome)
    findings: list[Finding] | None = None
    comparison: Comparison | None = None

    @property
    def well(self) -> bool:
        """Every order has ended or waits for stock for good, some were placed, and nothing promised is broken."""
        none_placed = bool(self.bad) and self.orders_read > 0 and not (self.placed or self.placed_before)
        return self.still and not none_placed and not violations(self.findings or [])


def show(report: Report, console: Console) -> None:
    console.print(_orders(report))
    if report.bad:
        console.print(_bad(report.bad))
    if report.comparison is not None:
        console.print(_compared(report.comparison))
        if report.comparison.unknown:
            console.print(f"{report.comparison.unknown} orders are not compared: a seller's place is not known.")
    elif report.outcome.sent:
        console.print(_travelled(report.outcome))
    for finding in report.findings or []:
        console.print(f"{finding.severity} {finding.invariant} ({finding.count}): {plain('; '.join(finding.examples))}")
    if not report.still:
        console.print("[red]Orders have not ended, and nothing moves any more: do their stores answer?[/red]")


def _orders(report: Report) -> Table:
    table = Table(title=report.source, show_header=False)
    table.add_row("orders read", f"{report.orders_read:,}")
    for reason, count in report.left_out.most_common():
        if count:
            table.add_row("  left out", f"{count:,}  {plain(reason)}")
    table.add_row("orders placed", f"{report.placed:,}")
    if report.placed_before:
        table.add_row("  placed before", f"{report.placed_before:,}")
    for name, count in sorted(report.outcome.stages.items()):
        table.add_row(f"  {stage(name)}", f"{count:,}")
    for code, count in report.outcome.attention.most_common():
        table.add_row("  [red]need attention[/red]", f"{count:,}  {plain(code)}")
    for name, count in report.notes.items():
        table.add_row(plain(name), f"{count:,}")
    if report.seconds:
        table.add_row("time", f"{report.seconds:,.1f} s")
    if report.findings is not None:
        table.add_row("invariants", "[red]violated[/red]" if violations(report.findings) else "[green]hold[/green]")
    return table


def _bad(rows: Sequence[BadRow]) -> Table:
    title = f"{len(rows):,} bad rows" + (f", the first {_SHOWN}" if len(rows) > _SHOWN else "")
    table = Table("file", "line", "code", "reason", title=title)
    for row in rows[:_SHOWN]:
        table.add_row(plain(row.file), str(row.line), plain(row.code), plain(row.reason))
    return table


def _compared(comparison: Comparison) -> Table:
    table = _distance_table(f"distance that parcels travel, over the same {comparison.here.orders:,} orders")
    _add(table, "sent here", comparison.here)
    _add(table, "the seller who really shipped", comparison.really)
    _add(table, "nearest seller with unlimited stock", comparison.nearest)
    return table


def _travelled(outcome: Outcome) -> Table:
    travelled = Travelled()
    for parcels in outcome.sent.values():
        known = [parcel.distance_km for parcel in parcels if parcel.distance_km is not None]
        if known and len(known) == len(parcels):
            travelled.add(known)
    table = _distance_table(f"distance that parcels travel, over {travelled.orders:,} orders")
    _add(table, "sent here", travelled)
    return table


def _distance_table(title: str) -> Table:
    return Table("from", "parcels", "sum km", "mean km", "median km", "km an order", title=title)


def _add(table: Table, name: str, travelled: Travelled) -> None:
    figures = (travelled.mean_km, travelled.median_km, travelled.per_order_km)
    words = ("no data" if figure is None else f"{figure:,.1f}" for figure in figures)
    table.add_row(name, f"{len(travelled.km):,}", f"{travelled.sum_km:,.0f}", *words)


def write_rejects(rows: Sequence[BadRow], path: Path) -> None:
    """Every bad row, one JSON object a line."""
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row.as_dict(), ensure_ascii=False) + "\n")
