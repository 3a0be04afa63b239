"""Operators read what workflows say through the codec; nobody else does, from whatever page."""

import time
from base64 import b64decode, b64encode
from typing import Any

import aiohttp
import pytest
from temporalio.api.common.v1 import Payload

from infra.codec import SealingCodec
from infra.keyring import Keyring, new_key
from infra.keys import Scope, create_key, hash_key
from infra.mongo import Mongo
from infra.settings import Settings
from tests.gateway.running import Api, running

UI = "http://temporal.example:8233"
SECRET = "王小明 13812341234"
FORM = "application/x-www-form-urlencoded"


def shown(payload: Payload) -> dict[str, Any]:
    """As the UI sends it."""
    metadata = {name: b64encode(value).decode() for name, value in payload.metadata.items()}
    return {"metadata": metadata, "data": b64encode(payload.data).decode()}


async def sealed(api: Api, keyring: Keyring | None = None) -> dict[str, Any]:
    plain = Payload(metadata={"encoding": b"json/plain"}, data=SECRET.encode())
    return shown((await SealingCodec(keyring or api.gateway.keyring).encode([plain]))[0])


async def test_payloads_are_opened_and_sealed_for_an_operator(api: Api) -> None:
    body = {"payloads": [await sealed(api), {"metadata": {}, "data": ""}]}
    opened = await api.post("/codec/decode?preserveStorageRefs=true", body, status=200, X_Namespace="default")
    assert b64decode(opened.body["payloads"][0]["data"]).decode() == SECRET
    assert len(opened.body["payloads"]) == 2
    again = await api.post("/codec/encode", opened.body, status=200)
    assert SECRET not in b64decode(again.body["payloads"][0]["data"]).decode(errors="replace")
    assert (await api.post("/codec/decode", again.body, status=200)).body == opened.body


async def test_a_payload_of_an_unknown_key_is_refused_with_what_to_do(api: Api) -> None:
    foreign = await sealed(api, Keyring.parse(new_key("elsewhere")))
    refused = await api.post("/codec/decode", {"payloads": [foreign]}, status=422)
    assert refused.code == "payload_not_opened"
    assert "elsewhere" in refused.body["detail"]
    altered = await sealed(api)
    altered["data"] = "AAAA" + altered["data"][4:]
    assert (await api.post("/codec/decode", {"payloads": [altered]}, status=422)).code == "payload_not_opened"


@pytest.mark.parametrize("body", [[], 1, {"payloads": 1}, {"payloads": [1]}, {"payloads": [{"data": 7}]}])
async def test_what_is_no_payload_is_refused(api: Api, body: Any) -> None:
    assert (await api.post("/codec/decode", body, status=422)).code == "bad_payloads"


async def test_temporals_command_sends_nothing_where_nothing_is_to_be_opened(api: Api) -> None:
    """As for a query without arguments: `{}` is how a list without entries looks there."""
    nothing: dict[str, Any]
    for nothing in ({}, {"payloads": []}):
        assert (await api.post("/codec/decode", nothing, status=200)).body == {"payloads": []}
        assert (await api.post("/codec/encode", nothing, status=200)).body == {"payloads": []}


async def test_a_key_without_the_scope_opens_nothing(api: Api, mongo: Mongo) -> None:
    other = api.with_key(await create_key(mongo, "no-codec", set(Scope) - {Scope.CODEC_READ, Scope.CODEC_WRITE}))
    body = {"payloads": [await sealed(api)]}
    for path in ("/codec/decode", "/codec/encode"):
        assert (await other.post(path, body, status=403)).code == "scope_missing"
        assert (await other.post(path, body, status=401, Authorization="")).code == "key_missing"


async def _signed_in(api: Api, key: str) -> str:
    answer = await api.post(
        "/codec/session", data=f"key={key}".encode(), status=200, Content_Type=FORM, Origin=api.url, Authorization=""
    )
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/codec"} <= set(cookie.split("; "))
    assert key not in cookie
    assert key not in answer.body
    return cookie.partition(";")[0]


async def test_a_browser_that_signed_in_reads_in_the_ui(api: Api, mongo: Mongo) -> None:
    key = await create_key(mongo, "reader", [Scope.CODEC_READ])
    from_ui = {"Authorization": "", "Cookie": await _signed_in(api, key), "Origin": UI}
    body = {"payloads": [await sealed(api)]}
    answer = await api.post("/codec/decode", body, status=200, **from_ui)
    assert b64decode(answer.body["payloads"][0]["data"]).decode() == SECRET
    assert answer.headers["Access-Control-Allow-Origin"] == UI
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    await api.post("/codec/encode", body, status=403, **from_ui)
    # A page of another site has the cookie sent perhaps, and gets nothing for it.
    for origin in ("http://evil.example", "null", ""):
        await api.post("/codec/decode", body, status=401, **{**from_ui, "Origin": origin})
    assert (await api.post("/v1/orders", {}, status=401, **from_ui)).code == "key_missing"


async def test_a_cookie_ends_with_its_key(api: Api, mongo: Mongo) -> None:
    key = await create_key(mongo, "leaver", [Scope.CODEC_READ])
    from_ui = {"Authorization": "", "Cookie": await _signed_in(api, key), "Origin": UI}
    body = {"payloads": [await sealed(api)]}
    await mongo.api_keys.delete_one({"_id": hash_key(key)})
    ends, status = time.monotonic() + 2 * api.gateway.limits.key_kept_s + 5, 0
    while status != 401 and time.monotonic() < ends:
        status = (await api.post("/codec/decode", body, **from_ui)).status
    assert status == 401


async def test_without_a_ui_no_cookie_counts(gateway_settings: Settings, key: str) -> None:
    """A call that names no origin is no call of the UI's pages, also where there is no UI to compare with."""
    async with running(gateway_settings.model_copy(update={"temporal_ui_url": None}), key) as api:
        body = {"payloads": [await sealed(api)]}
        cookie = await _signed_in(api, key)
        await api.post("/codec/decode", body, status=401, Authorization="", Cookie=cookie)
        await api.post("/codec/decode", body, status=200)


async def test_forged_and_old_cookies_open_nothing(api: Api) -> None:
    body = {"payloads": [await sealed(api)]}
    ring = api.gateway.keyring
    made = {
        "forged": Keyring.parse(new_key(ring.current)).encrypt("session", b'{"key": "x", "until": 9e12}'),
        "old": ring.encrypt("session", f'{{"key": "{api.key}", "until": {time.time() - 1}}}'.encode()),
        "another purpose": ring.encrypt("payload", f'{{"key": "{api.key}", "until": 9e12}}'.encode()),
    }
    cookies = [f"{key_id}.{value.hex()}" for key_id, value in made.values()]
    for cookie in (*cookies, "", "x", "first.zz", f"nobody.{'00' * 40}"):
        answer = await api.post(
            "/codec/decode", body, status=401, Authorization="", Cookie=f"tongqu_codec={cookie}", Origin=UI
        )
        assert answer.code in ("signed_out", "unknown_key")


async def test_nobody_signs_in_with_a_form_of_another_site_or_without_a_right_key(api: Api, mongo: Mongo) -> None:
    weak = await create_key(mongo, "weak", [Scope.ORDERS_READ])

    async def tried(key: str, **headers: str) -> int:
        sent = {"Content_Type": FORM, "Origin": api.url, "Authorization": ""} | headers
        return (await api.post("/codec/session", data=f"key={key}".encode(), **sent)).status

    assert await tried(api.key, Origin="http://evil.example") == 403
    assert await tried(weak) == 403
    assert await tried("tq_wrong") == 401
    assert await tried("") == 401
    assert await tried(api.key, Content_Type="text/plain") == 415
    assert await tried("x" * 5000) == 413


async def test_the_page_says_how(api: Api) -> None:
    answer = await api.get("/codec", status=200, Authorization="")
    assert UI in answer.body
    assert f"{api.url}/codec" in answer.body
    assert "<script" not in answer.body


async def test_only_pages_of_the_ui_may_ask(api: Api) -> None:
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,x-namespace"}
    async with aiohttp.ClientSession() as session:
        async with session.options(f"{api.url}/codec/decode", headers={"Origin": UI, **asks}) as answer:
            assert answer.status == 200
            assert answer.headers["Access-Control-Allow-Origin"] == UI
            assert "x-namespace" in answer.headers["Access-Control-Allow-Headers"]
        async with session.options(
            f"{api.url}/codec/decode", headers={"Origin": "http://evil.example", **asks}
        ) as answer:
            assert answer.status == 400
            assert "Access-Control-Allow-Origin" not in answer.headers
        async with session.options(f"{api.url}/v1/orders", headers={"Origin": UI, **asks}) as answer:
            assert "Access-Control-Allow-Origin" not in answer.headers
