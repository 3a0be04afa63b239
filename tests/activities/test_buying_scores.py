"""Scores, lead times, working days and the choice of a supplier: arithmetic against sums by hand."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.buying.choosing import Known, choose, to_buy
from activities.buying.lead_times import learned
from activities.buying.scoring import judged, rate, score_of
from activities.supply.sources import weekly
from activities.supply.table import plain_table
from contracts.buying import PurchaseOrder
from contracts.buying_replies import Reported
from contracts.scoring import LineDispute, Rate, Served
from contracts.supply import LeadTime, Sourcing
from contracts.workdays import add_workdays, is_workday, workdays_between
from tests.purchasing import DUE, MONDAY, done, line, said, sent, ticked

TODAY = date(2026, 4, 1)


def confirmed(**changes: Any) -> PurchaseOrder:
    order = sent(**changes)
    said(order, "confirmed")
    return order


def came(order: PurchaseOrder, day: int, units: int, damaged: int = 0) -> None:
    """In March."""
    moment = datetime(2026, 3, day, 2, tzinfo=UTC)
    item = {"sku": "tea", "quantity": units, "damaged": damaged}
    done(order, moment, receive={"reference": f"dn-{day}", "items": [item]})


def test_the_wilson_interval_and_no_data() -> None:
    # Newcombe (1998), method 3: 81 of 263 and 15 of 148.
    for hits, n, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)):
        found = rate(hits, n)
        assert found.low == pytest.approx(low, abs=5e-5)
        assert found.high == pytest.approx(high, abs=5e-5)
    assert rate(0, 0) == Rate(hits=0, n=0, value=None, low=None, high=None)


@given(st.integers(0, 500), st.integers(1, 500))
def test_an_interval_holds_its_rate_and_stays_within_bounds(hits: int, more: int) -> None:
    found = rate(hits, hits + more)
    assert found.value is not None and found.low is not None and found.high is not None
    assert 0 <= found.low <= found.value + 1e-12 and found.value <= found.high + 1e-12 <= 1 + 1e-11


def test_a_line_is_judged_by_what_had_arrived_at_its_day() -> None:
    early, short, late, never = (confirmed(id=f"po-{n}") for n in range(4))
    came(early, 12, 100)
    came(short, 13, 99)
    came(short, 16, 1)
    came(late, 16, 100)
    score, lines = score_of("sup-a", [early, short, late, never], {}, TODAY)
    assert [one.verdict for one in lines] == ["on_time_in_full", "short", "late", "never"]
    assert (score.lines.hits, score.lines.n) == (1, 4), "what was never delivered counts as late"
    assert (score.units.hits, score.units.n) == (199, 400)
    assert score.comparable is False


def test_a_postponed_promise_stays_what_it_was() -> None:
    order = confirmed()
    said(order, "postponed", datetime(2026, 3, 10, 2, tzinfo=UTC), lines=[{"line": 1, "due": "2026-03-20"}])
    came(order, 18, 100)
    _, [judgement] = score_of("sup-a", [order], {}, TODAY)
    assert (judgement.day, judgement.verdict) == (DUE, "late")


def test_what_does_not_count_says_why() -> None:
    to_come = confirmed(id="po-to-come", lines=[line(due=date(2026, 4, 2))])
    withdrawn, disputed, unasked = confirmed(id="po-withdrawn"), confirmed(id="po-disputed"), sent(id="po-unasked")
    done(withdrawn, cancel={"reason": "no need"})
    objection = LineDispute(
        id="po-disputed:1",
        supplier="sup-a",
        order="po-disputed",
        line=1,
        reason="?",
        by="sup-a",
        at=MONDAY,
        state="accepted",
    )
    orders = [to_come, withdrawn, disputed, unasked]
    score, lines = score_of("sup-a", orders, {"po-disputed:1": objection}, TODAY)
    assert {one.order: one.left_out for one in lines} == {
        "po-to-come": "not_due",
        "po-withdrawn": "withdrawn",
        "po-disputed": "disputed",
        "po-unasked": "not_promised",
    }
    assert (score.value, score.lines.n, score.lines.value) == (None, 0, None), "no data is no score, and no bad one"


def test_silence_and_damage_count_where_they_belong() -> None:
    good, silent = confirmed(id="po-good"), sent(id="po-silent")
    came(good, 12, 100, damaged=5)
    ticked(silent)
    ticked(silent)
    score, _ = score_of("sup-a", [good, silent], {}, TODAY)
    assert (score.lines.hits, score.lines.n) == (1, 1)
    assert (score.deliveries.hits, score.deliveries.n) == (0, 1)
    assert (score.answers.hits, score.answers.n) == (1, 2)
    assert (score.acceptance.hits, score.acceptance.n) == (1, 2)
    # 0.5 * 1 + 0.2 * 0 + 0.1 * 0.5 + 0.1 * 0.5, over the weights that have data.
    assert score.value == pytest.approx(100 * 0.6 / 0.9, abs=0.05)


def test_service_cases_count_with_or_without_lines() -> None:
    told = Served(cases=5, at_fault=1, rated=2, stars=7)
    score, _ = score_of("store-a", [], {}, TODAY, served=told)
    assert (score.service.hits, score.service.n, score.comparable) == (4, 5, True)
    assert (score.satisfaction.hits, score.satisfaction.n) == (5, 8)
    # 0.2 * 4/5 + 0.1 * 5/8, over the weights that have data.
    assert score.value == pytest.approx(100 * (0.16 + 0.0625) / 0.3, abs=0.05)
    silent = sent(id="po-silent")
    ticked(silent)
    ticked(silent)
    beside, _ = score_of("store-a", [silent], {}, TODAY, served=told)
    assert (beside.answers.n, beside.value) == (1, score.value), "without a line, answers say nothing"
    good = confirmed(id="po-good")
    came(good, 12, 100)
    alone, _ = score_of("store-a", [good], {}, TODAY)
    both, _ = score_of("store-a", [good], {}, TODAY, served=told)
    # All that is known of the order is well: 0.9 of weight, and the 0.3 of service beside it.
    assert alone.value == 100.0
    assert both.value == pytest.approx(100 * (0.9 + 0.2225) / 1.2, abs=0.05)


def test_blame_alone_is_a_score_and_nothing_at_all_is_none() -> None:
    assert score_of("store-a", [], {}, TODAY, served=Served(cases=1, at_fault=1))[0].value == 0.0
    assert score_of("store-a", [], {}, TODAY, served=Served())[0].value is None


@pytest.mark.parametrize(
    ("wanted", "by_day", "arrived", "verdict"),
    [
        (5, 5, 5, "on_time_in_full"),
        (5, 6, 6, "on_time_in_full"),
        (5, 1, 5, "short"),
        (5, 0, 5, "late"),
        (5, 0, 0, "never"),
    ],
)
def test_verdicts(wanted: int, by_day: int, arrived: int, verdict: str) -> None:
    assert judged(wanted, by_day, arrived) == verdict


def test_working_days_of_china_have_make_up_days_and_the_spring_festival() -> None:
    # 2026: the Spring Festival is free from 15 to 23 February; 14 and 28 February are worked.
    assert is_workday("CN", date(2026, 2, 14)) and is_workday("CN", date(2026, 2, 28))
    assert not is_workday("CN", date(2026, 2, 20))
    assert workdays_between("CN", date(2026, 2, 13), date(2026, 2, 24)) == 2, "the 14th and the 24th"
    assert workdays_between(None, date(2026, 2, 13), date(2026, 2, 24)) == 7
    assert add_workdays("CN", date(2026, 2, 13), 2) == date(2026, 2, 24)
    assert add_workdays("CN", date(2026, 2, 20), 0) == date(2026, 2, 24)


@given(st.dates(date(2024, 1, 1), date(2026, 12, 31)), st.integers(0, 60))
def test_days_added_are_days_between(start: date, days: int) -> None:
    end = add_workdays("CN", start, days)
    assert is_workday("CN", end)
    if days:
        assert workdays_between("CN", start, end) == days


@given(st.dates(date(2006, 1, 1), date(2015, 12, 31)), st.integers(0, 400))
def test_weekdays_agree_with_numpy(start: date, ahead: int) -> None:
    end = start + timedelta(days=ahead)
    one = timedelta(days=1)
    assert workdays_between(None, start, end) == np.busday_count(start + one, end + one)


def test_lead_times_are_a_mean_and_the_deviation_of_a_sample() -> None:
    found = learned("sup-a", "store-1", [3, 5, 5, 9])
    assert (found.mean, found.n, found.id) == (5.5, 4, "sup-a:store-1")
    assert found.deviation == pytest.approx(np.std([3, 5, 5, 9], ddof=1))
    assert learned("sup-a", "", [4]).deviation == 0
    with pytest.raises(ValueError, match="receipts"):
        learned("sup-a", "", [])


def source(supplier: str, price: int, **more: Any) -> Sourcing:
    fields: dict[str, Any] = {
        "id": f"{supplier}:tea:",
        "supplier": supplier,
        "sku": "tea",
        "price": price,
        "lead_days": 5,
    }
    return Sourcing.model_validate({**fields, **more})


def test_what_must_be_bought_for_a_need() -> None:
    assert [to_buy(7, 1, 1), to_buy(7, 10, 4), to_buy(13, 10, 12), to_buy(24, 0, 12)] == [7, 12, 24, 24]


def test_the_cheapest_is_not_always_the_best() -> None:
    able = {"cheap", "bulk", "slow", "good"}
    rates = {"cheap": rate(1, 20), "good": rate(40, 40)}
    sources = [
        source("cheap", 100),
        source("bulk", 90, minimum=500),
        source("slow", 100, lead_days=60),
        source("good", 105),
    ]
    found = choose(sources, 100, "330106", Known(able, rates), TODAY)
    assert found.best is not None and found.best.source.supplier == "good"
    costs = {one.source.supplier: one for one in found.ranked}
    assert costs["bulk"].quantity == 500
    low = rates["good"].low
    assert low is not None and costs["good"].cost == pytest.approx(105 * (1 + 0.25 * (1 - low)))
    assert any("no data" in why.en and "没有" in why.zh for why in costs["slow"].why)
    first, *_, last = (why.en for why in costs["bulk"].why)
    assert first == "price ¥0.90 for a unit, 500 for 100 needed (minimum 500, multiple 1)"
    assert last == "a needed unit costs ¥4.72 with its risks", "five times 0.90, and a fifth of 25 % more"


def test_who_cannot_deliver_is_left_out_with_the_reason() -> None:
    report = Reported(id="empty:tea", supplier="empty", sku="tea", at=MONDAY, event="e", on_hand=5, per_week=10)
    old = report.model_copy(update={"supplier": "once-empty", "until": date(2026, 3, 1)})
    known = Known({"empty", "once-empty", "tried"}, reports={("empty", "tea"): report, ("once-empty", "tea"): old})
    sources = [
        source("empty", 1),
        source("once-empty", 100),
        source("tried", 1),
        source("suspended", 1),
        source("elsewhere", 1, locations="44"),
        source("inactive", 1, active=False),
    ]
    found = choose(sources, 100, "330106", known, TODAY, tried=["tried"])
    assert [one.source.supplier for one in found.ranked] == ["once-empty"], "a report that has run out says nothing"
    assert set(found.excluded) == {"empty", "tried", "suspended"}


def test_who_has_less_than_is_needed_may_still_have_some_of_it() -> None:
    some = Reported(id="some:tea", supplier="some", sku="tea", at=MONDAY, event="e", on_hand=5, per_week=0)
    none = some.model_copy(update={"supplier": "none", "on_hand": 0})
    known = Known({"some", "none"}, reports={("some", "tea"): some, ("none", "tea"): none})
    found = choose([source("some", 100), source("none", 1)], 48, "330106", known, TODAY, least=1)
    assert found.best is not None and (found.best.source.supplier, found.best.quantity) == ("some", 48)
    assert set(found.excluded) == {"none"}


def test_a_week_is_reckoned_from_the_last_weeks_and_asks_for_something() -> None:
    demand = np.zeros((3, 60))
    demand[0, -28:] = 4
    demand[1, :30] = 100
    demand[2, -1] = 5
    assert list(weekly(plain_table(demand)).values()) == [28, 1, 2]


def test_learned_lead_times_count_before_promised_ones() -> None:
    slow = LeadTime(id="a:", supplier="a", location="", mean=40, deviation=1, n=3)
    found = choose([source("a", 100), source("b", 101)], 10, "330106", Known({"a", "b"}, lead_times={"a": slow}), TODAY)
    assert found.best is not None and found.best.source.supplier == "b"
    assert any("learned from 3 receipts" in why.en and "3 次收货" in why.zh for why in found.ranked[1].why)
