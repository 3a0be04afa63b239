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
_NAME = re.compile(r"^[a-z0-9][a-z0-9_.-]{0,63}\Z")
_PARTNER = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")


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
    PARTNER = "partner"
    """Events, replies and webhooks of the partner's own streams."""
    PARTNERS_REVIEW = "partners:review"
    PARTNERS_OPERATE = "partners:operate"
    SUPPLY_READ = "supply:read"
    SUPPLY_WRITE = "supply:write"
    """Regions, policies, sourcing, promotions, runs, decisions on proposals, and transfers."""
    PURCHASES_READ = "purchases:read"
    PURCHASES_WRITE = "purchases:write"
    """Ordering by hand, receiving goods, taking invoices in, cancelling what is open."""
    PURCHASES_APPROVE = "purchases:approve"
    """Approving orders, answering counter-offers and objections, deciding about invoices: each as far as its roles."""
    PURCHASES_LIMITS = "purchases:limits"
    """The terms of buying, and who may approve up to what."""
    CASES_READ = "cases:read"
    CASES_WRITE = "cases:write"
    """For channels: opening cases, and what customers write."""
    SERVICE = "service:work"
    """For people of customer service."""
    SERVICE_APPROVE = "service:approve"
    OPERATE = "operate"
    CODEC_READ = "codec:read"
    """Opening what workflows say, which is personal in part."""
    CODEC_WRITE = "codec:write"


def new_key() -> str:
    return _PREFIX + secrets.token_urlsafe(_CHANCE_BYTES)


def hash_key(key: str) -> str:
    """Hex SHA-256. Without salt or stretching: nobody can guess 256 bits, so there is nothing to slow down."""
    return hashlib.sha256(key.encode()).hexdigest()


async def create_key(mongo: Mongo, name: str, scopes: Iterable[str], *, partner: str | None = None) -> str:
    """Make a key and return it: the only time that it can be seen.

    `name` says who calls. Several keys may carry the same name, so that a key can be replaced by a new one.
    `partner` is whose key it is: it is good for that partner's own streams, and can carry no scope that looks further.
    Raises ValueError for a name or partner that is none, a scope that does not exist, and one that is not for partners.
    """
    if not _NAME.match(name):
        raise ValueError(f"{name!r} is no name for a key; use lower-case letters, digits, dot, dash and underscore")
    if partner is not None and not _PARTNER.match(partner):
        raise ValueError(f"{partner!r} is no id of a partner")
    allowed = sorted({Scope(scope).value for scope in scopes})
    if partner is not None and allowed != [Scope.PARTNER]:
        raise ValueError(f"a key that belongs to {partner} carries the scope {Scope.PARTNER} and no other")
    key = new_key()
    row = {"_id": hash_key(key), "name": name, "scopes": allowed, "created_at": datetime.now(UTC)}
    await mongo.api_keys.insert_one(row if partner is None else {**row, "partner": partner})
    return key


async def revoke_keys(mongo: Mongo, *, partner: str) -> int:
    """Take all of a partner's keys away; returns how many there were. Gateways know of it within half a second, and
    end what the keys had under way."""
    return int((await mongo.api_keys.delete_many({"partner": partner})).deleted_count)


async def revoke_named(mongo: Mongo, name: str) -> int:
    """As `revoke_keys`, of a caller of the retailer's own; a partner's keys may have the same name, and stay."""
    return int((await mongo.api_keys.delete_many({"name": name, "partner": None})).deleted_count)
