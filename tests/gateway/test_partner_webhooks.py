"""A partner makes, sees, changes and deletes its own webhooks, and nobody else's."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from nats.js import JetStreamContext

from contracts.subjects import EVENTS
from infra.hearing import acknowledged
from infra.keys import Scope, create_key, revoke_keys
from infra.mongo import Mongo
from infra.sealing import Sealing
from infra.settings import Settings
from infra.webhooks import revoke_webhooks
from tests.gateway.running import Api, fresh, running
from tests.told import Told, fresh_stream
from workers.gateway.limits import Limits

URL = "https://shop.example/tongqu"


@pytest.fixture
def js(api: Api) -> JetStreamContext:
    return api.gateway.js


@pytest.fixture
def told(js: JetStreamContext) -> Told:
    return Told(js)


async def partner(api: Api, mongo: Mongo) -> tuple[str, Api]:
    stream = fresh_stream()
    return stream, api.with_key(await create_key(mongo, stream, [Scope.PARTNER], partner=stream))


async def made(me: Api, **body: Any) -> dict[str, Any]:
    answer = await me.post("/v1/partner/webhooks", {"url": URL, **body}, status=201)
    hook: dict[str, Any] = answer.body
    return hook


async def test_a_webhook_begins_with_what_is_told_next_and_shows_its_secret_once(
    api: Api, mongo: Mongo, told: Told, js: JetStreamContext
) -> None:
    mine, me = await partner(api, mongo)
    for _ in range(3):
        await told.tell(mine)
    hook = await made(me)
    assert (hook["stream"], hook["url"], hook["state"], hook["position"]) == (mine, URL, "active", 3)
    secret = hook.pop("secret")
    assert secret.startswith("whsec_")
    assert (await me.get(f"/v1/partner/webhooks/{hook['id']}", status=200)).body == hook
    listed = (await me.get("/v1/partner/webhooks", status=200)).body
    assert listed == {"webhooks": [hook]}
    assert await acknowledged(mongo, js, mine) == 0, "nothing was sent yet"
    assert (await made(me, after=1))["position"] == 1
    refused = await me.post("/v1/partner/webhooks", {"url": URL, "after": 4}, status=422)
    assert refused.code == "not_told_yet"


async def test_the_same_request_makes_one_webhook(api: Api, mongo: Mongo) -> None:
    _, me = await partner(api, mongo)
    key = fresh("key")
    answers = [
        await me.call("POST", "/v1/partner/webhooks", {"url": URL}, status=201, Idempotency_Key=key) for _ in range(2)
    ]
    assert answers[0].body == answers[1].body
    assert len((await me.get("/v1/partner/webhooks")).body["webhooks"]) == 1


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://shop.example/", "not_https"),
        ("https://127.0.0.1/", "not_public"),
        ("https://169.254.169.254/latest/meta-data", "not_public"),
        ("https://[::1]/", "not_public"),
        ("https://localhost/", "not_public"),
        ("https://user:word@shop.example/", "bad_format"),
        ("", "too_short"),
        ("https://" + "x" * 2000, "too_long"),
    ],
)
async def test_addresses_that_lead_inside_are_refused(api: Api, mongo: Mongo, url: str, code: str) -> None:
    _, me = await partner(api, mongo)
    refused = await me.post("/v1/partner/webhooks", {"url": url}, status=422)
    assert (refused.code, refused.body["field"]) == (code, "url")


async def test_for_development_they_are_taken(gateway_settings: Settings, key: str, mongo: Mongo) -> None:
    async with running(gateway_settings, key, Limits(webhook_private=True)) as api:
        _, me = await partner(api, mongo)
        await made(me, url="http://127.0.0.1:8080/hook")


async def test_a_stream_has_a_few_webhooks(api: Api, mongo: Mongo) -> None:
    _, me = await partner(api, mongo)
    hooks = [await made(me) for _ in range(5)]
    full = await me.post("/v1/partner/webhooks", {"url": URL}, status=409)
    assert full.code == "too_many_webhooks"
    await me.call("DELETE", f"/v1/partner/webhooks/{hooks[0]['id']}", status=204)
    await made(me)


async def test_those_that_come_at_once_are_counted_too(api: Api, mongo: Mongo) -> None:
    mine, me = await partner(api, mongo)
    answers = await asyncio.gather(*(me.post("/v1/partner/webhooks", {"url": URL}) for _ in range(12)))
    assert sorted(answer.status for answer in answers) == [201] * 5 + [409] * 7
    assert await mongo.webhooks.count_documents({"stream": mine}) == 5


@pytest.mark.parametrize("action", ["make", "resume", "replay", "secret"])
async def test_a_key_that_was_taken_back_leaves_no_webhook_behind(
    gateway_settings: Settings, key: str, mongo: Mongo, told: Told, action: str
) -> None:
    """It is let in for half a second more; here for a minute."""
    async with running(gateway_settings, key, Limits(key_kept_s=60)) as api:
        mine, me = await partner(api, mongo)
        await told.tell(mine)
        path = f"/v1/partner/webhooks/{(await made(me))['id']}"
        assert await revoke_keys(mongo, partner=mine) == 1
        path, body = {
            "make": ("/v1/partner/webhooks", {"url": "https://thief.example/"}),
            "resume": (f"{path}/resume", {}),
            "replay": (f"{path}/replay", {"from": 1}),
            "secret": (f"{path}/secret", {"overlap_s": 0}),
        }[action]
        refused = await me.post(path, body, status=401)
        assert refused.code == "unknown_key" and "whsec_" not in str(refused.body)
        left = [row async for row in mongo.webhooks.find({"stream": mine})]
        assert {row["paused_for"] for row in left} == {"revoked"}


async def test_nobody_touches_anothers(api: Api, mongo: Mongo) -> None:
    mine, me = await partner(api, mongo)
    _, they = await partner(api, mongo)
    path = f"/v1/partner/webhooks/{(await made(me))['id']}"
    calls: list[tuple[str, str, Any]] = [
        ("GET", "", None),
        ("DELETE", "", None),
        ("POST", "/secret", {}),
        ("POST", "/replay", {"from": 1}),
        ("POST", "/resume", {}),
    ]
    for method, action, body in calls:
        answer = await they.call(method, path + action, body, status=404)
        assert answer.code == "unknown_webhook"
        await they.call(method, f"/v1/partner/webhooks/wh-nobody{action}", body, status=404)
    assert (await they.get("/v1/partner/webhooks", status=200)).body == {"webhooks": []}
    assert (await they.get(f"/v1/partner/webhooks?stream={mine}", status=403)).code == "not_your_stream"
    assert (await they.post(f"/v1/partner/webhooks?stream={mine}", {"url": URL}, status=403)).code == "not_your_stream"
    for strange in ("..", "*", "wh-", "wh-%2e%2e", "a" * 100):
        assert (await me.get(f"/v1/partner/webhooks/{strange}")).status in (404, 422)
    assert (await me.get(path, status=200)).body["state"] == "active"


async def test_a_new_secret_leaves_the_old_one_for_a_while(api: Api, mongo: Mongo) -> None:
    _, me = await partner(api, mongo)
    hook = await made(me)
    path = f"/v1/partner/webhooks/{hook['id']}"
    second = (await me.post(f"{path}/secret", {"overlap_s": 3600}, status=200)).body
    assert second["secret"] != hook["secret"]
    (until,) = second["secrets_until"]
    sealed = await mongo.webhooks.find_one({"_id": hook["id"]})
    assert sealed is not None
    row = Sealing(api.gateway.keyring).opened(sealed, "webhooks")
    assert [one["secret"] for one in row["secrets"]] == [hook["secret"], second["secret"]]
    assert abs(row["secrets"][0]["until"] - api.gateway.mongo.clock.now() - timedelta(hours=1)) < timedelta(minutes=5)
    assert until
    third = (await me.post(f"{path}/secret", {"overlap_s": 0}, status=200)).body
    assert third["secrets_until"] == []
    assert (await me.get(path)).body.get("secret") is None


async def test_what_was_revoked_only_an_operator_resumes(api: Api, mongo: Mongo, told: Told) -> None:
    mine, me = await partner(api, mongo)
    await told.tell(mine)
    path = f"/v1/partner/webhooks/{(await made(me))['id']}"
    assert await revoke_webhooks(mongo, [mine, fresh_stream()]) == 1
    assert await revoke_webhooks(mongo, [mine]) == 0
    assert (await me.get(path)).body["paused_for"] == "revoked"
    for action, body in (("resume", {}), ("replay", {"from": 1})):
        assert (await me.post(f"{path}/{action}", body, status=409)).code == "access_revoked"
    assert (await api.post(f"{path}/resume", {}, status=200)).body["state"] == "active"


async def test_replay_and_resume(api: Api, mongo: Mongo, told: Told, js: JetStreamContext) -> None:
    mine, me = await partner(api, mongo)
    for _ in range(5):
        await told.tell(mine)
    hook = await made(me)
    path = f"/v1/partner/webhooks/{hook['id']}"
    paused = {"state": "paused", "paused_for": "failing", "attempts": 9}
    await mongo.webhooks.update_one({"_id": hook["id"]}, {"$set": paused})
    assert (await me.get("/v1/partner/webhooks?state=paused")).body["webhooks"][0]["id"] == hook["id"]
    every = (await api.get("/v1/partner/webhooks?state=paused", status=200)).body["webhooks"]
    assert hook["id"] in {one["id"] for one in every}, "operators see those of all partners"
    resumed = (await me.post(f"{path}/resume", {}, status=200)).body
    assert (resumed["state"], resumed["paused_for"], resumed["attempts"], resumed["position"]) == ("active", None, 0, 5)
    await mongo.webhooks.update_one({"_id": hook["id"]}, {"$set": paused})
    again = (await me.post(f"{path}/replay", {"from": 3}, status=200)).body
    assert (again["state"], again["position"]) == ("active", 2)
    assert (await me.post(f"{path}/replay", {"from": 7}, status=422)).code == "not_told_yet"
    assert (await me.post(f"{path}/replay", {"from": 0})).status == 422
    await js.purge_stream(EVENTS, subject=f"evt.v1.{mine}.>", keep=2)
    gone = await me.post(f"{path}/replay", {"from": 3}, status=410)
    assert (gone.code, gone.body["oldest"], gone.body["field"]) == ("events_gone", 4, "from")
    assert (await me.get(path)).body["position"] == 2
