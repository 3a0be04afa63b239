"""Points carry their datum, conversions are exact inverses, and distances are those of the sphere."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.geo import Point, distance_km, haversine_km, in_china, to_bd09, to_gcj02, to_wgs84

BEIJING_STATION = Point(lat=39.90105, lon=116.42079, datum="WGS84")
SAO_PAULO = Point(lat=-23.55052, lon=-46.63331, datum="WGS84")

in_china_wgs84 = st.builds(
    Point,
    # A hundredth of a degree within the rectangle: at its very edge, far outside the country, a shifted point may
    # lie outside, where no shift is applied.
    lat=st.floats(0.85, 55.80),
    lon=st.floats(72.03, 137.81),
    datum=st.just("WGS84"),
)
anywhere = st.builds(
    Point,
    lat=st.floats(-90, 90),
    lon=st.floats(-180, 180),
    datum=st.sampled_from(["WGS84", "GCJ02", "BD09"]),
)


def test_a_known_place_is_shifted_as_maps_of_china_show_it() -> None:
    shown = to_gcj02(BEIJING_STATION)
    assert (round(shown.lat, 5), round(shown.lon, 5), shown.datum) == (39.90245, 116.42702, "GCJ02")
    assert shown.lon == pytest.approx(116.42703, abs=2e-5)
    assert distance_km(BEIJING_STATION, shown.model_copy(update={"datum": "WGS84"})) == pytest.approx(0.5546, abs=0.001)


def test_a_known_place_is_found_again_from_what_the_map_shows() -> None:
    found = to_wgs84(Point(lat=39.90245, lon=116.42703, datum="GCJ02"))
    assert distance_km(found, BEIJING_STATION) < 0.001


def test_baidus_shift_of_a_known_place() -> None:
    shown = to_bd09(Point(lat=39.915, lon=116.404, datum="GCJ02"))
    assert shown.lat == pytest.approx(39.92133699351, abs=1e-9)
    assert shown.lon == pytest.approx(116.41036949371, abs=1e-9)


@given(in_china_wgs84)
def test_gcj02_and_back_is_the_same_place(point: Point) -> None:
    there = to_gcj02(point)
    assert there.datum == "GCJ02"
    assert distance_km(to_wgs84(there), point) < 1e-5


@given(in_china_wgs84)
def test_bd09_and_back_is_the_same_place(point: Point) -> None:
    there = to_bd09(point)
    assert there.datum == "BD09"
    assert distance_km(to_wgs84(there), point) < 1e-5


@given(in_china_wgs84.filter(lambda point: 18 < point.lat < 54 and 73 < point.lon < 135))
def test_the_shift_over_china_is_noticeable_and_below_a_kilometre(point: Point) -> None:
    moved_km = distance_km(point, to_gcj02(point).model_copy(update={"datum": "WGS84"}))
    assert 0.02 < moved_km < 1.0


@given(anywhere)
def test_a_conversion_always_gives_a_valid_point_and_repeating_it_changes_nothing(point: Point) -> None:
    for convert in (to_wgs84, to_gcj02, to_bd09):
        once = convert(point)
        assert convert(once) == once
        assert Point.model_validate(once.model_dump()) == once


def test_places_outside_china_are_not_shifted() -> None:
    assert not in_china(SAO_PAULO.lat, SAO_PAULO.lon)
    for datum in ("GCJ02", "BD09"):
        seen = Point(lat=SAO_PAULO.lat, lon=SAO_PAULO.lon, datum=datum)
        assert to_wgs84(seen) == SAO_PAULO
    assert (to_gcj02(SAO_PAULO).lat, to_gcj02(SAO_PAULO).lon) == (SAO_PAULO.lat, SAO_PAULO.lon)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"lat": 39.9, "lon": 116.4}, "datum"),
        ({"lat": 39.9, "lon": 116.4, "datum": None}, "datum"),
        ({"lat": 39.9, "lon": 116.4, "datum": "wgs84"}, "datum"),
    ],
)
def test_a_missing_or_unknown_datum_is_refused_with_what_to_write(body: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError) as from_python:
        Point.model_validate(body)
    with pytest.raises(ValidationError) as from_json:
        Point.model_validate_json(json.dumps(body))
    for refused in (from_python, from_json):
        (error,) = refused.value.errors()
        assert error["loc"] == (field,)
        assert '"datum": "WGS84"' in error["msg"]
        assert "GCJ02" in error["msg"] and "BD09" in error["msg"]


@pytest.mark.parametrize(
    ("lat", "lon", "field"),
    [
        (90.001, 0.0, "lat"),
        (-90.001, 0.0, "lat"),
        (0.0, 180.001, "lon"),
        (0.0, -180.001, "lon"),
        (float("nan"), 0.0, "lat"),
        (0.0, float("inf"), "lon"),
        ("39.9", 0.0, "lat"),
        (True, 0.0, "lat"),
    ],
)
def test_coordinates_outside_the_world_are_refused_by_field(lat: object, lon: object, field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Point.model_validate({"lat": lat, "lon": lon, "datum": "WGS84"})
    assert [error["loc"] for error in refused.value.errors()] == [(field,)]


def test_a_point_cannot_be_changed_and_takes_no_other_fields() -> None:
    with pytest.raises(ValidationError):
        BEIJING_STATION.__setattr__("lat", 1.0)
    with pytest.raises(ValidationError) as refused:
        Point.model_validate({"lat": 1.0, "lon": 2.0, "lng": 2.0, "datum": "WGS84"})
    assert refused.value.errors()[0]["loc"] == ("lng",)


def test_the_schema_requires_the_datum_and_lists_its_values() -> None:
    schema = Point.model_json_schema()
    assert schema["required"] == ["lat", "lon", "datum"]
    assert schema["properties"]["datum"]["enum"] == ["WGS84", "GCJ02", "BD09"]


def test_a_degree_of_the_equator_has_its_length_and_the_poles_are_half_a_circle_apart() -> None:
    assert haversine_km(0, 0, 0, 1) == pytest.approx(111.19508, abs=1e-4)
    assert haversine_km(90, 0, -90, 120) == pytest.approx(20015.1151, abs=1e-3)


@given(anywhere, anywhere)
def test_distance_is_symmetric_and_never_beyond_half_the_circumference(a: Point, b: Point) -> None:
    assert distance_km(a, b) == pytest.approx(distance_km(b, a), abs=1e-6)
    assert 0 <= distance_km(a, b) <= 20015.2


def test_the_same_place_in_two_datums_is_no_distance_apart() -> None:
    assert distance_km(BEIJING_STATION, to_bd09(BEIJING_STATION)) < 1e-6
