"""`tongqu supply import`: sales of the past out of a file, in requests that are kept whole or not at all.

How far it came is written beside the file, with the sum of what was sent: who runs it again goes on there. Sent twice a
row changes nothing, so that what is written there is about time, and never about what is kept.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from workers.cli.options import running_api

_SHOWN = 20
_BAD_AT_MOST = 1_000
"""Bad rows after which the rest is not tried: then it is not a row that is wrong, but the file."""

File = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, help="A file of .csv, .parquet or .jsonl, a row for each day.")
]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="FIELD=COLUMN", help="What a field is called in the file, such as date=day."),
]
Replace = Annotated[bool, typer.Option("--replace", help="Rows may say something else than was told before.")]
Rejects = Annotated[
    Path | None, typer.Option(dir_okay=False, help="Write every bad row to this file, a JSON object each.")
]


def import_history(file: File, column: Columns = None, replace: Replace = False, rejects: Rejects = None) -> None:
    """Sales of days before orders came through this system, for forecasts from the first day on."""
    from workers.cli.console import CommandFailed, err, out, plain
    from workers.importing.rows import FileUnusable
    from workers.importing.sales import Sales, columns_of

    try:
        sales = Sales(file, columns_of(column or []))
        sent = _Sent(running_api(), file, replace)
        _send(sales, sent)
    except (FileUnusable, ValueError) as error:
        raise CommandFailed(f"{error}.") from error
    if sales.left_out:
        err.print(f"columns that are no field: {plain(', '.join(sales.left_out))}", highlight=False)
    if rejects is not None:
        rejects.write_text("".join(json.dumps(bad, ensure_ascii=False) + "\n" for bad in sent.bad), encoding="utf-8")
    for bad in sent.bad[:_SHOWN]:
        field_name = f"{plain(bad['field'])}: " if bad["field"] else ""
        words = f"[red]line {bad['line']}[/red] {field_name}{plain(bad['detail'])} {plain(bad['remedy'])}"
        err.print(words, highlight=False, soft_wrap=True)
    if len(sent.bad) > _SHOWN:
        err.print(f"and {len(sent.bad) - _SHOWN} more; see all of them with --rejects FILE")
    out.print(", ".join(sent.words()), highlight=False, soft_wrap=True)
    if sent.bad:
        err.print("Correct these rows and run it again: the rows that were kept stay as they are.")
        raise typer.Exit(1)


def _send(sales: Any, sent: "_Sent") -> None:
    from rich.progress import Progress

    from contracts.demand_history import ROWS_MAX
    from workers.cli.console import err
    from workers.importing.sales import chunks

    before = sent.reached(sales)
    with Progress(console=err, transient=True) as bar:
        task = bar.add_task(sales.file.name, total=None)
        for number, chunk in enumerate(chunks(sales.rows(), ROWS_MAX)):
            if number >= before:
                sent.send(chunk)
            bar.update(task, total=sales.total, completed=sales.done)
            if len(sent.bad) >= _BAD_AT_MOST:
                return
    sent.done()


@dataclass(slots=True)
class _Sent:
    """What was sent of a file. `skipped`: rows that an earlier run has sent."""

    api: Any
    file: Path
    replace: bool
    outcomes: Counter[str] = field(default_factory=Counter)
    bad: list[dict[str, Any]] = field(default_factory=list)
    skipped: int = 0
    refused: int = 0
    _sum: Any = field(default_factory=hashlib.sha256)
    _chunks: int = 0

    @property
    def mark(self) -> Path:
        return self.file.with_name(f"{self.file.name}.imported")

    def reached(self, sales: Any) -> int:
        """Chunks that an earlier run has sent to this gateway, if the file begins with the same rows still."""
        from contracts.demand_history import ROWS_MAX
        from workers.importing.sales import Sales, chunks

        try:
            known = json.loads(self.mark.read_text(encoding="utf-8"))
            wanted = (int(known["chunks"]), str(known["sum"]), str(known["to"]), bool(known["replace"]))
        except (OSError, ValueError, KeyError, TypeError):
            return 0
        if wanted[2:] != (self.api.url, self.replace):
            return 0
        total, rows = hashlib.sha256(), 0
        again = chunks(Sales(sales.file, sales.columns).rows(), ROWS_MAX)
        for _, chunk in zip(range(wanted[0]), again, strict=False):
            total.update(_bytes_of(row for _, row in chunk))
            rows += len(chunk)
        if total.hexdigest() != wanted[1]:
            return 0
        self._sum, self._chunks, self.skipped = total, wanted[0], rows
        return wanted[0]

    def send(self, chunk: list[tuple[int, dict[str, Any]]]) -> None:
        from workers.cli.api import ApiRefused

        rows = [row for _, row in chunk]
        query = {"replace": "true"} if self.replace else {}
        try:
            answer = self.api.post("v1", "demand", "history", body={"rows": rows}, query=query).body
        except ApiRefused as refused:
            if refused.status not in (409, 422):
                raise
            self.refused += len(rows)
            self.bad += list(_bad(chunk, refused.problem))
            return
        self.outcomes.update(answer)
        if not self.bad:
            self._sum.update(_bytes_of(rows))
            self._chunks += 1
            self._write()

    def _write(self) -> None:
        state = {"chunks": self._chunks, "sum": self._sum.hexdigest(), "to": self.api.url, "replace": self.replace}
        try:
            made = self.mark.with_name(f"{self.mark.name}.new")
            made.write_text(json.dumps(state), encoding="utf-8")
            made.replace(self.mark)
        except OSError:
            # Beside a file that may only be read; another run sends all rows again, which changes nothing.
            return

    def done(self) -> None:
        if not self.bad:
            self.mark.unlink(missing_ok=True)

    def words(self) -> list[str]:
        names = {"left_to_orders": "of these on days that orders count"}
        found = [
            f"{self.outcomes[name]:,} {names.get(name, name)}"
            for name in ("created", "replaced", "unchanged", "left_to_orders")
            if self.outcomes[name]
        ]
        found += [f"{self.skipped:,} sent before"] if self.skipped else []
        return found + ([f"{self.refused:,} refused"] if self.refused else []) or ["no rows"]


def _bytes_of(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return "\n".join(json.dumps(row, sort_keys=True, default=str) for row in rows).encode()


def _bad(chunk: list[tuple[int, dict[str, Any]]], problem: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """Faults of a chunk by the lines of the file."""
    for fault in problem.get("errors") or [problem]:
        path = str(fault.get("field") or "").split(".")
        known = len(path) > 1 and path[0] == "rows" and path[1].isdecimal()
        line, row = chunk[int(path[1])] if known else (chunk[0][0], {})
        name = ".".join(path[2:]) if known else ".".join(path)
        # The number in the request says nothing to who has the file.
        detail = fault["detail"].removeprefix(f"Row {int(path[1]) + 1}: ") if known else fault["detail"]
        yield {"line": line, "field": name, "detail": detail, "remedy": fault["remedy"], "row": row}
