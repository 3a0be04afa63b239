"""Administrative divisions: which codes exist, their names, what they belong to, where prefectures lie.

Two schemes: GB/T 2260 (China, six digits, all levels) and ISO 3166-2:BR (Brazil's states, such as BR-SP).
The data files and their sources are described in contracts/data/README.md.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal, cast

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from contracts.geo import Point

Scheme = Literal["GB/T 2260", "ISO 3166-2:BR"]
Level = Literal["province", "prefecture", "county"]

_BRAZIL = "BR-"


@dataclass(frozen=True, slots=True)
class Division:
    """A division. `parent` is None for provinces and states; `prefectures()` have a `centre`, in WGS84."""

    code: str
    name: str
    level: Level
    parent: str | None = None
    pinyin: str | None = None
    centre: Point | None = None


@dataclass(frozen=True, slots=True)
class Population:
    """Residents of a province at the end of a year."""

    year: int
    people: int


class UnknownDivision(ValueError):
    """The code is in none of the schemes. The message says what to write instead, as far as can be told."""


def _existing(code: str) -> str:
    if code in _divisions():
        return code
    raise PydanticCustomError("division_unknown", "{reason}", {"reason": _what_to_write(code)})


DivisionCode = Annotated[
    str,
    AfterValidator(_existing),
    Field(description="GB/T 2260 (six digits) or ISO 3166-2:BR.", examples=["330106", "330100", "BR-SP"]),
]
"""A code that exists."""


def exists(code: str) -> bool:
    return code in _divisions()


def division(code: str) -> Division:
    """Raises UnknownDivision."""
    found = _divisions().get(code)
    if found is None:
        raise UnknownDivision(_what_to_write(code))
    return found


def wrong_prefix(prefix: str) -> str | None:
    """What is wrong with the beginning of a code, with the remedy after a semicolon; None where it is as it should be.

    A whole province or prefecture is written without its zeros: 330000 is the beginning of no county's code. One digit
    is a great region of China.
    """
    if not prefix or prefix in ("BR", "BR-") or (len(prefix) == 1 and prefix in _regions()):
        return None
    found = _divisions().get(prefix)
    if found is not None and found.code.isdigit() and found.level != "county":
        short = prefix[:2] if found.level == "province" else prefix[:4]
        return f"{prefix} is {found.name} itself and nothing in it; write {short}"
    if found is not None or (len(prefix) in (2, 4) and prefix.ljust(6, "0") in _divisions()):
        return None
    for digits in (4, 2):
        if prefix.isdigit() and len(prefix) > digits and prefix[:digits].ljust(6, "0") in _divisions():
            return f"no code of GB/T 2260 begins with {prefix}; write {prefix[:digits]}, or another beginning in it"
    return _what_to_write(prefix)


@cache
def _regions() -> frozenset[str]:
    return frozenset(code[0] for code in _divisions() if code.isdigit())


def name_of(code: str) -> str:
    """The name in the scheme's own language. Raises UnknownDivision."""
    return division(code).name


def province_of(code: str) -> str:
    """The province's code ("330106" -> "330000"), or the state's own ("BR-SP"). Raises UnknownDivision."""
    known = division(code).code
    return known if known.startswith(_BRAZIL) else known[:2] + "0000"


def scheme_of(code: str) -> Scheme:
    """Raises UnknownDivision."""
    return "ISO 3166-2:BR" if division(code).code.startswith(_BRAZIL) else "GB/T 2260"


@cache
def prefectures() -> tuple[Division, ...]:
    """Every prefecture with its centre. Hong Kong, Macau and Taiwan, which have no codes below them, stand
    among them for themselves; counties governed by their province, and the heading 500200, do not."""
    return tuple(one for one in _divisions().values() if one.centre is not None)


@cache
def children_of(code: str) -> tuple[Division, ...]:
    """The divisions right below, in the order of their codes. Raises UnknownDivision."""
    above = division(code).code
    return tuple(one for one in _divisions().values() if one.parent == above)


@cache
def populations() -> Mapping[str, Population]:
    """Resident population by province code, with the year it was counted in."""
    return {row["code"]: Population(int(row["year"]), int(row["people"])) for row in _rows("populations.csv")}


@cache
def _divisions() -> dict[str, Division]:
    known = {row["code"]: _chinese(row) for row in _rows("divisions.csv")}
    known |= {row["code"]: Division(row["code"], row["name"], "province") for row in _rows("iso_3166_2_br.csv")}
    return known


def _chinese(row: dict[str, str]) -> Division:
    located = row["lat"] and row["lon"]
    return Division(
        code=row["code"],
        name=row["name"],
        level=cast(Level, row["level"]),
        parent=row["parent"] or None,
        pinyin=row["pinyin"] or None,
        centre=Point(lat=float(row["lat"]), lon=float(row["lon"]), datum="WGS84") if located else None,
    )


def _rows(file: str) -> Iterator[dict[str, str]]:
    with (files("contracts") / "data" / file).open(encoding="utf-8") as lines:
        yield from csv.DictReader(lines)


def _what_to_write(code: str) -> str:
    shown = code if len(code) <= 40 else code[:40] + "..."
    if code.upper().startswith(_BRAZIL):
        likely = code.upper() if code.upper() in _divisions() else "one of its 27 codes, such as BR-SP"
        return f"{shown} is not a state of ISO 3166-2:BR; write {likely}"
    if not (code.isascii() and code.isdigit()):
        return f"{shown!r} is no division code; write six digits of GB/T 2260, such as 330106, or one like BR-SP"
    if len(code) > 6 and code[:6] in _divisions():
        return f"{shown} is longer than a division of GB/T 2260; write its first six digits, {code[:6]}"
    for digits in (4, 2):
        nearest = _divisions().get(code[:digits].ljust(6, "0"))
        if nearest is not None and len(code) >= digits:
            return (
                f"{shown} is not a division of GB/T 2260; the nearest known prefix is {code[:digits]} "
                f"{nearest.name}: write {nearest.code}, or the code of a division in it"
            )
    return f"{shown} is not a division of GB/T 2260; there is no province {code[:2]}; write one such as 330106"
