"""Money is whole minor units, and nothing is lost when it is shared out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from contracts.money import AMOUNT_MAX, Amount, Currency, display, share

totals = st.integers(0, AMOUNT_MAX)
some_weights = st.lists(st.integers(0, 10**9), min_size=1, max_size=50)


@given(totals, some_weights)
def test_the_parts_add_up_exactly(total: int, weights: list[int]) -> None:
    parts = share(total, weights)
    assert sum(parts) == total
    assert len(parts) == len(weights)
    assert min(parts) >= 0


@given(totals, some_weights.filter(any))
def test_every_part_is_within_one_unit_of_its_quota(total: int, weights: list[int]) -> None:
    whole = sum(weights)
    for part, weight in zip(share(total, weights), weights, strict=True):
        assert abs(part * whole - total * weight) < whole


@given(totals, some_weights.filter(any))
def test_a_weight_of_zero_gets_nothing_as_long_as_another_has_weight(total: int, weights: list[int]) -> None:
    assert all(part == 0 for part, weight in zip(share(total, weights), weights, strict=True) if weight == 0)


@given(totals, some_weights)
def test_a_larger_weight_never_gets_less(total: int, weights: list[int]) -> None:
    parts = share(total, weights)
    by_weight = [part for _, part in sorted(zip(weights, parts, strict=True))]
    assert by_weight == sorted(by_weight)


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (2, [1, 1, 1], [1, 1, 0]),
        (10, [0, 0, 0], [4, 3, 3]),
        (7, [0, 5], [0, 7]),
        (0, [3, 4], [0, 0]),
        (10, [2, 3, 3], [2, 4, 4]),
        (0, [], []),
    ],
)
def test_remainders_go_to_the_largest_fractions_and_ties_to_the_earlier(
    total: int, weights: list[int], parts: list[int]
) -> None:
    assert share(total, weights) == parts


@pytest.mark.parametrize(("total", "weights"), [(-1, [1]), (1, [1, -1]), (1, [])])
def test_what_cannot_be_shared_is_refused(total: int, weights: list[int]) -> None:
    with pytest.raises(ValueError, match="shared out"):
        share(total, weights)


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (1234, "CNY", "¥12.34"),
        (5, "CNY", "¥0.05"),
        (1234, "BRL", "R$ 12.34"),
        (-1234, "CNY", "-¥12.34"),
        (1234, "GBP", "GBP 12.34"),
        (1234, "JPY", "JPY 1234"),
        (1234, "KWD", "KWD 1.234"),
    ],
)
def test_amounts_are_shown_as_people_write_them(amount: int, currency: str, shown: str) -> None:
    assert display(amount, currency) == shown


@pytest.mark.parametrize("value", [-1, AMOUNT_MAX + 1, 1.5, "12", True, None])
def test_an_amount_is_a_whole_number_of_minor_units_in_range(value: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Amount).validate_python(value)


def test_the_ends_of_the_range_are_amounts() -> None:
    assert [TypeAdapter(Amount).validate_python(value) for value in (0, AMOUNT_MAX)] == [0, AMOUNT_MAX]


@pytest.mark.parametrize("value", ["cny", "RMBY", "CN", "¥", "CNY\n"])
def test_a_currency_is_three_capital_letters(value: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Currency).validate_python(value)
    assert TypeAdapter(Currency).validate_python("CNY") == "CNY"
