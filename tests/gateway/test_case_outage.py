"""A command of a case that nobody carries in time: written down, answered with 503, and carried out once."""

import pytest

from activities.service.carrying import CaseActivities
from infra.keys import Scope, create_key
from infra.mongo import Mongo
from infra.order_api import HttpOrderDesk
from infra.settings import Settings
from infra.temporal import connect, register_search_attributes
from tests.gateway.running import Api, fresh
from workers.gateway import temporal
from workers.service import service_worker


async def test_what_was_not_carried_in_time_is_carried_once_when_it_is_sent_again(
    gateway_settings: Settings, mongo: Mongo, api: Api, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await connect(gateway_settings)
    await register_search_attributes(client, gateway_settings.temporal_namespace)
    caller = api.with_key(await create_key(mongo, fresh("lin"), [Scope.SERVICE, Scope.CASES_READ, Scope.CASES_WRITE]))
    body = {"kind": "complaint", "customer": fresh("c"), "region": "330106", "text": "坏了", "person": True}
    note, keyed = {"text": "顾客很急"}, {"Idempotency_Key": fresh("key")}
    with monkeypatch.context() as impatient:
        impatient.setattr(temporal, "_SOON_S", 0.5)
        case = (await caller.post("/v1/cases", body, status=201)).body["id"]
        for _ in range(2):
            late = await caller.post(f"/v1/cases/{case}/notes", note, status=503, **keyed)
            assert late.code == "workflows_unavailable" and "Retry-After" in late.headers
        assert await mongo.case_inbox.count_documents({"case": case, "what": "note"}) == 1
    monkeypatch.setattr(temporal, "_SOON_S", 60.0)
    async with (
        HttpOrderDesk(api.url, key) as desk,
        service_worker(client, [CaseActivities(api.gateway.cases, desk).carry]),
    ):
        for _ in range(2):
            done = await caller.post(f"/v1/cases/{case}/notes", note, status=200, **keyed)
            assert done.body["messages"] == 2
    told = await caller.get(f"/v1/cases/{case}/messages", status=200)
    assert [one["text"] for one in told.body["messages"]] == ["坏了", "顾客很急"]
    assert await mongo.case_inbox.count_documents({"case": case, "what": "note"}) == 1
