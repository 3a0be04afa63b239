"""The OpenAPI document itself: valid, complete, and with examples that are what they are examples of."""

from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from tests.gateway.document import DOCUMENT
from tests.gateway.running import Api
from workers.gateway import examples

OPERATIONS = [(path, method) for path, item in DOCUMENT["paths"].items() for method in item]


def _contents(path: str, method: str) -> list[dict[str, Any]]:
    operation = DOCUMENT["paths"][path][method]
    answers = [answer.get("content", {}) for answer in operation["responses"].values()]
    bodies = [operation.get("requestBody", {}).get("content", {})]
    return [content for contents in (*answers, *bodies) for content in contents.values()]


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_operation_says_what_it_does_and_what_it_refuses(path: str, method: str) -> None:
    operation = DOCUMENT["paths"][path][method]
    assert operation["summary"]
    assert operation["description"]
    if path.startswith("/v1/"):
        # No list at all would be an oversight; an empty one says that anybody may call.
        schemes = {scheme for entry in operation["security"] for scheme in entry}
        refusing = ("401", "404") if schemes == {"applicant"} else ("401", "403") if schemes else ("429",)
        for status in (*refusing, "422", "503"):
            assert "application/problem+json" in operation["responses"][status]["content"]


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_examples_fit_their_schemas(path: str, method: str) -> None:
    for content in _contents(path, method):
        schema = {**content["schema"], "components": DOCUMENT["components"]}
        shown = [example["value"] for example in content.get("examples", {}).values()]
        for example in [*shown, *([content["example"]] if "example" in content else [])]:
            jsonschema.Draft202012Validator(schema).validate(example)


def test_the_example_of_an_order_fits_its_schema() -> None:
    schema = DOCUMENT["components"]["schemas"]["OrderView"]
    [example] = schema["examples"]
    jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(example)


async def test_examples_of_requests_are_accepted(api: Api) -> None:
    locations = await api.put("/v1/locations", examples.LOCATIONS, status=200)
    stock = await api.put("/v1/stock", examples.STOCK, status=200)
    skus = await api.put("/v1/skus", examples.SKUS, status=200)
    carriers = await api.put("/v1/carriers", examples.CARRIERS, status=200)
    orders = await api.post("/v1/orders/batch", examples.ORDERS, status=200)
    assert [answer.body["refused"] for answer in (locations, stock, skus, carriers, orders)] == [0, 0, 0, 0, 0]
    assert (await api.post("/v1/policies", examples.POLICY)).status in (200, 201)


async def test_the_document_is_served(api: Api) -> None:
    served = (await api.get("/openapi.json", status=200, Authorization="")).body
    assert served["openapi"].startswith("3.1")
    assert served["paths"].keys() == DOCUMENT["paths"].keys()
