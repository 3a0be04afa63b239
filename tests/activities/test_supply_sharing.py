"""Fair share of what a supplier has too little of."""

from statistics import NormalDist

from hypothesis import given
from hypothesis import strategies as st

from activities.supply.sharing import Need, fair_shares
from contracts.supply import QUANTILES


def need(key: str, there: float, mean: float, units: int, *, minimum: int = 1, multiple: int = 1) -> Need:
    normal = NormalDist(mean, max(mean, 1.0) ** 0.5)
    quantiles = [max(0.0, normal.inv_cdf(level)) for level in QUANTILES]
    return Need(key, there, units, minimum, multiple, quantiles)


needs = st.lists(
    st.builds(
        lambda there, mean, loads, least, multiple: need(
            "", there, mean, max(loads, least) * multiple, minimum=least * multiple, multiple=multiple
        ),
        st.integers(-20, 50),
        st.floats(0.1, 200),
        st.integers(0, 60),
        st.integers(0, 5),
        st.integers(1, 12),
    ),
    min_size=1,
    max_size=8,
)


@given(needs, st.integers(0, 3_000))
def test_shares_can_be_ordered_and_no_more_is_given_than_is_there(wanted: list[Need], available: int) -> None:
    found = fair_shares(wanted, available)
    assert sum(found) <= available
    for one, units in zip(wanted, found, strict=True):
        assert units == 0 or (one.minimum <= units <= one.units and units % one.multiple == 0)
    left = available - sum(found)
    for one, units in zip(wanted, found, strict=True):
        # Nobody could have been given another load of what is left over.
        step = max(one.minimum, one.multiple) if units == 0 else one.multiple
        assert units == one.units or step > left


def test_who_has_enough_for_all_gives_all() -> None:
    assert fair_shares([need("a", 0, 10, 12), need("b", 5, 10, 7)], 19) == [12, 7]


def test_all_run_out_alike_whatever_they_wanted() -> None:
    # The first one wants twice as much, for it has nothing; both have as many in the end.
    assert fair_shares([need("a", 0, 30, 40), need("b", 20, 30, 20)], 30) == [25, 5]
    # Who has enough for now gets nothing while others have not.
    assert fair_shares([need("a", 0, 30, 40), need("b", 35, 30, 5)], 20) == [20, 0]


def test_what_is_left_below_a_minimum_is_given_to_nobody() -> None:
    wanted = [need("a", 0, 30, 24, minimum=12, multiple=6), need("b", 0, 30, 24, minimum=12, multiple=6)]
    assert fair_shares(wanted, 11) == [0, 0]
    assert sorted(fair_shares(wanted, 20)) == [0, 18]
    assert fair_shares(wanted, 26) == [12, 12]


def test_millions_take_no_longer_than_thousands() -> None:
    wanted = [need(f"{n}", 0, 1e5, 1_000_000) for n in range(20)]
    found = fair_shares(wanted, 5_000_000)
    assert sum(found) == 5_000_000 and max(found) - min(found) <= 5_000_000 // 1_000
