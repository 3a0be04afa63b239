"""The unified social credit code against codes of real companies, and against every mistake of one hand."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum.cn import uscc

from activities.onboarding.credit_code import (
    ALPHABET,
    check_character,
    division_doubt,
    fault_of,
    normalised,
    organisation_check_character,
)
from bench.applicants import credit_code

REAL = (
    "914403001922038216",
    "9144030071526726XG",
    "91330100799655058B",
    "91110108551385082Q",
    "91440300192317458F",
    "91440400192548256N",
    "91350900587527783P",
    "91110000600037341L",
)
codes = st.integers(0, 10**9).map(lambda seed: credit_code(random.Random(seed)))


def code_of(fault: object) -> str | None:
    return getattr(fault, "code", None)


@pytest.mark.parametrize("code", REAL)
def test_real_codes_are_right(code: str) -> None:
    assert fault_of(code) is None
    assert division_doubt(code, code[2:8]) is None


def test_the_organisation_code_has_a_check_character_of_its_own() -> None:
    wrong_inside = "91110000600037342P"
    assert check_character(wrong_inside[:17]) == wrong_inside[17]
    assert code_of(fault_of(wrong_inside)) == "organisation_check_wrong"


def test_departments_are_letters_too() -> None:
    """Village collectives register with agriculture: the code is right, and no business."""
    fault = fault_of("N2370102MF1234567B")
    assert fault is not None and (fault.weight, fault.code) == ("doubtful", "no_business")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("330100000012345", "old_number"),
        ("9133010079965505", "wrong_length"),
        ("", "wrong_length"),
        ("9133010079965505I8", "wrong_character"),
        ("B1330100799655058B", "unknown_department"),
        ("9133A100799655058B", "wrong_division"),
        ("91330100799655058C", "check_character_wrong"),
        ("９１３３０１００７９９６５５０５８Ｂ", None),
        (" 91330100-799655058-b ", None),
    ],
)
def test_what_is_wrong_is_named(code: str, expected: str | None) -> None:
    assert code_of(fault_of(normalised(code))) == expected


@pytest.mark.parametrize(
    ("division", "region", "expected"),
    [
        ("330106", "330100", None),
        ("100000", "330106", None),
        ("330103", "330106", "division_unknown"),  # 下城区, merged into 拱墅区 in 2021
        ("110101", "330106", "other_province"),
        ("330106", "BR-SP", "other_province"),
    ],
)
def test_an_old_division_is_a_doubt_and_no_failure(division: str, region: str, expected: str | None) -> None:
    code = credit_code(random.Random(1), division)
    assert fault_of(code) is None
    doubt = division_doubt(code, region)
    assert code_of(doubt) == expected
    assert doubt is None or doubt.weight == "doubtful"


@settings(deadline=None)
@given(codes, st.integers(0, 17), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_found(code: str, place: int, other: str) -> None:
    changed = code[:place] + other + code[place + 1 :]
    fault = fault_of(changed)
    assert (fault is None or fault.weight != "wrong") == (changed == code)


@settings(deadline=None)
@given(codes, st.integers(0, 16))
def test_two_neighbours_in_the_wrong_order_are_found(code: str, place: int) -> None:
    changed = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    fault = fault_of(changed)
    assert (fault is None or fault.weight != "wrong") == (changed == code)


@settings(deadline=None)
@given(codes)
def test_the_outer_check_is_that_of_a_library(code: str) -> None:
    assert uscc.calc_check_digit(code[:17]) == check_character(code[:17])
    assert uscc.is_valid(code)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_anything_is_answered(text: str) -> None:
    fault = fault_of(normalised(text))
    assert fault is None or fault.words.zh


def test_letters_count_from_ten_inside() -> None:
    assert organisation_check_character("71526726") == "X"
    assert organisation_check_character("79965505") == "8"
