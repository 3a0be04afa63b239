"""API keys: made with 256 bits of chance, shown once, kept only as a hash, limited to what their scopes allow."""

import hashlib
import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum

from infra.mongo import Mongo

_PREFIX = "tq_"
_CHANCE_BYTES = 32
_NAME = re.compile(r"^[a-z0-9][a-z0-9_.-]{0,63}$")


class Scope(StrEnum):
    """What a key may be used for."""

    ORDERS_WRITE = "orders:write"
    ORDERS_READ = "orders:read"
    STOCK_WRITE = "stock:write"
    STOCK_READ = "stock:read"
    LOCATIONS_WRITE = "locations:write"
    SETTLEMENTS_READ = "settlements:read"
    SETTLEMENTS_WRITE = "settlements:write"
    CARRIERS_TRACK = "carriers:track"
    OPERATE = "operate"
    CODEC_READ = "codec:read"
    """Opening what workflows say, which is personal in part."""
    CODEC_WRITE = "codec:write"


def new_key() -> str:
    return _PREFIX + secrets.token_urlsafe(_CHANCE_BYTES)


def hash_key(key: str) -> str:
    """Hex SHA-256. Without salt or stretching: nobody can guess 256 bits, so there is nothing to slow down."""
    return hashlib.sha256(key.encode()).hexdigest()


async def create_key(mongo: Mongo, name: str, scopes: Iterable[str]) -> str:
    """Make a key and return it: the only time that it can be seen.

    `name` says who calls. Several keys may carry the same name, so that a key can be replaced by a new one.
    Raises ValueError for a name that is none, and for a scope that does not exist.
    """
    if not _NAME.match(name):
        raise ValueError(f"{name!r} is no name for a key; use lower-case letters, digits, dot, dash and underscore")
    allowed = sorted({Scope(scope).value for scope in scopes})
    key = new_key()
    await mongo.api_keys.insert_one(
        {"_id": hash_key(key), "name": name, "scopes": allowed, "created_at": datetime.now(UTC)}
    )
    return key
