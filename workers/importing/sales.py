"""Rows of sales out of files: CSV, JSON lines, Parquet; as the API takes them, whatever a file calls them.

Only what is written is read: a value that does not look like what it should be is sent as it stands, and refused there
with its row. Fields of a table that are empty are left out.
"""

import csv
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from workers.importing.rows import FileUnusable

NEEDED = ("location", "sku", "date", "quantity")
OPTIONAL = ("out_of_stock_hours", "stock_out", "promotion")
FIELDS = (*NEEDED, *OPTIONAL)
_NUMBERS = ("quantity", "out_of_stock_hours", "promotion")
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_AT_ONCE = 100_000


@dataclass(slots=True)
class Sales:
    """A file of sales. `columns`: by field the name of its column. `total`: what `done` grows to while `rows` are read:
    bytes, or rows of Parquet."""

    file: Path
    columns: Mapping[str, str]
    total: int = 0
    done: int = 0
    left_out: list[str] = field(default_factory=list)
    """Columns of the file that are no field."""

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Rows with their lines; of Parquet with their numbers, from 1. Raises FileUnusable."""
        readers: dict[str, Callable[[Sales], Iterator[tuple[int, dict[str, Any]]]]] = {
            ".csv": _csv,
            ".parquet": _parquet,
            ".jsonl": _json_lines,
            ".ndjson": _json_lines,
        }
        reader = readers.get(self.file.suffix.lower())
        if reader is None:
            raise FileUnusable(f"{self.file} is none of {', '.join(readers)}; save it as one of them")
        return reader(self)


def chunks(rows: Iterator[tuple[int, dict[str, Any]]], size: int) -> Iterator[list[tuple[int, dict[str, Any]]]]:
    while chunk := list(islice(rows, size)):
        yield chunk


def columns_of(given: Iterable[str]) -> dict[str, str]:
    """By field its column, of `field=column` words. Raises ValueError."""
    columns = {name: name for name in FIELDS}
    for word in given:
        name, equals, column = word.partition("=")
        if name not in columns or not equals or not column:
            raise ValueError(f"{word} is not FIELD=COLUMN; the fields are {', '.join(FIELDS)}")
        columns[name] = column
    return columns


def row_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a table as JSON: numbers that are written as words, days that come with midnight."""
    row: dict[str, Any] = {}
    for name, value in values.items():
        found = _value(name, value)
        if found is not None and found != "":
            row[name] = found
    return row


def _value(name: str, value: Any) -> Any:
    if isinstance(value, str):
        value = value.strip()
    if name == "date":
        return _day(value)
    if name == "stock_out" or (name == "promotion" and isinstance(value, str) and not _is_number(value)):
        return _TRUTH.get(str(value).lower(), value) if value is not None else None
    if name in _NUMBERS:
        return _number(value)
    return value if value is None else str(value)


def _day(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value.date()}" if value.time() == time() else value.isoformat()
    if isinstance(value, date):
        return f"{value}"
    return value.removesuffix(" 00:00:00").removesuffix("T00:00:00") if isinstance(value, str) else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(value: Any) -> Any:
    """A whole number where it is one, however it is written; what is none, as it stands."""
    if isinstance(value, str) and not _is_number(value):
        return value
    if isinstance(value, str | Decimal):
        value = float(value)
    if isinstance(value, float):
        if math.isnan(value):
            return None
        if math.isinf(value):
            return f"{value}"  # No JSON says it as a number.
        return int(value) if value.is_integer() else value
    return value


def _chosen(sales: Sales, names: Sequence[str]) -> dict[str, str]:
    """By field its column, of those that the file has. Raises FileUnusable."""
    missing = [sales.columns[name] for name in NEEDED if sales.columns[name] not in names]
    if missing:
        raise FileUnusable(
            f"{sales.file} has no column {', '.join(missing)}; it has {', '.join(names)}. "
            "Name them with --column, such as --column date=day"
        )
    found = {name: column for name, column in sales.columns.items() if column in names}
    asked = [column for name, column in sales.columns.items() if column != name and column not in names]
    if asked:
        raise FileUnusable(f"{sales.file} has no column {', '.join(asked)}; it has {', '.join(names)}")
    sales.left_out = [name for name in names if name not in found.values()]
    return found


def _csv(sales: Sales) -> Iterator[tuple[int, dict[str, Any]]]:
    sales.total = sales.file.stat().st_size
    with sales.file.open(encoding="utf-8-sig", errors="replace", newline="") as text:
        reader = csv.DictReader(_measured(sales, text))
        chosen = _chosen(sales, list(reader.fieldnames or []))
        for values in reader:
            yield reader.line_num, row_of({name: values[column] for name, column in chosen.items()})


def _json_lines(sales: Sales) -> Iterator[tuple[int, dict[str, Any]]]:
    """Lines whose fields have other names are renamed; fields that are none are sent, and refused there."""
    sales.total = sales.file.stat().st_size
    names: dict[str, str] = {column: name for name, column in sales.columns.items()}
    with sales.file.open(encoding="utf-8-sig", errors="replace") as text:
        for number, line in enumerate(_measured(sales, text), 1):
            if line.strip():
                try:
                    values = orjson.loads(line)
                except ValueError as error:
                    raise FileUnusable(f"{sales.file}, line {number}, is no JSON: {error}") from error
                if not isinstance(values, dict):
                    raise FileUnusable(f"{sales.file}, line {number}, is no JSON object")
                yield number, {names.get(str(name), str(name)): value for name, value in values.items()}


def _measured(sales: Sales, lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        sales.done += len(line.encode())
        yield line


def _parquet(sales: Sales) -> Iterator[tuple[int, dict[str, Any]]]:
    import polars

    try:
        frame = polars.scan_parquet(sales.file)
        chosen = _chosen(sales, frame.collect_schema().names())
        sales.total = int(frame.select(polars.len()).collect().item())
        frame = frame.select(polars.col(column).alias(name) for name, column in chosen.items())
        while sales.done < sales.total:
            for values in frame.slice(sales.done, _AT_ONCE).collect().iter_rows(named=True):
                sales.done += 1
                yield sales.done, row_of(values)
    except polars.exceptions.PolarsError as error:
        raise FileUnusable(f"{sales.file} cannot be read as Parquet: {error}") from error
