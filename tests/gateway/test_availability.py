"""Availability to promise: what is free, where, and how far away."""

from typing import Any

import pytest

from infra.mongo import Mongo
from tests.gateway.carrying import Carrier
from tests.gateway.running import Api, fresh, order


async def _network(api: Api) -> tuple[str, str]:
    """A SKU at four places, and their common prefix."""
    sku, prefix = fresh("sku"), fresh("place")
    point = {"datum": "WGS84"}
    locations: list[dict[str, Any]] = [
        {"id": f"{prefix}-hangzhou", "division": "330106", "point": {"lat": 30.27, "lon": 120.15, **point}},
        {"id": f"{prefix}-beijing", "division": "110101", "point": {"lat": 39.9, "lon": 116.4, **point}},
        {"id": f"{prefix}-unknown", "division": "310101"},
        {"id": f"{prefix}-closed", "division": "330106", "active": False},
        {"id": f"{prefix}-shop", "division": "330106", "channels": ["store"]},
    ]
    await api.put("/v1/locations", {"locations": [{**one, "name": "P"} for one in locations]}, status=200)
    items = [{"location": one["id"], "sku": sku, "quantity": 10 + n} for n, one in enumerate(locations)]
    await api.put("/v1/stock", {"items": items}, status=200)
    return sku, prefix


@pytest.mark.parametrize(
    ("place", "order_of_places"),
    [
        ("lat=30.2&lon=120.1&datum=WGS84", ["hangzhou", "beijing", "unknown"]),
        ("lat=40&lon=116&datum=GCJ02", ["beijing", "hangzhou", "unknown"]),
        ("division=110105", ["beijing", "hangzhou", "unknown"]),
        ("division=330203", ["hangzhou", "beijing", "unknown"]),
        ("", ["unknown", "beijing", "hangzhou"]),
    ],
)
async def test_the_nearest_location_that_serves_the_channel_comes_first(
    api: Api, place: str, order_of_places: list[str]
) -> None:
    sku, prefix = await _network(api)
    answer = (await api.get(f"/v1/availability?sku={sku}&{place}", status=200)).body
    item = answer["items"][0]
    assert [one["location"].removeprefix(f"{prefix}-") for one in item["locations"]] == order_of_places
    assert item["available"] == 10 + 11 + 12
    assert item["locations"][-1]["distance_km"] is None


async def test_what_is_reserved_is_not_available(api: Api, mongo: Mongo) -> None:
    sku, prefix = await _network(api)
    await Carrier(mongo).claim((await api.post("/v1/orders", order((sku, 4)), status=202)).body["id"])
    answer = (await api.get(f"/v1/availability?sku={sku}&lat=30&lon=120&datum=WGS84&limit=1", status=200)).body
    assert answer["items"][0]["available"] == 33 - 4
    assert answer["items"][0]["locations"] == [
        {
            "location": f"{prefix}-hangzhou",
            "on_hand": 10,
            "reserved": 4,
            "available": 6,
            "distance_km": answer["items"][0]["locations"][0]["distance_km"],
        }
    ]


async def test_several_skus_and_channels_are_asked_for(api: Api) -> None:
    sku, prefix = await _network(api)
    answer = (await api.get(f"/v1/availability?sku={sku}&sku=no-such&sku={sku}&channel=store", status=200)).body
    assert [(item["sku"], item["known"], item["available"]) for item in answer["items"]] == [
        (sku, True, 14),
        ("no-such", False, 0),
    ]
    assert answer["items"][0]["locations"][0]["location"] == f"{prefix}-shop"


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("", "sku", "missing"),
        ("sku=tea&lat=30", "lon", "missing"),
        ("sku=tea&lat=30&lon=120", "datum", "datum"),
        ("sku=tea&lat=95&lon=120&datum=WGS84", "lat", "too_large"),
        ("sku=tea&lat=nan&lon=120&datum=WGS84", "lat", "not_finite"),
        ("sku=tea&division=123456", "division", "division_unknown"),
        ("sku=" + "x" * 65, "sku.0", "bad_format"),
        ("sku=tea&limit=0", "limit", "too_small"),
    ],
)
async def test_a_bad_question_is_refused_by_its_field(api: Api, query: str, field: str, code: str) -> None:
    answer = await api.get(f"/v1/availability?{query}", status=422)
    assert answer.faults.get(field) == code, answer.body
