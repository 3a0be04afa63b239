"""Signatures of Standard Webhooks (standardwebhooks.com, specification 1.0.0). Pure, but for the chance in a secret."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime

from contracts.webhooks import Secret

_PREFIX = "whsec_"
_BYTES = 32


def new_secret() -> str:
    return _PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def message_id(stream: str, number: int) -> str:
    """The same event has the same id however often it is sent; no dots, which part what is signed."""
    return f"{stream}_{number}"


def headers(valid: Iterable[str], message: str, at: int, body: bytes) -> dict[str, str]:
    """`valid`: the secrets that count at the moment, each of which makes a signature. `at`: Unix seconds."""
    return {
        "webhook-id": message,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(_signature(secret, message, at, body) for secret in valid),
    }


def valid_at(known: Iterable[Secret], moment: datetime) -> list[str]:
    return [one.secret for one in known if one.until is None or one.until > moment]


def _signature(secret: str, message: str, at: int, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    signed = hmac.new(key, f"{message}.{at}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(signed).decode()
