"""The three-way match: order, receipts, invoices."""

from datetime import UTC, datetime
from typing import Any

import pytest

from activities.buying.deadlines import waits_for
from contracts.buying import PurchaseOrder
from contracts.refusals import Refusal
from tests.purchasing import done, line, said, sent

AT = datetime(2026, 3, 10, 2, tzinfo=UTC)


def received(tea: int = 100, cup: int = 10) -> PurchaseOrder:
    order = sent(line(), line(2, "cup", 10, 200))
    said(order, "confirmed")
    items = [{"sku": sku, "quantity": units} for sku, units in (("tea", tea), ("cup", cup)) if units]
    if items:
        done(order, AT, receive={"reference": "dn-1", "items": items})
    return order


def invoice(number: str, *lines: tuple[int, int, int]) -> dict[str, Any]:
    made = [{"line": one, "quantity": units, "unit_price": price} for one, units, price in lines]
    return {"number": number, "total": sum(units * price for _, units, price in lines), "lines": made}


def test_what_follows_from_order_and_receipts_closes_the_order() -> None:
    order = received()
    done(order, AT, invoice=invoice("inv-1", (1, 100, 1_000), (2, 10, 200)))
    assert (order.invoices[0].state, order.state) == ("matched", "closed")


def test_two_invoices_may_share_what_came_and_none_is_about_more() -> None:
    order = received()
    done(order, AT, invoice=invoice("inv-1", (1, 60, 1_000)))
    done(order, AT, invoice=invoice("inv-2", (1, 41, 1_000), (2, 10, 200)))
    [wrong] = order.invoices[1].mismatches
    assert (wrong.code, wrong.invoiced, wrong.right, wrong.amount) == ("quantity", 41, 40, 1_000)
    assert order.state == "received"
    done(order, AT, decide={"number": "inv-2", "accept": False, "reason": "41 instead of 40"})
    done(order, AT, invoice=invoice("inv-2", (1, 40, 1_000), (2, 10, 200)))
    assert [one.state for one in order.invoices] == ["matched", "matched"]
    assert str(order.state) == "closed"


def test_a_higher_price_waits_for_a_decision_and_a_lower_one_is_taken() -> None:
    order = received()
    done(order, AT, invoice=invoice("inv-1", (1, 100, 1_005), (2, 10, 150)))
    [wrong] = order.invoices[0].mismatches
    assert (wrong.line, wrong.code, wrong.amount) == (1, "price", 500)
    with pytest.raises(Refusal, match="no_mismatch"):
        done(order, AT, decide={"number": "inv-9", "accept": True, "reason": "?"})
    done(order, AT, decide={"number": "inv-1", "accept": True, "reason": "agreed by phone"})
    assert (order.invoices[0].state, order.state) == ("accepted", "closed")


def test_what_does_not_match_waits_for_our_decision_and_says_how_it_is_made() -> None:
    decision = "our decision about inv-1, which does not match (tongqu purchase decide)"
    order = received()
    assert waits_for(order).startswith("an invoice that matches; looked at again at ")
    done(order, AT, invoice=invoice("inv-1", (1, 100, 1_005)))
    assert waits_for(order).startswith(f"{decision}; looked at again at ")
    done(order, AT, decide={"number": "inv-1", "accept": True, "reason": "agreed by phone"})
    assert waits_for(order).startswith("an invoice that matches; looked at again at ")
    part = received(90)
    done(part, AT, invoice=invoice("inv-1", (1, 10, 1_005)))
    assert waits_for(part).startswith(f"goods: 10 units, and {decision}; looked at again at ")


def test_a_reminder_that_is_still_to_come_is_not_told_as_past() -> None:
    assert waits_for(sent()).endswith("; reminder at 2026-03-02 10:30 UTC")


def test_an_invoice_that_comes_before_the_goods_waits_for_them() -> None:
    order = received(0, 0)
    done(order, AT, invoice=invoice("inv-1", (1, 100, 1_000), (2, 10, 200)))
    assert (order.invoices[0].state, order.invoices[0].mismatches) == ("waits", [])
    items = [{"sku": "tea", "quantity": 100}, {"sku": "cup", "quantity": 10}]
    done(order, AT, receive={"reference": "dn-1", "items": items})
    assert (order.invoices[0].state, order.state) == ("matched", "closed")


def test_goods_that_never_come_make_the_waiting_invoice_wrong() -> None:
    order = received(90, 10)
    done(order, AT, invoice=invoice("inv-1", (1, 100, 1_000), (2, 10, 200)))
    assert order.invoices[0].state == "waits"
    done(order, AT, cancel={"reason": "never came"})
    assert (order.state, order.invoices[0].state) == ("received", "mismatch")
    assert order.invoices[0].mismatches[0].amount == 10_000


def test_an_invoice_adds_up_has_one_number_and_is_taken_once() -> None:
    order = received()
    with pytest.raises(Refusal, match="wrong_total"):
        done(order, AT, invoice={**invoice("inv-1", (1, 10, 1_000)), "total": 9_999})
    done(order, AT, invoice=invoice("inv-1", (1, 10, 1_000)))
    done(order, AT, invoice=invoice("inv-1", (1, 10, 1_000)))
    assert len(order.invoices) == 1
    with pytest.raises(Refusal, match="number_taken"):
        done(order, AT, invoice=invoice("inv-1", (1, 11, 1_000)))


def test_a_supplier_sends_its_invoice_as_an_answer() -> None:
    order = received()
    lines = [{"line": 1, "quantity": 100, "unit_price": 1_000}, {"line": 2, "quantity": 10, "unit_price": 200}]
    with pytest.raises(Refusal, match="reference_missing"):
        said(order, "invoiced", lines=lines)
    said(order, "invoiced", reference="inv-1", lines=lines)
    assert order.state == "closed"
