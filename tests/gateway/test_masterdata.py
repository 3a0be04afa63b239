"""Articles, carriers, policies and further fields of locations over HTTP: versioned, checked, told to planners."""

import asyncio
import copy
from typing import Any

import pytest

from activities.orders.policies import Policies, policy_for
from activities.stock.planner import Planner
from contracts.hours import Hours
from infra.keys import Scope, create_key
from infra.mongo import Mongo
from tests.gateway.running import Api, fresh
from workers.gateway import examples


async def network_version(mongo: Mongo) -> int:
    row = await mongo.counters.find_one({"_id": "network"})
    assert row is not None
    return int(row["version"])


def codes(answer: Any) -> list[str | None]:
    return [result.get("problem", {}).get("code") for result in answer.body["results"]]


def fields(answer: Any) -> list[str | None]:
    return [result.get("problem", {}).get("field") for result in answer.body["results"]]


async def test_an_article_is_kept_and_can_be_ordered_at_once(api: Api, mongo: Mongo) -> None:
    sku, before = fresh("sku"), await network_version(mongo)
    article = {"sku": sku, "name": "龙井", "weight_g": 320, "volume_cm3": 1100, "category": "tea"}
    answer = await api.put("/v1/skus", {"skus": [article]}, status=200)
    assert answer.body["results"] == [{"index": 0, "status": 201, "id": sku, "outcome": "created"}]
    assert answer.body["network_version"] == await network_version(mongo) == before + 1
    assert (await api.get(f"/v1/skus/{sku}", status=200)).body == article
    assert (await api.place(lines=[{"line": 1, "sku": sku, "quantity": 1, "unit_price": 100}]))["stage"] == "placed"
    again = await api.put("/v1/skus", {"skus": [article]}, status=200)
    assert again.body["results"][0]["outcome"] == "unchanged"
    assert await network_version(mongo) == before + 1


async def test_a_sku_that_was_only_counted_gets_its_fields_on_the_same_document(api: Api, mongo: Mongo) -> None:
    sku = fresh("sku")
    await api.put("/v1/stock", {"items": [{"location": "near", "sku": sku, "quantity": 3}]}, status=200)
    assert (await api.get(f"/v1/skus/{sku}", status=200)).body["weight_g"] == 500
    answer = await api.put("/v1/skus", {"skus": [{"sku": sku, "weight_g": 90}]}, status=200)
    assert answer.body["results"][0]["outcome"] == "updated"
    await api.put("/v1/stock", {"items": [{"location": "far", "sku": sku, "quantity": 3}]}, status=200)
    kept = await mongo.skus.find({"_id": sku}).to_list(None)
    assert [(one["weight_g"], one["category"]) for one in kept] == [(90, "")]


async def test_bad_articles_are_refused_and_the_good_ones_written(api: Api) -> None:
    good = fresh("sku")
    skus = [
        {"sku": good},
        {"sku": good, "weight_g": 7},
        {"sku": fresh("sku"), "weight_g": 0},
        {"sku": "a b"},
        {"sku": fresh("sku"), "weigth_g": 5},
        {"sku": fresh("sku"), "volume_cm3": 10**18},
        "tea",
    ]
    answer = await api.put("/v1/skus", {"skus": skus}, status=200)
    wanted = [None, "listed_twice", "too_small", "bad_format", "unknown_field", "too_large", "wrong_type"]
    assert codes(answer) == wanted
    assert fields(answer)[1:6] == ["sku", "weight_g", "sku", "weigth_g", "volume_cm3"]
    assert (await api.get(f"/v1/skus/{good}")).body["weight_g"] == 500
    assert (await api.get(f"/v1/skus/{fresh('none')}", status=404)).code == "unknown_sku"


async def test_articles_are_listed_a_page_at_a_time(api: Api) -> None:
    skus = sorted(fresh("page") for _ in range(5))
    await api.put("/v1/skus", {"skus": [{"sku": sku} for sku in skus]}, status=200)
    found: list[str] = []
    cursor = ""
    while True:
        page = (await api.get(f"/v1/skus?limit=2{cursor}", status=200)).body
        found += [one["sku"] for one in page["skus"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert found == sorted(set(found))
    assert set(skus) <= set(found)


async def test_a_location_keeps_hours_capacity_and_region_and_planners_read_them(api: Api, mongo: Mongo) -> None:
    place = {**examples.LOCATIONS["locations"][0], "id": fresh("store")}
    await api.put("/v1/locations", {"locations": [place]}, status=200)
    seen = (await api.get(f"/v1/locations/{place['id']}", status=200)).body
    days = {"monday": [{"opens": "09:00", "closes": "21:00"}], "closed": ["2027-02-06"]}
    assert {name: seen["hours"][name] for name in days} == days
    more = ("time_zone", "cut_off", "capacity_per_day", "capacity_per_hour", "safety_stock", "channel_buffers")
    assert {name: seen[name] for name in (*more, "ships_to")} == {name: place[name] for name in (*more, "ships_to")}
    assert "lat" not in seen
    planner = Planner(mongo)
    await planner.catch_up()
    planned = planner.network.locations[planner.network.index[place["id"]]]
    assert planned.hours == Hours.model_validate(place["hours"])
    assert (planned.cut_off, planned.channel_buffers, planned.ships_to) == ("17:30", {"online": 2}, ["33", "3101"])
    again = await api.put("/v1/locations", {"locations": [place]}, status=200)
    assert again.body["results"][0]["outcome"] == "unchanged"
    changed = await api.put("/v1/locations", {"locations": [{**place, "capacity_per_day": 0}]}, status=200)
    assert changed.body["results"][0]["outcome"] == "updated"
    await planner.catch_up()
    assert planner.network.locations[planner.network.index[place["id"]]].capacity_per_day == 0


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"time_zone": "Asia/Hangzhou"}, "invalid", "time_zone"),
        ({"hours": {"monday": [{"opens": "21:00", "closes": "09:00"}]}}, "invalid", "hours.monday.0"),
        ({"hours": {"monday": [{"opens": "9:00", "closes": "21:00"}]}}, "bad_format", "hours.monday.0.opens"),
        (
            {
                "hours": {
                    "friday": [{"opens": "09:00", "closes": "12:00"}, {"opens": "11:00", "closes": "18:00"}],
                }
            },
            "hours_overlap",
            "hours.friday",
        ),
        ({"hours": {"holiday": []}}, "unknown_field", "hours.holiday"),
        ({"cut_off": "24:00"}, "bad_format", "cut_off"),
        ({"capacity_per_day": -1}, "too_small", "capacity_per_day"),
        ({"capacity_per_hour": 10**15}, "too_large", "capacity_per_hour"),
        ({"safety_stock": 1.5}, "wrong_type", "safety_stock"),
        ({"channel_buffers": {"online": -2}}, "too_small", "channel_buffers.online"),
        ({"channel_buffers": {"$set": 2}}, "bad_format", "channel_buffers.$set.[key]"),
        ({"ships_to": ["33", "99"]}, "division_unknown", "ships_to.1"),
        ({"ships_to": ["330000"]}, "division_unknown", "ships_to.0"),
        ({"ships_to": ["BR-XX"]}, "division_unknown", "ships_to.0"),
        ({"ships_to": ["9"]}, "division_unknown", "ships_to.0"),
        ({"ships_to": ["331"]}, "bad_format", "ships_to.0"),
    ],
)
async def test_bad_fields_of_a_location_are_named(
    api: Api, mongo: Mongo, changes: dict[str, Any], code: str, field: str
) -> None:
    place = fresh("store")
    answer = await api.put(
        "/v1/locations", {"locations": [{"id": place, "name": "A store", "division": "330106", **changes}]}, status=200
    )
    assert (codes(answer), fields(answer)) == ([code], [field])
    assert answer.body["results"][0]["problem"]["remedy"]
    assert await mongo.locations.find_one({"_id": place}) is None


async def test_a_whole_province_is_written_without_its_zeros(api: Api) -> None:
    store = {"id": fresh("store"), "name": "A store", "division": "330106", "ships_to": ["330100"]}
    answer = await api.put("/v1/locations", {"locations": [store]}, status=200)
    assert answer.body["results"][0]["problem"]["remedy"] == "Write 3301."


def carrier(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = copy.deepcopy(examples.CARRIERS["carriers"][0])
    made["id"] = fresh("c")
    made["services"][0]["id"] = f"{made['id']}/express"
    made["services"][0].update(changes)
    return made


async def test_a_carrier_is_kept_with_versions(api: Api, mongo: Mongo) -> None:
    before, made = await network_version(mongo), carrier()
    answer = await api.put("/v1/carriers", {"carriers": [made]}, status=200)
    assert answer.body["results"][0]["outcome"] == "created"
    assert await network_version(mongo) == before + 1
    seen = (await api.get(f"/v1/carriers/{made['id']}", status=200)).body
    assert (seen["version"], seen["services"][0]["rates"]) == (1, made["services"][0]["rates"])
    await api.put("/v1/carriers", {"carriers": [{**made, "active": False}]}, status=200)
    listed = {one["id"]: one for one in (await api.get("/v1/carriers", status=200)).body["carriers"]}
    assert (listed[made["id"]]["version"], listed[made["id"]]["active"]) == (2, False)
    assert (await api.get("/v1/carriers/none", status=404)).code == "unknown_carrier"


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"zones": [{"zone": "moon"}]}, "zone_without_rate", "services.0.zones"),
        ({"zones": [{"zone": "delta"}]}, "rate_without_zone", "services.0.rates"),
        ({"zones": [{"zone": "delta", "origin": "00"}]}, "division_unknown", "services.0.zones.0.origin"),
        ({"surcharges": [{"destination": "540000"}]}, "division_unknown", "services.0.surcharges.0.destination"),
        ({"id": "other/express"}, "foreign_service", "services"),
        ({"cut_off": "6pm"}, "bad_format", "services.0.cut_off"),
        ({"zones": []}, "too_few", "services.0.zones"),
        ({"max_weight_g": 10**15}, "too_large", "services.0.max_weight_g"),
    ],
)
async def test_bad_carriers_are_refused_by_field(
    api: Api, mongo: Mongo, changes: dict[str, Any], code: str, field: str
) -> None:
    made = carrier(**changes)
    if "zones" in changes and changes["zones"] and changes["zones"][0].get("origin"):
        made["services"][0]["rates"] = {"delta": made["services"][0]["rates"]["delta"]}
    answer = await api.put("/v1/carriers", {"carriers": [made]}, status=200)
    assert (codes(answer), fields(answer)) == ([code], [field])
    assert await mongo.carriers.find_one({"_id": made["id"]}) is None


async def test_names_of_zones_that_no_database_keeps_are_refused(api: Api) -> None:
    made = carrier()
    made["services"][0]["rates"]["a\x00b"] = made["services"][0]["rates"]["delta"]
    answer = await api.put("/v1/carriers", {"carriers": [made]}, status=200)
    assert codes(answer) == ["bad_format"]


async def test_a_policy_gets_its_number_from_here_and_is_never_changed(api: Api, mongo: Mongo) -> None:
    policy = {"id": fresh("p")[:40], "regions": ["5301"], "promise_s": 3600}
    before = await network_version(mongo)
    first = await api.post("/v1/policies", policy, status=201)
    assert (first.body["version"], first.body["promise_s"]) == (1, 3600)
    assert await network_version(mongo) == before + 1
    same = await api.post("/v1/policies", policy, status=200)
    assert same.body == first.body
    assert await network_version(mongo) == before + 1
    second = await api.post("/v1/policies", {**policy, "promise_s": 7200}, status=201)
    assert second.headers["Location"] == f"/v1/policies/{policy['id']}?version=2"
    old = (await api.get(f"/v1/policies/{policy['id']}?version=1", status=200)).body
    assert old["promise_s"] == 3600
    assert (await api.get(f"/v1/policies/{policy['id']}", status=200)).body["promise_s"] == 7200
    listed = (await api.get("/v1/policies", status=200)).body["policies"]
    assert [one["version"] for one in listed if one["id"] == policy["id"]] == [2]
    assert (await api.get(f"/v1/policies/{policy['id']}?version=3", status=404)).code == "unknown_policy"
    chosen = policy_for(await Policies(mongo).in_force(), "online", "530102")
    assert (chosen.id, chosen.version) == (policy["id"], 2)


async def test_the_built_in_policy_is_the_first_version_of_the_default(api: Api) -> None:
    assert (await api.get("/v1/policies/default?version=1", status=200)).body["max_parcels"] == 4
    made = await api.post("/v1/policies", {"id": "default", "max_parcels": 3}, status=201)
    assert made.body["version"] == 2
    back = await api.post("/v1/policies", {"id": "default"}, status=201)
    assert back.body["version"] == 3


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"channels": ["telepathy"]}, "unknown_channel", "channels.0"),
        ({"regions": ["33", "77"]}, "division_unknown", "regions.1"),
        ({"version": 5}, "unknown_field", "version"),
        ({"rule": "random"}, "not_allowed", "rule"),
        ({"max_parcels": 9}, "too_large", "max_parcels"),
        ({"promise_s": 10**12}, "too_large", "promise_s"),
        ({"hand_over_within_s": 10**12}, "too_large", "hand_over_within_s"),
        ({"id": "No Name"}, "bad_format", "id"),
        ({"regoins": ["33"]}, "unknown_field", "regoins"),
        ({"regions": []}, "policy_overlaps", "channels"),
    ],
)
async def test_bad_policies_are_refused_by_field(
    api: Api, mongo: Mongo, changes: dict[str, Any], code: str, field: str
) -> None:
    policy = {"id": fresh("p")[:40], "regions": ["6501"], **changes}
    answer = await api.post("/v1/policies", policy)
    assert (answer.status, answer.code, answer.body["field"]) == (409 if "overlaps" in code else 422, code, field)
    assert await mongo.policies.find_one({"id": policy["id"]}) is None


async def test_two_policies_for_the_same_orders_are_refused(api: Api) -> None:
    mine, other = fresh("p")[:40], fresh("p")[:40]
    await api.post("/v1/policies", {"id": mine, "regions": ["62", "63"], "channels": ["online"]}, status=201)
    answer = await api.post("/v1/policies", {"id": other, "regions": ["63"], "channels": ["online"]}, status=409)
    assert (answer.code, mine in answer.body["detail"]) == ("policy_overlaps", True)
    await api.post("/v1/policies", {"id": other, "regions": ["63"]}, status=201)


async def test_versions_that_are_made_at_once_each_get_a_number(api: Api, mongo: Mongo) -> None:
    policy = fresh("p")[:40]
    bodies = [{"id": policy, "regions": ["6401"], "handling": number} for number in range(12)]
    answers = await asyncio.gather(*(api.post("/v1/policies", body, status=201) for body in bodies))
    assert sorted(answer.body["version"] for answer in answers) == list(range(1, 13))
    kept = {row["version"]: row["handling"] async for row in mongo.policies.find({"id": policy})}
    assert {answer.body["version"]: answer.body["handling"] for answer in answers} == kept


async def test_a_repeated_request_makes_no_second_version(api: Api) -> None:
    policy = {"id": fresh("p")[:40], "regions": ["6402"]}
    key = fresh("key")
    first = await api.post("/v1/policies", policy, status=201, Idempotency_Key=key)
    again = await api.post("/v1/policies", policy, status=201, Idempotency_Key=key)
    assert again.body == first.body


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/v1/skus", examples.SKUS),
        ("PUT", "/v1/carriers", examples.CARRIERS),
        ("POST", "/v1/policies", examples.POLICY),
    ],
)
async def test_a_key_that_only_reads_changes_nothing(
    api: Api, mongo: Mongo, method: str, path: str, body: dict[str, Any]
) -> None:
    reader = api.with_key(await create_key(mongo, "reader", [Scope.ORDERS_READ, Scope.STOCK_READ]))
    before = await network_version(mongo)
    assert (await reader.call(method, path, body, status=403)).code == "scope_missing"
    assert await network_version(mongo) == before
