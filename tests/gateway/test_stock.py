"""Stock over HTTP: exact under concurrency, receipts once, and what follows for orders that wait or were promised."""

import asyncio
import random
from functools import partial
from typing import Any

from activities.supply.opening import series_of
from contracts.ids import stock_id
from contracts.partners import Location
from contracts.replenishing import Region
from infra.invariants.stock import check_stock
from infra.mongo import Mongo
from tests.gateway.carrying import Carrier
from tests.gateway.running import Api, fresh, order


def count(sku: str, quantity: int, location: str = "near") -> dict[str, object]:
    return {"location": location, "sku": sku, "quantity": quantity}


def receipt(sku: str, quantity: int, reference: str, location: str = "near") -> dict[str, object]:
    return {"location": location, "sku": sku, "kind": "receipt", "quantity": quantity, "reference": reference}


async def _level(api: Api, sku: str) -> tuple[int, int]:
    levels = (await api.get(f"/v1/stock?sku={sku}", status=200)).body["levels"]
    return (levels[0]["on_hand"], levels[0]["reserved"]) if levels else (0, 0)


async def test_a_count_sets_the_level_and_a_receipt_adds_to_it(api: Api, mongo: Mongo) -> None:
    sku, note = fresh("sku"), fresh("note")
    answer = await api.put("/v1/stock", {"items": [count(sku, 5), receipt(sku, 3, note)]}, status=200)
    assert [result["on_hand"] for result in answer.body["results"]] == [8, 8]
    again = await api.put("/v1/stock", {"items": [receipt(sku, 3, note), count(sku, 8)]}, status=200)
    assert [result["outcome"] for result in again.body["results"]] == ["already_booked", "unchanged"]
    assert again.body["stock_version"] >= answer.body["stock_version"]
    lower = await api.put("/v1/stock", {"items": [count(sku, 2)]}, status=200)
    assert lower.body["results"][0]["available"] == 2
    rows = [row async for row in mongo.ledger.find({"changes.sku": sku}).sort([("version", 1), ("row", 1)])]
    assert [(row["kind"], row["changes"][0]["on_hand"]) for row in rows] == [
        ("counted", 5),
        ("received", 3),
        ("counted", -6),
    ]


async def test_what_is_counted_as_none_where_it_never_was_is_carried_there(api: Api, mongo: Mongo) -> None:
    sku = fresh("sku")
    first = await api.put("/v1/stock", {"items": [count(sku, 0)]}, status=200)
    assert first.body["results"][0]["outcome"] == "unchanged"
    row = await mongo.stock.find_one({"location": "near", "sku": sku})
    assert row == {"_id": stock_id("near", sku), "location": "near", "sku": sku, "on_hand": 0, "reserved": 0}
    region = Region(id=fresh("region"), name="all")
    near = await mongo.locations.find_one({"_id": "near"})
    assert near is not None
    places = {"near": Location.from_row(near)}
    assert ("near", sku) in await series_of(mongo, region, places, mongo.clock.now())
    found = await mongo.snapshot(partial(check_stock, mongo))
    assert [one for one in found if any(sku in example for example in one.examples)] == []
    await api.put("/v1/stock", {"items": [receipt(sku, 3, fresh("note"))]}, status=200)
    assert await _level(api, sku) == (3, 0)


async def test_bad_items_are_refused_and_the_good_ones_booked(api: Api) -> None:
    sku, note = fresh("sku"), fresh("note")
    await api.put("/v1/stock", {"items": [receipt(sku, 4, note)]}, status=200)
    items = [
        count(sku, 9),
        count(sku, 1, location="nowhere"),
        count(sku, -1),
        {"location": "near", "sku": sku, "kind": "receipt", "quantity": 1},
        receipt(sku, 5, note),
        count(sku, 3),
        7,
    ]
    answer = await api.put("/v1/stock", {"items": items}, status=200)
    results = answer.body["results"]
    assert [result["status"] for result in results] == [200, 422, 422, 422, 409, 422, 422]
    assert [result["problem"]["code"] for result in results[1:]] == [
        "unknown_location",
        "too_small",
        "reference_missing",
        "reference_taken",
        "listed_twice",
        "wrong_type",
    ]
    assert [result["problem"].get("field") for result in results[1:6]] == [
        "location",
        "quantity",
        "reference",
        "reference",
        "sku",
    ]
    assert await _level(api, sku) == (9, 0)


async def test_fifty_at_once_leave_a_ledger_that_adds_up(api: Api, mongo: Mongo) -> None:
    skus = [fresh("sku") for _ in range(4)]
    dice = random.Random(7)

    async def report(number: int) -> None:
        items = [
            count(sku, dice.randrange(100), place) if dice.random() < 0.4 else receipt(sku, 10, f"n-{number}", place)
            for sku in skus
            for place in ("near", "far")
        ]
        answer = await api.put("/v1/stock", {"items": items}, status=200)
        assert answer.body["refused"] == 0

    await asyncio.gather(*(report(number) for number in range(50)))
    pipeline: list[dict[str, Any]] = [
        {"$unwind": "$changes"},
        {"$match": {"changes.sku": {"$in": skus}}},
        {"$group": {"_id": {"l": "$location", "s": "$changes.sku"}, "units": {"$sum": "$changes.on_hand"}}},
    ]
    sums = {(row["_id"]["l"], row["_id"]["s"]): row["units"] async for row in mongo.ledger.aggregate(pipeline)}
    levels = {(row["location"], row["sku"]): row["on_hand"] async for row in mongo.stock.find({"sku": {"$in": skus}})}
    assert len(levels) == 8
    assert levels == sums


async def test_versions_of_the_stock_are_gapless_beside_orders_being_planned(api: Api, mongo: Mongo) -> None:
    """Counts and batch steps share one version; neither may lose the other's change."""
    carrier, sku = Carrier(mongo), fresh("sku")
    await api.put("/v1/stock", {"items": [count(sku, 1000)]}, status=200)
    orders = [(await api.post("/v1/orders", order((sku, 1)), status=202)).body["id"] for _ in range(12)]
    receipts = [api.put("/v1/stock", {"items": [receipt(sku, 1, f"{sku}-{n}")]}, status=200) for n in range(12)]
    await asyncio.gather(*receipts, *(carrier.claim(one) for one in orders))
    assert await _level(api, sku) == (1012, 12)
    versions = sorted([row["version"] async for row in mongo.ledger.find({"changes.sku": sku})])
    assert len(set(versions)) == len(versions) == 25
    rows = await mongo.ledger.distinct("version")
    counter = await mongo.counters.find_one({"_id": "stock"})
    assert counter is not None
    assert sorted(rows) == list(range(1, counter["version"] + 1))


async def test_arriving_stock_wakes_the_orders_that_wait_longest(api: Api, mongo: Mongo) -> None:
    carrier, sku = Carrier(mongo), fresh("sku")
    await api.put("/v1/stock", {"items": [count(sku, 0)]}, status=200)
    orders = [(await api.post("/v1/orders", order((sku, 2)), status=202)).body["id"] for _ in range(3)]
    batch = await carrier.claim(*orders)
    assert (await api.get(f"/v1/orders/{orders[0]}")).body["stage"] == "backordered"
    await api.put("/v1/stock", {"items": [receipt(sku, 3, fresh("note"))]}, status=200)
    woken = [row["order"] async for row in mongo.inbox.find({"order": {"$in": orders}, "kind": "stock.arrived"})]
    assert sorted(woken) == sorted(orders[:2])
    await carrier.step(batch)
    stages = [(await api.get(f"/v1/orders/{one}")).body["stage"] for one in orders]
    assert stages == ["dispatched", "backordered", "backordered"], "three units serve the order that waited longest"
    assert await _level(api, sku) == (3, 2)


async def test_a_count_below_what_is_promised_moves_the_newest_offers(api: Api, mongo: Mongo) -> None:
    carrier, sku = Carrier(mongo), fresh("sku")
    await api.put("/v1/stock", {"items": [count(sku, 6), count(sku, 6, "far")]}, status=200)
    orders = [(await api.post("/v1/orders", order((sku, 2)), status=202)).body["id"] for _ in range(3)]
    batch = await carrier.claim(*orders)
    views = [(await api.get(f"/v1/orders/{one}")).body for one in orders]
    assert {view["parcels"][0]["location"] for view in views} == {"near"}
    newest_first = [row["_id"] async for row in mongo.orders.find({"_id": {"$in": orders}}).sort("placed_at", -1)]
    answer = await api.put("/v1/stock", {"items": [count(sku, 3)]}, status=200)
    assert answer.body["results"][0]["available"] == -3
    short = [row async for row in mongo.inbox.find({"order": {"$in": orders}, "kind": "stock.short"})]
    assert {row["order"] for row in short} == set(newest_first[:2])
    assert {row["_id"] for row in short} == {f"short:{row['parcel']}:{answer.body['stock_version']}" for row in short}
    assert {row["batch"] for row in short} == {batch}
    await carrier.step(batch)
    places = [(await api.get(f"/v1/orders/{one}")).body["parcels"][-1]["location"] for one in newest_first]
    assert places == ["far", "far", "near"]
    near = await mongo.stock.find_one({"_id": f"near/{sku}"})
    assert near is not None
    assert (near["on_hand"], near["reserved"]) == (3, 2)


async def test_an_accepted_parcel_is_left_with_its_store(api: Api, mongo: Mongo) -> None:
    carrier, sku = Carrier(mongo), fresh("sku")
    await api.put("/v1/stock", {"items": [count(sku, 1)]}, status=200)
    placed = (await api.post("/v1/orders", order((sku, 1)), status=202)).body["id"]
    batch = await carrier.claim(placed)
    parcel = (await api.get(f"/v1/orders/{placed}")).body["parcels"][0]
    await carrier.reply(batch, parcel, "accepted")
    await api.put("/v1/stock", {"items": [count(sku, 0)]}, status=200)
    assert await mongo.inbox.count_documents({"order": placed, "kind": "stock.short"}) == 0


async def test_levels_are_listed_by_location_and_sku_a_page_at_a_time(api: Api) -> None:
    place, skus = fresh("store"), sorted(fresh("sku") for _ in range(5))
    await api.put("/v1/locations", {"locations": [{"id": place, "name": "P", "division": "330106"}]}, status=200)
    await api.put("/v1/stock", {"items": [count(sku, 1, place) for sku in skus]}, status=200)
    found, cursor = [], ""
    while True:
        page = (await api.get(f"/v1/stock?location={place}&limit=2{cursor}", status=200)).body
        found += [level["sku"] for level in page["levels"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert found == skus
    one = (await api.get(f"/v1/stock?location={place}&sku={skus[2]}", status=200)).body["levels"]
    assert one == [{"location": place, "sku": skus[2], "on_hand": 1, "reserved": 0, "available": 1}]
