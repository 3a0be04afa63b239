"""HTTP itself: every refusal is a problem document, whatever part of the server makes it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest

from infra.keys import Scope, create_key, hash_key, new_key
from infra.mongo import Mongo
from infra.settings import Settings
from tests.gateway.running import Api, fresh, order, running
from tests.support import eventually
from workers.gateway.limits import Limits

ALL_PATHS = [
    ("POST", "/v1/orders", Scope.ORDERS_WRITE),
    ("POST", "/v1/orders/batch", Scope.ORDERS_WRITE),
    ("GET", "/v1/orders", Scope.ORDERS_READ),
    ("GET", "/v1/orders/some", Scope.ORDERS_READ),
    ("POST", "/v1/orders/some/cancellation", Scope.ORDERS_WRITE),
    ("POST", "/v1/orders/some/retry", Scope.OPERATE),
    ("POST", "/v1/orders/some/reroute", Scope.OPERATE),
    ("POST", "/v1/orders/some/release", Scope.OPERATE),
    ("PUT", "/v1/locations", Scope.LOCATIONS_WRITE),
    ("GET", "/v1/locations", Scope.STOCK_READ),
    ("GET", "/v1/locations/near", Scope.STOCK_READ),
    ("PUT", "/v1/stock", Scope.STOCK_WRITE),
    ("GET", "/v1/stock", Scope.STOCK_READ),
    ("GET", "/v1/availability?sku=tea", Scope.STOCK_READ),
    ("POST", "/v1/carriers/only/tracking", Scope.CARRIERS_TRACK),
]


async def test_an_unknown_path_is_a_problem(api: Api) -> None:
    for path in ("/", "/v1/order", "/v1/orders/", "/v1/orders/a/b/c"):
        answer = await api.get(path, status=404)
        assert answer.code == "not_found"


async def test_an_unknown_order_is_a_problem_that_names_it(api: Api) -> None:
    answer = await api.get("/v1/orders/order-nobody", status=404)
    assert (answer.code, answer.body["field"]) == ("unknown_order", "id")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/orders", "GET, POST"),
        ("PATCH", "/v1/orders/some", "GET"),
        ("GET", "/v1/orders/some/retry", "POST"),
        ("POST", "/v1/stock", "GET, PUT"),
        ("PUT", "/v1/orders/batch", "POST"),
        ("POST", "/healthz", "GET"),
    ],
)
async def test_a_wrong_method_is_told_which_ones_there_are(api: Api, method: str, path: str, allowed: str) -> None:
    answer = await api.call(method, path, status=405)
    assert answer.code == "method_not_allowed"
    assert answer.headers["Allow"] == allowed


@pytest.mark.parametrize("data", [b"", b"{", b"{'id': 1}", b'{"id": NaN}', b"\xff\xfe", b'"\\ud800"', b"[" * 5000])
async def test_what_is_no_json_is_refused_as_such(api: Api, data: bytes) -> None:
    answer = await api.post("/v1/orders", data=data, status=400)
    assert answer.code == "bad_json"


async def test_a_body_of_another_type_is_refused(api: Api) -> None:
    for sent_as in ("text/plain", "application/x-www-form-urlencoded", "application/xml"):
        answer = await api.post("/v1/orders", data=b"{}", status=415, Content_Type=sent_as)
        assert answer.code == "not_json"
        assert answer.headers["Accept"] == "application/json"
    with_charset = await api.post("/v1/orders", order(), Content_Type="application/json; charset=utf-8")
    assert with_charset.status == 202


async def test_a_body_that_is_announced_too_large_is_refused(api: Api) -> None:
    body = b" " * (api.gateway.limits.body_bytes + 1)
    answer = await api.post("/v1/orders", data=body, status=413)
    assert answer.code == "body_too_large"


async def test_a_body_that_grows_too_large_is_refused(api: Api) -> None:
    async def growing() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 1024 * 1024

    answer = await api.post("/v1/orders", data=growing(), status=413)
    assert answer.code == "body_too_large"


async def test_a_body_without_end_is_not_read_for_ever(api: Api) -> None:
    sent, chunk = 0, b" " * 1024 * 1024

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += len(chunk)
            yield chunk

    with contextlib.suppress(aiohttp.ClientError, ConnectionError):
        await api.post("/v1/orders", data=endless(), status=413)
    assert sent < 10 * api.gateway.limits.body_bytes


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=many",
        "stage=lost",
        "region=8",
        "placed_from=yesterday",
        "cursor=%00",
        "cursor=W10",
        "limit=1e3",
        "placed_to=0.5",
        "lmit=3",
        "limit=3&limit=4",
    ],
)
async def test_a_bad_parameter_is_refused_by_its_name(api: Api, query: str) -> None:
    answer = await api.get(f"/v1/orders?{query}", status=422)
    assert answer.code
    assert answer.body["field"] == query.partition("=")[0], answer.body


@pytest.mark.parametrize(("method", "path", "scope"), ALL_PATHS)
async def test_a_key_without_the_scope_is_refused(api: Api, mongo: Mongo, method: str, path: str, scope: Scope) -> None:
    """The scope is looked at before the body, so that a caller without it learns nothing."""
    others = await create_key(mongo, "others", set(Scope) - {scope})
    refused = await api.with_key(others).call(method, path, data=b"{", status=403)
    assert refused.code == "scope_missing"
    assert scope in refused.headers["WWW-Authenticate"]
    only = await create_key(mongo, "only", {scope})
    let_through = await api.with_key(only).call(method, path, data=b"{")
    assert let_through.status not in (401, 403)


@pytest.mark.parametrize(("method", "path", "scope"), ALL_PATHS)
async def test_without_a_known_key_nothing_is_answered(api: Api, method: str, path: str, scope: Scope) -> None:
    none = await api.call(method, path, status=401, Authorization="")
    assert none.code == "key_missing"
    assert none.headers["WWW-Authenticate"].startswith("Bearer")
    unknown = await api.with_key(new_key()).call(method, path, status=401)
    assert unknown.code == "unknown_key"
    basic = await api.call(method, path, status=401, Authorization=f"Basic {api.key}")
    assert basic.code == "key_missing"


async def test_a_key_may_also_come_in_a_header_of_its_own(api: Api) -> None:
    await api.get("/v1/orders", status=200, Authorization="", X_API_Key=api.key)


async def test_only_the_hash_of_a_key_is_kept(mongo: Mongo) -> None:
    key = await create_key(mongo, "shop", [Scope.ORDERS_READ])
    kept = await mongo.api_keys.find_one({"_id": hash_key(key)})
    assert kept is not None
    assert key not in str(kept)
    assert kept["scopes"] == ["orders:read"]


async def test_a_key_has_a_plain_name_and_scopes_that_exist(mongo: Mongo) -> None:
    with pytest.raises(ValueError, match="no name"):
        await create_key(mongo, "a:b", [Scope.OPERATE])
    with pytest.raises(ValueError, match="orders:eat"):
        await create_key(mongo, "shop", ["orders:eat"])


async def test_a_revoked_key_stops_working_within_the_time_it_is_kept(
    gateway_settings: Settings, key: str, mongo: Mongo
) -> None:
    leaving = await create_key(mongo, "leaving", [Scope.ORDERS_READ])
    async with running(gateway_settings, leaving, Limits(key_kept_s=0.4)) as api:
        await api.get("/v1/orders", status=200)
        await mongo.api_keys.delete_one({"_id": hash_key(leaving)})

        async def locked_out() -> bool:
            return (await api.get("/v1/orders")).status == 401

        await eventually(locked_out, timeout=2)


async def test_an_error_inside_says_nothing_of_the_inside(api: Api, mongo: Mongo) -> None:
    broken = fresh("broken")
    await mongo.orders.insert_one({"_id": broken, "stage": "placed"})
    answer = await api.get(f"/v1/orders/{broken}", status=500)
    assert answer.code == "internal_error"
    assert "payment" not in orjson.dumps(answer.body).decode()
    await mongo.orders.delete_one({"_id": broken})


async def test_callers_that_leave_in_the_middle_of_a_request_fill_no_log(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    before = await _refused(api, "cut_off")
    host, port = api.url.removeprefix("http://").split(":")
    head = f"POST /v1/orders HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {api.key}\r\n"
    for _ in range(3):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{".encode())
        await writer.drain()
        writer.close()

    async def all_noticed() -> bool:
        return await _refused(api, "cut_off") == before + 3

    await eventually(all_noticed, message="the gateway did not notice that its callers had left")
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def _refused(api: Api, code: str) -> int:
    """How many requests were refused with a code so far, as the metrics say."""
    text = str((await api.get("/metrics", status=200)).body)
    return sum(int(float(line.rsplit(" ", 1)[1])) for line in text.splitlines() if f'"{code}"' in line)
