"""Lists of orders: filters, and pages that stay stable while orders come in."""

import pytest

from contracts.base import milliseconds
from infra.mongo import Mongo
from tests.gateway.running import Api, fresh, order


async def _all_pages(api: Api, query: str, between: list[dict[str, object]] | None = None) -> list[str]:
    """Ids over all pages; `between` are placed after the first page was read."""
    ids: list[str] = []
    cursor = ""
    while True:
        page = (await api.get(f"/v1/orders?{query}{cursor}", status=200)).body
        ids += [one["id"] for one in page["orders"]]
        if page["next"] is None:
            return ids
        cursor = f"&cursor={page['next']}"
        if between:
            await api.post("/v1/orders/batch", {"orders": between}, status=200)
            between = None


async def test_pages_neither_repeat_nor_hide_orders_while_others_are_placed(api: Api, mongo: Mongo) -> None:
    channel = fresh("pages")
    for _ in range(3):
        await api.post("/v1/orders/batch", {"orders": [order(channel=channel) for _ in range(9)]}, status=200)
    before = [row["_id"] async for row in mongo.orders.find({"channel": channel}).sort([("placed_at", -1), ("_id", 1)])]
    ids = await _all_pages(api, f"channel={channel}&limit=4", between=[order(channel=channel) for _ in range(5)])
    assert ids == before


async def test_orders_of_the_same_millisecond_are_told_apart(api: Api, mongo: Mongo) -> None:
    channel = fresh("moment")
    await api.post("/v1/orders/batch", {"orders": [order(channel=channel) for _ in range(12)]}, status=200)
    first = await mongo.orders.find_one({"channel": channel})
    assert first is not None
    moment = {"$set": {"placed_at": milliseconds(first["placed_at"])}}
    await mongo.orders.update_many({"channel": channel}, moment)
    ids = await _all_pages(api, f"channel={channel}&limit=5")
    assert len(ids) == len(set(ids)) == 12


@pytest.mark.parametrize(
    ("region", "found"),
    [("33", {"a", "b"}), ("330000", {"a", "b"}), ("3301", {"a"}), ("330106", {"a"}), ("BR-SP", {"c"}), ("11", set())],
)
async def test_orders_are_found_by_region(api: Api, region: str, found: set[str]) -> None:
    channel = fresh("region")
    point = {"lat": 30.0, "lon": 120.0, "datum": "WGS84"}
    divisions = {"a": "330106", "b": "330203", "c": "BR-SP"}
    names = {}
    for name, division in divisions.items():
        placed = await api.place(channel=channel, ship_to={"division": division, "point": point})
        names[placed["id"]] = name
    page = (await api.get(f"/v1/orders?channel={channel}&region={region}", status=200)).body
    assert {names[one["id"]] for one in page["orders"]} == found


async def test_orders_are_found_by_stage_and_time(api: Api, mongo: Mongo) -> None:
    channel = fresh("stage")
    first, second = await api.place(channel=channel), await api.place(channel=channel)
    await mongo.orders.update_one({"_id": first["id"]}, {"$set": {"stage": "cancelled", "batch": "batch-over"}})

    async def found(query: str) -> list[str]:
        page = (await api.get(f"/v1/orders?channel={channel}&{query}", status=200)).body
        return [one["id"] for one in page["orders"]]

    assert await found("stage=cancelled") == [first["id"]]
    assert await found("stage=placed") == [second["id"]]
    assert await found(f"placed_to={second['placed_at']}") in ([first["id"]], [])
    assert second["id"] in await found(f"placed_from={second['placed_at']}")
    assert await found("placed_from=2200-01-01T00:00:00%2B08:00") == []


async def test_a_listed_order_links_to_itself_and_to_its_workflow(api: Api, mongo: Mongo) -> None:
    placed = await api.place(channel=fresh("links"))
    assert placed["links"] == {"self": f"/v1/orders/{placed['id']}", "workflow": None}
    await mongo.orders.update_one({"_id": placed["id"]}, {"$set": {"batch": "batch-1"}})
    page = (await api.get(f"/v1/orders?channel={placed['channel']}", status=200)).body
    workflow = "http://temporal.example:8233/namespaces/default/workflows/batch-1"
    assert page["orders"][0]["links"]["workflow"] == workflow
