"""What service and supply were never asked for: numbers that break a run, ways in a circle, codes of nowhere, a message
without an end, a customer with a thousand cases. Nothing fails, and what is refused says which field."""

import uuid
from typing import Any

import pytest

from activities.service.opening import open_case, record_of
from contracts.cases import CaseRecord, Opening, new_case_id
from infra.mongo import Mongo
from tests.gateway.running import Api, fresh
from tests.infra.test_indexes import planned
from tests.security.table import IDS

_TOO_LARGE = 2**63


def _policy(**more: Any) -> dict[str, Any]:
    return {"id": fresh("policy"), "categories": [fresh("c")], **more}


def _region(**more: Any) -> dict[str, Any]:
    return {"id": fresh("r")[:30], "divisions": ["5425"], **more}


def _lane(source: str, destination: str, **more: Any) -> dict[str, Any]:
    return {"source": source, "destination": destination, **more}


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/supply/policies", _policy(approve_below=_TOO_LARGE), "approve_below"),
        ("/v1/supply/policies", _policy(limits=[{"up_to": _TOO_LARGE}]), "limits.0.up_to"),
        ("/v1/purchase-terms", {"levels": [{"up_to": _TOO_LARGE, "role": "a"}, {"role": "b"}]}, "levels.0.up_to"),
        ("/v1/supply/regions", _region(transfers={"km_per_day": 1e-308}), "transfers.km_per_day"),
        ("/v1/supply/regions", _region(transfers={"km_per_hour": 1e-308}), "transfers.km_per_hour"),
        ("/v1/supply/regions", _region(transfers={"round_hours": 1e-308}), "transfers.round_hours"),
        ("/v1/supply/regions", _region(lanes=[_lane("near", "near")]), "lanes"),
        ("/v1/supply/regions", _region(lanes=[_lane("near", "far"), _lane("near", "far", fixed=0)]), "lanes"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_what_no_run_could_reckon_with_is_refused(api: Api, path: str, body: dict[str, Any], field: str) -> None:
    method = "POST" if path.endswith("policies") else "PUT"
    answer = await api.call(method, path, body)
    assert answer.status == 422, answer
    assert answer.code
    assert list(answer.faults) == [field]


_NOWHERE = ["99", "3301069", "33 ", "３３", "BR", "\u0000", "x" * 10_000, "-1", "33\n", "*", "."]


@pytest.mark.parametrize("code", [*_NOWHERE, ""], ids=ascii)
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/v1/supply/regions", {"id": "nowhere", "divisions": None}),
        ("POST", "/v1/supply/policies", {"id": "nowhere", "categories": ["nowhere"], "regions": None}),
        ("POST", "/v1/cases", {"kind": "complaint", "region": None, "text": "?"}),
    ],
    ids=["region", "policy", "case"],
)
async def test_codes_of_nowhere(api: Api, method: str, path: str, body: dict[str, Any], code: str) -> None:
    filled = {name: (code if name == "region" else [code]) if value is None else value for name, value in body.items()}
    answer = await api.call(method, path, filled)
    if answer.status >= 300:
        assert answer.status == 422, answer
        assert answer.body["field"].partition(".")[0] in ("region", "regions", "divisions"), answer
        assert answer.body["remedy"]
    else:
        # The beginnings of all codes there are, and of all in Brazil.
        assert path != "/v1/cases" and code in ("", "BR"), answer


@pytest.mark.parametrize("region", ["../east", "@", "East", "a" * 33, "east\n", "", "$where", "e.ast"], ids=ascii)
async def test_ids_of_regions_that_are_none(api: Api, region: str) -> None:
    assert (await api.put("/v1/supply/regions", {"id": region, "divisions": ["5425"]})).faults == {"id": "bad_format"}
    assert (await api.post("/v1/supply/runs", {"region": region})).status == 422


_MEGABYTE = 1_000_000
_ENDLESS = {
    "words": "退" * (_MEGABYTE // 3),
    "spaces": " " * _MEGABYTE,
    "marks": "e" + "\u0301" * (_MEGABYTE // 2),
    "lines": "\n" * _MEGABYTE,
    "one more": "a" * 4_001,
}


@pytest.mark.parametrize("kind", _ENDLESS)
@pytest.mark.parametrize("path", ["/v1/cases", "/v1/cases/case-000000000000000000/messages"])
async def test_a_message_without_an_end_is_refused(api: Api, mongo: Mongo, path: str, kind: str) -> None:
    before = await mongo.case_inbox.count_documents({})
    body = {"text": _ENDLESS[kind], **({"kind": "complaint", "customer": "c"} if path == "/v1/cases" else {})}
    answer = await api.post(path, body, status=422)
    assert answer.faults == {"text": "too_short" if kind in ("spaces", "lines") else "too_long"}
    assert len(str(answer.body)) < 2_000, "nothing of it is repeated"
    assert await mongo.case_inbox.count_documents({}) == before


_MANY = 1_000


@pytest.fixture
async def customer(api: Api, mongo: Mongo) -> str:
    """Somebody with a thousand live cases, each about another order, among those of others."""
    reference, at = fresh("many"), mongo.clock.now()
    order = {"_id": IDS["order"], "division": "330106", "customer": reference, "parcels": []}

    def made(whose: str, number: int) -> CaseRecord:
        asked = Opening(kind="complaint", customer=whose, person=True)
        record = record_of(f"case-{uuid.uuid4().hex[:18]}", asked, "app", at, {**order, "customer": whose})
        return record.model_copy(update={"same": f"order:{whose}-{number}"})

    rows = [made(reference, number).as_row() for number in range(_MANY)]
    rows += [made(fresh("other"), number).as_row() for number in range(_MANY)]
    await mongo.cases.insert_many(rows)
    return reference


async def test_a_customer_with_a_thousand_cases(api: Api, mongo: Mongo, customer: str) -> None:
    found: list[str] = []
    cursor = ""
    while True:
        page = (await api.get(f"/v1/cases?customer={customer}&limit=200{cursor}", status=200)).body
        found += [one["id"] for one in page["cases"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert len(found) == len(set(found)) == _MANY
    queries: list[dict[str, Any]] = [
        {"$and": [{"customer.reference": customer}]},
        {"customer.reference": customer, "kind": {"$in": ["complaint"]}, "_id": {"$ne": "x"}},
    ]
    for query in queries:
        stages = await planned(mongo, "cases", query, sort={"opened_at": -1})
        assert "IXSCAN" in stages and "SORT" not in stages, stages
    asked = Opening(kind="complaint", customer=customer, region="330106")
    opened = await open_case(api.gateway.cases, new_case_id(), asked, "app", mongo.clock.now())
    one_more = await api.get(f"/v1/cases/{opened.case}", status=200)
    assert one_more.body["kind"] == "repeat_complaint"
