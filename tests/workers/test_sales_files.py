"""Rows of sales out of files of three kinds."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars
import pytest

from workers.importing.rows import FileUnusable
from workers.importing.sales import Sales, chunks, columns_of, row_of

ROW = {"location": "s1", "sku": "tea", "date": "2026-03-10", "quantity": 5}


def rows_of(file: Path, *columns: str) -> list[tuple[int, dict[str, Any]]]:
    return list(Sales(file, columns_of(columns)).rows())


def test_csv_with_names_of_its_own_and_columns_too_many(tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    text = (
        "store,sku,day,quantity,stock_out,promotion,weather\ns1,tea,2026-03-10,5.0,,,sun\ns1,tea,2026-03-11,x,yes,0.5,"
    )
    file.write_text("\ufeff" + text, encoding="utf-8")
    sales = Sales(file, columns_of(["location=store", "date=day"]))
    assert list(sales.rows()) == [
        (2, ROW),
        (3, {**ROW, "date": "2026-03-11", "quantity": "x", "stock_out": True, "promotion": 0.5}),
    ]
    assert sales.left_out == ["weather"] and sales.total == file.stat().st_size


def test_parquet_with_days_and_numbers_of_its_own_kind(tmp_path: Path) -> None:
    file = tmp_path / "sales.parquet"
    columns = {
        "location": ["s1", "s1"],
        "sku": ["tea", "tea"],
        "date": [date(2026, 3, 10), date(2026, 3, 11)],
        "quantity": [Decimal("5.00"), Decimal("1.50")],
        "out_of_stock_hours": [None, 3.0],
    }
    polars.DataFrame(columns).write_parquet(file)
    second = {**ROW, "date": "2026-03-11", "quantity": 1.5, "out_of_stock_hours": 3}
    assert rows_of(file) == [(1, ROW), (2, second)]


def test_json_lines_keep_what_they_say(tmp_path: Path) -> None:
    file = tmp_path / "sales.jsonl"
    file.write_text('{"location": "s1", "sku": "tea", "day": "2026-03-10", "quantity": 5}\n\n{"quantty": 1}\n')
    assert rows_of(file, "date=day") == [(1, ROW), (3, {"quantty": 1})]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("sales.csv", "location,sku,date\n", "no column quantity"),
        ("sales.jsonl", '{"a": \n', "line 1"),
        ("sales.jsonl", '{"quantity": 1}\n{"quantity": Infinity}\n', "line 2"),
        ("sales.xlsx", "", "none of .csv"),
        ("sales.parquet", "no parquet at all", "cannot be read as Parquet"),
    ],
    ids=["column", "line", "number", "kind", "content"],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, name: str, text: str, words: str) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(FileUnusable, match=words):
        rows_of(file)


def test_values_as_tables_write_them() -> None:
    assert row_of({"date": datetime(2026, 3, 10, tzinfo=UTC), "quantity": "7", "promotion": "false"}) == {
        "date": "2026-03-10",
        "quantity": 7,
        "promotion": False,
    }
    assert row_of({"date": "2026-03-10 00:00:00", "quantity": float("nan"), "sku": 4711}) == {
        "date": "2026-03-10",
        "sku": "4711",
    }
    assert row_of({"quantity": "1e999"}) == {"quantity": "inf"}, "refused there with its row, as no JSON can say it"


def test_columns_that_are_no_field_are_refused() -> None:
    with pytest.raises(ValueError, match="fields are location"):
        columns_of(["store=location"])


def test_chunks_have_all_rows() -> None:
    rows: list[tuple[int, dict[str, Any]]] = [(number, {}) for number in range(7)]
    assert [len(one) for one in chunks(iter(rows), 3)] == [3, 3, 1]
