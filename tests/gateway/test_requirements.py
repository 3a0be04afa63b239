"""Requirement sets over HTTP: for everybody to see, added by operators in versions that never change."""

import copy
from typing import Any

import pytest

from infra.keys import Scope, create_key
from infra.mongo import Mongo
from tests.gateway.running import Api, fresh
from workers.gateway import examples

pytestmark = pytest.mark.timeout(300)


def a_set(name: str, version: int = 1, **changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(examples.REQUIREMENT_SET), "id": name, "version": version, **changes}


async def test_what_is_asked_is_seen_without_a_key(api: Api) -> None:
    path = "/v1/requirements?kind=franchise&region=310101&category=food&category=tea"
    seen = (await api.get(path, Authorization="", status=200)).body
    assert seen["requirements"]["id"] == "franchise-shanghai"
    because = {one["requirements"]: one["because"] for one in seen["considered"]}
    assert because["franchise@1"] == "less specific than another"
    assert because["supplier@1"] == "is not for the kind franchise"
    assert "food" in {one["id"] for one in seen["categories"]}
    pinned = (await api.get("/v1/requirements/franchise-shanghai@1", Authorization="", status=200)).body
    assert pinned == seen["requirements"]
    assert (await api.get("/v1/requirements/nothing@7", Authorization="")).code == "unknown_requirements"


async def test_a_new_set_counts_from_then_on_and_never_changes(api: Api) -> None:
    name = fresh("counter-tibet")
    path = "/v1/requirements?kind=counter&region=540102&category=tea"
    assert (await api.get(path)).body["requirements"]["id"] == "counter"
    first = a_set(name, regions=["54"])
    assert (await api.put("/v1/requirements", first)).status == 201
    assert (await api.put("/v1/requirements", first)).status == 200
    assert (await api.get(path)).body["requirements"]["id"] == name
    changed = a_set(name, regions=["5401"])
    refused = await api.put("/v1/requirements", changed)
    assert (refused.status, refused.code, refused.body["remedy"]) == (409, "version_taken", "Send it as version 2.")
    assert (await api.put("/v1/requirements", {**changed, "version": 2})).status == 201
    assert (await api.get(path)).body["requirements"]["version"] == 2
    assert (await api.get(f"/v1/requirements/{name}@1")).body["regions"] == ["54"]


async def test_sets_that_make_no_sense(api: Api, mongo: Mongo) -> None:
    before = await mongo.requirement_sets.count_documents({})
    for changes, field in (
        ({"regions": ["330000"]}, "regions.0"),
        ({"categories": ["weapons"]}, "categories.0"),
        ({"kinds": ["friend"]}, "kinds.0"),
        ({"items": []}, "items"),
    ):
        refused = await api.put("/v1/requirements", a_set(fresh("wrong"), **changes))
        known = refused.faults if "errors" in refused.body else {refused.body["field"]: refused.code}
        assert refused.status == 422 and list(known) == [field]
    assert await mongo.requirement_sets.count_documents({}) == before


async def test_only_operators_of_partners_add_them(api: Api, mongo: Mongo) -> None:
    key = await create_key(mongo, "orders", [Scope.ORDERS_READ])
    assert (await api.with_key(key).put("/v1/requirements", a_set("x"))).code == "scope_missing"
    assert (await api.put("/v1/requirements", a_set("x"), Authorization="")).code == "key_missing"
