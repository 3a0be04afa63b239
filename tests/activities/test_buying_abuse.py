"""What a supplier, or somebody with it, tries: to stop an order, to fill it, to have it approved by one alone."""

import pytest

from activities.buying.moves import begin
from contracts.buying import INVOICE_LINES_MAX, PAPERS_MAX, TIMELINE_KEPT, PurchaseOrder
from contracts.buying_terms import Approver, Approvers
from contracts.refusals import Refusal
from tests.purchasing import MONDAY, ROLES, done, line, purchase, said, sent


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


LIMITED = Approvers(
    approvers=[Approver(name="li", roles=["buyer"], up_to=1_000_000), Approver(name="zhao", roles=ROLES)]
)


def received(by: str = "planner") -> PurchaseOrder:
    """Confirmed, and all of it has come; it is worth 900,000."""
    order = purchase(line(units=100, price=9_000), asked_by=by)
    begin(order, MONDAY)
    done(order, by="buyer", approve={})
    said(order, "confirmed")
    done(order, receive={"reference": "DN-1", "items": [{"sku": "tea", "quantity": 100}]})
    return order


def too_dear(order: PurchaseOrder, number: str, total: int) -> None:
    said(order, "invoiced", reference=number, lines=[{"line": 1, "quantity": 100, "unit_price": total // 100}])


def accepting(order: PurchaseOrder, number: str, by: str) -> str | None:
    """The code of the refusal; None: it is accepted."""
    try:
        done(order, by=by, approvers=LIMITED, decide={"number": number, "accept": True, "reason": "as agreed"})
    except Refusal as refusal:
        return refusal.code
    return None


def test_who_asked_for_an_order_does_not_accept_an_invoice_that_makes_it_large() -> None:
    order = received(by="zhao")
    too_dear(order, "I-1", 30_000_000)
    assert accepting(order, "I-1", "zhao") == "own_order"
    assert [one.state for one in order.invoices] == ["mismatch"]
    done(order, by="lead", decide={"number": "I-1", "accept": False, "reason": "agreed were 9,000"})
    assert [one.state for one in order.invoices] == ["rejected"]


def test_a_large_invoice_in_small_ones_is_a_large_one() -> None:
    order = received()
    for number in range(3):
        too_dear(order, f"I-{number}", 990_000)
    assert accepting(order, "I-0", "li") is None
    assert accepting(order, "I-1", "li") == "above_limit"
    assert accepting(order, "I-1", "zhao") is None
    assert [one.state for one in order.invoices] == ["accepted", "accepted", "mismatch"]


def test_who_takes_an_invoice_in_does_not_accept_it() -> None:
    """One that no supplier has ever sent."""
    order = received()
    lines = [{"line": 1, "quantity": 100, "unit_price": 9_900}]
    done(order, by="li", invoice={"number": "I-9", "total": 990_000, "lines": lines})
    assert accepting(order, "I-9", "li") == "own_invoice"
    assert accepting(order, "I-9", "zhao") is None
