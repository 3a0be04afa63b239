"""Locations over HTTP: kept in WGS84, versioned, and each with an event stream of its own."""

import asyncio

import pytest

from contracts.geo import Point, to_wgs84
from contracts.subjects import EVENTS, partner_consumer
from infra.mongo import Mongo
from tests.gateway.running import Api, fresh


def store(place: str, **changes: object) -> dict[str, object]:
    return {"id": place, "name": "A store", "division": "330106", **changes}


async def _network_version(mongo: Mongo) -> int:
    row = await mongo.counters.find_one({"_id": "network"})
    assert row is not None
    return int(row["version"])


async def test_a_location_is_kept_in_wgs84_and_gets_its_stream(api: Api, mongo: Mongo) -> None:
    place = fresh("store")
    point = {"lat": 30.2594, "lon": 120.1302, "datum": "GCJ02"}
    answer = await api.put("/v1/locations", {"locations": [store(place, point=point)]}, status=200)
    assert answer.body["results"] == [{"index": 0, "status": 201, "id": place, "outcome": "created"}]
    seen = (await api.get(f"/v1/locations/{place}", status=200)).body
    wanted = to_wgs84(Point(lat=30.2594, lon=120.1302, datum="GCJ02"))
    assert seen["point"] == {"lat": wanted.lat, "lon": wanted.lon, "datum": "WGS84"}
    assert seen["version"] == 1
    info = await api.gateway.js.consumer_info(EVENTS, partner_consumer(place))
    assert info.config.filter_subject == f"evt.v1.{place}.>"
    assert seen["events"]["consumer"] == info.name


async def test_only_a_change_makes_a_new_version(api: Api, mongo: Mongo) -> None:
    place = fresh("store")
    await api.put("/v1/locations", {"locations": [store(place)]}, status=200)
    version = await _network_version(mongo)
    same = await api.put("/v1/locations", {"locations": [store(place)]}, status=200)
    assert same.body["results"][0]["outcome"] == "unchanged"
    assert same.body["network_version"] == version == await _network_version(mongo)
    other = await api.put("/v1/locations", {"locations": [store(place, active=False)]}, status=200)
    assert (other.body["results"][0]["status"], other.body["results"][0]["outcome"]) == (200, "updated")
    assert await _network_version(mongo) == version + 1
    assert (await api.get(f"/v1/locations/{place}")).body["version"] == 2


async def test_bad_locations_are_refused_and_the_good_ones_written(api: Api, mongo: Mongo) -> None:
    good = fresh("store")
    locations = [
        store(good),
        store("retailer"),
        store("partner-01kjt3w9x8c4m2p7q5"),
        store(fresh("store"), division="999999"),
        store(fresh("store"), point={"lat": 30, "lon": 120}),
        store(good, name="Another"),
        store("a.b"),
        store(fresh("store"), accept_within_s=0),
        store(fresh("store"), point={"lat": 130.0, "lon": 120.0, "datum": "WGS84"}),
    ]
    answer = await api.put("/v1/locations", {"locations": locations}, status=200)
    assert [result.get("problem", {}).get("code") for result in answer.body["results"]] == [
        None,
        "id_reserved",
        "id_reserved",
        "division_unknown",
        "datum",
        "listed_twice",
        "bad_format",
        "too_small",
        "too_large",
    ]
    assert (await api.get(f"/v1/locations/{good}")).body["name"] == "A store"
    assert await mongo.locations.find_one({"_id": "retailer"}) is None


async def test_changes_at_once_each_count(api: Api, mongo: Mongo) -> None:
    place = fresh("store")
    version = await _network_version(mongo)
    changes = [store(place, accept_within_s=seconds) for seconds in range(1, 21)]
    await asyncio.gather(*(api.put("/v1/locations", {"locations": [one]}, status=200) for one in changes))
    assert (await api.get(f"/v1/locations/{place}")).body["version"] == 20
    assert await _network_version(mongo) == version + 20


async def test_locations_are_listed_by_region_kind_and_activity(api: Api) -> None:
    prefix = fresh("list")
    locations = [
        store(f"{prefix}-1", division="540102"),
        store(f"{prefix}-2", division="540102", kind="warehouse"),
        store(f"{prefix}-3", division="540202", active=False),
    ]
    await api.put("/v1/locations", {"locations": locations}, status=200)

    async def found(query: str) -> list[str]:
        page = (await api.get(f"/v1/locations?{query}", status=200)).body
        return [one["id"][-1] for one in page["locations"] if one["id"].startswith(prefix)]

    assert await found("region=54") == ["1", "2", "3"]
    assert await found("region=5401") == ["1", "2"]
    assert await found("region=54&kind=warehouse") == ["2"]
    assert await found("region=54&active=false") == ["3"]
    first = (await api.get("/v1/locations?region=54&limit=1")).body
    assert first["next"]
    rest = (await api.get(f"/v1/locations?region=54&cursor={first['next']}")).body
    assert first["locations"][0]["id"] not in [one["id"] for one in rest["locations"]]


@pytest.mark.parametrize(("place", "status"), [("nowhere", 404), ("x" * 65, 422)])
async def test_a_location_that_is_not_there_is_a_problem(api: Api, place: str, status: int) -> None:
    assert (await api.get(f"/v1/locations/{place}", status=status)).code
