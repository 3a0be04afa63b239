"""Which outlet is told, how far it is, and when it is open."""

from datetime import UTC, datetime
from typing import Any

import pytest

from activities.service.bot.outlets import hours_fact, hours_told, named_in, nearest, outlet_fact, outlets_of
from contracts.geo import Point

MONDAY = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
"""Ten o'clock in Shanghai."""
HERE = Point(lat=30.27, lon=120.15, datum="WGS84")
DAY = [{"opens": "09:00", "closes": "12:00"}, {"opens": "13:30", "closes": "20:00"}]
HOURS = {**dict.fromkeys(("monday", "tuesday", "wednesday", "thursday", "friday", "saturday"), DAY), "sunday": []}


def location(name: str, lat: float | None, **more: Any) -> dict[str, Any]:
    point = {"lat": lat, "lon": 120.15, "datum": "WGS84"} if lat is not None else None
    fields = {"id": name, "name": name, "kind": "store", "division": "330106", "point": point, "active": True}
    return {**fields, "channels": ["online"], "time_zone": "Asia/Shanghai", "hours": HOURS, **more}


def test_the_nearest_comes_first_and_one_without_a_point_last() -> None:
    outlets = outlets_of([location("far", 31.0), location("nowhere", None), location("near", 30.28)])
    found = nearest(outlets, "330106", HERE)
    assert [one.id for one, _ in found] == ["near", "far", "nowhere"]
    assert found[0][1] == pytest.approx(1.112, abs=0.001)


def test_without_a_point_of_the_customer_the_own_district_comes_first_and_no_distance_is_told() -> None:
    outlets = outlets_of([location("center", 30.29, division="330102"), location("ours", 30.0)])
    assert [one.id for one, _ in nearest(outlets, "330106", None)] == ["ours", "center"]
    fact = outlet_fact(outlets, "330106", None, MONDAY, "zh")
    assert "公里" not in fact.values["outlets"]
    assert "1. ours" in fact.values["outlets"]
    assert fact.values["place"] == "杭州市西湖区"


def test_only_open_stores_are_outlets_and_those_for_service_alone_where_there_are_some() -> None:
    some = [location("closed", 30.2, active=False), location("depot", 30.2, kind="warehouse"), location("shop", 30.2)]
    assert [one.id for one in outlets_of(some)] == ["shop"]
    repair = location("repair", 30.9, channels=["service"])
    assert [one.id for one in outlets_of([*some, repair])] == ["repair"]


def test_an_english_list_has_no_chinese_signs() -> None:
    outlets = outlets_of([location("center", 30.29), location("ours", 30.0, hours=None)])
    told = outlet_fact(outlets, "330106", HERE, MONDAY, "en").values["outlets"]
    assert not set(told) & set("，、：。")
    assert told.splitlines()[1].endswith(" km, open at all hours")


def test_nowhere_is_said_so() -> None:
    assert not outlet_fact([], "330106", None, MONDAY, "zh").found
    assert not hours_fact(None, "杭州市", None, MONDAY, "zh").found


@pytest.mark.parametrize(
    ("at", "told"),
    [
        ((23, 2, 0), "今天 09:00–12:00、13:30–20:00，营业中，12:00 关门"),
        ((23, 4, 30), "今天 09:00–12:00、13:30–20:00，现在休息，今天 13:30 开门"),
        ((23, 0, 59), "今天 09:00–12:00、13:30–20:00，现在休息，今天 09:00 开门"),
        ((23, 12, 0), "今天 09:00–12:00、13:30–20:00，现在休息，11月24日（周二） 09:00 开门"),
        ((29, 2, 0), "今天不营业，现在休息，11月30日（周一） 09:00 开门"),
    ],
)
def test_hours_say_whether_it_is_open_now(at: tuple[int, int, int], told: str) -> None:
    day, hour, minute = at
    outlet = outlets_of([location("a", 30.2)])[0]
    assert hours_told(outlet, None, datetime(2026, 11, day, hour, minute, tzinfo=UTC), "zh") == told


def test_hours_of_another_day_and_of_a_place_that_never_closes() -> None:
    plain = outlets_of([location("a", 30.2)])[0]
    assert hours_fact(plain, "", "2026-11-29", MONDAY, "zh").values["hours"] == "11月29日（周日）不营业"
    assert hours_fact(plain, "", "2026-11-28", MONDAY, "en").values["hours"] == "Sat 28 Nov 09:00–12:00, 13:30–20:00"
    always = outlets_of([location("b", 30.2, hours=None)])[0]
    assert hours_told(always, None, MONDAY, "en") == "open at all hours"


def test_a_store_is_found_by_its_name() -> None:
    outlets = outlets_of(
        [location("杭州湖滨银泰店", 30.2), location("杭州城西银泰店", 30.3), location("杭州文三路店", 30.2)]
    )
    found = named_in("湖滨银泰店几点关门", outlets, "330100")
    assert found is not None
    assert found.id == "杭州湖滨银泰店"
    assert named_in("银泰店几点关门", outlets, "330100") is None
    assert named_in("杭州的店几点关门", outlets, "330100") is None
