"""Promises, calendars, teams and rotas over HTTP: versions that never change; nonsense is refused by field."""

import copy
from typing import Any

import pytest

from infra.keys import Scope, create_key
from infra.mongo import Mongo
from infra.service_book import ServiceBook
from tests.gateway.running import Api, fresh
from workers.gateway import service_examples as examples

pytestmark = pytest.mark.timeout(300)


def a_policy(name: str, region: str, **changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(examples.POLICY), "id": name, "regions": [region], **changes}


def a_team(name: str, **changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(examples.TEAM), "id": name, **changes}


async def test_a_change_is_a_new_version_and_old_ones_stay(api: Api) -> None:
    name = fresh("hainan")
    made = await api.post("/v1/service/policies", a_policy(name, "46"), status=201)
    assert (made.body["version"], made.headers["Location"]) == (1, f"/v1/service/policies/{name}?version=1")
    assert (await api.post("/v1/service/policies", a_policy(name, "46"))).status == 200
    changed = await api.post("/v1/service/policies", a_policy(name, "46", warnings=[80]), status=201)
    assert changed.body["version"] == 2
    assert (await api.get(f"/v1/service/policies/{name}?version=1")).body["warnings"] == [50, 75, 90]
    assert (await api.get(f"/v1/service/policies/{name}")).body["warnings"] == [80]
    listed = (await api.get("/v1/service/policies")).body["policies"]
    assert [(one["id"], one["version"]) for one in listed if one["id"] in ("default", name)] == [
        ("default", 1),
        (name, 2),
    ]
    assert (await api.get("/v1/service/policies/nothing")).code == "unknown_policy"
    assert (await api.get(f"/v1/service/policies/{name}?version=9")).code == "unknown_policy"


async def test_a_deadline_follows_the_policy_of_the_region_and_explains_itself(api: Api) -> None:
    name = fresh("qinghai")
    path = "/v1/service/deadlines?region=630102&priority=urgent&at=2026-02-14T21:30:00%2B08:00"
    before = (await api.get(path, status=200)).body
    assert before["policy"] == "default@1"
    first = before["deadlines"][0]
    assert (first["clock"], first["due"]) == ("first_response", "2026-02-14T13:40:00Z")
    await api.post("/v1/service/policies", a_policy(name, "63", calendar="cn-office"), status=201)
    after = (await api.get(path, status=200)).body
    assert (after["policy"], after["calendar"]) == (f"{name}@1", "cn-office@1")
    # The Spring Festival lies between; 14 February was a make-up workday until 18:30.
    first, solution = after["deadlines"]
    assert first["due"] == "2026-02-24T01:15:00Z"
    assert first["words"]["zh"] == (
        "首次响应时限 0:15 工作时间，按“工作日”计算；截止 2026-02-24 09:15；计入：2026-02-24 09:00-09:15。"
    )
    assert solution["words"]["en"] == (
        "Resolution: 6:00 of working time by “Office hours in China”; due 2026-02-24 16:30; "
        "counted: 2026-02-24 09:00-12:00; 2026-02-24 13:30-16:30."
    )


async def test_a_change_of_a_calendar_moves_what_is_promised(api: Api) -> None:
    name, policy = fresh("delta"), fresh("hainan")
    await api.post("/v1/service/calendars", {**examples.CALENDAR, "id": name}, status=201)
    await api.post("/v1/service/policies", a_policy(policy, "65", calendar=name), status=201)
    path = "/v1/service/deadlines?region=650102&at=2026-11-22T10:00:00%2B08:00"
    sunday = (await api.get(path)).body["deadlines"][0]
    assert sunday["due"] == "2026-11-23T02:00:00Z"
    work = copy.deepcopy(examples.CALENDAR["work"])
    work["hours"]["sunday"] = [{"opens": "08:00", "closes": "23:59"}]
    await api.post("/v1/service/calendars", {**examples.CALENDAR, "id": name, "work": work}, status=201)
    sunday = (await api.get(path)).body["deadlines"][0]
    assert (sunday["due"], sunday["calendar"]) == ("2026-11-22T03:00:00Z", f"{name}@2")


async def test_who_is_on_duty_who_comes_next_and_where_nobody_is(api: Api, mongo: Mongo) -> None:
    team = fresh("south")
    assert (await api.post("/v1/service/rotas", {**examples.ROTA, "team": team})).code == "unknown_team"
    await api.post("/v1/service/teams", a_team(team), status=201)
    path = f"/v1/service/duty?team={team}&at=2026-11-23T21:00:00%2B08:00"
    [nobody] = (await api.get(path, status=200)).body["teams"]
    assert (nobody["now"], nobody["gaps_in_all"]) == ([], 1)
    await api.post("/v1/service/rotas", {**examples.ROTA, "team": team}, status=201)
    [there] = (await api.get(path)).body["teams"]
    assert there["now"] == [{"agent": "s-1002", "until": "2026-11-24T12:00:00Z"}]
    assert (there["next_agent"], there["next_at"], there["gaps_in_all"]) == ("s-1001", "2026-11-24T12:00:00Z", 0)
    away = {"agent": "s-1002", "start": "2026-11-24T00:00:00+08:00", "end": "2026-11-24T06:00:00+08:00"}
    gap = await api.post("/v1/service/rotas", {**examples.ROTA, "team": team, "duties": examples.ROTA["duties"][:3]})
    assert (gap.code, gap.body["field"]) == ("rota_gap", "duties")
    changed = {**examples.ROTA, "team": team, "whole": False, "changes": [away]}
    assert (await api.post("/v1/service/rotas", changed, status=201)).body["version"] == 2
    [there] = (await api.get(path)).body["teams"]
    assert there["now"] == [{"agent": "s-1002", "until": "2026-11-23T16:00:00Z"}]
    assert there["gaps"] == [{"start": "2026-11-23T16:00:00Z", "end": "2026-11-23T22:00:00Z"}]
    assert (await api.get("/v1/service/duty?team=nobody")).code == "unknown_team"


async def test_what_makes_no_sense_is_refused_and_changes_nothing(api: Api, mongo: Mongo) -> None:
    await api.post("/v1/service/teams", a_team("line"), status=201)
    held = fresh("held")
    await api.post("/v1/service/policies", a_policy(held, "62"), status=201)
    before = (await ServiceBook(mongo).current()).stamp
    level = examples.POLICY["ladder"][0]
    named = {**level, "assignee": {"kind": "named", "agent": "nobody-1"}}
    rota = {**examples.ROTA, "team": "line"}
    duty = examples.ROTA["duties"][0]
    for path, body, field in (
        ("policies", a_policy("p", "99"), "regions.0"),
        ("policies", a_policy("p", "62"), "regions"),
        ("policies", a_policy("p", "61", calendar="none"), "calendar"),
        ("policies", a_policy("p", "61", targets=examples.POLICY["targets"][1:]), "targets"),
        ("policies", a_policy("p", "61", ladder=[{**level, "assignee": {"team": "none"}}]), "ladder.0.assignee.team"),
        ("policies", a_policy("p", "61", ladder=[level, named]), "ladder.1.assignee.agent"),
        ("calendars", {**examples.CALENDAR, "id": "c", "zone": "Asia/Hangzhou"}, "zone"),
        ("calendars", {**examples.CALENDAR, "id": "c", "work": {"hours": {}}}, "work"),
        ("teams", a_team("t", regions=["330000"]), "regions.0"),
        ("teams", a_team("t", lead="nobody"), "lead"),
        ("rotas", {**rota, "duties": [{**duty, "agent": "nobody"}]}, "duties.0.agent"),
        ("rotas", {**rota, "duties": [{**duty, "day": 5}]}, "duties"),
        ("rotas", {**rota, "calendar": "cn-office"}, "calendar"),
    ):
        refused = await api.post(f"/v1/service/{path}", body)
        assert refused.status in (409, 422), (path, field, refused)
        known = list(refused.faults) if "errors" in refused.body else [refused.body["field"]]
        assert field in known, (field, refused.body)
        assert refused.code
    assert (await ServiceBook(mongo).current()).stamp == before


async def test_only_operators_may(api: Api, mongo: Mongo) -> None:
    key = await create_key(mongo, "orders", [Scope.ORDERS_READ, Scope.ORDERS_WRITE])
    assert (await api.with_key(key).get("/v1/service/teams")).code == "scope_missing"
    assert (await api.with_key(key).post("/v1/service/teams", a_team("x"))).code == "scope_missing"


async def test_the_book_is_read_again_when_something_has_changed(api: Api, mongo: Mongo) -> None:
    book = ServiceBook(mongo)
    first = await book.current()
    assert await book.current() is first
    name = fresh("west")
    await api.post("/v1/service/teams", a_team(name), status=201)
    second = await book.current()
    assert name not in first.teams and second.teams[name].version == 1
    assert second.stamp > first.stamp
