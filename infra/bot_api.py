"""What the first level of service sees and does: over the HTTP API, with a key of its own, as everybody else does."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from contracts.bot import Deed
from infra.provider import HttpProvider, Unanswered

_WITHIN_S = 20.0
_WAIT_S = 5
_PAGES_MOST = 20


class ApiSilent(Exception):
    """No usable answer: look again later. A deed asked for again under its key is not done twice."""


class ApiRefused(Exception):
    """It will not be done, whenever it is asked for again."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class HttpBotApi(HttpProvider):
    """One pool of connections to the gateway. Needs the scopes orders:read, orders:write and stock:read."""

    def __init__(self, url: str, key: str) -> None:
        super().__init__(url, timeout_s=_WITHIN_S)
        self._headers = {"Authorization": f"Bearer {key}"}

    async def order(self, order: str) -> dict[str, Any] | None:
        """None: there is none. Raises ApiSilent."""
        return await self._seen(f"/v1/orders/{quote(order, safe='')}")

    async def returns(self, order: str) -> list[dict[str, Any]]:
        """Raises ApiSilent."""
        found = await self._seen(f"/v1/orders/{quote(order, safe='')}/returns")
        return list(found["returns"]) if found else []

    async def locations(self, region: str) -> list[dict[str, Any]]:
        """All whose division begins so. Raises ApiSilent."""
        found: list[dict[str, Any]] = []
        query = {"region": region}
        for _ in range(_PAGES_MOST):
            page = await self._seen(f"/v1/locations?{urlencode(query)}")
            found += page["locations"] if page else []
            if not page or page["next"] is None:
                break
            query = {"region": region, "cursor": page["next"]}
        return found

    async def do(self, deed: Deed, body: Mapping[str, Any]) -> dict[str, Any]:
        """The order or return as it stands afterwards. Raises ApiRefused and ApiSilent."""
        place = {"cancel": "cancellation", "address": "address", "return": "returns"}[deed.what]
        headers = {**self._headers, "Idempotency-Key": deed.key, "Prefer": f"wait={_WAIT_S}"}
        path = f"/v1/orders/{quote(deed.order, safe='')}/{place}"
        try:
            status, answer = await self._post(path, orjson.dumps(body).decode(), headers)
        except Unanswered as trouble:
            raise ApiSilent(trouble.code) from trouble
        return _done(status, answer)

    async def _seen(self, path: str) -> dict[str, Any] | None:
        try:
            status, answer = await self._get(path, self._headers)
        except Unanswered as trouble:
            raise ApiSilent(trouble.code) from trouble
        return None if status == HTTPStatus.NOT_FOUND else _done(status, answer)


def _done(status: int, body: bytes) -> dict[str, Any]:
    """What is no JSON, or trouble that passes, raises ApiSilent; a refusal ApiRefused."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ApiSilent(f"{status}, no JSON") from error
    if status < HTTPStatus.BAD_REQUEST and isinstance(answer, dict):
        return answer
    code = str(answer.get("code", "")) if isinstance(answer, dict) else ""
    ours = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in ours or code in ("", "request_in_flight"):
        raise ApiSilent(f"{status} {code}")
    raise ApiRefused(code)
