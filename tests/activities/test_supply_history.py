"""Sales of the past that are told: what is kept of them, and which days go by them."""

import uuid
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from activities.supply.history import first_twice, keep_history, told_series, weigh
from activities.supply.opening import series_of
from activities.supply.reading import read_places
from activities.supply.watching import Watched, count_days, fill_told, read_demand
from contracts.base import milliseconds
from contracts.demand_history import HistoryRow, told_of
from infra.indexes import make_indexes
from infra.mongo import Mongo
from tests.supplying import Network

DAY = date(2026, 3, 10)


@pytest.fixture
async def mongo(mongo_url: str) -> AsyncIterator[Mongo]:
    name = f"told_{uuid.uuid4().hex[:8]}"
    mongo = Mongo(mongo_url, name)
    await make_indexes(mongo)
    yield mongo
    await mongo.client.drop_database(name)
    mongo.close()


def row(quantity: int = 5, day: date = DAY, sku: str = "tea", **more: Any) -> HistoryRow:
    return HistoryRow.model_validate({"location": "store", "sku": sku, "date": f"{day}", "quantity": quantity, **more})


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"quantity": 5}, (5, 0.0, 0.0)),
        ({"quantity": 5, "out_of_stock_hours": 6}, (5, 0.25, 0.0)),
        ({"quantity": 5, "stock_out": True}, (5, 0.5, 0.0)),
        ({"quantity": 0, "stock_out": True}, (0, 1.0, 0.0)),
        ({"quantity": 0, "stock_out": True, "out_of_stock_hours": 3}, (0, 0.125, 0.0)),
        ({"quantity": 10, "promotion": 0.3}, (10, 0.0, 3.0)),
        ({"quantity": 10, "promotion": True}, (10, 0.0, 10.0)),
    ],
    ids=["plain", "hours", "flag with sales", "flag without", "both", "share", "all of it"],
)
def test_a_row_says_units_time_without_stock_and_discount(fields: dict[str, Any], told: tuple[float, ...]) -> None:
    assert told_of(row(**fields)) == told


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"quantity": -1}, "quantity"),
        ({"quantity": 1.5}, "quantity"),
        ({"out_of_stock_hours": 25}, "out_of_stock_hours"),
        ({"promotion": 2}, "promotion"),
        ({"stock_out": True, "out_of_stock_hours": 0}, ""),
        ({"in_stock": 3}, "in_stock"),
    ],
    ids=["a return", "half a unit", "a long day", "more than all", "contradiction", "unknown"],
)
def test_a_row_that_cannot_be_is_refused(fields: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError) as caught:
        row(**{"quantity": 1, **fields})
    assert ".".join(str(part) for part in caught.value.errors()[0]["loc"]) == where


def test_the_same_row_changes_nothing_and_another_value_only_when_it_replaces() -> None:
    told = {"store/tea/2026-03": {"10": [5, 0.0, 0.0]}}
    same = weigh([row(5)], {}, told, replace=False)
    assert (same.outcomes, same.writes) == (["unchanged"], {})
    other = weigh([row(5, sku="cup"), row(6)], {}, told, replace=False)
    assert list(other.differs) == [1] and other.differs[1].units == 5
    put = weigh([row(6)], {}, told, replace=True)
    assert (put.outcomes, put.writes) == (["replaced"], {"store/tea/2026-03": {"10": [6, 0.0, 0.0]}})


def test_rows_on_days_that_orders_count_are_named() -> None:
    counted = {"store/tea/2026-03": {"10": [3, 0.0, 0], "11": [0, 1.0, 0]}}
    kept = weigh([row(5), row(5, DAY + timedelta(days=1))], counted, {}, replace=False)
    assert kept.counts() == {"created": 2, "unchanged": 0, "replaced": 0, "left_to_orders": 1}


def test_a_day_that_comes_twice_is_found() -> None:
    assert first_twice([row(1), row(1, sku="cup"), row(1)]) == {2: 0}


def test_a_day_without_a_row_within_what_was_told_is_no_stock_out_until_goods_were_booked() -> None:
    out = np.array([[1.0, 1.0, 1.0, 1.0, 0.5, 1.0, 1.0]] * 2)
    told = np.array([[False, True, False, False, False, False, False]] * 2)
    table = Watched([("store", "tea"), ("store", "cup")], DAY, np.zeros((2, 7)), out, np.zeros((2, 7)))
    span = (DAY + timedelta(days=1), DAY + timedelta(days=5))
    fill_told(table, told, np.array([4, 7]), {("store", "tea"): span, ("store", "cup"): span})
    # Before the first row nothing is known; a row says itself what it is; what was there and is gone is missing.
    assert table.out[0].tolist() == [1.0, 1.0, 0.0, 0.0, 0.5, 1.0, 1.0]
    assert table.out[1].tolist() == [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0], "of which the ledger never knew"


async def test_goods_that_ran_out_stay_missing_whatever_is_told_of_others_later(mongo: Mongo) -> None:
    network = Network(mongo, milliseconds(mongo.clock.now()))
    await network.open("store")
    today = network.today
    await network.stock({"store": {"tea": 5}}, at=network.start(today - timedelta(days=12)))
    await network.stock({"store": {"tea": -5}}, at=network.start(today - timedelta(days=8)))
    await count_days(mongo, 30, network.now)
    rows = [row(7, today - timedelta(days=20)), row(3, today - timedelta(days=2), sku="cup")]
    await keep_history(mongo, rows, replace=False)
    known = await read_demand(mongo, [("store", "tea")], today - timedelta(days=22), today)
    days = {today - timedelta(days=22 - number): part for number, part in enumerate(known.out[0])}
    assert [days[today - timedelta(days=n)] for n in (15, 10, 8, 5, 3)] == [0.0, 0.0, 0.5, 1.0, 1.0]


async def test_history_and_orders_make_one_series(mongo: Mongo) -> None:
    network = Network(mongo, milliseconds(mongo.clock.now()))
    await network.open("store")
    region = await network.region(divisions=["3301"], history_days=30)
    today = network.today

    def ago(days: int, quantity: int, **more: Any) -> HistoryRow:
        return row(quantity, today - timedelta(days=days), **more)

    rows = [ago(20, 7), ago(18, 4, out_of_stock_hours=12), ago(15, 0, stock_out=True), ago(3, 9), ago(2, 9, sku="cup")]
    first = await keep_history(mongo, rows, replace=False)
    again = await keep_history(mongo, rows, replace=False)
    assert (first.counts()["created"], again.counts()["unchanged"]) == (5, 5)

    await network.sold({("store", "tea"): [6, 0, 0]})
    await network.stock({"store": {"tea": 50}}, at=network.start(today - timedelta(days=4)))
    await count_days(mongo, region.history_days, network.now)
    places = await read_places(mongo, region)
    assert await series_of(mongo, region, places, network.now) == {("store", "tea"), ("store", "cup")}
    known = await read_demand(mongo, [("store", "tea")], today - timedelta(days=22), today)
    sold, out = known.sold[0], known.out[0]
    # Not added up: three days ago orders asked for 6 where 9 were told.
    assert [int(units) for units in sold] == [0, 0, 7, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0]
    assert out[:2].tolist() == [1.0, 1.0], "before the first row nothing is known"
    assert out[2:8].tolist() == [0.0, 0.0, 0.5, 0.0, 0.0, 1.0] and not out[8:18].any()
    assert out[18:].tolist() == [0.5, 0.0, 0.0, 0.0], "from the day on which goods came the ledger says it"

    after = await keep_history(mongo, [ago(3, 9)], replace=False)
    assert after.counts() == {"created": 0, "unchanged": 1, "replaced": 0, "left_to_orders": 1}
    assert await told_series(mongo, ["store"], today - timedelta(days=2)) == {("store", "cup")}


async def test_a_chunk_with_one_row_that_differs_keeps_nothing(mongo: Mongo) -> None:
    await keep_history(mongo, [row(5)], replace=False)
    kept = await keep_history(mongo, [row(1, sku="cup"), row(6)], replace=False)
    assert list(kept.differs) == [1]
    assert await mongo.demand.count_documents({}) == 1 and await mongo.demand_told.count_documents({"sku": "cup"}) == 0
    await keep_history(mongo, [row(1, sku="cup"), row(6)], replace=True)
    found = await read_demand(mongo, [("store", "tea"), ("store", "cup")], DAY, DAY + timedelta(days=1))
    assert found.sold.tolist() == [[6.0], [1.0]]
