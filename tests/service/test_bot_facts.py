"""What an order says to a customer's question."""

from datetime import UTC, datetime
from typing import Any

import pytest

from activities.service.bot.facts import cancellable, eta_of, money_told, movable, refund_of, returnable, status_of
from activities.service.bot.words import said, sentences

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def order(stage: str = "dispatched", *states: str, **more: Any) -> dict[str, Any]:
    parcels = [
        {"id": f"o-1.p{number}", "state": state, "tracking": "SF1" if state == "shipped" else None,
         "service": "sf/standard", "promised_at": "2026-11-25T10:00:00Z"}
        for number, state in enumerate(states, 1)
    ]  # fmt: skip
    fields = {
        "id": "o-1", "stage": stage, "parcels": parcels, "currency": "CNY", "total": 12345, "deliver_by": None,
        "placed_at": "2026-11-20T17:00:00Z", "payment": {"captured": 0, "refunded": 0},
    }  # fmt: skip
    return {**fields, **more}


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        (order("cancelled", "withdrawn"), "status_cancelled"),
        (order("cancelling"), "status_cancelling"),
        (order("placed"), "status_looking"),
        (order("backordered", "rejected"), "status_looking"),
        (order("held", hold_until="2026-11-23T03:00:00Z"), "status_awaits_payment"),
        (order("accepted", "rejected", "accepted"), "status_preparing"),
        (order("shipped", "shipped"), "status_shipped"),
        (order("shipped", "shipped", "delivered"), "status_parts"),
        (order("delivered", "delivered"), "status_delivered"),
        (order("shipped", "lost"), "status_parts"),
    ],
)
def test_status_is_that_of_the_parcels_that_still_go(seen: dict[str, Any], kind: str) -> None:
    for language in ("zh", "en"):
        fact = status_of(seen, language)
        assert fact.kind == kind
        assert "o-1" in said(fact.kind, language, **fact.values)


def test_status_tells_tracking_and_the_day() -> None:
    fact = status_of(order("shipped", "shipped"), "zh")
    text = said(fact.kind, "zh", **fact.values)
    assert "o-1.p1：已发货，运输中，运单号 sf SF1" in text
    assert "11月25日（周三）" in text
    english = status_of(order("shipped", "shipped"), "en")
    assert "o-1.p1: on its way, tracking sf SF1" in said(english.kind, "en", **english.values)


@pytest.mark.parametrize(
    ("seen", "asked", "kind"),
    [
        (order("shipped", "shipped"), None, "eta"),
        (order("shipped", "shipped"), "2026-11-25", "eta_in_time"),
        (order("shipped", "shipped"), "2026-11-24", "eta_too_late"),
        (order("placed"), None, "eta_unknown"),
        (order("placed", deliver_by="2026-11-22T10:00:00Z"), None, "eta_late"),
        (order("delivered", "delivered"), None, "status_delivered"),
        (order("cancelled"), None, "status_cancelled"),
    ],
)
def test_when_it_comes(seen: dict[str, Any], asked: str | None, kind: str) -> None:
    fact = eta_of(seen, "zh", asked, NOW)
    assert fact.kind == kind
    assert said(fact.kind, "zh", **fact.values)


def test_the_day_is_the_customer_s_and_not_that_of_greenwich() -> None:
    parcel = {
        "id": "o-1.p1",
        "state": "shipped",
        "tracking": None,
        "service": None,
        "promised_at": "2026-11-25T17:00:00Z",
    }
    fact = eta_of({**order("shipped"), "parcels": [parcel]}, "zh", None, NOW)
    assert fact.values["day"] == "11月26日（周四）"


@pytest.mark.parametrize(
    ("seen", "returns", "kind"),
    [
        (order("closed", "delivered", payment={"captured": 100, "refunded": 50}), [], "refund_done"),
        (order("cancelling"), [], "refund_under_way"),
        (order("cancelled"), [], "refund_nothing_taken"),
        (order("delivered", "delivered"), [], "refund_none"),
        (order("delivered", "delivered"), [{"id": "r", "state": "in_transit"}], "refund_return_in_transit"),
        (order("delivered", "delivered"), [{"id": "r", "state": "refused"}], "refund_return_refused"),
    ],
)
def test_what_is_paid_back(seen: dict[str, Any], returns: list[dict[str, Any]], kind: str) -> None:
    fact = refund_of(seen, returns, "zh")
    assert fact.kind == kind
    assert said(fact.kind, "zh", **fact.values)


def test_what_can_still_be_done() -> None:
    assert cancellable(order("accepted", "accepted"), "zh").kind == "cancel_confirm"
    assert cancellable(order("shipped", "shipped"), "zh").kind == "cancel_too_late"
    assert cancellable(order("shipped", "shipped", "packed"), "zh").kind == "cancel_confirm"
    assert movable(order("accepted", "accepted"), "新地址1号", "zh").kind == "address_confirm"
    assert movable(order("accepted", "accepted"), None, "zh").kind == "address_which"
    assert movable(order("shipped", "shipped", "packed"), "新地址1号", "zh").kind == "address_too_late"
    assert returnable(order("delivered", "delivered"), "zh").values["parcel"] == "o-1.p1"
    assert returnable(order("delivered", "delivered", "delivered"), "zh").kind == "return_which"
    assert returnable(order("shipped", "shipped"), "zh").kind == "return_not_delivered"


def test_money_is_told_as_people_write_it() -> None:
    assert money_told(1234567, "CNY") == "¥12,345.67"
    assert money_told(5, "BRL") == "R$0.05"


def test_every_state_of_a_return_has_its_words() -> None:
    for state in ("requested", "approved", "in_transit", "received", "refused"):
        assert f"refund_return_{state}" in sentences()
