"""Paths and ids that are written to mean something else: nobody gets further by them, and nothing fails on them."""

import asyncio
from urllib.parse import quote

import pytest

from tests.gateway.running import Api

_ORDER = "/v1/orders/sec-order"
_STRANGE = [
    "/v1/orders/../orders/sec-order",
    "/healthz/../v1/orders/sec-order",
    "/healthz/..%2fv1/orders/sec-order",
    "/healthz%2f..%2fv1%2forders%2fsec-order",
    "/docs/../v1/orders/sec-order",
    "/static-offline-docs/../v1/orders/sec-order",
    "/static-offline-docs/..%2f..%2f..%2f..%2f..%2fetc/passwd",
    "/static-offline-docs/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/static-offline-docs//etc/passwd",
    "/static-offline-docs/....//....//etc/passwd",
    "/v1//orders/sec-order",
    "//v1/orders/sec-order",
    "/./v1/orders/sec-order",
    "/V1/ORDERS/sec-order",
    "/v1/orders/sec-order/",
    "/v1/orders/sec-order/.",
    "/v1/orders/sec-order/./why",
    "/v1/orders/sec-order;jsessionid=1",
    "/v1/orders/sec-order%00",
    "/v1/orders/sec-order%0d%0aX-Evil:%201",
    "/v1/orders/%73ec-order",
    "/v1%2forders%2fsec-order",
    "/v1/orders%2fsec-order",
    "/v1\\orders\\sec-order",
    "/v1/orders/%c0%ae%c0%ae/sec-order",
    "/v1/orders/%ff%fe",
    "/v1/orders/%uff0e%uff0e",
    "/v1/orders/%e2%80%ae",
    "/v1/orders/%ef%bc%8e%ef%bc%8e/sec-order",
    "/v1/orders/{id}",
    "/v1/orders/$where",
    "/v1/orders/%7b%22$ne%22:null%7d",
    "/v1/orders?channel[$ne]=x",
    "/v1/orders?channel=$gt",
    "/v1/orders?cursor=eyIkbmUiOm51bGx9",
    "/v1/orders?cursor=W3siJG5lIjpudWxsfSx7IiRuZSI6bnVsbH1d",
    "/v1/orders?limit=99999999999999999999",
    "/v1/orders?limit=-1",
    "/v1/orders?limit=1&limit=2",
    "/v1/orders/" + "a" * 30_000,
    "/v1/orders/" + "%2e" * 10_000,
    "/v1/orders/" + "../" * 5_000 + "etc/passwd",
    "/v1/partner/events?stream=part-a.%3e",
    "/v1/partner/events?stream=*",
    "/v1/partner/events?stream=%3e",
    "/v1/partner/events?stream=part-b%00",
    "/v1/partner/events?stream=part-a&stream=part-b",
    "/v1/partner/events?stream=PART-B",
    "/v1/partner/events?stream=%EF%BD%90art-b",
    "/v1/partner/events?after=-1",
    "/v1/partner/events?after=99999999999999999999999",
    "http://127.0.0.1:1/v1/orders/sec-order",
    "https://evil.example/v1/orders/sec-order",
    "*",
]


async def _raw(api: Api, target: str, key: str, method: str = "GET") -> tuple[int, str]:
    """The target goes out as it is written: clients would tidy it up."""
    host, port = api.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    authorization = f"Authorization: Bearer {key}\r\n" if key else ""
    head = f"{method} {target} HTTP/1.1\r\nHost: {host}:{port}\r\n{authorization}Connection: close\r\n\r\n"
    writer.write(head.encode("latin-1"))
    said = (await asyncio.wait_for(reader.read(), 30)).decode("latin-1")
    writer.close()
    return int(said.split(" ", 2)[1]), said


@pytest.mark.parametrize("target", _STRANGE, ids=lambda target: quote(target[:60]))
async def test_a_strange_path_shows_nothing_to_who_may_see_nothing(
    api: Api, callers: dict[str, Api], target: str
) -> None:
    for role in ("anonymous", "reviewer", "partner_b"):
        status, said = await _raw(api, target, callers[role].key)
        assert 400 <= status < 500, (role, said[:500])
        for secret in ("root:", '"stage"', "sec-order.p1", "Traceback", "workers/gateway", 'evil":', "\r\nX-Evil"):
            assert secret not in said, (role, said[:500])


@pytest.mark.parametrize("target", _STRANGE, ids=lambda target: quote(target[:60]))
async def test_a_strange_path_breaks_nothing_for_who_may_see_all(api: Api, target: str) -> None:
    status, said = await _raw(api, target, api.key)
    assert status < 500, said[:500]
    assert "Traceback" not in said
    assert "root:" not in said
    assert "\r\nX-Evil" not in said


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "CONNECT", "PATCH", "DELETE", "PROPFIND", "get", "FOO"])
async def test_other_methods_lead_around_no_key(api: Api, method: str) -> None:
    status, said = await _raw(api, _ORDER, "", method)
    assert 400 <= status < 500, said
    assert '"stage"' not in said
    assert "x-api-key" not in said.lower()


async def test_the_same_id_in_other_letters_is_another_id(api: Api) -> None:
    for other in ("SEC-ORDER", "sec-order ", " sec-order", "sec-orde\u0280", "sec\u2010order", "sec-order\u200b"):
        status, _ = await _raw(api, "/v1/orders/" + quote(other), api.key)
        assert status in (404, 422), other
    assert (await _raw(api, _ORDER, api.key))[0] == 200
