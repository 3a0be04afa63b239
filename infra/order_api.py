"""Orders as customer service moves them: over the HTTP API, with a key of its own, each wish under its own key."""

from http import HTTPStatus
from typing import Any

import orjson

from contracts.cases import CaseRecord, Compensation, Correction
from infra.provider import HttpProvider, Unanswered

_WITHIN_S = 20.0
_WAIT_S = 2
_PASSES = frozenset({"request_in_flight"})
"""Refusals that say nothing about the wish itself."""


class NotNow(Exception):
    """Not known, or not yet: look again later. Asking again under the same key does nothing twice."""


class HttpOrderDesk(HttpProvider):
    """One pool of connections to the gateway."""

    def __init__(self, url: str, key: str) -> None:
        super().__init__(url, timeout_s=_WITHIN_S)
        self._headers = {"Authorization": f"Bearer {key}"}

    async def correct(self, case: CaseRecord, wanted: Correction) -> str | None:
        """None: taken down by the order, which carries it out. Raises NotNow."""
        path, body = _request(case, wanted)
        status, answer = await self._asked(path, body, wanted.key)
        return _refused(status, answer)

    async def compensate(self, case: CaseRecord, given: Compensation) -> str | None:
        """None: paid. Raises NotNow, also while it is on its way."""
        body = {"key": given.key, "amount": given.amount, "reason": given.reason}
        status, answer = await self._asked(f"/v1/orders/{case.order}/goodwill", body, given.key)
        code = _refused(status, answer)
        if code is not None:
            return code
        # What was answered first is answered again: how it stands by now is in the order.
        status, answer = await self._seen(f"/v1/orders/{case.order}")
        if status != HTTPStatus.OK:
            raise NotNow(f"the order answers {status}")
        known = next((one for one in answer["goodwill"] if one["key"] == given.key), None)
        if known is None or known["state"] == "given":
            raise NotNow("on its way")
        return "over_what_is_paid" if known["state"] == "refused" else None

    async def _asked(self, path: str, body: Any, key: str) -> tuple[int, Any]:
        headers = {**self._headers, "Idempotency-Key": key, "Prefer": f"wait={_WAIT_S}"}
        try:
            return _read(await self._post(path, orjson.dumps(body).decode(), headers))
        except Unanswered as trouble:
            raise NotNow(trouble.code) from trouble

    async def _seen(self, path: str) -> tuple[int, Any]:
        try:
            return _read(await self._get(path, self._headers))
        except Unanswered as trouble:
            raise NotNow(trouble.code) from trouble


def _read(answer: tuple[int, bytes]) -> tuple[int, Any]:
    try:
        return answer[0], orjson.loads(answer[1]) if answer[1] else {}
    except orjson.JSONDecodeError as error:
        raise NotNow(f"{answer[0]}, no JSON") from error


def _request(case: CaseRecord, wanted: Correction) -> tuple[str, dict[str, Any]]:
    """Path and body of a correction. Pure."""
    order = f"/v1/orders/{case.order}"
    if wanted.action == "cancel":
        return f"{order}/cancellation", {"reason": wanted.reason}
    if wanted.action == "reroute":
        return f"{order}/reroute", {"reason": wanted.reason, **({"parcel": wanted.parcel} if wanted.parcel else {})}
    if wanted.action == "take_back":
        return f"{order}/returns", {"parcel": wanted.parcel, "reason": "not_as_described", "wish": "refund"}
    wish = "replacement" if wanted.action == "reship" else "refund"
    return f"{order}/returns", {"parcel": wanted.parcel, "reason": "lost", "wish": wish}


def _refused(status: int, answer: Any) -> str | None:
    """The code of a refusal that will not pass; None: it was taken. Raises NotNow for trouble that passes."""
    if status < HTTPStatus.BAD_REQUEST:
        return None
    code = str(answer.get("code", "")) if isinstance(answer, dict) else ""
    passing = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in (
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
    )
    if passing or code in _PASSES or not code:
        raise NotNow(f"{status} {code}")
    return code
