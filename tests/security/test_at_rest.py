"""What lies in the database: no key, token or secret, and no personal data, but sealed. And whose a kept answer is."""

from typing import Any

from infra.keys import Scope, create_key
from infra.mongo import Mongo
from tests.gateway.running import Api, fresh, order
from tests.security.conftest import TOKENS
from tests.security.leaks import database, texts, where
from tests.security.table import IDS
from workers.gateway import examples

_HOOK = {"url": "https://shop.example/tongqu"}
_PERSONAL = ("company", "contact", "bank_account", "signatories")
_NOT_PERSONAL = frozenset({"name", "credit_code", "address", "holder", "bank", "established_on"})


async def test_secrets_of_webhooks_are_sealed_also_in_kept_answers(
    callers: dict[str, Api], mongo: Mongo, api: Api
) -> None:
    partner, key = callers["partner_a"], fresh("hook")
    made = await partner.post("/v1/partner/webhooks", _HOOK, status=201, Idempotency_Key=key)
    secret, hook = made.body["secret"], made.body["id"]
    again = await partner.post("/v1/partner/webhooks", _HOOK, status=201, Idempotency_Key=key)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.body == made.body
    rotated = await partner.post(
        f"/v1/partner/webhooks/{hook}/secret", {"overlap_s": 60}, status=200, Idempotency_Key=fresh("rotated")
    )
    assert rotated.body["secret"] != secret
    bare = [text.removeprefix("whsec_") for text in (secret, rotated.body["secret"])]
    assert where(await database(mongo), bare) == {}
    seen = await partner.get(f"/v1/partner/webhooks/{hook}", status=200)
    assert where({"answer": str(seen.body).encode()}, bare) == {}
    await partner.call("DELETE", f"/v1/partner/webhooks/{hook}", status=204)


async def test_a_kept_answer_is_given_to_nobody_else(callers: dict[str, Api], mongo: Mongo, api: Api) -> None:
    """Also not to one whose key has the same name, and not for another stream."""
    key = fresh("shared")
    first = await callers["partner_a"].post("/v1/partner/webhooks", _HOOK, status=201, Idempotency_Key=key)
    namesake = api.with_key(await create_key(mongo, "part-a", [Scope.PARTNER], partner="part-b"))
    for other in (callers["partner_b"], namesake):
        second = await other.post("/v1/partner/webhooks", _HOOK, Idempotency_Key=key)
        assert second.body.get("id") != first.body["id"]
        assert second.body.get("secret") != first.body["secret"]
    elsewhere = await callers["partner_a"].post(
        "/v1/partner/webhooks?stream=part-a-shop", _HOOK, status=422, Idempotency_Key=key
    )
    assert elsewhere.code == "idempotency_key_reused"
    async for row in mongo.webhooks.find({"url": _HOOK["url"], "_id": {"$nin": ["wh-a", "wh-b"]}}):
        await mongo.webhooks.delete_one({"_id": row["_id"]})


async def test_personal_data_of_an_application_lies_sealed(callers: dict[str, Api], mongo: Mongo, api: Api) -> None:
    sent = _application()
    path = f"/v1/applications/{IDS['mine']}"
    answer = await callers["applicant"].put(f"{path}/fields", sent, Idempotency_Key=fresh("fields"))
    assert answer.status == 200, answer
    secrets = [
        text
        for form in _PERSONAL
        for field, value in _leaves(sent.get(form))
        if field not in _NOT_PERSONAL or (form in ("contact", "signatories") and field == "name")
        for text in texts(value)
    ]
    assert len(secrets) >= 5
    kept = await database(mongo)
    assert where(kept, secrets) == {}
    assert where(kept, [sent["company"]["name"]]), "the company is no person, and found in the clear"
    seen = await callers["reviewer"].get(f"/v1/reviews/{IDS['mine']}", status=200)
    assert where({"answer": str(seen.body).encode()}, secrets), "reviewers see it"


async def test_no_key_and_no_token_lies_in_the_database(callers: dict[str, Api], mongo: Mongo, api: Api) -> None:
    await api.post("/v1/orders", order(id=fresh("sec")), status=202, Idempotency_Key=fresh("order"))
    keys = [caller.key for caller in callers.values() if caller.key]
    bare = [key.partition("_")[2] for key in [*keys, *TOKENS.values()]]
    assert where(await database(mongo), bare) == {}


def _application() -> dict[str, Any]:
    company = examples.APPLICATION_FIELDS["company"]
    contact = {"name": "欧阳明华", "phone": "13812345678", "email": "ouyang@shop.example"}
    return {
        "company": {**company, "legal_representative": "司马光耀"},
        "contact": contact,
        "bank_account": {"holder": company["name"], "bank": "工商银行", "number": "6222021234567890123"},
        "signatories": [{"name": "诸葛青云", "email": "zhuge@shop.example", "phone": "13987654321"}],
    }


def _leaves(form: Any) -> list[tuple[str, Any]]:
    entries = form if isinstance(form, list) else [form or {}]
    return [pair for entry in entries for pair in entry.items()]
