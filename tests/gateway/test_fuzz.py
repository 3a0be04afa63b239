"""The gateway against its own OpenAPI document: requests made from it, good and bad, and answers held against it."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import CheckFunction
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from infra.embedded.ports import HOST, free_port
from infra.processes import Process
from infra.settings import Settings
from tests.gateway.running import Api
from workers.gateway import examples
from workers.gateway.app import create_app

_EXAMPLES = int(os.environ.get("TONGQU_FUZZ_EXAMPLES", "4"))
"""Of random requests for each route, beside those that the document itself gives; `make fuzz` makes more."""
BULK = (
    "/v1/orders/batch",
    "/v1/locations",
    "/v1/stock",
    "/v1/skus",
    "/v1/carriers",
    "/v1/carriers/{id}/tracking",
    "/v1/commission-rules",
    "/v1/supply/sourcing",
    "/v1/supply/promotions",
)


@pytest.fixture(scope="session")
async def served(api: Api, gateway_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A gateway in a process of its own, that knows the locations and SKUs of the document's examples."""
    folder, port = Path(tmp_path_factory.mktemp("fuzzed")), free_port()
    url = f"http://{HOST}:{port}"
    env = {
        "TONGQU_MONGO_URL": gateway_settings.require("mongo_url"),
        "TONGQU_MONGO_DATABASE": gateway_settings.mongo_database,
        "TONGQU_NATS_URL": gateway_settings.require("nats_url"),
        "TONGQU_NATS_CREDS": gateway_settings.require("nats_creds"),
        "TONGQU_TEMPORAL_ADDRESS": gateway_settings.require("temporal_address"),
        # Of the same keys: what the other gateway has sealed, it opens.
        "TONGQU_DATA_DIR": str(gateway_settings.data_dir),
        # Of requests without a good key it makes hundreds, and each is to be answered as the document says.
        "TONGQU_KEY_GUESSES_BURST": "1000000",
    }
    arguments = ("--host", HOST, "--port", str(port))
    gateway = Process.of_module("gateway", "workers.gateway", *arguments, log=folder / "gateway.log", env=env)

    async def ready() -> bool:
        async with aiohttp.ClientSession() as session, session.get(f"{url}/readyz") as answer:
            return answer.status == 200

    await api.put("/v1/locations", examples.LOCATIONS, status=200)
    await api.put("/v1/stock", examples.STOCK, status=200)
    gateway.start()
    try:
        await gateway.wait_ready(ready, 30.0)
        yield url
    finally:
        await gateway.stop()


ENDLESS = "/v1/partner/events/stream"
schema = schemathesis.openapi.from_dict(create_app(Settings()).openapi()).exclude(path=ENDLESS)


@pytest.mark.timeout(600)
@schema.parametrize()
@settings(
    max_examples=_EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
def test_answers_are_as_the_document_says(case: schemathesis.Case[Any], served: str, key: str) -> None:
    """A schema cannot say which SKUs exist, that prices add up, or that a cursor was given out; so what fits it may be
    refused. In bulk what does not fit is refused item by item, within an answer of 200."""
    without: list[CheckFunction] = [positive_data_acceptance]
    if case.operation.path in BULK:
        without.append(negative_data_rejection)
    headers = {"Authorization": f"Bearer {key}", "Prefer": "wait=0"}
    if isinstance(case.query, dict) and str(case.query.get("wait_s", "0")).isdecimal():
        case.query.pop("wait_s", None)
    case.call_and_validate(base_url=served, headers=headers, excluded_checks=without, timeout=60)
