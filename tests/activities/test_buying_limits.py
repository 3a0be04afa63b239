"""Who may approve up to what; no server."""

from typing import Any

import pytest

from activities.buying.limits import limit_of
from activities.buying.moves import begin
from contracts.buying import PurchaseOrder
from contracts.buying_terms import Approver, Approvers, BuyingTerms
from contracts.refusals import Refusal
from contracts.supply import ApprovalLimit
from tests.purchasing import MONDAY, done, line, purchase, said, sent

WANG = Approver(name="wang", roles=["buyer"], up_to=2_000_000)
LI = Approver(name="li", roles=["buyer"])
ZHAO = Approver(name="zhao", roles=["purchasing_lead"])
NAMED = Approvers(approvers=[WANG, LI, ZHAO])


def waiting(value: int, **changes: Any) -> PurchaseOrder:
    """An order of this value, in minor units, that waits for approval."""
    order = purchase(line(units=value // 1_000), **changes)
    begin(order, MONDAY)
    assert order.state == "approval"
    return order


def refused(order: PurchaseOrder, by: str, approvers: Approvers = NAMED, **command: Any) -> Refusal:
    before = order.model_copy(deep=True)
    with pytest.raises(Refusal) as caught:
        done(order, by=by, approvers=approvers, **command or {"approve": {}})
    assert order == before, "what is refused changes nothing"
    return caught.value


def test_a_role_approves_up_to_its_limit_and_no_further() -> None:
    at_the_limit, beyond = waiting(5_000_000), waiting(5_001_000)
    done(at_the_limit, by="li", approvers=NAMED, approve={})
    assert (at_the_limit.state, at_the_limit.approved_by) == ("sent", "li")
    refusal = refused(beyond, "li")
    assert (refusal.code, refusal.status) == ("above_limit", 403)
    assert "up to ¥50000.00" in refusal.detail and "¥50010.00" in refusal.detail
    assert refusal.remedy == "Let purchasing_lead or purchasing_director do it: zhao."
    done(beyond, by="zhao", approvers=NAMED, approve={})
    assert beyond.approved_by == "zhao"


def test_a_keys_own_limit_counts_where_it_is_lower() -> None:
    order = waiting(2_001_000)
    refusal = refused(order, "wang")
    assert refusal.code == "above_limit" and "up to ¥20000.00" in refusal.detail
    assert refusal.remedy.endswith("do it: li, zhao.") is True
    smaller = waiting(2_000_000)
    done(smaller, by="wang", approvers=NAMED, approve={})
    assert smaller.approved_by == "wang"


def test_a_higher_role_may_approve_what_waits_for_a_lower_one() -> None:
    order = waiting(600_000)
    assert order.turn is not None and order.turn.role == "buyer"
    done(order, by="zhao", approvers=NAMED, approve={})
    assert order.state == "sent"


def test_who_is_not_named_approves_nothing_and_is_told_who_does() -> None:
    order = waiting(600_000)
    refusal = refused(order, "sun")
    assert (refusal.code, refusal.status) == ("not_an_approver", 403)
    assert "li" in refusal.remedy and "wang" in refusal.remedy and "zhao" in refusal.remedy
    nobody = refused(order, "sun", Approvers(approvers=[]))
    assert "PUT /v1/purchase-approvers" in nobody.remedy


def test_beyond_all_that_were_named_it_says_so() -> None:
    refusal = refused(waiting(60_000_000), "zhao")
    assert refusal.code == "above_limit" and "up to ¥500000.00" in refusal.detail
    assert "Nobody has the role purchasing_director" in refusal.remedy


@pytest.mark.parametrize("value", [600_000, 5_001_000])
def test_who_asked_may_not_approve_however_high_the_role(value: int) -> None:
    order = waiting(value, asked_by="zhao")
    refusal = refused(order, "zhao")
    assert (refusal.code, refusal.status) == ("own_order", 403)


def test_terms_may_let_small_orders_be_approved_by_who_asked() -> None:
    order = waiting(600_000, asked_by="li", terms=BuyingTerms(four_eyes_above=1_000_000))
    done(order, by="li", approvers=NAMED, approve={})
    assert order.approved_by == "li"


def test_a_counter_offer_is_taken_by_who_may_approve_its_own_value() -> None:
    order = sent()
    said(order, "countered", lines=[{"line": 1, "unit_price": 60_000}])
    refusal = refused(order, "li", answer={"accept": True})
    assert refusal.code == "above_limit" and "¥60000.00" in refusal.detail
    done(order, by="zhao", approvers=NAMED, answer={"accept": True})
    assert order.state == "confirmed"


def test_a_counter_offer_that_needs_nobody_may_be_taken_by_who_asked() -> None:
    order = sent(asked_by="sun")
    said(order, "countered", lines=[{"line": 1, "quantity": 60}])
    done(order, by="sun", approvers=NAMED, answer={"accept": True})
    assert order.state == "confirmed"


def test_an_invoice_that_does_not_match_is_paid_within_the_limit_only() -> None:
    order = sent(line(units=1_000), asked_by="planner", approved_by="zhao")
    said(order, "confirmed")
    done(order, receive={"reference": "DN-1", "items": [{"sku": "tea", "quantity": 1_000}]})
    lines = [{"line": 1, "quantity": 1_000, "unit_price": 6_000}]
    done(order, invoice={"number": "INV-1", "total": 6_000_000, "lines": lines})
    decision = {"number": "INV-1", "accept": True, "reason": "?"}
    assert refused(order, "li", decide=decision).code == "above_limit"
    done(order, by="li", approvers=NAMED, decide={**decision, "accept": False})
    assert order.invoices[0].state == "rejected", "sending it back costs nothing"


def test_limits_of_roles_and_keys() -> None:
    levels = [ApprovalLimit(up_to=10), ApprovalLimit(up_to=100, role="a"), ApprovalLimit(up_to=500, role="b")]
    assert limit_of(Approver(name="x", roles=["a"]), levels) == 100
    assert limit_of(Approver(name="x", roles=["a"], up_to=50), levels) == 50
    assert limit_of(Approver(name="x", roles=["a"], up_to=5_000), levels) == 100
    assert limit_of(Approver(name="x", roles=["a", "b"]), levels) is None, "the last level decides about all beyond"
    assert limit_of(Approver(name="x", roles=["b"], up_to=700), levels) == 700
    assert limit_of(Approver(name="x", roles=["c"]), levels) == 0
