"""Whose body a body is, by the path that it goes to."""

import pytest
from fastapi import FastAPI

from infra.settings import Settings
from workers.gateway.app import create_app
from workers.gateway.door import Kind, kind_of


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", "/v1/orders", "own"),
        ("PUT", "/v1/stock", "own"),
        ("POST", "/v1/partners/partner-1/suspend", "own"),
        ("POST", "/v1/applications/app-1/decide", "own"),
        ("POST", "/v1/applications/app-1/token/revoke", "own"),
        ("GET", "/v1/partner/events", "own"),
        ("POST", "/v1/applications", "outside"),
        ("PUT", "/v1/applications/app-1/fields", "outside"),
        ("PUT", "/v1/applications/app-1/documents/lease/facts", "outside"),
        ("POST", "/v1/partner/replies", "outside"),
        ("POST", "/v1/signatures/callbacks", "outside"),
        ("PUT", "/v1/applications/app-1/documents/lease", "file"),
        ("PUT", "/v1/partner/documents/lease", "file"),
        ("PUT", "/v1/partners/partner-1/documents/lease", "file"),
    ],
)
def test_each_kind_is_counted_by_itself(method: str, path: str, kind: Kind) -> None:
    assert kind_of(method, path) == kind


def test_nothing_that_others_than_the_retailer_may_send_counts_as_its_own() -> None:
    """Every operation of the API that needs no key, or an applicant's token, or a partner's key."""
    app: FastAPI = create_app(Settings())
    wrong = []
    for path, item in app.openapi()["paths"].items():
        for method, operation in item.items():
            needs = str(operation.get("security", ""))
            retailers = "bearer" in needs and not path.startswith("/v1/partner/")
            if "requestBody" in operation and not retailers and kind_of(method.upper(), path) == "own":
                wrong.append((method, path, needs))
    assert wrong == []
