"""The gateway against its own OpenAPI document: requests made from it, good and bad, and answers held against it."""

import os
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import CheckFunction
from schemathesis.generation.feedback import NO_FEEDBACK
from schemathesis.generation.hypothesis.builder import InvalidHeadersExampleMark, MissingPathParameters
from schemathesis.generation.meta import CoveragePhaseData, CoverageScenario
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from infra.embedded.ports import HOST, free_port
from infra.indexes import make_indexes
from infra.keys import Scope, create_key
from infra.mongo import Mongo
from infra.processes import Process
from infra.settings import Settings
from tests.gateway.document import DOCUMENT
from workers.gateway import examples

_LONG = "TONGQU_FUZZ_EXAMPLES" in os.environ
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


@dataclass(frozen=True)
class Served:
    url: str
    key: str


@pytest.fixture(scope="session")
async def served(gateway_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """A gateway in a process of its own, that knows the locations and SKUs of the document's examples. So is its
    database: other tests would find the oddest policies in it."""
    folder, port = Path(tmp_path_factory.mktemp("fuzzed")), free_port()
    url = f"http://{HOST}:{port}"
    database = f"test_fuzz_{uuid.uuid4().hex[:8]}"
    env = {
        "TONGQU_MONGO_URL": gateway_settings.require("mongo_url"),
        "TONGQU_MONGO_DATABASE": database,
        "TONGQU_NATS_URL": gateway_settings.require("nats_url"),
        "TONGQU_NATS_CREDS": gateway_settings.require("nats_creds"),
        "TONGQU_TEMPORAL_ADDRESS": gateway_settings.require("temporal_address"),
        "TONGQU_DATA_DIR": str(folder),
        # Of requests without a good key it makes hundreds, and each is to be answered as the document says.
        "TONGQU_KEY_GUESSES_BURST": "1000000",
    }
    arguments = ("--host", HOST, "--port", str(port))
    gateway = Process.of_module("gateway", "workers.gateway", *arguments, log=folder / "gateway.log", env=env)

    async def ready() -> bool:
        async with aiohttp.ClientSession() as session, session.get(f"{url}/readyz") as answer:
            return answer.status == 200

    mongo = Mongo(gateway_settings.require("mongo_url"), database)
    await make_indexes(mongo)
    key = await create_key(mongo, "fuzz", Scope)
    gateway.start()
    try:
        await gateway.wait_ready(ready, 120.0)
        async with aiohttp.ClientSession(url, headers={"Authorization": f"Bearer {key}"}) as session:
            for path, known in (("/v1/locations", examples.LOCATIONS), ("/v1/stock", examples.STOCK)):
                async with session.put(path, json=known) as answer:
                    assert answer.status == 200, await answer.text()
        yield Served(url, key)
    finally:
        await gateway.stop()
        await mongo.client.drop_database(database)
        mongo.close()


ENDLESS = "/v1/partner/events/stream"
ROUTES = [
    f"{method.upper()} {path}" for path, methods in DOCUMENT["paths"].items() for method in methods if path != ENDLESS
]


@cache
def _schema() -> BaseSchema:
    return schemathesis.openapi.from_dict(DOCUMENT)


@settings(
    max_examples=_EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
def _is_answered_as_the_document_says(case: schemathesis.Case[Any], served: Served) -> None:
    without: list[CheckFunction] = [positive_data_acceptance]
    if case.operation.path in BULK:
        without.append(negative_data_rejection)
    headers = {"Authorization": f"Bearer {served.key}", "Prefer": "wait=0"}
    if isinstance(case.query, dict) and str(case.query.get("wait_s", "0")).isdecimal():
        case.query.pop("wait_s", None)
    case.call_and_validate(base_url=served.url, headers=headers, excluded_checks=without, timeout=60)


def _thin(requests: list[Any]) -> None:
    """Leave, of the five or six types that a field is not, one: another for each field. `make fuzz` sends all."""
    of_field = defaultdict(list)
    for number, request in enumerate(requests):
        why = request.kwargs["case"].meta.phase.data
        if isinstance(why, CoveragePhaseData) and why.scenario is CoverageScenario.INCORRECT_TYPE:
            of_field[why.parameter_location, why.parameter, why.location].append(number)
    sent = {numbers[turn % len(numbers)] for turn, numbers in enumerate(of_field.values())}
    left_out = {number for numbers in of_field.values() for number in numbers} - sent
    requests[:] = [request for number, request in enumerate(requests) if number not in left_out]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("route", ROUTES)
def test_answers_are_as_the_document_says(route: str, served: Served) -> None:
    """A schema cannot say which SKUs exist, that prices add up, or that a cursor was given out; so what fits it may be
    refused. In bulk what does not fit is refused item by item, within an answer of 200.

    The requests of a route are made here, and not, as `schema.parametrize` does, by every process that only collects
    the tests."""
    method, path = route.split(" ")
    schema = _schema()
    check = build_operation_test(
        config=schema.config,
        operation=schema[path][method],
        test_func=_is_answered_as_the_document_says,
        given_kwargs={},
        feedback=NO_FEEDBACK,
    )
    if not _LONG:
        _thin(getattr(check, "hypothesis_explicit_examples", []))
    check(served=served)
    for mark in (MissingPathParameters, InvalidHeadersExampleMark):
        assert not mark.is_set(check), mark.get(check)
