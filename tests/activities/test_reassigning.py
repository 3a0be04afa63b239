"""Whose offers may be moved at all."""

import pytest

from activities.orders.demand import demand_of
from activities.orders.moves import begin
from activities.orders.policies import PolicyOf
from activities.orders.prices import Prices
from activities.orders.reassigning import reassign
from activities.orders.routing import StockSeen, route
from contracts.routing import Policy, Rule
from tests.builders import NOW, availability, location, network, order, parcel

_BOTH = ["online", "shop"]


@pytest.mark.parametrize(
    ("rule", "reevaluate", "moved"),
    [("cost", True, ["standing"]), ("cost", False, []), ("fewest", True, []), ("nearest", True, [])],
)
def test_an_offer_is_moved_only_where_cost_is_the_rule(rule: Rule, reevaluate: bool, moved: list[str]) -> None:
    """The last tea next door is offered to an order of the shop; one online would come whole from there with it."""
    ours = Policy(channels=["online"], reevaluate_gain=100)
    theirs = Policy(id="theirs", channels=["shop"], rule=rule, reevaluate=reevaluate, reevaluate_gain=100)
    places = network(location("near", 1, channels=_BOTH), location("mid", 40, channels=_BOTH))
    stock = availability(places, {"near": {"cup": 1}, "mid": {"tea": 1}})
    standing = order(("tea", 1), order_id="standing", channel="shop")
    parcel(standing)
    standing.attempt = 1
    fresh = begin(order(("tea", 1), ("cup", 1), order_id="fresh"))
    [decision] = route([demand_of(fresh.order, ours)], stock, places, [ours], None, NOW)
    assert decision.outcome == "split"

    policies = PolicyOf([ours, theirs])
    _, withdrawn = reassign([(fresh, decision)], [standing], policies, stock, places, Prices(), NOW, StockSeen(0, 0))
    assert [moves.order.id for moves in withdrawn] == moved
