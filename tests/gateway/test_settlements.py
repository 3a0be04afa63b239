"""Settlements over HTTP, on the real Temporal server: from start to paid, and what is refused on the way."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import Client

from contracts.settlement import Entry
from infra.keys import Scope, create_key
from infra.mongo import Mongo
from infra.settings import Settings
from infra.temporal import connect
from tests.gateway.running import Api, fresh
from tests.pdf_text import pages
from tests.support import eventually
from workers.fulfilment import settlement_worker


@pytest.fixture
async def worker(gateway_settings: Settings, mongo: Mongo) -> AsyncIterator[Client]:
    client = await connect(gateway_settings)
    async with settlement_worker(client, mongo):
        yield client


@pytest.fixture
async def partner(api: Api, mongo: Mongo) -> str:
    """A location with two sales in October."""
    made = fresh("shop")
    where = {"lat": 30.0, "lon": 120.0, "datum": "WGS84"}
    await api.put(
        "/v1/locations", {"locations": [{"id": made, "name": "茶庄", "division": "330106", "point": where}]}, status=200
    )
    for amount in (1_000, 500):
        await sell(mongo, made, amount)
    return made


async def sell(mongo: Mongo, partner: str, amount: int) -> None:
    order = fresh("order")
    for number, (account, signed) in enumerate(((f"partner:{partner}", amount), ("customer", -amount))):
        entry = Entry(
            id=f"{order}:{number}",
            cause=f"{order}.p1:shipped",
            order=order,
            parcel=f"{order}.p1",
            account=account,
            meaning="goods",
            amount=signed,
            currency="CNY",
            at=datetime(2026, 10, 5, tzinfo=UTC),
        )
        await mongo.entries.insert_one(entry.as_row())


async def start(api: Api, partner: str, **more: Any) -> str:
    answer = await api.post("/v1/settlements", {"period": "2026-10", "partners": [partner], **more}, status=202)
    [statement] = answer.body["statements"]
    return str(statement)


async def stands(api: Api, statement: str, state: str, revision: int = 1) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        answer = await api.get(f"/v1/settlements/{statement}")
        there = answer.status == 200 and answer.body["state"] == state and len(answer.body["revisions"]) == revision
        return answer.body if there else None

    found: dict[str, Any] | None = await eventually(look, timeout=20)
    assert found is not None
    return found


async def test_a_statement_from_its_start_to_its_payment(api: Api, worker: Client, partner: str) -> None:
    statement = await start(api, partner)
    ready = await stands(api, statement, "ready")
    assert [b["closing"] for b in ready["balances"]] == [1_500]
    assert ready["links"]["workflow"].endswith(f"/workflows/{statement}")
    as_json = await api.get(f"/v1/settlements/{statement}/json", status=200)
    assert [line["amount"] for line in as_json.body["lines"]] in ([1_000, 500], [500, 1_000])
    assert as_json.headers["ETag"] == f'"{ready["revisions"][0]["json_sha256"]}"'
    number = next(line["number"] for line in as_json.body["lines"] if line["amount"] == 500)
    objection = {"lines": [{"line": number, "reason": "退货未到店"}]}
    disputed = await api.post(f"/v1/settlements/{statement}/disputes", objection, status=200)
    assert disputed.body["state"] == "disputed"
    refused = await api.post(f"/v1/settlements/{statement}/approval", {}, status=409)
    assert refused.code == "dispute_open"
    right = {"line": number, "accept": True, "reason": "checked", "correct_amount": 400}
    corrected = await api.post(f"/v1/settlements/{statement}/answers", right, status=200)
    assert corrected.body["balances"][0]["closing"] == 1_400
    approved = await api.post(f"/v1/settlements/{statement}/approval", {"note": "好"}, status=200)
    assert (approved.body["state"], approved.body["approved_by"]) == ("closed", "tests")
    paid = await api.post(f"/v1/settlements/{statement}/payment", {"reference": "bank-7"}, status=200)
    assert (paid.body["state"], paid.body["reference"]) == ("paid", "bank-7")
    again = await api.post(f"/v1/settlements/{statement}/payment", {"reference": "bank-8"}, status=409)
    assert again.code == "statement_paid"


async def test_the_pdf_is_the_one_whose_sum_is_named(api: Api, worker: Client, partner: str) -> None:
    import hashlib

    import aiohttp

    statement = await start(api, partner)
    ready = await stands(api, statement, "ready")
    headers = {"Authorization": f"Bearer {api.key}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"{api.url}/v1/settlements/{statement}/pdf?revision=1") as answer,
    ):
        pdf = await answer.read()
        assert answer.headers["Content-Type"] == "application/pdf"
    revision = ready["revisions"][0]
    assert (hashlib.sha256(pdf).hexdigest(), len(pdf)) == (revision["pdf_sha256"], revision["pdf_bytes"])
    text = pages(pdf)
    assert len(text) == revision["pages"] == 1
    assert f"茶庄({partner})" in text[0]
    assert "期末余额Closingbalance¥15.00" in text[0]


async def test_the_same_request_again_does_nothing_twice(api: Api, worker: Client, mongo: Mongo, partner: str) -> None:
    for _ in range(2):
        await start(api, partner)
    statement = await start(api, partner)
    await stands(api, statement, "ready")
    key = uuid.uuid4().hex
    for _ in range(2):
        answer = await api.post(f"/v1/settlements/{statement}/approval", {}, status=200, Idempotency_Key=key)
        assert answer.body["state"] == "closed"
    assert await mongo.statements.count_documents({"partner": partner}) == 1


async def test_statements_are_listed_page_by_page(api: Api, worker: Client, partner: str) -> None:
    statement = await start(api, partner)
    await stands(api, statement, "ready")
    until = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    await api.post(f"/v1/settlements/{statement}/approval", {}, status=200)
    second = await start(api, partner, period="2026-11", until=until)
    await stands(api, second, "ready")
    first_page = (await api.get(f"/v1/settlements?partner={partner}&limit=1", status=200)).body
    assert [one["id"] for one in first_page["statements"]] == [second]
    rest = await api.get(f"/v1/settlements?partner={partner}&limit=1&cursor={first_page['next']}", status=200)
    assert ([one["id"] for one in rest.body["statements"]], rest.body["next"]) == ([statement], None)
    ready = (await api.get(f"/v1/settlements?partner={partner}&state=carried", status=200)).body["statements"]
    assert [one["id"] for one in ready] == [statement]


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"period": "2026-13"}, "period", "bad_format"),
        ({"period": "2026-02-30"}, "period", "bad_period"),
        ({"period": "2999-01"}, "period", "not_ended"),
        ({"period": "2026-10", "until": "2999-01-01T00:00:00Z"}, "until", "not_ended"),
        ({"period": "2026-10", "partners": ["near", "nowhere"]}, "partners.1", "unknown_location"),
        ({"period": "2026-10", "partners": []}, "partners", "too_few"),
        ({"period": "2026-10", "approval": {"auto_approve_after_s": 0}}, "approval.auto_approve_after_s", "too_small"),
    ],
)
async def test_what_cannot_be_settled_is_refused(api: Api, body: dict[str, Any], field: str, code: str) -> None:
    answer = await api.post("/v1/settlements", body, status=422)
    assert (answer.code, answer.body["field"]) == (code, field)


async def test_what_does_not_exist_is_refused(api: Api) -> None:
    for path in ("", "/json", "/pdf"):
        assert (await api.get(f"/v1/settlements/none{path}", status=404)).code == "unknown_statement"
    assert (await api.post("/v1/settlements/none/approval", {}, status=404)).code == "unknown_statement"


async def test_a_statement_that_nothing_takes_care_of_says_how_to_go_on(api: Api, worker: Client, partner: str) -> None:
    statement = await start(api, partner)
    await stands(api, statement, "ready")
    await worker.get_workflow_handle(statement).terminate("tried out")
    stuck = await api.post(f"/v1/settlements/{statement}/approval", {}, status=409)
    assert stuck.code == "settlement_not_running"
    await start(api, partner)

    async def approved() -> bool:
        return (await api.post(f"/v1/settlements/{statement}/approval", {})).status == 200

    await eventually(approved, timeout=20)
    assert (await stands(api, statement, "closed"))["revisions"][0]["number"] == 1


async def test_a_partners_key_may_approve_but_not_answer(api: Api, mongo: Mongo) -> None:
    key = await create_key(mongo, "partner", [Scope.SETTLEMENTS_READ, Scope.SETTLEMENTS_WRITE])
    partner = api.with_key(key)
    assert (await partner.get("/v1/settlements", status=200)).body["next"] is None
    answer = {"line": 1, "accept": False, "reason": "no"}
    assert (await partner.post("/v1/settlements/none/answers", answer, status=403)).code == "scope_missing"
    assert (await partner.post("/v1/settlements", {"period": "2026-10"}, status=403)).code == "scope_missing"
