"""Bodies made to mean more than they say: operators of the database, bombs, wrong types. Nothing of them is carried
out, nothing fails, and nothing of the inside is told."""

import gzip
import io
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from infra.mongo import Mongo
from tests.gateway.running import Api, fresh, order
from tests.papers import Made, content_of

_OPERATORS: list[Any] = [
    {"$ne": None},
    {"$gt": ""},
    {"$where": "sleep(5000)"},
    {"$regex": ".*"},
    {"$in": ["sec-order"]},
    ["sec-order", {"$ne": 1}],
    {"$set": {"total": 0}},
    {"__proto__": {"scopes": ["operate"]}},
]


@pytest.mark.parametrize("operator", _OPERATORS, ids=str)
@pytest.mark.parametrize("field", ["id", "channel", "customer", "currency", "total", "ship_to", "lines"])
async def test_operators_of_the_database_are_no_values(api: Api, mongo: Mongo, field: str, operator: Any) -> None:
    before = await mongo.orders.count_documents({})
    answer = await api.post("/v1/orders", order(**{field: operator}))
    assert answer.status == 422, answer
    assert answer.code
    assert await mongo.orders.count_documents({}) == before


@pytest.mark.parametrize("operator", _OPERATORS, ids=str)
async def test_nor_where_a_list_of_things_is_looked_at_one_by_one(api: Api, mongo: Mongo, operator: Any) -> None:
    bodies: list[tuple[str, str, dict[str, Any]]] = [
        ("PUT", "/v1/stock", {"items": [{"location": operator, "sku": operator, "quantity": 1}]}),
        ("PUT", "/v1/skus", {"skus": [{"sku": operator}]}),
        ("PUT", "/v1/locations", {"locations": [{"id": operator, "name": operator, "division": operator}]}),
        ("POST", "/v1/orders/batch", {"orders": [order(id=operator)]}),
        ("POST", "/v1/settlements", {"period": operator, "partners": [operator]}),
        ("POST", "/v1/partner/events/ack?stream=part-a", {"sequence": operator}),
        ("POST", "/v1/partner/replies?stream=part-a", {"type": operator, "order": operator, "id": operator}),
    ]
    for method, path, body in bodies:
        answer = await api.call(method, path, body)
        assert answer.status < 500, (path, answer)
        assert answer.status >= 400 or answer.body.get("refused") == 1 or answer.body["results"][0]["status"] >= 400, (
            path,
            answer,
        )


async def test_names_with_dots_and_dollars_are_values_and_no_paths(api: Api, mongo: Mongo) -> None:
    """What may hold any text holds it as text."""
    tricky = "$where.a.$b"
    placed = await api.post("/v1/orders", order(customer=tricky))
    if placed.status == 202:
        row = await mongo.orders.find_one({"_id": placed.body["id"]})
        assert row is not None
        assert row["customer"] == tricky
    else:
        assert placed.status == 422


def _zip_bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", b"0" * 50_000_000)
    return packed.getvalue()


_BOMBS: dict[str, tuple[Made, dict[str, str]]] = {
    "deep lists": (b"[" * 200_000 + b"]" * 200_000, {}),
    "deep objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, {}),
    "long number": (b'{"total": ' + b"9" * 1_000_000 + b"}", {}),
    "infinite": (b'{"total": 1e999}', {}),
    "not a number": (b'{"total": NaN}', {}),
    "lone surrogate": (b'{"id": "\\ud800"}', {}),
    "not utf-8": (b'{"id": "\xff\xfe"}', {}),
    "utf-16": ('{"id": "a"}'.encode("utf-16"), {}),
    "nul": (b'{"id": "a\\u0000b"}', {}),
    "same name twice": (b'{"id": "a", "id": "b"}', {}),
    "packed": (lambda: gzip.compress(b"0" * 50_000_000), {"Content_Encoding": "gzip"}),
    "zip": (_zip_bomb, {"Content_Type": "application/zip"}),
    "form": (b"id=a&total=1", {"Content_Type": "application/x-www-form-urlencoded"}),
    "multipart": (b"--x\r\n\r\n--x--", {"Content_Type": "multipart/form-data; boundary=x"}),
    "xml": (b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', {"Content_Type": "application/xml"}),
    "nothing": (b"", {}),
    "many fields": (b'{"id": "a", ' + b", ".join(b'"f%d": 1' % n for n in range(100_000)) + b"}", {}),
}


@pytest.mark.parametrize("kind", _BOMBS)
@pytest.mark.parametrize("path", ["/v1/orders", "/v1/partner/replies?stream=part-a", "/codec/decode"])
async def test_bombs_do_not_go_off(api: Api, mongo: Mongo, kind: str, path: str) -> None:
    made, headers = _BOMBS[kind]
    before = await mongo.orders.count_documents({})
    answer = await api.post(path, data=content_of(made), **headers)
    assert 400 <= answer.status < 500, answer
    assert answer.code
    assert len(str(answer.body)) < 100_000
    for secret in ("Traceback", "root:", "workers", "site-packages"):
        assert secret not in str(answer.body)
    assert await mongo.orders.count_documents({}) == before
    await api.get("/healthz", status=200)


@pytest.mark.parametrize("path", ["/v1/orders", "/v1/partner/replies?stream=part-a", "/codec/decode"])
async def test_a_body_without_end_is_cut_off(api: Api, path: str) -> None:
    """Up to four times its limit it is heard out, so that the sender reads the answer; then the connection ends."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 65_536
            yield b" " * 65_536

    try:
        answer = await api.post(path, data=endless())
        assert answer.status == 413
    except aiohttp.ClientError:
        pass  # Cut off while still sending.
    assert sent < 64 * 1024 * 1024
    await api.get("/healthz", status=200)
    assert api.gateway.limits.body_bytes == 8 * 1024 * 1024


async def test_what_nobody_may_see_is_not_told_by_the_errors_either(api: Api, callers: dict[str, Api]) -> None:
    """Whether a thing exists makes no difference to who may not see it."""
    for role in ("anonymous", "reviewer", "partner_a"):
        there = await callers[role].get("/v1/orders/sec-order")
        missing = await callers[role].get(f"/v1/orders/{fresh('none')}")
        assert (there.status, there.body) == (missing.status, missing.body)
    theirs = await callers["partner_a"].get("/v1/partner/events?stream=part-b")
    nobodys = await callers["partner_a"].get("/v1/partner/events?stream=part-x")
    assert theirs.status == nobodys.status == 403
    assert theirs.body["detail"].replace("part-b", "part-x") == nobodys.body["detail"]
