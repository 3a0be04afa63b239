"""What every answer tells browsers and proxies, and whom the gateway believes about where a request comes from."""

import asyncio
import re

import pytest

from tests.gateway.running import Api, fresh, order
from workers.gateway.headers import origin_of
from workers.gateway.limits import Limits
from workers.gateway.serving import config

PATHS = ["/healthz", "/docs", "/redoc", "/openapi.json", "/v1/orders", "/v1/orders/none", "/nowhere", "/codec"]


@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_is_kept_by_nobody_and_framed_nowhere(api: Api, path: str) -> None:
    headers = (await api.get(path)).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "Server" not in headers
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_the_documentation_loads_nothing_from_elsewhere(api: Api, path: str) -> None:
    page = (await api.get(path, status=200, Authorization="")).body
    assert re.findall(r'(?:src|href)="([^"]*)"', page)
    assert not re.findall(r'(?:src|href)="(?:https?:)?//[^"]*"', page)


async def test_nobody_may_say_that_he_comes_from_elsewhere(api: Api) -> None:
    """Else a limit by address is none."""
    proxied = config(api.app, Limits())
    assert not proxied.proxy_headers
    assert config(api.app, Limits(), proxies="10.0.0.1").forwarded_allow_ips == "10.0.0.1"


async def test_a_host_name_that_is_made_up_is_not_repeated(api: Api) -> None:
    placed = await api.post("/v1/orders", order(id=fresh("host")), status=202, Host="evil.example")
    assert "evil.example" not in str(dict(placed.headers))
    assert "evil.example" not in str(placed.body)


async def test_a_request_smuggled_behind_two_lengths_is_refused(api: Api) -> None:
    host, port = api.url.removeprefix("http://").split(":")
    for head in (
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 6",
        "Transfer-Encoding: chunked, identity",
        "Content-Length: +5",
    ):
        reader, writer = await asyncio.open_connection(host, int(port))
        first = f"POST /v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.key}\r\n"
        rest = f"Content-Type: application/json\r\n{head}\r\nConnection: close\r\n\r\n0\r\n\r\n"
        writer.write(f"{first}{rest}GET /healthz HTTP/1.1\r\n\r\n".encode())
        said = (await asyncio.wait_for(reader.read(), 10)).decode()
        writer.close()
        assert said.startswith("HTTP/1.1 4"), (head, said)
        assert said.count("HTTP/1.1") == 1, (head, said)


def test_origins_are_as_browsers_name_them() -> None:
    assert origin_of("HTTP://Temporal.example:8233/ui?x=1") == "http://temporal.example:8233"
    assert origin_of(None) is None
    assert origin_of("temporal:8233") is None
