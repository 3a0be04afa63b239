"""What a buyer reads of a purchase order: what the supplier offers instead, and what is on its way."""

import io
from datetime import UTC, date, datetime
from typing import Any

from rich.console import Console

from contracts.buying import (
    Counter,
    CounterLine,
    Invoice,
    Mismatch,
    Notice,
    PurchaseLine,
    PurchaseOrder,
    Receipt,
    ReceivedLine,
)
from contracts.buying_terms import BuyingTerms
from workers.cli.options import reasons_of
from workers.cli.purchase_tables import differing, story

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
DAY = date(2026, 3, 9)


def read(**fields: Any) -> str:
    order = PurchaseOrder(
        id="po-r-1",
        run="r",
        supplier="sup",
        location="a",
        currency="CNY",
        lines=[
            PurchaseLine(line=1, sku="tea", ordered=24, unit_price=5200, due=DAY),
            PurchaseLine(line=2, sku="cup", ordered=60, unit_price=900, due=DAY),
        ],
        terms=BuyingTerms(),
        asked_by="mei",
        created_at=AT,
        **{"state": "countered", **fields},
    )
    row = {**order.model_dump(mode="json"), "total": order.value, "waits_for": "our answer to the counter-offer"}
    text = io.StringIO()
    console = Console(width=200, file=text)
    for part in story(row):
        console.print(part, highlight=False)
    return text.getvalue()


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_what_is_offered_instead_stands_beside_what_was_ordered() -> None:
    lines = [
        CounterLine(line=1, quantity=20, unit_price=5300, due=date(2026, 3, 11)),
        CounterLine(line=2, quantity=60, unit_price=900, due=DAY),
    ]
    offer = Counter(reply="r1", at=AT, note="[red]harvest[/red] was poor", lines=lines)
    said = read(counter=offer)
    assert "offered instead, 2026-03-02 09:30:00: [red]harvest[/red] was poor" in said
    offered = said.partition("offered instead")[2]
    tea, cup = (cells(line) for line in offered.splitlines() if " tea " in line or " cup " in line)
    assert tea == ["1", "tea", "24 → 20", "¥52.00 → ¥53.00", "2026-03-09 → 2026-03-11"]
    assert cup == ["2", "cup", "60", "¥9.00", "2026-03-09"]
    assert "tongqu purchase answer po-r-1 --accept, or --refuse with --elsewhere and --reason" in said


def test_an_offer_that_was_answered_is_not_offered_any_more() -> None:
    lines = [CounterLine(line=1, quantity=20, unit_price=5300, due=DAY)]
    offer = Counter(reply="r1", at=AT, note=None, lines=lines)
    assert "offered instead" in read(counter=offer)
    assert "offered instead" not in read(counter=offer, state="confirmed")


def test_what_is_on_its_way_is_told_with_its_day() -> None:
    notice = Notice(reference="DN-7", at=AT, expected=date(2026, 3, 5), tracking="SF1", units={"1": 20, "2": 60})
    assert (
        "2026-03-02 09:30:00 on its way under DN-7: 20 of line 1, 60 of line 2, expected 2026-03-05, tracking SF1"
        in read(notices=[notice])
    )
    bare = Notice(reference="DN-8", at=AT, expected=None, tracking=None, units={"1": 4})
    assert "under DN-8: 4 of line 1\n" in read(notices=[bare])


def test_what_an_invoice_asks_too_much_is_told_in_money_and_units() -> None:
    price = Mismatch(line=1, code="price", invoiced=5_220, right=5_200, amount=480)
    units = Mismatch(line=2, code="quantity", invoiced=61, right=60, amount=900)
    invoice = Invoice(
        number="inv-1", at=AT, by="sup", total=180_180, lines=[], state="mismatch", mismatches=[price, units]
    )
    said = read(invoices=[invoice])
    assert "line 1: price ¥52.20, ¥52.00 would be right; ¥4.80 too much\n" in said
    assert "line 2: quantity 61, 60 would be right; ¥9.00 too much\n" in said


def test_orders_before_and_after_it_are_named() -> None:
    said = read(predecessor="po-r-0", successors=["po-r-1.n1"])
    assert "in place of po-r-0" in said and "the rest is bought with po-r-1.n1" in said


def test_a_delivery_that_came_is_on_its_way_no_more() -> None:
    notice = Notice(reference="DN-7", at=AT, expected=None, tracking=None, units={"1": 20})
    came = Receipt(reference="DN-7", at=AT, by="mei", lines=[ReceivedLine(line=1, sku="tea", good=20)], said=[])
    said = read(notices=[notice], receipts=[came])
    assert "on its way" not in said and "delivery DN-7: tea 20 good" in said


def test_what_is_not_taken_into_the_stock_is_said_with_what_becomes_of_it() -> None:
    lines = [
        {"sku": "tea", "good": 20, "damaged": 4, "excess": 0, "wrong": 0},
        {"sku": "cup", "good": 0, "damaged": 0, "excess": 3, "wrong": 0},
        {"sku": "pot", "good": 0, "damaged": 0, "excess": 0, "wrong": 1},
    ]
    row = {"receipts": [{"reference": "DN-6", "lines": lines}, {"reference": "DN-7", "lines": lines[:1]}]}
    assert list(differing(row, "DN-7")) == ["tea: 4 damaged, still owed"]
    assert [words.partition(",")[0] for words in differing(row, "DN-6")] == [
        "tea: 4 damaged",
        "cup: 3 excess",
        "pot: 1 wrong",
    ]


def test_why_a_supplier_was_chosen_is_said_in_either_language() -> None:
    row = {"reasons": ["tea: 5 working days, as agreed"], "reasons_zh": ["tea：交货期 5 个工作日，按约定"]}
    assert reasons_of(row, "zh") == row["reasons_zh"] and reasons_of(row, "en") == row["reasons"]
    assert reasons_of({"reasons": row["reasons"]}, "zh") == row["reasons"], "as it was written down before"
