"""Access that is taken back is taken back in every way, whatever its holder does at that moment."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.onboarding import partner_of
from contracts.partnership import PartnerRecord
from infra.access import PartnerAccess
from infra.credentials import CredentialDesk
from infra.mongo import Mongo
from infra.settings import Settings
from infra.streams import provision_partner
from tests.delivery.partners import connected, turned_away
from tests.gateway.applying import begun
from tests.gateway.running import Api
from tests.support import eventually
from workers.gateway.applicants import new_application_id, new_token

_HOOK = {"url": "https://shop.example/tongqu"}
_AT_ONCE_S = 5.0
"""How soon it is on a machine that does nothing else is measured by bench/streams.py: below a second."""


@dataclass
class Newcomer:
    """A partner that is being tested and may collect its access, with the token of its application."""

    partner: str
    path: str
    applicant: Api

    async def collect(self, **more: Any) -> dict[str, Any]:
        answer = await self.applicant.post(f"{self.path}/credentials", {}, status=200, **more)
        body: dict[str, Any] = answer.body
        return body

    async def cannot_collect(self) -> None:
        refused = await self.applicant.post(f"{self.path}/credentials", {}, status=409)
        assert refused.code == "collected_already"
        assert not {"key", "credentials"} & set(refused.body)


@pytest.fixture
async def newcomer(api: Api, mongo: Mongo) -> Newcomer:
    application, token = new_application_id(), new_token()
    await begun(api.gateway, application, token)
    record = PartnerRecord(
        id=partner_of(application),
        kind="franchise",
        state="testing",
        name="杭州茶庄有限公司",
        credit_code="91330100799655058B",
        access="to_collect",
        application=application,
        agreement=f"{application}-a1",
        agreement_until=datetime(2030, 1, 1, tzinfo=UTC),
    )
    await mongo.partners.insert_one(record.as_row())
    await provision_partner(api.gateway.js, record.id)
    return Newcomer(record.id, f"/v1/applications/{application}", api.with_key(token))


async def _nothing_counts(mongo: Mongo, partner: str) -> None:
    assert await mongo.api_keys.count_documents({"partner": partner}) == 0
    assert await mongo.credentials.count_documents({"partner": partner, "revoked_at": None}) == 0
    active = {"stream": partner, "$or": [{"state": "active"}, {"paused_for": {"$ne": "revoked"}}]}
    assert await mongo.webhooks.count_documents(active) == 0


async def test_keys_streams_webhooks_and_the_bus_end_together(
    newcomer: Newcomer, callers: dict[str, Api], api: Api, mongo: Mongo, security_settings: Settings
) -> None:
    partner = newcomer.partner
    access = await newcomer.collect()
    me = api.with_key(access["key"])
    hook = (await me.post("/v1/partner/webhooks", _HOOK, status=201)).body["id"]
    creds, inbox = access["credentials"]["creds"], access["credentials"]["inbox"]
    nats_url = security_settings.require("nats_url")
    async with connected(nats_url, creds, partner, inbox=inbox) as client:
        decided = time.monotonic()
        told = (await callers["operator"].post(f"/v1/partners/{partner}/credentials/revoke", {}, status=200)).body
        assert (told["keys"], told["webhooks"]) == (1, 1)
        assert await client.gone() - decided < _AT_ONCE_S

        async def out() -> bool:
            return (await me.get("/v1/partner/events")).status == 401

        await eventually(out, _AT_ONCE_S)
    assert "authorization violation" in (await turned_away(nats_url, creds)).lower()
    await _nothing_counts(mongo, partner)
    await newcomer.cannot_collect()
    row = await mongo.audit.find_one({"subject": partner, "did": "revoked access"})
    assert row is not None and (row["by"], row["note"]) == ("operator", "1 keys, 1 webhooks")

    # What is given again is new, and what was stopped rests until an operator lets it go on.
    again = (await callers["operator"].post(f"/v1/partners/{partner}/keys", {}, status=200)).body["key"]
    assert again != access["key"]
    refused = await api.with_key(again).post(f"/v1/partner/webhooks/{hook}/resume", {}, status=409)
    assert refused.code == "access_revoked"
    await me.get("/v1/partner/events", status=401)
    await newcomer.cannot_collect()


async def test_what_was_not_collected_yet_cannot_be_any_more(
    newcomer: Newcomer, callers: dict[str, Api], mongo: Mongo
) -> None:
    for _ in range(2):
        await callers["operator"].post(f"/v1/partners/{newcomer.partner}/credentials/revoke", {}, status=200)
        await newcomer.cannot_collect()
    await _nothing_counts(mongo, newcomer.partner)


@pytest.mark.parametrize("when", ["before the credentials", "after them"])
async def test_who_collects_at_that_moment_gets_nothing(
    newcomer: Newcomer,
    callers: dict[str, Api],
    mongo: Mongo,
    security_settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    when: str,
) -> None:
    """The operator's call comes while the applicant's is under way."""
    issue, other = CredentialDesk.issue, PartnerAccess(mongo, security_settings)

    async def cut_in(self: CredentialDesk, partner: str, streams: Any) -> Any:
        if when == "before the credentials":
            await other.end(partner)
        made = await issue(self, partner, streams)
        if when == "after them":
            await other.end(partner)
        return made

    with monkeypatch.context() as patch:
        patch.setattr(CredentialDesk, "issue", cut_in)
        await newcomer.cannot_collect()
    await _nothing_counts(mongo, newcomer.partner)
    await newcomer.cannot_collect()
    await other.close()


async def test_the_answer_that_shows_them_is_kept_nowhere(newcomer: Newcomer, mongo: Mongo) -> None:
    """Not under an idempotency key either: a second call is refused, and does not show them again."""
    access = await newcomer.collect(Idempotency_Key="collected-once")
    await newcomer.cannot_collect()
    seed = next(line for line in access["credentials"]["creds"].splitlines() if line.startswith("SU"))
    for secret in (access["key"], seed):
        for name in await mongo.db.list_collection_names():
            async for row in mongo.db[name].find():
                assert secret not in str(row), name


async def test_a_token_of_an_application_ends_at_once(
    newcomer: Newcomer, callers: dict[str, Api], mongo: Mongo
) -> None:
    await newcomer.applicant.get(newcomer.path, status=200)
    ended = (await callers["operator"].post(f"{newcomer.path}/token/revoke", {}, status=200)).body
    assert set(ended) == {"id", "revoked_at"}, "whoever runs partners does not become the applicant by it"
    for path in (newcomer.path, f"{newcomer.path}/agreement"):
        assert (await newcomer.applicant.get(path, status=404)).code == "unknown_application"
    assert (await newcomer.applicant.post(f"{newcomer.path}/credentials", {}, status=404)).code == "unknown_application"
    row = await mongo.audit.find_one({"subject": ended["id"], "did": "revoked the token"})
    assert row is not None and row["by"] == "operator"
