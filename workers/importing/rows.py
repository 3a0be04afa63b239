"""Rows of files: what each becomes, and what is wrong with those that become nothing."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

Kind = Literal["location", "stock", "order"]
KINDS: tuple[Kind, ...] = ("location", "stock", "order")


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is left out. `code` is stable and counted; `reason` says what is wrong and what to change."""

    file: str
    line: int
    code: str
    reason: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class RowRefused(ValueError):
    """Something is wrong with the row that is being read."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class FileUnusable(Exception):
    """A whole file cannot be read: it is not there, or it has other columns."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to be sent to the API, and the row that it came from."""

    kind: Kind
    body: dict[str, Any]
    file: str
    line: int

    def bad(self, code: str, reason: str) -> BadRow:
        return BadRow(self.file, self.line, code, reason)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table, by column."""

    file: str
    line: int
    values: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.values[column]

    def needed(self, column: str) -> str:
        """The value, which must not be empty. Raises RowRefused."""
        value = self.values[column].strip()
        if not value:
            raise RowRefused("value_missing", f"{column} is empty")
        return value


def read_table(path: Path, columns: tuple[str, ...], bad: Callable[[BadRow], None]) -> Iterator[Row]:
    """Rows of a CSV file with a header, one row a line, in UTF-8. Raises FileUnusable.

    Every line is parsed by itself, so that a quotation mark that is never closed spoils no other line.
    """
    try:
        lines = path.open(encoding="utf-8-sig", errors="replace", newline="")
    except OSError as error:
        raise FileUnusable(f"{path} cannot be read: {error.strerror}") from error
    with lines:
        names = _header(path, next(lines, ""), columns)
        for number, line in enumerate(lines, 2):
            if not line.strip():
                continue
            try:
                yield Row(path.name, number, dict(zip(names, _of_length(_cells(line), len(names)), strict=True)))
            except RowRefused as refused:
                bad(BadRow(path.name, number, refused.code, str(refused)))


def _header(path: Path, line: str, columns: tuple[str, ...]) -> list[str]:
    try:
        names = _cells(line)
    except RowRefused as refused:
        raise FileUnusable(f"{path}: {refused}") from refused
    missing = [column for column in columns if column not in names]
    if missing:
        raise FileUnusable(f"{path} has no column {', '.join(missing)}; its first line must name the columns")
    return names


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error as error:
        raise RowRefused("not_csv", f"the line is no CSV: {error}") from error


def _of_length(cells: list[str], wanted: int) -> list[str]:
    if len(cells) != wanted:
        raise RowRefused("wrong_columns", f"the line has {len(cells)} values, but the header {wanted} columns")
    return cells


def read_rows(path: Path, columns: tuple[str, ...], bad: Callable[[BadRow], None], take: Callable[[Row], None]) -> None:
    """Hand every row to `take`; a row that it refuses is reported, and the rest goes on."""
    for row in read_table(path, columns, bad):
        try:
            take(row)
        except RowRefused as refused:
            bad(BadRow(row.file, row.line, refused.code, str(refused)))
