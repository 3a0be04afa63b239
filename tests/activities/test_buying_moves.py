"""A purchase order's ways, by commands, answers and moments; no server."""

from datetime import UTC, date, datetime, timedelta

import pytest

from activities.buying.moves import begin
from contracts.buying_terms import BuyingTerms
from contracts.refusals import Refusal
from contracts.supply import ApprovalLimit
from tests.purchasing import DUE, MONDAY, done, kinds, line, purchase, said, sent, ticked


def at(day: int, hour: int = 2) -> datetime:
    """In March, in UTC; ten in the morning in China."""
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def test_a_small_order_is_sent_at_once_and_a_larger_one_waits_for_the_role_of_its_value() -> None:
    small, large, huge = purchase(), purchase(line(units=1_000)), purchase(line(units=20_000))
    assert kinds(begin(small, MONDAY)) == [
        ("retailer", "purchase.changed.v1"),
        ("sup-a", "purchase.changed.v1"),
        ("sup-a", "purchase.ordered.v1"),
    ]
    assert kinds(begin(large, MONDAY)) == [("retailer", "purchase.waits.v1")]
    assert (large.state, large.turn and large.turn.role) == ("approval", "buyer")
    begin(huge, MONDAY)
    assert huge.turn is not None and huge.turn.role == "purchasing_lead"


def test_a_policys_own_limits_count_and_a_level_without_a_role_needs_nobody() -> None:
    free = purchase(line(units=20_000), terms=BuyingTerms(levels=[ApprovalLimit()]))
    begin(free, MONDAY)
    assert (free.state, free.approved_by) == ("sent", "policy")
    # Limits of a policy need not reach every value: beyond them the highest decides.
    short = BuyingTerms().model_copy(update={"levels": [ApprovalLimit(up_to=10, role="clerk")]})
    above = purchase(terms=short)
    begin(above, MONDAY)
    assert above.turn is not None and above.turn.role == "clerk"


def test_approval_is_reminded_goes_to_the_next_roles_and_ends_when_none_is_left() -> None:
    order = purchase(line(units=1_000))
    begin(order, MONDAY)
    # Four working hours from nine o'clock, the break left out, and the eighth one.
    assert order.turn is not None and order.turn.remind_at == datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
    assert kinds(ticked(order)) == [("retailer", "purchase.waits.v1")]
    roles = [order.turn.role]
    for _ in range(2):
        assert order.turn is not None
        ticked(order, order.turn.due)
        roles.append(order.turn.role)
    assert roles == ["buyer", "purchasing_lead", "purchasing_director"]
    assert order.turn is not None
    last = ticked(order, order.turn.due)
    assert (str(order.state), order.why) == ("expired", "not_approved_in_time")
    assert vars(order)["turn"] is None
    assert kinds(last) == [("retailer", "purchase.changed.v1")], "the supplier never heard of it"
    assert not order.open_lines


def test_who_asked_for_a_large_order_may_not_approve_it() -> None:
    order = purchase(line(units=6_000))
    begin(order, MONDAY)
    with pytest.raises(Refusal, match="own_order"):
        done(order, by="planner", approve={})
    done(order, by="lead", approve={"note": "ok"})
    assert (order.state, order.approved_by) == ("sent", "lead")


def test_a_confirmation_promises_units_and_days_and_less_is_a_counter_offer() -> None:
    order = sent()
    with pytest.raises(Refusal) as refused:
        said(order, "confirmed", lines=[{"line": 1, "due": "2026-03-20"}])
    assert (refused.value.code, refused.value.field) == ("not_as_ordered", "lines.0")
    said(order, "confirmed", lines=[{"line": 1, "due": "2026-03-11"}])
    assert order.state == "confirmed"
    assert (order.lines[0].confirmed, order.lines[0].promised) == (100, date(2026, 3, 11))
    with pytest.raises(Refusal, match="not_confirmed_now"):
        said(order, "confirmed")


def test_a_counter_offer_waits_for_us_unless_it_is_within_the_terms() -> None:
    order = sent()
    heard = said(order, "countered", lines=[{"line": 1, "quantity": 60, "unit_price": 1_010}])
    assert order.state == "countered"
    assert ("retailer", "purchase.waits.v1") in kinds(heard)
    done(order, answer={"accept": True})
    assert (order.state, order.lines[0].wanted, order.lines[0].unit_price) == ("confirmed", 60, 1_010)
    terms = BuyingTerms(accept_price_bp=100, accept_later_days=2)
    near, far = sent(terms=terms), sent(terms=terms)
    said(near, "countered", lines=[{"line": 1, "unit_price": 1_010, "due": "2026-03-17"}])
    said(far, "countered", lines=[{"line": 1, "unit_price": 1_011}])
    assert (near.state, near.lines[0].promised) == ("confirmed", date(2026, 3, 17))
    assert far.state == "countered"


def test_a_dearer_counter_offer_waits_for_the_role_of_its_own_value() -> None:
    order = sent()
    said(order, "countered", lines=[{"line": 1, "unit_price": 60_000}])
    assert order.turn is not None and order.turn.role == "purchasing_lead", "¥60,000 instead of ¥1,000"


def test_a_counter_offer_that_is_refused_goes_back_or_elsewhere() -> None:
    back, away = sent(), sent()
    for order in (back, away):
        said(order, "countered", lines=[{"line": 1, "quantity": 60}])
    moves = done(back, answer={"accept": False, "reason": "too few"})
    assert (back.state, back.why) == ("sent", "counter_refused")
    assert ("sup-a", "purchase.ordered.v1") in kinds(moves)
    moves = done(away, answer={"accept": False, "elsewhere": True})
    assert (away.state, moves.elsewhere) == ("declined", {1: 100})
    assert ("sup-a", "purchase.cancelled.v1") in kinds(moves)


def test_silence_is_reminded_once_and_then_bought_elsewhere() -> None:
    order = sent()
    assert order.turn is not None
    assert kinds(ticked(order)) == [("sup-a", "purchase.ordered.v1")]
    silent = ticked(order)
    assert (order.state, silent.elsewhere) == ("silent", {1: 100})
    assert ("sup-a", "purchase.cancelled.v1") in kinds(silent)
    with pytest.raises(Refusal) as refused:
        said(order, "confirmed")
    assert refused.value.code == "order_ended"


def test_a_moment_that_has_moved_changes_nothing() -> None:
    order = sent()
    assert order.turn is not None and order.turn.remind_at is not None
    before = order.model_dump()
    assert not ticked(order, order.turn.remind_at - timedelta(seconds=1)).told
    assert order.model_dump() == before


def test_to_decline_needs_a_reason_and_after_a_delivery_only_the_rest_goes_elsewhere() -> None:
    order = sent()
    with pytest.raises(Refusal, match="reason_missing"):
        said(order, "declined")
    said(order, "confirmed")
    done(order, at(5), receive={"reference": "dn-1", "items": [{"sku": "tea", "quantity": 40}]})
    moves = said(order, "declined", reason="out_of_stock")
    assert (moves.elsewhere, order.state, order.lines[0].open) == ({1: 60}, "received", 0)


def test_goods_that_come_in_part_damaged_too_many_or_wrong() -> None:
    order = sent(line(), line(2, "cup", 10))
    said(order, "confirmed")
    items = [
        {"sku": "tea", "quantity": 90, "damaged": 4},
        {"sku": "cup", "quantity": 12},
        {"sku": "pot", "quantity": 3},
    ]
    moves = done(order, at(10), receive={"reference": "dn-1", "items": items})
    tea, cup, pot = order.receipts[0].lines
    assert (tea.good, tea.damaged, tea.days) == (90, 4, -3), "three working days early"
    assert (cup.good, cup.excess) == (10, 2)
    assert (pot.line, pot.wrong) == (None, 3)
    assert moves.goods == {"tea": 90, "cup": 10}, "neither damaged nor excess nor wrong goods are shelved"
    assert (order.state, order.lines[0].open) == ("confirmed", 10), "damaged units are still owed"
    assert [one.sku for one in moves.completed] == ["cup"]
    again = done(order, at(11), receive={"reference": "dn-1", "items": items})
    assert not again.goods and order.lines[0].received == 90
    with pytest.raises(Refusal, match="reference_taken"):
        done(order, at(11), receive={"reference": "dn-1", "items": items[:1]})
    done(order, at(16), receive={"reference": "dn-2", "items": [{"sku": "tea", "quantity": 10}]})
    assert order.receipts[1].lines[0].days == 1, "Monday after the Friday on which it was due"
    assert (order.state, order.turn and order.turn.kind) == ("received", "invoice")


def test_a_delivery_that_nobody_announced_is_an_answer_too() -> None:
    order = sent()
    done(order, at(5), receive={"reference": "dn-1", "items": [{"sku": "tea", "quantity": 100}]})
    assert (order.state, order.lines[0].promised) == ("received", DUE)


def test_late_goods_are_told_again_and_again_and_a_postponed_day_counts_anew() -> None:
    order = sent()
    said(order, "confirmed")
    assert order.turn is not None and order.turn.due == datetime(2026, 3, 13, 16, tzinfo=UTC), "midnight in China"
    first = ticked(order)
    assert kinds(first) == [("sup-a", "purchase.late.v1"), ("retailer", "purchase.late.v1")]
    assert order.turn.due == datetime(2026, 3, 17, 16, tzinfo=UTC), "two working days later"
    said(order, "postponed", at(16), lines=[{"line": 1, "due": "2026-03-25"}])
    assert order.turn is not None and order.turn.due == datetime(2026, 3, 25, 16, tzinfo=UTC)
    assert (order.lines[0].open, order.lines[0].promised) == (100, DUE), "on order as before, and due when promised"
    # A worker that was down for a week tells it once, not once for each time that it missed.
    missed = ticked(order, datetime(2026, 4, 3, 2, tzinfo=UTC))
    assert len(kinds(missed)) == 2
    assert order.turn.due is not None and order.turn.due > datetime(2026, 4, 3, 2, tzinfo=UTC)


def test_a_shipping_notice_confirms_and_moves_the_day_it_is_expected() -> None:
    order = sent()
    with pytest.raises(Refusal, match="reference_missing"):
        said(order, "shipped", lines=[{"line": 1, "quantity": 50}])
    with pytest.raises(Refusal, match="not_open"):
        said(order, "shipped", reference="asn-1", lines=[{"line": 1, "quantity": 101}])
    assert order.state == "sent"
    notice = {"reference": "asn-1", "expected": "2026-03-12", "lines": [{"line": 1, "quantity": 50}]}
    said(order, "shipped", at(9), **notice)
    assert (order.state, order.lines[0].shipped, order.lines[0].day) == ("confirmed", 50, date(2026, 3, 12))
    with pytest.raises(Refusal, match="reference_taken"):
        said(order, "shipped", at(9), **notice)


def test_what_is_open_can_be_cancelled_and_before_its_day_it_is_not_the_suppliers_fault() -> None:
    order = sent(line(), line(2, "cup", 10))
    said(order, "confirmed")
    with pytest.raises(Refusal) as refused:
        done(order, at(5), cancel={"reason": "no need", "lines": [1, 3]})
    assert refused.value.field == "lines.1"
    moves = done(order, at(5), cancel={"reason": "no need", "lines": [1]})
    assert ("sup-a", "purchase.cancelled.v1") in kinds(moves)
    assert (order.state, order.lines[0].withdrawn, order.lines[1].open) == ("confirmed", 100, 10)
    done(order, at(20), cancel={"reason": "never came"})
    assert (order.state, order.lines[1].withdrawn, order.lines[1].cancelled) == ("cancelled", 0, 10)
