"""Points that say in which datum they were measured, the way from one datum to another, and distances.

Maps made in China do not show WGS84 coordinates: they are shifted by up to about 700 m, Baidu's once more.
Formulas of both shifts, GCJ-02 and BD-09:
https://en.wikipedia.org/wiki/Restrictions_on_geographic_data_in_China
"""

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

EARTH_RADIUS_KM = 6371.0088
"""Mean radius of the earth, IUGG."""

_DATUMS = ("WGS84", "GCJ02", "BD09")
_SEMI_MAJOR_AXIS_M = 6378245.0
_ECCENTRICITY_SQUARED = 0.00669342162296594323
_SOUTH, _NORTH, _WEST, _EAST = 0.8293, 55.8271, 72.004, 137.8347
_EDGE = 0.02
_BAIDU_PI = math.pi * 3000 / 180
_CLOSE_ENOUGH_DEG = 1e-10
_ROUNDS_MAX = 30


def _known_datum(value: object) -> object:
    if isinstance(value, str) and value in _DATUMS:
        return value
    raise PydanticCustomError(
        "datum",
        'the point does not say in which datum it was measured; write "datum": "WGS84" for GPS and maps '
        'abroad, "GCJ02" for AMap, Tencent and other maps of China, "BD09" for Baidu',
    )


Datum = Annotated[Literal["WGS84", "GCJ02", "BD09"], BeforeValidator(_known_datum)]


class Point(BaseModel):
    """A place on earth, in degrees of the datum that is named with it."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"examples": [{"lat": 30.2741, "lon": 120.1551, "datum": "WGS84"}]},
    )

    lat: float = Field(ge=-90, le=90, allow_inf_nan=False, strict=True)
    lon: float = Field(ge=-180, le=180, allow_inf_nan=False, strict=True)
    datum: Datum

    @model_validator(mode="before")
    @classmethod
    def _missing_datum_gets_the_remedy_too(cls, value: Any) -> Any:
        if isinstance(value, dict) and "datum" not in value:
            return {**value, "datum": None}
        return value


def to_wgs84(point: Point) -> Point:
    """The same place in WGS84, to within a millimetre where the formulas hold. Unchanged outside China."""
    if point.datum == "WGS84":
        return point
    lat, lon = point.lat, point.lon
    if point.datum == "BD09":
        lat, lon = _unshifted(_baidu_shifted, lat, lon)
    return _point(*_unshifted(_gcj_shifted, lat, lon), "WGS84")


def to_gcj02(point: Point) -> Point:
    """The same place as maps of China show it. Unchanged outside China."""
    if point.datum == "GCJ02":
        return point
    if point.datum == "BD09":
        return _point(*_unshifted(_baidu_shifted, point.lat, point.lon), "GCJ02")
    return _point(*_shifted(_gcj_shifted, point.lat, point.lon), "GCJ02")


def to_bd09(point: Point) -> Point:
    """The same place as Baidu's maps show it. Unchanged outside China."""
    if point.datum == "BD09":
        return point
    gcj = to_gcj02(point)
    return _point(*_shifted(_baidu_shifted, gcj.lat, gcj.lon), "BD09")


def distance_km(a: Point, b: Point) -> float:
    """Great-circle distance in km, whatever datum the points are in."""
    here, there = to_wgs84(a), to_wgs84(b)
    return haversine_km(here.lat, here.lon, there.lat, there.lon)


def haversine_km(lat_a: float, lon_a: float, lat_b: float, lon_b: float) -> float:
    """Great-circle distance in km of two places in WGS84 degrees, on a sphere of the earth's mean radius."""
    phi_a, phi_b = math.radians(lat_a), math.radians(lat_b)
    half_phi, half_lambda = (phi_b - phi_a) / 2, math.radians(lon_b - lon_a) / 2
    chord = math.sin(half_phi) ** 2 + math.cos(phi_a) * math.cos(phi_b) * math.sin(half_lambda) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(chord)))


def in_china(lat: float, lon: float) -> bool:
    """Whether the shift applies: the rectangle that the published formulas use, larger than the country."""
    return _SOUTH <= lat <= _NORTH and _WEST <= lon <= _EAST


_Shift = Callable[[float, float], tuple[float, float]]


def _shifted(shift: _Shift, lat: float, lon: float) -> tuple[float, float]:
    return shift(lat, lon) if in_china(lat, lon) else (lat, lon)


def _unshifted(shift: _Shift, lat: float, lon: float) -> tuple[float, float]:
    """The place whose shifted coordinates are given, by fixed-point iteration: the shift hardly changes over
    its own length, so each round gains more than two digits."""
    if not (_SOUTH - _EDGE <= lat <= _NORTH + _EDGE and _WEST - _EDGE <= lon <= _EAST + _EDGE):
        return lat, lon
    guess_lat, guess_lon = lat, lon
    for _ in range(_ROUNDS_MAX):
        seen_lat, seen_lon = shift(guess_lat, guess_lon)
        miss_lat, miss_lon = lat - seen_lat, lon - seen_lon
        guess_lat, guess_lon = guess_lat + miss_lat, guess_lon + miss_lon
        if abs(miss_lat) < _CLOSE_ENOUGH_DEG and abs(miss_lon) < _CLOSE_ENOUGH_DEG:
            break
    return (guess_lat, guess_lon) if in_china(guess_lat, guess_lon) else (lat, lon)


def _gcj_shifted(lat: float, lon: float) -> tuple[float, float]:
    x, y = lon - 105.0, lat - 35.0
    root = math.sqrt(abs(x))
    swing = 20.0 * math.sin(6.0 * x * math.pi) + 20.0 * math.sin(2.0 * x * math.pi)
    north_m = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    north_m += 2 / 3 * (swing + 20.0 * math.sin(y * math.pi) + 40.0 * math.sin(y / 3 * math.pi))
    north_m += 2 / 3 * (160.0 * math.sin(y / 12 * math.pi) + 320.0 * math.sin(y / 30 * math.pi))
    east_m = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    east_m += 2 / 3 * (swing + 20.0 * math.sin(x * math.pi) + 40.0 * math.sin(x / 3 * math.pi))
    east_m += 2 / 3 * (150.0 * math.sin(x / 12 * math.pi) + 300.0 * math.sin(x / 30 * math.pi))
    phi = math.radians(lat)
    curvature = 1 - _ECCENTRICITY_SQUARED * math.sin(phi) ** 2
    meridian_m = _SEMI_MAJOR_AXIS_M * (1 - _ECCENTRICITY_SQUARED) / curvature**1.5
    parallel_m = _SEMI_MAJOR_AXIS_M / math.sqrt(curvature) * math.cos(phi)
    return lat + math.degrees(north_m / meridian_m), lon + math.degrees(east_m / parallel_m)


def _baidu_shifted(lat: float, lon: float) -> tuple[float, float]:
    radius = math.hypot(lon, lat) + 0.00002 * math.sin(lat * _BAIDU_PI)
    angle = math.atan2(lat, lon) + 0.000003 * math.cos(lon * _BAIDU_PI)
    return radius * math.sin(angle) + 0.006, radius * math.cos(angle) + 0.0065


def _point(lat: float, lon: float, datum: Literal["WGS84", "GCJ02", "BD09"]) -> Point:
    return Point(lat=lat, lon=lon, datum=datum)
