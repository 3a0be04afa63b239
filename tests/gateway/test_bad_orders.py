"""Orders that cannot be accepted: refused with field and remedy, counted, and nothing is changed."""

from typing import Any

import pytest

from infra.counting import refusals
from infra.mongo import Mongo
from tests.gateway.running import Api, fresh, order

POINT = {"lat": 30.0, "lon": 120.0, "datum": "WGS84"}


def ship_to(**changes: Any) -> dict[str, Any]:
    return {"division": "330106", "point": POINT, **changes}


def line(**changes: Any) -> dict[str, Any]:
    return {"line": 1, "sku": "tea", "quantity": 1, "unit_price": 100, **changes}


BAD = {
    "unknown SKU": (order(("tea", 1), ("no-such-sku", 1)), "lines.1.sku", "unknown_sku"),
    "zero quantity": (order(lines=[line(quantity=0)], total=0), "lines.0.quantity", "too_small"),
    "negative quantity": (order(lines=[line(quantity=-2)], total=-200), "lines.0.quantity", "too_small"),
    "half a piece": (order(lines=[line(quantity=0.5)]), "lines.0.quantity", "wrong_type"),
    "no lines": (order(lines=[], total=0), "lines", "too_few"),
    "10,000 lines": (order(*[("tea", 1)] * 10_000), "lines", "too_many"),
    "prices that do not add up": (order(total=99), "total", "prices_do_not_add_up"),
    "the same line twice": (order(lines=[line(), line()], total=200), "lines", "line_number_twice"),
    "latitude outside the world": (
        order(ship_to=ship_to(point={**POINT, "lat": 91})),
        "ship_to.point.lat",
        "too_large",
    ),
    "longitude outside the world": (
        order(ship_to=ship_to(point={**POINT, "lon": -180.1})),
        "ship_to.point.lon",
        "too_small",
    ),
    "no datum": (order(ship_to=ship_to(point={"lat": 30.0, "lon": 120.0})), "ship_to.point.datum", "datum"),
    "unknown datum": (order(ship_to=ship_to(point={**POINT, "datum": "NAD27"})), "ship_to.point.datum", "datum"),
    "no point": (order(ship_to={"division": "330106"}), "ship_to.point", "missing"),
    "a division that does not exist": (
        order(ship_to=ship_to(division="339999")),
        "ship_to.division",
        "division_unknown",
    ),
    "a misspelt field": (order(discont=5), "discont", "unknown_field"),
    "a card without token": (order(payment={"method": "card"}), "payment.token", "token_missing"),
    "an id that is none": (order(id="a b"), "id", "bad_format"),
    "an amount as text": (order(lines=[line(unit_price="100")]), "lines.0.unit_price", "wrong_type"),
    "a currency that is none": (order(currency="yuan"), "currency", "bad_format"),
    "a list instead of an order": ([1], "", "wrong_type"),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_order_is_refused_by_field_with_a_remedy(api: Api, name: str) -> None:
    body, field, code = BAD[name]
    answer = await api.post("/v1/orders", body, status=422)
    assert answer.faults.get(field) == code, answer.body
    assert answer.code in (code, "invalid")
    assert all(error["remedy"].endswith((".", "?", "!")) for error in answer.body["errors"])
    if len(answer.body["errors"]) == 1:
        assert answer.body["field"] == field


async def test_a_refused_order_changes_nothing_and_is_counted(api: Api, mongo: Mongo) -> None:
    await api.gateway.refusals.flush()
    before = (await refusals(mongo)).get("api", {})
    taken = fresh("refused")
    await api.post("/v1/orders", order(id=taken, total=1), status=422)
    await api.post("/v1/orders", order(("nowhere", 1), id=taken), status=422)
    await api.post("/v1/orders/batch", {"orders": [order(("nowhere", 1), id=taken)] * 3}, status=200)
    await api.gateway.refusals.flush()
    after = (await refusals(mongo))["api"]
    assert after["prices_do_not_add_up"] - before.get("prices_do_not_add_up", 0) == 1
    assert after["unknown_sku"] - before.get("unknown_sku", 0) == 4
    assert await mongo.orders.find_one({"_id": taken}) is None


async def test_every_fault_of_an_order_is_named_at_once(api: Api) -> None:
    bad = order(lines=[line(quantity=0), line(line=2, sku="?")], ship_to=ship_to(division="x"))
    answer = await api.post("/v1/orders", bad, status=422)
    assert answer.code == "invalid"
    assert answer.faults == {
        "lines.0.quantity": "too_small",
        "lines.1.sku": "bad_format",
        "ship_to.division": "division_unknown",
    }


async def test_a_limit_on_lines_below_the_contracts_own_holds(api: Api) -> None:
    lines_max = api.gateway.limits.lines_per_order
    await api.post("/v1/orders", order(*[("tea", 1)] * lines_max), status=202)
    answer = await api.post("/v1/orders", order(*[("tea", 1)] * (lines_max + 1)), status=422)
    assert answer.faults == {"lines": "too_many"}
