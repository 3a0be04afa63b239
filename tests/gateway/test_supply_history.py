"""Sales of the past over HTTP and out of files: kept whole or not at all, and the same again changes nothing."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from activities.supply.watching import today_of
from contracts.demand_history import ROWS_MAX
from infra.keys import Scope, create_key
from infra.mongo import Mongo
from tests.gateway.running import Api, fresh
from workers.cli import app

PATH = "/v1/demand/history"
LINES = "application/x-ndjson"


@pytest.fixture
async def sold(api: Api, mongo: Mongo) -> tuple[str, str]:
    """A location and a SKU. The location is whole: all tests of this database plan over it."""
    location, sku = fresh("store"), fresh("tea")
    store = {"id": location, "name": "A store", "division": "330106"}
    await api.put("/v1/locations", {"locations": [store]}, status=200)
    await mongo.skus.insert_one({"_id": sku, "version": 1})
    return location, sku


def rows_of(mongo: Mongo, location: str, sku: str, count: int) -> list[dict[str, Any]]:
    """Of the days before yesterday, the newest first."""
    today = today_of(mongo.clock.now())
    return [
        {"location": location, "sku": sku, "date": f"{today - timedelta(days=number + 2)}", "quantity": number % 9}
        for number in range(count)
    ]


async def test_rows_are_kept_once_in_either_form(api: Api, mongo: Mongo, sold: tuple[str, str]) -> None:
    rows = rows_of(mongo, *sold, 40)
    first = await api.post(PATH, {"rows": rows}, status=200)
    assert first.body == {"created": 40, "unchanged": 0, "replaced": 0, "left_to_orders": 0}
    lines = "\n".join(json.dumps(row) for row in rows) + "\n\n"
    again = await api.post(PATH, data=lines.encode(), Content_Type=LINES, status=200)
    assert again.body["unchanged"] == 40
    found = [row async for row in mongo.demand.find({"_id": {"$regex": f"^{sold[0]}/"}})]
    assert sum(len(row["told"]) for row in found) == 40


async def test_another_value_needs_to_say_that_it_replaces(api: Api, mongo: Mongo, sold: tuple[str, str]) -> None:
    rows = rows_of(mongo, *sold, 3)
    await api.post(PATH, {"rows": rows[:2]}, status=200)
    other = [rows[2], {**rows[1], "quantity": 77}]
    refused = await api.post(PATH, {"rows": other}, status=409)
    assert (refused.code, refused.body["field"]) == ("told_differently", "rows.1.quantity")
    assert "Row 2" in refused.body["detail"] and "replace=true" in refused.body["remedy"]
    taken = await api.post(f"{PATH}?replace=true", {"rows": other}, status=200)
    assert (taken.body["created"], taken.body["replaced"]) == (1, 1), "the refused request kept nothing"


async def test_bad_rows_are_named_and_nothing_is_kept(api: Api, mongo: Mongo, sold: tuple[str, str]) -> None:
    good = rows_of(mongo, *sold, 1)[0]
    today = today_of(mongo.clock.now())
    form = [good, {**good, "quantity": -2}, {**good, "date": "31.03.2026"}, {**good, "in_stock": 3}]
    refused = await api.post(PATH, {"rows": form}, status=422)
    faults = [(one["field"], one["code"]) for one in refused.body["errors"]]
    assert faults[0] == ("rows.1.quantity", "too_small") and faults[2] == ("rows.3.in_stock", "unknown_field")
    assert faults[1][0] == "rows.2.date" and all(one["remedy"] for one in refused.body["errors"])
    sense = [
        good,
        {**good, "location": "nowhere", "sku": "nothing"},
        {**good, "date": f"{today}"},
        {**good, "date": "0202-01-01"},
        good,
    ]
    refused = await api.post(PATH, {"rows": sense}, status=422)
    assert [(one["field"], one["code"]) for one in refused.body["errors"]] == [
        ("rows.1.location", "unknown_location"),
        ("rows.1.sku", "unknown_sku"),
        ("rows.2.date", "day_not_over"),
        ("rows.3.date", "too_early"),
        ("rows.4", "listed_twice"),
    ]
    cut = await api.post(PATH, data=json.dumps(good).encode() + b'\n{"location": ', Content_Type=LINES, status=400)
    assert cut.code == "bad_json" and "line 2 of the body" in cut.body["detail"].lower()
    many = await api.post(PATH, {"rows": [good] * (ROWS_MAX + 1)}, status=422)
    assert many.code == "too_many"
    line = json.dumps(good).encode() + b"\n"
    for lines in (line * (ROWS_MAX + 1) + b"no JSON", b"\n" * (3 * ROWS_MAX) + line):
        many = await api.post(PATH, data=lines, Content_Type=LINES, status=422)
        assert (many.code, many.body["field"]) == ("too_many", "rows"), "whatever comes behind is not read"
    assert await mongo.demand.count_documents({"_id": {"$regex": f"^{sold[0]}/"}}) == 0


async def test_a_key_needs_to_be_one_of_replenishment(api: Api, mongo: Mongo) -> None:
    reader = await create_key(mongo, fresh("reader"), [Scope.SUPPLY_READ])
    assert (await api.with_key(reader).post(PATH, {"rows": []})).status == 403


@pytest.fixture
def terminal(api: Api, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("TONGQU_GATEWAY_URL", api.url)
    monkeypatch.setenv("TONGQU_OPERATOR_KEY", api.key)
    return CliRunner()


async def test_a_file_goes_on_where_it_was_cut_off(
    terminal: CliRunner, mongo: Mongo, sold: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contracts.demand_history.ROWS_MAX", 10)
    rows = rows_of(mongo, *sold, 35)
    rows[17]["quantity"] = -1
    file = tmp_path / "sales.csv"

    def write() -> None:
        lines = ["store,sku,day,quantity,weather"]
        lines += [f"{row['location']},{row['sku']},{row['date']},{row['quantity']},sun" for row in rows]
        file.write_text("\n".join(lines))

    async def load(*more: str) -> Any:
        words = ["supply", "import", str(file), "--column", "location=store", "--column", "date=day", *more]
        return await asyncio.to_thread(terminal.invoke, app, words)

    write()
    first = await load("--rejects", str(tmp_path / "bad.jsonl"))
    assert first.exit_code == 1, first.output
    assert "line 19" in first.output and "quantity" in first.output and "weather" in first.output
    assert "25 created, 10 refused" in first.output
    bad = [json.loads(line) for line in (tmp_path / "bad.jsonl").read_text().splitlines()]
    assert [(one["line"], one["field"], one["row"]["quantity"]) for one in bad] == [(19, "quantity", -1)]

    rows[17]["quantity"] = 4
    write()
    second = await load()
    assert second.exit_code == 0, second.output
    assert "10 created, 15 unchanged, 10 sent before" in second.output
    assert not (tmp_path / "sales.csv.imported").exists()
    third = await load()
    assert "35 unchanged" in third.output
    found = [row async for row in mongo.demand.find({"_id": {"$regex": f"^{sold[0]}/"}})]
    assert sum(len(row["told"]) for row in found) == 35


def test_a_file_without_a_column_says_which(terminal: CliRunner, tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_text("shop,sku,date,quantity\n")
    told = terminal.invoke(app, ["supply", "import", str(file)])
    assert "no column location" in str(told.exception) and "--column" in str(told.exception)
