"""The cheapest partition, proved against every way there is."""

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.orders.cheapest import cheapest


def _by_brute_force(groups: int, places: int, table: dict[int, list[float]], most: int) -> float:
    """Every way to give each group a place."""
    best = float("inf")
    for given_to in product(range(places), repeat=groups):
        used = set(given_to)
        if len(used) <= most:
            blocks = [sum(1 << g for g in range(groups) if given_to[g] == place) for place in used]
            best = min(best, sum(table[block][place] for block, place in zip(blocks, used, strict=True)))
    return best


@st.composite
def _cases(draw: st.DrawFn) -> tuple[int, int, dict[int, list[float]], int]:
    groups, places, most = draw(st.integers(1, 4)), draw(st.integers(1, 5)), draw(st.integers(1, 4))
    price = st.one_of(st.integers(1, 30).map(float), st.just(float("inf")))
    rows = draw(st.lists(st.lists(price, min_size=places, max_size=places), min_size=15, max_size=15))
    return groups, places, {block: rows[block - 1] for block in range(1, 1 << groups)}, most


@given(_cases())
@settings(max_examples=600, deadline=None)
def test_no_other_way_is_cheaper(case: tuple[int, int, dict[int, list[float]], int]) -> None:
    groups, places, table, most = case
    least = min(price for row in table.values() for price in row)
    found = cheapest(groups, lambda block: np.array(table[block]), most, 2 * least)
    proved = _by_brute_force(groups, places, table, most)
    assert (found.total if found else float("inf")) == proved
    if found is None:
        return
    assert found.bound == found.total
    assert len({place for place, _ in found.blocks}) == len(found.blocks) <= most
    assert sum(block for _, block in found.blocks) == (1 << groups) - 1
    assert sum(table[block][place] for place, block in found.blocks) == found.total
    if found.runner_up:
        assert found.runner_up != found.blocks
        assert sum(table[block][place] for place, block in found.runner_up) == found.runner_up_total >= found.total


def test_the_runner_up_of_a_single_parcel_is_the_next_cheapest_place() -> None:
    found = cheapest(1, lambda _: np.array([5.0, 3.0, 4.0]), 4, 3.0)
    assert found is not None
    assert (found.blocks, found.runner_up, found.runner_up_total) == (((1, 1),), ((2, 1),), 4.0)
