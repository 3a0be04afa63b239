"""Which policy holds for an order: the longest beginning of its division, then the one that names its channel."""

import itertools

import pytest

from activities.orders.policies import policy_for
from contracts.routing import Policy
from contracts.versions import newest

EVERYWHERE = Policy()
STORE = Policy(id="store", channels=["store"])
EAST = Policy(id="east", regions=["33", "31"])
HANGZHOU = Policy(id="hangzhou", regions=["3301"])
HANGZHOU_STORE = Policy(id="hangzhou-store", regions=["3301"], channels=["store", "phone"])
BRAZIL = Policy(id="brazil", regions=["BR"])
KEPT = [EVERYWHERE, STORE, EAST, HANGZHOU, HANGZHOU_STORE, BRAZIL]


@pytest.mark.parametrize(
    ("channel", "division", "wanted"),
    [
        ("online", "420100", "default"),
        ("store", "420100", "store"),
        ("online", "330203", "east"),
        ("store", "330203", "east"),
        ("online", "330106", "hangzhou"),
        ("store", "330106", "hangzhou-store"),
        ("phone", "330106", "hangzhou-store"),
        ("online", "310101", "east"),
        ("online", "BR-SP", "brazil"),
    ],
)
def test_the_region_counts_before_the_channel(channel: str, division: str, wanted: str) -> None:
    for order in itertools.permutations(KEPT, len(KEPT)):
        assert policy_for(order, channel, division).id == wanted


def test_without_a_policy_that_fits_the_defaults_hold() -> None:
    assert policy_for([], "online", "330106") == Policy()
    assert policy_for([HANGZHOU, STORE], "online", "420100") == Policy()


def test_of_several_beginnings_the_longest_counts() -> None:
    both = Policy(id="both", regions=["33", "330106"])
    assert policy_for([both, HANGZHOU], "online", "330106") is both
    assert policy_for([both, HANGZHOU], "online", "330102") is HANGZHOU


def test_between_equals_the_smaller_id_holds_whatever_their_order() -> None:
    one, other = Policy(id="a", regions=["33"]), Policy(id="b", regions=["33"])
    assert policy_for([one, other], "online", "330106") is policy_for([other, one], "online", "330106") is one


def test_of_each_policy_only_the_newest_version_counts() -> None:
    old, new = Policy(id="east", version=9, regions=["33"]), Policy(id="east", version=10, regions=["31"])
    assert newest([new, EVERYWHERE, old]) == [EVERYWHERE, new]
