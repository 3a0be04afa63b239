"""Which division a text names: by code, or by the names of provinces, cities and districts. Pure."""

import re
from collections.abc import Iterable, Mapping
from functools import cache

from contracts.divisions import Division, children_of, division, exists, prefectures, province_of

_CODE = re.compile(r"(?<!\d)([1-9]\d{5})(?!\d)")
_PEOPLES = (
    "蒙古|回|藏|维吾尔|苗|彝|壮|布依|朝鲜|满|侗|瑶|白|土家|哈尼|哈萨克|傣|黎|傈僳|佤|畲|拉祜|水|东乡|纳西|景颇|柯尔克孜|土|达斡尔|仫佬|羌|布朗|"
    "撒拉|毛南|仡佬|锡伯|塔吉克|怒|俄罗斯|鄂温克|保安|裕固|塔塔尔|独龙|鄂伦春|普米"
)
_ENDS = re.compile(
    rf"(特别行政区|(?:(?:{_PEOPLES})族)+自治[州县]|(?:维吾尔|壮族|回族)自治区|(?:哈萨克|蒙古|柯尔克孜)自治[州县]|自治[区州县]|"
    r"地区|新区|林区|[省市盟区县旗])$"
)
_PROVINCE = re.compile(r"省$|自治区$")
_SHORTEST = 2
_HEADING = "500200"
"""Chongqing's counties: a heading, and no place."""


def division_in(text: str, near: str | None = None) -> str | None:
    """The narrowest division that is named. A district whose name exists in several cities is taken for that of the
    city named with it, else of the city or province of `near`; else it is none."""
    written = _CODE.search(text)
    if written and exists(written[1]):
        return written[1]
    rest = text
    for name in _provinces():
        if _PROVINCE.search(name):
            rest = rest.replace(name, " ")
    wide = _first(_cities(), rest) or _first(_provinces(), text) or _english(text)
    county = _county_below(text, wide) if wide else _county_alone(text, near)
    return county or wide


def name_with_city(code: str) -> str:
    """As people say it: 杭州市西湖区."""
    known = division(code)
    above = division(known.parent) if known.parent else None
    if known.level == "county" and above is not None and above.code != _HEADING:
        return above.name + known.name
    return known.name


def _first(names: Mapping[str, str], text: str) -> str | None:
    """The code of the name that comes first, of those that begin together the longest."""
    found = [(text.find(name), -len(name), code) for name, code in names.items() if name in text]
    return min(found)[2] if found else None


def _county_below(text: str, wide: str) -> str | None:
    """With the city or province named the ending of a district's name may be left out."""
    own = _short(division(wide).name)
    rest = text.replace(own, " ", 1)
    inside = [one for one in _counties() if one.code[: _width(wide)] == wide[: _width(wide)]]
    whole = [one for one in inside if one.name in rest]
    short = [one for one in inside if len(_short(one.name)) >= _SHORTEST and _short(one.name) in rest]
    return _longest(whole) or _longest(short)


def _county_alone(text: str, near: str | None) -> str | None:
    """By its whole name, as long as only one can be meant."""
    named = [one for one in _counties() if len(one.name) > _SHORTEST and one.name in text]
    if near is not None:
        found = [one for one in named if one.code[:2] == near[:2]]
        close = [one for one in found if one.code[:4] == near[:4]]
        if found:
            return _longest(close or found)
    named = named or [one for one in _counties() if one.name.endswith("市") and _short(one.name) in text]
    if near is not None and not named:
        named = [one for one in _counties() if one.code[:4] == near[:4] and _short(one.name) in text]
    longest = max((len(one.name) for one in named), default=0)
    named = [one for one in named if len(one.name) == longest]
    return named[0].code if len(named) == 1 else None


def _longest(among: Iterable[Division]) -> str | None:
    return max(((len(one.name), one.code) for one in among), default=(0, None))[1]


def _width(code: str) -> int:
    return 2 if code.endswith("0000") or code[:2] in _whole_provinces() else 4


@cache
def _whole_provinces() -> frozenset[str]:
    """Those that are one city, with districts of more than one heading."""
    return frozenset({"11", "12", "31", "50"})


def _short(name: str) -> str:
    """Without its ending, as people say it; a name of two characters keeps it."""
    cut = _ENDS.sub("", name)
    return cut if len(cut) >= _SHORTEST else name


@cache
def _cities() -> Mapping[str, str]:
    """Short names and whole ones. A district may be called like a city far away (朝阳区): those are whole only."""
    districts = {_short(one.name) for one in _counties()}
    found: dict[str, str] = {}
    for one in prefectures():
        found[one.name] = one.code
        if _short(one.name) not in districts or one.code.endswith("0100"):
            found[_short(one.name)] = one.code
    return found


@cache
def _provinces() -> Mapping[str, str]:
    codes = sorted({province_of(one.code) for one in prefectures()})
    return {name: code for code in codes for name in (division(code).name, _short(division(code).name))}


@cache
def _counties() -> tuple[Division, ...]:
    above = [*prefectures(), division(_HEADING), *(division(code) for code in sorted(set(_provinces().values())))]
    return tuple(one for upper in above for one in children_of(upper.code) if one.level == "county")


def _english(text: str) -> str | None:
    """By pinyin as a word; where two cities share it, none."""
    words = set(re.findall(r"[a-z]+", text.lower()))
    found = {one.code for one in prefectures() if one.pinyin and one.pinyin.replace(" ", "").lower() in words}
    return found.pop() if len(found) == 1 else None
