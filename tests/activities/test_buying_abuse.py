"""What a supplier, or somebody with it, tries: to stop an order, to fill it, to have it approved by one alone."""

import pytest

from contracts.buying import INVOICE_LINES_MAX, PAPERS_MAX, TIMELINE_KEPT
from contracts.refusals import Refusal
from tests.purchasing import done, line, said, sent


def test_an_invoice_beyond_all_money_is_refused_and_does_not_stop_the_order() -> None:
    order = sent()
    said(order, "confirmed")
    worst = [{"line": 1, "quantity": 10_000_000, "unit_price": 10**12}]
    with pytest.raises(Refusal, match="more than") as refused:
        said(order, "invoiced", reference="I-1", lines=worst)
    assert (refused.value.code, refused.value.field) == ("too_much", "lines")
    assert order.invoices == []


def test_an_order_holds_so_many_papers_and_its_newest_history() -> None:
    order = sent(line(units=10_000, price=1))
    for number in range(PAPERS_MAX):
        said(order, "shipped", reference=f"DN-{number}", lines=[{"line": 1, "quantity": 1}])
        said(order, "invoiced", reference=f"I-{number}", lines=[{"line": 1, "quantity": 1, "unit_price": 9_999}])
    for kind, fields in (("shipped", {}), ("invoiced", {"unit_price": 1})):
        with pytest.raises(Refusal) as refused:
            said(order, kind, reference="more", lines=[{"line": 1, "quantity": 1, **fields}])
        assert (refused.value.code, refused.value.status) == ("too_many", 409)
    assert len(order.timeline) == TIMELINE_KEPT
    assert len(order.notices) == len(order.invoices) == PAPERS_MAX
    done(order, receive={"reference": "DN-1", "items": [{"sku": "tea", "quantity": 10_000}]})
    assert order.state == "received"


def test_invoices_of_many_lines_are_fewer() -> None:
    lines = [line(number, f"tea-{number}", 1, 1) for number in range(1, 501)]
    order = sent(*lines)
    said(order, "confirmed")
    asked = [{"line": one.line, "quantity": 1, "unit_price": 9} for one in lines]
    for number in range(INVOICE_LINES_MAX // 500):
        said(order, "invoiced", reference=f"I-{number}", lines=asked)
    with pytest.raises(Refusal) as refused:
        said(order, "invoiced", reference="more", lines=asked)
    assert refused.value.code == "too_many"


def test_who_asked_for_an_order_does_not_take_an_offer_that_makes_it_large() -> None:
    order = sent(line(units=100, price=1))
    said(order, "countered", lines=[{"line": 1, "unit_price": 1_000_000}])
    with pytest.raises(Refusal) as refused:
        done(order, by="planner", answer={"accept": True})
    assert refused.value.code == "own_order"
    done(order, by="lead", answer={"accept": True})
    assert order.state == "confirmed"


def test_an_offer_beyond_all_money_is_refused() -> None:
    order = sent(line(1, "tea"), line(2, "rice"))
    with pytest.raises(Refusal) as refused:
        said(order, "countered", lines=[{"line": 1, "quantity": 10_000_000, "unit_price": 10**12}])
    assert refused.value.code == "too_much"
