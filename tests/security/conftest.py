"""A real gateway on real servers, and one caller of each role. Limits on rates are off, as they would deny first."""

import base64
import os
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.partnership import PartnerRecord, PartnerState
from contracts.webhooks import Webhook
from infra.embedded import Addresses
from infra.indexes import make_indexes
from infra.keys import Scope, create_key
from infra.mongo import Mongo
from infra.nats import connect
from infra.settings import Settings
from infra.streams import provision_partner, provision_streams
from tests.gateway.applying import begun
from tests.gateway.running import Api, order, running
from tests.security.table import IDS
from workers.gateway.app import limits_of
from workers.gateway.applicants import new_token
from workers.gateway.rates import Rate
from workers.webhooks.keeping import FREE
from workers.webhooks.signing import new_secret

TOKENS = {one: new_token() for one in ("mine", "theirs")}
SIGNATURE_SECRET = base64.b64encode(os.urandom(32)).decode()
_FREE = Rate(1e6, 1_000_000)
_SHOP = (Scope.ORDERS_WRITE, Scope.ORDERS_READ, Scope.STOCK_WRITE, Scope.STOCK_READ)
_OPERATOR = (
    *(Scope.OPERATE, Scope.PARTNERS_OPERATE, Scope.CODEC_READ),
    *(Scope.PURCHASES_READ, Scope.PURCHASES_WRITE, Scope.SUPPLY_READ, Scope.SUPPLY_WRITE),
    *(Scope.ORDERS_READ, Scope.STOCK_READ, Scope.SETTLEMENTS_READ),
)
_STATES: dict[str, PartnerState] = {"part-a": "active", "part-b": "active", "part-s": "suspended"}


@pytest.fixture(scope="session")
async def security_settings(servers: Addresses, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings(
        data_dir=Path(tmp_path_factory.mktemp("security")),
        mongo_url=servers.mongo_url,
        mongo_database=f"test_security_{uuid.uuid4().hex[:8]}",
        nats_url=servers.nats_url,
        nats_creds=Path(servers.nats_creds),
        nats_keys=Path(servers.nats_keys),
        temporal_address=servers.temporal_address,
        temporal_ui_url="http://temporal.example:8233",
        signature_secret=SIGNATURE_SECRET,
    )
    nats = await connect(servers.nats_url, servers.nats_creds, "tests")
    await provision_streams(nats.jetstream())
    for stream in ("part-a", "part-a-shop", "part-b", "part-s"):
        await provision_partner(nats.jetstream(), stream)
    await nats.close()
    return settings


@pytest.fixture(scope="session")
async def mongo(security_settings: Settings) -> AsyncIterator[Mongo]:
    mongo = Mongo(security_settings.require("mongo_url"), security_settings.mongo_database)
    await make_indexes(mongo)
    yield mongo
    await mongo.client.drop_database(security_settings.mongo_database)
    mongo.close()


@pytest.fixture(scope="session")
async def api(security_settings: Settings, mongo: Mongo) -> AsyncIterator[Api]:
    """With an administrator's key; an order, places, articles and partners to be seen or not."""
    admin = await create_key(mongo, "admin", Scope)
    limits = replace(limits_of(security_settings), calls=_FREE, partner_calls=_FREE, keyless_calls=_FREE, guesses=_FREE)
    for partner, state in _STATES.items():
        await mongo.partners.insert_one(_partner(partner, state))
    async with running(security_settings, admin, limits) as api:
        near = {"lat": 30.0, "lon": 120.0, "datum": "WGS84"}
        place = {"id": "near", "name": "Near", "division": "330106", "point": near}
        await api.put("/v1/locations", {"locations": [place]}, status=200)
        await api.put("/v1/skus", {"skus": [{"sku": "tea"}]})
        await api.put("/v1/stock", {"items": [{"location": "near", "sku": "tea", "quantity": 1000}]}, status=200)
        await api.post("/v1/orders", order(id=IDS["order"]), status=202)
        for one in ("mine", "theirs"):
            await begun(api.gateway, IDS[one], TOKENS[one])
        for one in ("a", "b"):
            await mongo.webhooks.insert_one(_webhook(one, mongo.clock.now()))
        yield api


@pytest.fixture(scope="session")
async def callers(api: Api, mongo: Mongo) -> dict[str, Api]:
    """The same gateway, called by each role."""
    keys = {
        "anonymous": "",
        "applicant": TOKENS["mine"],
        "partner_a": await create_key(mongo, "part-a", [Scope.PARTNER], partner="part-a"),
        "partner_b": await create_key(mongo, "part-b", [Scope.PARTNER], partner="part-b"),
        "suspended": await create_key(mongo, "part-s", [Scope.PARTNER], partner="part-s"),
        "shop": await create_key(mongo, "shop", _SHOP),
        "reviewer": await create_key(mongo, "reviewer", [Scope.PARTNERS_REVIEW]),
        "operator": await create_key(mongo, "operator", _OPERATOR),
        "admin": api.key,
    }
    return {role: api.with_key(key) for role, key in keys.items()}


def _webhook(whose: str, now: datetime) -> dict[str, Any]:
    return Webhook.model_validate(
        {
            "id": f"wh-{whose}",
            "stream": f"part-{whose}",
            "url": "https://shop.example/tongqu",
            "secrets": [{"secret": new_secret()}],
            "position": 0,
            "lease": FREE,
            "by": f"part-{whose}",
            "created_at": now,
        }
    ).as_row()


def _partner(partner: str, state: PartnerState) -> dict[str, Any]:
    return PartnerRecord(
        id=partner,
        kind="franchise",
        state=state,
        name=partner,
        credit_code="91330100799655058B",
        locations=["part-a-shop"] if partner == "part-a" else [],
        application=f"app-of-{partner}",
        agreement=f"agr-of-{partner}",
        agreement_until=datetime(2030, 1, 1, tzinfo=UTC),
        suspended_for=["by_operator"] if state == "suspended" else [],
    ).as_row()
