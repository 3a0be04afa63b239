"""Division codes exist, know their province and say what to write when they do not."""

from collections import Counter

import pytest
from pydantic import TypeAdapter, ValidationError

from contracts.divisions import (
    Division,
    DivisionCode,
    UnknownDivision,
    children_of,
    division,
    exists,
    name_of,
    populations,
    prefectures,
    province_of,
    scheme_of,
    wrong_prefix,
)
from contracts.geo import Point, distance_km

CODE = TypeAdapter(DivisionCode)


@pytest.mark.parametrize(
    ("code", "name", "province", "level"),
    [
        ("330000", "浙江省", "330000", "province"),
        ("330100", "杭州市", "330000", "prefecture"),
        ("330106", "西湖区", "330000", "county"),
        ("110100", "北京市", "110000", "prefecture"),
        ("441900", "东莞市", "440000", "prefecture"),
        ("429004", "仙桃市", "420000", "county"),
        ("460303", "南沙区", "460000", "county"),
        ("540481", "米林市", "540000", "county"),
        ("659012", "白杨市", "650000", "county"),
        ("710000", "台湾省", "710000", "province"),
        ("810000", "香港特别行政区", "810000", "province"),
        ("820000", "澳门特别行政区", "820000", "province"),
        ("BR-SP", "São Paulo", "BR-SP", "province"),
    ],
)
def test_a_code_knows_its_name_province_and_level(code: str, name: str, province: str, level: str) -> None:
    assert CODE.validate_python(code) == code
    assert exists(code)
    assert (name_of(code), province_of(code), division(code).level) == (name, province, level)


def test_the_scheme_follows_the_code() -> None:
    assert scheme_of("330106") == "GB/T 2260"
    assert scheme_of("BR-RJ") == "ISO 3166-2:BR"


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("110199", "the nearest known prefix is 1101 北京市: write 110100"),
        ("429099", "the nearest known prefix is 42 湖北省: write 420000"),
        ("1101", "write 110100"),
        ("999999", "there is no province 99"),
        ("110101000000", "write its first six digits, 110101"),
        ("br-sp", "write BR-SP"),
        ("BR-XX", "one of its 27 codes"),
        ("杭州市", "write six digits of GB/T 2260"),
        ("１１０１０１", "write six digits of GB/T 2260"),
        ("", "write six digits of GB/T 2260"),
        ("232761", "the nearest known prefix is 2327"),
        ("710100", "the nearest known prefix is 71 台湾省"),
        ("{reason}", "write six digits of GB/T 2260"),
    ],
)
def test_a_code_that_does_not_exist_is_refused_with_the_remedy(code: str, remedy: str) -> None:
    assert not exists(code)
    with pytest.raises(ValidationError) as refused:
        CODE.validate_python(code)
    (error,) = refused.value.errors()
    assert remedy in error["msg"]
    assert error["type"] == "division_unknown"
    for ask in (name_of, province_of, scheme_of, division):
        with pytest.raises(UnknownDivision) as unknown:
            ask(code)
        assert remedy in str(unknown.value)


def test_a_long_wrong_code_is_not_repeated_in_full() -> None:
    with pytest.raises(UnknownDivision) as unknown:
        name_of("x" * 10_000)
    assert len(str(unknown.value)) < 200


def test_every_level_is_complete_and_every_parent_exists() -> None:
    china = [one for code in populations() for one in (division(code), *_below(code))]
    assert Counter(one.level for one in china) == {"province": 34, "prefecture": 338, "county": 2846}
    assert all(one.parent is None or exists(one.parent) for one in china)
    assert all(province_of(one.code) == one.code for one in china if one.parent is None)


def test_brazil_has_its_27_states() -> None:
    states = "AC AL AM AP BA CE DF ES GO MA MG MS MT PA PB PE PI PR RJ RN RO RR RS SC SE SP TO".split()
    assert len(states) == 27
    assert all(exists(f"BR-{state}") for state in states)
    assert not exists("BR-ZZ")


def test_children_are_those_right_below() -> None:
    assert "330106" in {one.code for one in children_of("330100")}
    assert {one.level for one in children_of("330000")} == {"prefecture"}
    assert {one.level for one in children_of("460000")} == {"prefecture", "county"}
    assert children_of("810000") == ()


def test_every_prefecture_has_a_centre_in_or_near_china_and_a_readable_name() -> None:
    assert len(prefectures()) == 340
    for one in prefectures():
        assert one.centre is not None and one.centre.datum == "WGS84"
        assert 3 < one.centre.lat < 54 and 73 < one.centre.lon < 135
        assert one.pinyin is not None and one.pinyin.isascii() and one.pinyin.isalpha()
    assert {"710000", "810000", "820000", "460300"} <= {one.code for one in prefectures()}


def test_no_two_prefectures_lie_in_the_same_place() -> None:
    centres = [one.centre for one in prefectures() if one.centre]
    for place, a in enumerate(centres):
        assert all(distance_km(a, b) > 5 for b in centres[place + 1 :])


@pytest.mark.parametrize(
    ("code", "lat", "lon"),
    [
        ("110100", 39.9042, 116.4074),
        ("130500", 37.0622, 114.4927),
        ("310100", 31.2304, 121.4737),
        ("330100", 30.2741, 120.1551),
        ("460300", 16.8342, 112.3375),
        ("460400", 19.5213, 109.5790),
        ("513200", 31.9006, 102.2209),
        ("522300", 25.0962, 104.9064),
        ("532500", 23.3678, 103.3821),
        ("540100", 29.6500, 91.1000),
        ("650100", 43.8010, 87.6005),
        ("810000", 22.2783, 114.1747),
    ],
)
def test_a_centre_lies_where_the_city_is(code: str, lat: float, lon: float) -> None:
    centre = division(code).centre
    assert centre is not None
    assert distance_km(centre, Point(lat=lat, lon=lon, datum="WGS84")) < 8


def test_populations_are_those_of_every_province_with_their_year() -> None:
    people = populations()
    assert len(people) == 34
    assert people["440000"].people == 127_800_000 and people["440000"].year == 2024
    assert {people[code].year for code in ("710000", "810000", "820000")} == {2020}
    assert 1_430_000_000 < sum(one.people for one in people.values()) < 1_450_000_000


def _below(code: str) -> list[Division]:
    found: list[Division] = []
    for child in children_of(code):
        found += [child, *_below(child.code)]
    return found


@pytest.mark.parametrize("prefix", ["", "3", "33", "3301", "330106", "BR", "BR-SP", "71", "1101"])
def test_a_beginning_of_codes_that_exist_is_right(prefix: str) -> None:
    assert wrong_prefix(prefix) is None


@pytest.mark.parametrize(
    ("prefix", "remedy"),
    [
        ("330000", "write 33"),
        ("330100", "write 3301"),
        ("3399", "write 33,"),
        ("99", "write one"),
        ("BR-XX", "BR-SP"),
        ("9", "write one"),
    ],
)
def test_what_begins_no_code_is_told_with_what_to_write(prefix: str, remedy: str) -> None:
    assert remedy in (wrong_prefix(prefix) or "")
