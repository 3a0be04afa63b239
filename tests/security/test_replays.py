"""Calls that are signed and not by key: forged, altered, stale and repeated ones."""

import base64
import os
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from contracts.signatures import Callback
from infra.signatures import sign_callback
from tests.gateway.running import Api
from tests.security.conftest import SIGNATURE_SECRET
from workers.webhooks.signing import headers as signed
from workers.webhooks.signing import new_secret

_PATH = "/v1/signatures/callbacks"
_FIELDS = ("webhook-id", "webhook-timestamp", "webhook-signature")


def _body() -> str:
    return Callback(envelope="agr-none").model_dump_json()


def _signed(secret: str = SIGNATURE_SECRET, age: timedelta = timedelta(), name: str = "msg-1") -> dict[str, str]:
    return sign_callback(secret, name, datetime.now(UTC) - age, _body())


async def _sent(api: Api, headers: dict[str, str], body: str) -> int:
    kept = {name.replace("-", "_"): value for name, value in headers.items()}
    return (await api.post(_PATH, data=body.encode(), Authorization="", **kept)).status


async def test_a_genuine_callback_only_wakes_however_often_it_comes(api: Api) -> None:
    """What happened is read from the provider, so that a repeated or reordered callback says nothing that is not so."""
    headers = _signed()
    first = await _sent(api, headers, _body())
    assert first not in (401, 403, 422), first
    assert [await _sent(api, headers, _body()) for _ in range(3)] == [first] * 3


@pytest.mark.parametrize("age", [timedelta(minutes=6), timedelta(days=1), -timedelta(minutes=6)], ids=str)
async def test_a_callback_of_another_time_is_refused(api: Api, age: timedelta) -> None:
    assert await _sent(api, _signed(age=age), _body()) == 401


async def test_forged_and_altered_callbacks_are_refused(api: Api) -> None:
    good, body = _signed(), _body()
    other = _signed(name="msg-2")
    foreign = _signed(base64.b64encode(os.urandom(32)).decode())
    forged: list[tuple[dict[str, str], str]] = [
        (foreign, body),
        (good, body.replace("agr-none", "agr-other")),
        (good, body + " "),
        ({**good, "webhook-id": "msg-9"}, body),
        ({**good, "webhook-timestamp": str(int(good["webhook-timestamp"]) + 1)}, body),
        ({**good, "webhook-signature": other["webhook-signature"]}, body),
        ({**good, "webhook-signature": good["webhook-signature"].replace("v1,", "v0,")}, body),
        ({**good, "webhook-signature": good["webhook-signature"].replace("v1,", "v1a,")}, body),
        ({**good, "webhook-signature": "v1,"}, body),
        ({**good, "webhook-signature": "v1,AAAA"}, body),
        ({**good, "webhook-timestamp": "NaN"}, body),
        ({**good, "webhook-timestamp": "1e12"}, body),
        *(({name: value for name, value in good.items() if name != missing}, body) for missing in _FIELDS),
    ]
    for headers, content in forged:
        assert await _sent(api, headers, content) == 401, headers


async def test_a_partner_can_tell_our_webhooks_from_forged_and_repeated_ones() -> None:
    """By any library of the scheme: this one is not ours."""
    secret, body, now = new_secret(), b'{"id":"evt-1"}', int(datetime.now(UTC).timestamp())
    good = signed([secret], "part-a:1", now, body)
    Verifier(secret).verify(body, good)
    stale = signed([secret], "part-a:1", now - 600, body)
    for headers, content in (
        (stale, body),
        (good, body.replace(b"1", b"2")),
        ({**good, "webhook-id": "part-a:2"}, body),
        ({**good, "webhook-timestamp": str(now + 1)}, body),
        (signed([new_secret()], "part-a:1", now, body), body),
    ):
        with pytest.raises(WebhookVerificationError):
            Verifier(secret).verify(content, headers)
