"""The unified social credit code (GB 32100-2015), with both of its check characters. Pure.

Eighteen characters of 31 (digits and letters without I, O, S, V, Z): department that registered (1), its category (2),
division (3 to 8), organisation code with a check character of its own by GB 11714 (9 to 17), check character (18).
"""

import unicodedata
from dataclasses import dataclass
from typing import Literal

from contracts.divisions import UnknownDivision, division, exists, province_of
from contracts.requirements import Words

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_VALUES = {character: value for value, character in enumerate(ALPHABET)}
_WEIGHTS = tuple(pow(3, place, 31) for place in range(17))
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_NATIONAL = "100000"
"""Registered by the State Administration itself."""
CATEGORIES = {
    "1": "1239",
    "2": "19",
    "3": "123459",
    "4": "19",
    "5": "1239",
    "6": "129",
    "7": "129",
    "8": "19",
    "9": "1239",
    "A": "19",
    "N": "1239",
    "Y": "1",
}
"""By department: 1 institutions, 2 foreign affairs, 3 justice, 4 culture, 5 civil affairs, 6 tourism, 7 religion,
8 unions, 9 market regulation (1 enterprises, 2 individual traders, 3 farmers' cooperatives), A military, N agriculture,
Y others."""
_REGISTERS_BUSINESS = "9"

Weight = Literal["wrong", "doubtful"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a code, or has to be looked at by a person."""

    weight: Weight
    code: str
    words: Words


def normalised(code: str) -> str:
    """Half width, in capitals, without blanks and dashes."""
    text = unicodedata.normalize("NFKC", code).upper()
    return "".join(character for character in text if not character.isspace() and character not in "-‐‑–—")


def check_character(first: str) -> str:
    """Of the first 17 characters: GB 32100, weights 3^i modulo 31."""
    total = sum(_VALUES[character] * weight for character, weight in zip(first, _WEIGHTS, strict=True))
    return ALPHABET[-total % 31]


def organisation_check_character(first: str) -> str:
    """Of the first 8 characters of an organisation code: GB 11714; 10 is written X, 11 is written 0."""
    total = sum(int(character, 36) * weight for character, weight in zip(first, _ORGANISATION_WEIGHTS, strict=True))
    return "0123456789X0"[11 - total % 11]


def fault_of(code: str) -> Fault | None:
    """The first thing that is wrong with a normalised code; None: nothing. Doubts come after faults."""
    return _misspelt(code) or _miscalculated(code) or _doubt(code)


def _misspelt(code: str) -> Fault | None:
    if len(code) == 15 and code.isdecimal():
        return _wrong(
            "old_number",
            "这是 15 位的旧注册号，请填写 18 位统一社会信用代码。",
            "This is an old registration number of 15 digits; write the credit code of 18 characters.",
        )
    if len(code) != 18:
        return _wrong(
            "wrong_length",
            f"统一社会信用代码应为 18 位，这里有 {len(code)} 位。",
            f"A credit code has 18 characters; this has {len(code)}.",
        )
    place = next((place for place, character in enumerate(code, 1) if character not in _VALUES), None)
    if place is not None:
        return _wrong(
            "wrong_character",
            f"第 {place} 位的字符不可用（不使用 I、O、S、V、Z）。",
            f"Character {place} cannot be in a credit code (I, O, S, V and Z are not used).",
        )
    if code[0] not in CATEGORIES:
        return _wrong(
            "unknown_department",
            "第 1 位的登记管理部门代码不存在。",
            "No registering department has the first character.",
        )
    if not code[2:8].isdecimal():
        return _wrong(
            "wrong_division",
            "第 3 至 8 位应为数字（行政区划代码）。",
            "Characters 3 to 8 are digits: a division code.",
        )
    return None


def _miscalculated(code: str) -> Fault | None:
    if check_character(code[:17]) != code[17]:
        return _wrong(
            "check_character_wrong",
            "第 18 位校验码不正确，请逐字核对。",
            "Character 18, the check character, is not right; compare the code character by character.",
        )
    if organisation_check_character(code[8:16]) != code[16]:
        return _wrong(
            "organisation_check_wrong",
            "第 9 至 17 位（组织机构代码）的校验码不正确。",
            "Character 17, the check character of the organisation code in it, is not right.",
        )
    return None


def _doubt(code: str) -> Fault | None:
    if code[1] not in CATEGORIES[code[0]]:
        return _doubtful(
            "unknown_category",
            "登记管理部门没有第 2 位所示的机构类别。",
            "The registering department has no category with the second character.",
        )
    if code[0] != _REGISTERS_BUSINESS:
        return _doubtful(
            "no_business",
            "登记管理部门不是市场监督管理部门，不是企业或个体工商户。",
            "It was not registered by market regulation: it is no enterprise and no individual trader.",
        )
    return None


def division_doubt(code: str, region: str) -> Fault | None:
    """What is to be said of characters 3 to 8 of a code that is right otherwise. Codes are kept for life, divisions are
    not: one that does not exist any more is a doubt, and so is another province than that of the seat."""
    registered = code[2:8]
    if registered != _NATIONAL and not exists(registered):
        return _doubtful(
            "division_unknown",
            f"现行行政区划中没有 {registered}，可能是已撤销的代码。",
            f"There is no division {registered} today; it may have been withdrawn.",
        )
    try:
        elsewhere = registered != _NATIONAL and province_of(registered) != province_of(region)
    except UnknownDivision:
        elsewhere = True
    if elsewhere:
        where = division(province_of(registered)).name
        return _doubtful(
            "other_province",
            f"登记地为{where}，与申请的所在地不同。",
            f"It was registered in {where}, which is not where the applicant says its seat is.",
        )
    return None


def _wrong(code: str, zh: str, en: str) -> Fault:
    return Fault("wrong", code, Words(zh=zh, en=en))


def _doubtful(code: str, zh: str, en: str) -> Fault:
    return Fault("doubtful", code, Words(zh=zh, en=en))
