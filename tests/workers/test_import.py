"""Imports: what rows become, what is left out and why, and a whole import on a system that is started for it."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from contracts.geo import haversine_km
from contracts.orders import OrderPlacement
from contracts.partners import LocationUpsert
from contracts.stock import StockUpsert
from tests.workers.desk import run_tongqu
from workers.importing.distances import compare
from workers.importing.ndjson import LINE_MAX, read_ndjson
from workers.importing.olist import BAD_ITEM, BAD_ORDER, NO_ITEMS, NO_POINT, Olist, read_olist
from workers.importing.rows import BadRow, FileUnusable, Item

_OLIST_DIR = "TONGQU_OLIST_DIR"

SAO_PAULO, CAMPINAS, RIO = (-23.55, -46.63), (-22.90, -47.06), (-22.90, -43.20)

_GEO = """geolocation_zip_code_prefix,geolocation_lat,geolocation_lng,geolocation_city,geolocation_state
01000,-23.55,-46.63,sao paulo,SP
01000,-23.56,-46.64,sao paulo,SP
01000,-23.54,-46.62,sao paulo,SP
13000,-22.90,-47.06,campinas,SP
20000,-22.90,-43.20,rio de janeiro,RJ
"""
_CATEGORIES = """product_category_name,product_category_name_english
cha,tea
"""
_PRODUCTS = """product_id,product_category_name,product_name_lenght
tea-1,cha,10
tea-2,cha,10
cup-1,canecas,10
odd-1,,10
"""
_SELLERS = """seller_id,seller_zip_code_prefix,seller_city,seller_state
s-sp,01000,sao paulo,SP
s-cps,13000,campinas,SP
s-nowhere,99999,atlantis,RJ
"""
_CUSTOMERS = """customer_id,customer_unique_id,customer_zip_code_prefix,customer_city,customer_state
c-rio,u1,20000,rio de janeiro,RJ
c-cps,u2,13000,campinas,SP
c-lost,u3,88888,nowhere,SC
"""
_ORDERS = """order_id,customer_id,order_status,order_purchase_timestamp
o-late,c-rio,delivered,2017-05-02 10:00:00
o-early,c-cps,delivered,2017-05-01 10:00:00
o-empty,c-rio,unavailable,2017-05-03 10:00:00
o-lost,c-lost,delivered,2017-05-04 10:00:00
"""
_ITEMS = """order_id,order_item_id,product_id,seller_id,shipping_limit_date,price,freight_value
o-late,1,tea-1,s-sp,2017-05-09 10:00:00,10.50,1.25
o-late,2,tea-2,s-sp,2017-05-09 10:00:00,10.5,1.25
o-late,3,tea-2,s-sp,2017-05-09 10:00:00,20,1.25
o-late,4,cup-1,s-nowhere,2017-05-09 10:00:00,7.00,0.00
o-early,1,tea-1,s-sp,2017-05-08 10:00:00,10.50,2.00
o-lost,1,odd-1,s-cps,2017-05-09 10:00:00,5.00,1.00
"""
_PAYMENTS = """order_id,payment_sequential,payment_type,payment_installments,payment_value
o-late,1,credit_card,1,40.00
o-late,2,voucher,1,11.75
o-early,1,boleto,1,12.49
o-lost,1,boleto,1,6.00
"""
_FILES = {
    "olist_geolocation_dataset.csv": _GEO,
    "product_category_name_translation.csv": _CATEGORIES,
    "olist_products_dataset.csv": _PRODUCTS,
    "olist_sellers_dataset.csv": _SELLERS,
    "olist_customers_dataset.csv": _CUSTOMERS,
    "olist_orders_dataset.csv": _ORDERS,
    "olist_order_items_dataset.csv": _ITEMS,
    "olist_order_payments_dataset.csv": _PAYMENTS,
}


def _folder(path: Path, **added: str) -> Path:
    """The files in `path`; `added` are further lines, by the middle of the file's name."""
    for name, content in _FILES.items():
        more = "".join(lines for part, lines in added.items() if f"_{part}_" in name)
        (path / name).write_text(content + more, encoding="utf-8")
    return path


def _bodies(olist: Olist, kind: str) -> list[dict[str, Any]]:
    return [item.body for item in olist.items() if item.kind == kind]


def _bad(olist: Olist) -> list[tuple[str, int, str]]:
    return [(row.file, row.line, row.code) for row in olist.bad]


def test_sellers_become_locations_with_the_median_point_of_their_zip_prefix(tmp_path: Path) -> None:
    sp, cps, nowhere = _bodies(read_olist(_folder(tmp_path)), "location")
    assert sp["point"] == {"lat": -23.55, "lon": -46.63, "datum": "WGS84"}
    assert (sp["kind"], sp["division"], sp["name"]) == ("seller", "BR-SP", "Sao Paulo s-sp")
    assert cps["point"] == {"lat": -22.90, "lon": -47.06, "datum": "WGS84"}
    assert nowhere["point"] is None


def test_categories_become_skus_and_stock_is_what_the_whole_file_sold(tmp_path: Path) -> None:
    stock = _bodies(read_olist(_folder(tmp_path)), "stock")
    assert {(row["location"], row["sku"]): row["quantity"] for row in stock} == {
        ("s-sp", "cat-tea"): 4,
        ("s-nowhere", "cat-canecas"): 1,
        ("s-cps", "cat-uncategorised"): 1,
    }
    assert {row["kind"] for row in stock} == {"count"}


def test_orders_come_in_the_order_of_their_time_with_exact_money(tmp_path: Path) -> None:
    early, late = _bodies(read_olist(_folder(tmp_path)), "order")
    assert (early["id"], late["id"]) == ("o-early", "o-late")
    assert late["lines"] == [
        {"line": 1, "sku": "cat-canecas", "quantity": 1, "unit_price": 700},
        {"line": 2, "sku": "cat-tea", "quantity": 2, "unit_price": 1050},
        {"line": 3, "sku": "cat-tea", "quantity": 1, "unit_price": 2000},
    ]
    assert (late["shipping_fee"], late["total"], late["currency"]) == (375, 5175, "BRL")
    assert late["payment"] == {"method": "prepaid"}
    assert late["ship_to"] == {"division": "BR-RJ", "point": {"lat": -22.90, "lon": -43.20, "datum": "WGS84"}}


def test_what_is_made_is_what_the_api_takes(tmp_path: Path) -> None:
    olist = read_olist(_folder(tmp_path))
    for body in _bodies(olist, "location"):
        LocationUpsert.model_validate(body)
    for body in _bodies(olist, "stock"):
        StockUpsert.model_validate(body)
    for body in _bodies(olist, "order"):
        OrderPlacement.model_validate(body)


def test_orders_that_cannot_be_placed_are_left_out_by_reason(tmp_path: Path) -> None:
    olist = read_olist(_folder(tmp_path))
    assert olist.orders_read == 4
    assert +olist.left_out == {NO_ITEMS: 1, NO_POINT: 1}
    assert olist.bad == []
    assert olist.paid_differently == 1


@pytest.mark.parametrize(
    ("file", "line", "code"),
    [
        ("geolocation", "30000,38.38,-6.33,raposo,RJ", "outside_brazil"),
        ("geolocation", "30000,north,-6.33,raposo,RJ", "not_a_number"),
        ("geolocation", "30000,nan,-46,raposo,RJ", "outside_brazil"),
        ("sellers", "s-new,01000,sao paulo,XX", "unknown_state"),
        ("sellers", "s-sp,01000,sao paulo,SP", "twice"),
        ("sellers", ",01000,sao paulo,SP", "value_missing"),
        ("customers", "c-new,u4,01000,sao paulo", "wrong_columns"),
        ("customers", 'c-new,u4,"01000,sao paulo,SP', "not_csv"),
        ("orders", "o-new,c-none,delivered,2017-05-05 10:00:00", "unknown_customer"),
        ("orders", "o-new,c-rio,delivered,yesterday", "not_a_moment"),
        ("items", "o-none,1,tea-1,s-sp,2017-05-09 10:00:00,1,1", "unknown_order"),
    ],
)
def test_a_bad_row_is_reported_with_its_line_and_the_rest_goes_on(
    tmp_path: Path, file: str, line: str, code: str
) -> None:
    name = next(name for name in _FILES if f"_{file}_" in name)
    olist = read_olist(_folder(tmp_path, **{file: line + "\n"}))
    assert _bad(olist) == [(name, _FILES[name].count("\n") + 1, code)]
    assert [body["id"] for body in _bodies(olist, "order")] == ["o-early", "o-late"]


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ("tea-9,s-sp,2017-05-09 10:00:00,1,1", "unknown_product"),
        ("tea-1,s-none,2017-05-09 10:00:00,1,1", "unknown_seller"),
        ("tea-1,s-sp,2017-05-09 10:00:00,-1,1", "not_an_amount"),
        ("tea-1,s-sp,2017-05-09 10:00:00,1.005,1", "not_an_amount"),
        ("tea-1,s-sp,2017-05-09 10:00:00,1,NaN", "not_an_amount"),
        ("tea-1,s-sp,2017-05-09 10:00:00,1,cheap", "not_an_amount"),
    ],
)
def test_an_order_with_a_bad_item_is_left_out_whole(tmp_path: Path, values: str, code: str) -> None:
    olist = read_olist(_folder(tmp_path, items=f"o-early,2,{values}\n"))
    assert _bad(olist) == [("olist_order_items_dataset.csv", 8, code)]
    assert olist.left_out[BAD_ITEM] == 1
    assert [body["id"] for body in _bodies(olist, "order")] == ["o-late"]


def test_orders_read_are_those_placed_and_those_left_out(tmp_path: Path) -> None:
    olist = read_olist(_folder(tmp_path, orders="o-new,c-none,delivered,2017-05-05 10:00:00\n"))
    assert olist.left_out[BAD_ORDER] == 1
    assert olist.orders_read == 5 == len(olist.orders) + olist.left_out.total()


def test_a_missing_file_and_a_missing_column_are_said(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    (folder / "olist_sellers_dataset.csv").write_text("seller_id,seller_city\n")
    with pytest.raises(FileUnusable, match="no column seller_zip_code_prefix, seller_state"):
        read_olist(folder)
    (folder / "olist_sellers_dataset.csv").unlink()
    with pytest.raises(FileUnusable, match=r"olist_sellers_dataset\.csv cannot be read"):
        read_olist(folder)


def test_distances_compare_the_same_orders_three_ways(tmp_path: Path) -> None:
    extra = "o-early,2,odd-1,s-cps,2017-05-09 10:00:00,5.00,1.00\n"
    olist = read_olist(_folder(tmp_path, items=extra))
    comparison = compare(olist, {"o-early": ["s-sp"], "o-late": ["s-sp"]})
    far = haversine_km(*SAO_PAULO, *CAMPINAS)
    assert comparison.here.km == pytest.approx([far])
    assert sorted(comparison.really.km) == pytest.approx([0.0, far], abs=1e-6)
    assert sorted(comparison.nearest.km) == pytest.approx([0.0, far], abs=1e-6)
    assert comparison.really.per_order_km == pytest.approx(far)
    assert comparison.really.mean_km == pytest.approx(far / 2)
    assert (comparison.here.orders, comparison.unknown) == (1, 1)


def test_the_nearest_seller_is_one_that_sold_the_category(tmp_path: Path) -> None:
    extra = "o-lost,2,tea-1,s-cps,2017-05-09 10:00:00,5.00,1.00\n"
    comparison = compare(read_olist(_folder(tmp_path, items=extra)), {"o-early": ["s-sp"]})
    assert comparison.nearest.km == pytest.approx([0.0], abs=1e-6)
    assert comparison.really.km == pytest.approx([haversine_km(*SAO_PAULO, *CAMPINAS)])


def test_orders_that_were_not_sent_are_not_compared(tmp_path: Path) -> None:
    comparison = compare(read_olist(_folder(tmp_path)), {"o-early": []})
    assert comparison.here.orders == comparison.unknown == 0
    assert comparison.here.mean_km is None


def _ndjson(path: Path, *lines: bytes) -> tuple[list[Item], list[BadRow]]:
    file = path / "rows.ndjson"
    file.write_bytes(b"\n".join(lines))
    bad: list[BadRow] = []
    return list(read_ndjson(file, bad.append)), bad


def test_ndjson_rows_keep_their_line_and_lose_their_type(tmp_path: Path) -> None:
    items, bad = _ndjson(tmp_path, b'\xef\xbb\xbf{"type": "location", "id": "a"}', b"", b'{"type": "order", "id": "b"}')
    assert [(item.kind, item.line, item.body) for item in items] == [
        ("location", 1, {"id": "a"}),
        ("order", 3, {"id": "b"}),
    ]
    assert bad == []


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b'{"type": "order"', "not_json"),
        (b'{"type": "order", "total": NaN}', "not_json"),
        (b'{"type": "order", "total": 1e999}', "not_json"),
        (b'{"type": "order", "id": "\xff"}', "not_json"),
        (b'{"type": "order", "id": "\\ud800"}', "not_json"),
        (b'{"type": "order", "deep": ' + b"[" * 500 + b"]" * 500 + b"}", "not_json"),
        (b'["order"]', "not_an_object"),
        (b'{"id": "b"}', "unknown_type"),
        (b'{"type": "refund"}', "unknown_type"),
        (b'{"type": ["order"]}', "unknown_type"),
        (b'{"type": "order", "id": "' + b"x" * 2 * LINE_MAX + b'"}', "line_too_long"),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value[:40]),
)
def test_a_bad_ndjson_line_is_reported_and_the_rest_goes_on(tmp_path: Path, line: bytes, code: str) -> None:
    items, bad = _ndjson(tmp_path, line, b'{"type": "order", "id": "b"}')
    assert [(row.file, row.line, row.code) for row in bad] == [("rows.ndjson", 1, code)]
    assert [item.line for item in items] == [2]


def _figures(printed: str) -> Mapping[str, str]:
    """The cells of tables with two columns, by the first."""
    rows = (line.strip("│ \n").split("│") for line in printed.splitlines() if line.startswith("│"))
    return {cells[0].strip(): cells[1].strip() for cells in rows if len(cells) == 2}


@pytest.mark.timeout(300)
async def test_an_import_starts_a_system_carries_the_orders_and_tells_what_became_of_them(tmp_path: Path) -> None:
    folder = tmp_path / "olist"
    folder.mkdir()
    _folder(folder, items="o-none,1,tea-1,s-sp,2017-05-09 10:00:00,1,1\n")
    rejects = tmp_path / "rejects.ndjson"
    status, printed = await run_tongqu(tmp_path / "data", "import", "olist", folder, "--rejects", rejects)
    figures = _figures(printed)
    assert status == 0, printed
    assert (figures["orders read"], figures["orders placed"], figures["closed"]) == ("4", "2", "2"), printed
    assert figures["invariants"] == "hold"
    assert f"1  {NO_ITEMS}" in printed
    assert "nearest seller with unlimited stock" in printed
    assert [json.loads(line)["code"] for line in rejects.read_text().splitlines()] == ["unknown_order"]
    assert not (tmp_path / "data" / "import" / "state.json").exists()


@pytest.mark.timeout(600)
@pytest.mark.skipif(_OLIST_DIR not in os.environ, reason=f"{_OLIST_DIR} does not name a folder with the real files")
async def test_all_real_orders_are_carried_to_their_end(tmp_path: Path) -> None:
    status, printed = await run_tongqu(tmp_path, "import", "olist", os.environ[_OLIST_DIR], timeout_s=580)
    figures = _figures(printed)
    assert status == 0, printed
    assert (figures["orders read"], figures["orders placed"], figures["closed"]) == ("5,284", "4,637", "4,637"), printed
    assert "630  no items" in printed
    assert figures["invariants"] == "hold"
