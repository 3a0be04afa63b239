"""Commission rules over HTTP: versions grow with changes only, and what makes no sense is refused by field."""

from typing import Any

import pytest

from tests.gateway.running import Api, fresh, order


def rule(**changes: Any) -> dict[str, Any]:
    return {"id": fresh("rule"), "terms": "marketplace", "percent_bp": 500, **changes}


async def put(api: Api, *rules: dict[str, Any]) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = (await api.put("/v1/commission-rules", {"rules": list(rules)}, status=200)).body[
        "results"
    ]
    return results


async def test_a_rule_is_created_left_and_changed_as_a_new_version(api: Api) -> None:
    made = rule(location="near", valid_from="2026-10-01T00:00:00+08:00")
    for sent, status, version, outcome in (
        (made, 201, 1, "created"),
        (made, 200, 1, "unchanged"),
        ({**made, "percent_bp": 600}, 200, 2, "updated"),
    ):
        [result] = await put(api, sent)
        assert (result["status"], result["version"], result["outcome"]) == (status, version, outcome)
    versions = (await api.get(f"/v1/commission-rules/{made['id']}", status=200)).body["versions"]
    assert [(one["version"], one["percent_bp"]) for one in versions] == [(2, 600), (1, 500)]
    listed = (await api.get("/v1/commission-rules?location=near&terms=marketplace", status=200)).body["rules"]
    assert [one["version"] for one in listed if one["id"] == made["id"]] == [2]


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"percent_bp": 10_001}, "percent_bp", "too_large"),
        ({"percent_bp": 0.5}, "percent_bp", "wrong_type"),
        ({"per_parcel": -1}, "per_parcel", "too_small"),
        ({"terms": "gift"}, "terms", "not_allowed"),
        ({"location": "nowhere"}, "location", "unknown_location"),
        ({"region": "99"}, "region", "division_unknown"),
        ({"terms": "handling", "category": "tea"}, "category", "not_allowed"),
        ({"terms": "freight", "per_parcel": 1}, "per_parcel", "not_allowed"),
        ({"valid_from": "2026-10-01T00:00:00Z", "valid_to": "2026-10-01T00:00:00Z"}, "valid_to", "not_after"),
        ({"region": "hangzhou"}, "region", "bad_format"),
        ({"rate": 5}, "rate", "unknown_field"),
    ],
)
async def test_a_bad_rule_is_refused_and_a_good_one_beside_it_written(
    api: Api, changes: dict[str, Any], field: str, code: str
) -> None:
    good = rule()
    [bad, written] = await put(api, rule(**changes), good)
    assert (bad["problem"]["field"], bad["problem"]["code"]) == (field, code)
    assert bad["problem"]["remedy"]
    assert written["outcome"] == "created"


async def test_a_rule_that_comes_twice_is_refused(api: Api) -> None:
    made = rule()
    [first, second] = await put(api, made, made)
    assert (first["outcome"], second["problem"]["code"]) == ("created", "listed_twice")


async def test_a_rule_that_is_not_there_is_refused(api: Api) -> None:
    assert (await api.get("/v1/commission-rules/none", status=404)).code == "unknown_rule"


async def test_an_order_sold_by_nobody_known_is_refused(api: Api) -> None:
    answer = await api.post("/v1/orders", order(sold_by="nowhere"), status=422)
    assert (answer.code, answer.body["field"]) == ("unknown_location", "sold_by")
    results = (await api.post("/v1/orders/batch", {"orders": [order(sold_by="nowhere"), order(sold_by="near")]})).body
    assert [result["status"] for result in results["results"]] == [422, 202]
