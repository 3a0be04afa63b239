"""Why an order goes where it goes, over HTTP: what was decided, and any location's verdict reckoned anew."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from activities.orders.looking_back import available_by, seen_by, stock_seen
from contracts.routing import Decision
from infra.mongo import Mongo
from tests.gateway.running import Api, fresh
from tests.recorded import Recorded


@dataclass(frozen=True)
class Case:
    """Three stores north of the customer: `one` 11 km and `two` 22 km away have all, `few` 5 km away has a part."""

    order: str
    one: str
    two: str
    few: str
    empty: str
    skus: tuple[str, str]
    recorded: Recorded


@pytest.fixture
async def case(api: Api, mongo: Mongo) -> Case:
    tag = fresh("w")
    one, two, few, empty = (f"{tag}-{name}" for name in ("one", "two", "few", "empty"))
    skus = (f"{tag}.a", f"{tag}.b")
    lats = {one: 30.1, two: 30.2, few: 30.05, empty: 30.02}
    stores = [
        {"id": place, "name": place, "division": "330106", "point": {"lat": lat, "lon": 120.0, "datum": "WGS84"}}
        for place, lat in lats.items()
    ]
    await api.put("/v1/locations", {"locations": stores}, status=200)
    levels = [(one, skus[0], 5), (one, skus[1], 5), (two, skus[0], 5), (two, skus[1], 5), (few, skus[0], 5)]
    items = [{"location": place, "sku": sku, "quantity": units} for place, sku, units in levels]
    await api.put("/v1/stock", {"items": items}, status=200)
    order = fresh("why")
    lines = [{"line": n + 1, "sku": sku, "quantity": 2, "unit_price": 100} for n, sku in enumerate(skus)]
    await api.place(id=order, lines=lines, total=400)
    recorded = Recorded(mongo, datetime.now(UTC))
    await recorded.claim(order)
    return Case(order, one, two, few, empty, skus, recorded)


async def test_before_the_first_decision_it_says_so(api: Api, case: Case) -> None:
    assert (await api.get(f"/v1/orders/{case.order}/why", status=404)).code == "not_routed"
    assert (await api.get("/v1/orders/nobody/why", status=404)).code == "unknown_order"


async def test_the_decision_is_told_with_winner_runner_up_and_reasons(api: Api, case: Case) -> None:
    await case.recorded.step()
    why = (await api.get(f"/v1/orders/{case.order}/why", status=200)).body
    assert (why["decision"], why["decisions"], why["outcome"]) == (1, 1, "single")
    assert [part["location"] for part in why["winner"]["parts"]] == [case.one]
    assert why["runner_up"]["locations"] == [case.two]
    verdicts = {one["location"]: one["verdict"] for one in why["candidates"]}
    assert (verdicts[case.one], verdicts[case.two]) == ("chosen", "could_ship_all")
    assert why["exact"] is True
    counts = [reason["count"] for reason in why["ruled_out"]]
    assert counts == sorted(counts, reverse=True)
    nearest = {one["location"]: one["reason"] for reason in why["ruled_out"] for one in reason["nearest"]}
    assert nearest[case.few] == "partial_stock"
    assert "no_stock" in nearest.values()
    assert why["location"] is None


async def test_any_location_gets_its_verdict_on_the_stock_of_that_moment(api: Api, case: Case) -> None:
    await case.recorded.step()
    levels = [(case.empty, case.skus[0], 9), (case.empty, case.skus[1], 9), (case.two, case.skus[0], 0)]
    items = [{"location": place, "sku": sku, "quantity": units} for place, sku, units in levels]
    await api.put("/v1/stock", {"items": items}, status=200)

    async def verdict(place: str) -> tuple[str, str | None, list[int]]:
        why = (await api.get(f"/v1/orders/{case.order}/why?location={place}", status=200)).body
        found = why["location"]
        assert found["same"] is True
        assert found["wanted"] == dict.fromkeys(case.skus, 2)
        return found["verdict"], found["reason"], [found["available"][sku] for sku in case.skus]

    assert await verdict(case.one) == ("chosen", None, [5, 5])
    assert await verdict(case.two) == ("could_ship_all", None, [5, 5])
    assert await verdict(case.few) == ("could_ship_some", None, [5, 0])
    assert await verdict(case.empty) == ("ruled_out", "no_stock", [0, 0])


async def test_each_decision_of_a_refused_order_is_told(api: Api, case: Case) -> None:
    await case.recorded.step()
    await case.recorded.answer(f"{case.order}.p1", "rejected", case.one, reason="out_of_stock")
    second = (await api.get(f"/v1/orders/{case.order}/why", status=200)).body
    assert (second["decision"], second["decisions"], second["excluded"]) == (2, 2, [case.one])
    assert [part["location"] for part in second["winner"]["parts"]] == [case.two]
    again = (await api.get(f"/v1/orders/{case.order}/why?location={case.one}", status=200)).body["location"]
    assert (again["verdict"], again["reason"], again["same"]) == ("ruled_out", "excluded", True)
    first = (await api.get(f"/v1/orders/{case.order}/why?decision=1&location={case.one}", status=200)).body
    assert (first["location"]["verdict"], first["location"]["same"]) == ("chosen", True)


async def test_a_decision_that_found_nothing_is_reckoned_on_what_was_still_wanted(api: Api, case: Case) -> None:
    await case.recorded.step()
    for place in (case.one, case.two):
        parcel = (await case.recorded.order(case.order))["parcels"][-1]
        # The first line stays with the store that keeps it; only the second is looked for again.
        lines = [2] if place == case.one else None
        await case.recorded.answer(parcel["id"], "rejected", place, reason="out_of_stock", lines=lines)
    why = (await api.get(f"/v1/orders/{case.order}/why?location={case.few}", status=200)).body
    assert (why["outcome"], why["winner"], why["runner_up"]) == ("none", None, None)
    assert why["location"]["wanted"] == {case.skus[1]: 2}
    assert (why["location"]["verdict"], why["location"]["reason"]) == ("ruled_out", "no_stock")
    assert why["location"]["same"] is True


async def test_a_network_that_changed_since_is_said(api: Api, case: Case) -> None:
    await case.recorded.step()
    store = {"id": case.one, "name": "moved", "division": "330106", "active": False}
    await api.put("/v1/locations", {"locations": [store]}, status=200)
    found = (await api.get(f"/v1/orders/{case.order}/why?location={case.two}", status=200)).body["location"]
    assert (found["network_changed"], found["same"]) == (True, False)


@pytest.mark.parametrize(
    ("query", "status", "code", "field"),
    [
        ("decision=2", 404, "unknown_decision", "decision"),
        ("decision=0", 422, "too_small", "decision"),
        ("location=nowhere", 404, "unknown_location", "location"),
        ("place=near", 422, "unknown_parameter", "place"),
    ],
)
async def test_what_is_not_there_is_named(api: Api, case: Case, query: str, status: int, code: str, field: str) -> None:
    await case.recorded.step()
    answer = await api.get(f"/v1/orders/{case.order}/why?{query}", status=status)
    assert (answer.code, answer.body["field"]) == (code, field)


@pytest.mark.parametrize(("lang", "words"), [("en", "Why order"), ("zh", "为何这样派单")])
async def test_the_picture_is_a_page_that_may_load_nothing(api: Api, case: Case, lang: str, words: str) -> None:
    await case.recorded.step()
    page = await api.get(f"/v1/orders/{case.order}/why.html?lang={lang}", status=200)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    for shown in (words, case.order, case.one, case.two):
        assert shown in page.body


async def test_a_picture_of_what_is_not_there_is_a_problem(api: Api, case: Case) -> None:
    assert (await api.get("/v1/orders/nobody/why.html", status=404)).code == "unknown_order"
    assert (await api.get(f"/v1/orders/{case.order}/why.html", status=404)).code == "not_routed"
    assert (await api.get(f"/v1/orders/{case.order}/why.html?lang=fr", status=422)).code == "not_allowed"


async def test_the_stock_of_a_moment_is_the_same_added_up_from_either_end(api: Api, case: Case, mongo: Mongo) -> None:
    await case.recorded.step()
    await api.put("/v1/stock", {"items": [{"location": case.one, "sku": case.skus[0], "quantity": 1}]}, status=200)
    kept = Decision.model_validate((await case.recorded.order(case.order))["decisions"][0])
    for version in (0, kept.stock_version // 3, kept.stock_version - 1, kept.stock_version, kept.stock_version + 1):
        decision = kept.model_copy(update={"stock_version": version})
        forward = await available_by(mongo, seen_by(decision), case.skus)
        assert await stock_seen(mongo, decision, case.skus) == forward
    at_last = await stock_seen(mongo, kept.model_copy(update={"stock_version": 10**9}), case.skus)
    assert at_last[case.one, case.skus[0]] == 1 - 2


async def test_what_was_decided_is_told_also_when_its_policy_is_gone(api: Api, case: Case, mongo: Mongo) -> None:
    await case.recorded.step()
    gone = {"decisions.0.policy": "gone@3", "decisions.0.exchanged_with": ["other-order"]}
    await mongo.orders.update_one({"_id": case.order}, {"$set": gone})
    why = (await api.get(f"/v1/orders/{case.order}/why", status=200)).body
    assert (why["policy"], why["exchanged_with"]) == ("gone@3", ["other-order"])
    assert "other-order" in (await api.get(f"/v1/orders/{case.order}/why.html", status=200)).body
    again = await api.get(f"/v1/orders/{case.order}/why?location={case.one}", status=409)
    assert again.code == "unknown_policy"
