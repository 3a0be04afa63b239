"""Orders whose offers nobody has accepted yet are assigned anew where several together become cheaper. Pure."""

from collections.abc import Sequence
from datetime import datetime

from activities.orders.demand import added_up, demand_of
from activities.orders.exchanging import Exchange, Offer
from activities.orders.moves import Moves, begin, withdraw
from activities.orders.network import Availability, Network
from activities.orders.policies import PolicyOf
from activities.orders.prices import Prices
from activities.orders.routing import StockSeen, parts_of, redecide, uneasy
from contracts.orders import LIVE, OrderState, Parcel, ParcelState
from contracts.routing import Decision

MOVED_AT_MOST = 3
"""An order is offered so many times before it stays where it is."""


def movable(order: OrderState) -> bool:
    """Whether everything of an order is offered, and nothing accepted, wanted, or looked at by a person."""
    live = [parcel for parcel in order.parcels if parcel.attempt == order.attempt]
    return (
        bool(live)
        and all(parcel.state is ParcelState.OFFERED for parcel in live)
        and not any(p.state in LIVE for p in order.parcels if p not in live)
        and not order.cancellation
        and order.attention is None
        and order.attempt < MOVED_AT_MOST
    )


def reassign(
    fresh: Sequence[tuple[Moves, Decision]],
    standing: Sequence[OrderState],
    policies: PolicyOf,
    stock: Availability,
    network: Network,
    prices: Prices,
    now: datetime,
    seen: StockSeen,
) -> tuple[dict[str, Decision], list[Moves]]:
    """Decisions that change, by order, and the moves of standing offers that are withdrawn for them.

    `fresh`: routed in this step and offered to nobody yet; their goods are taken from `stock`. `standing`: offered
    before. `stock` is left with every order's goods taken as the answer says.
    """
    offers = [_fresh_offer(moves, decision, policies, network) for moves, decision in fresh]
    kept = [order for order in standing if movable(order) and policies(order).exchanges]
    offers += [_standing_offer(order, policies, network) for order in kept]
    orders = [moves.order for moves, _ in fresh] + kept
    changed = Exchange(offers, stock, network, prices, now).improve()
    decisions, moved = {}, []
    for number in sorted(changed):
        decisions[orders[number].id] = redecide(offers[number], stock, network, prices, now, seen)
        if number >= len(fresh):
            moves = begin(orders[number])
            for parcel in _offered(moves.order):
                withdraw(moves, parcel, "reassigned", now, ParcelState.WITHDRAWN, by="router")
            moved.append(moves)
    return decisions, moved


def _fresh_offer(moves: Moves, decision: Decision, policies: PolicyOf, network: Network) -> Offer:
    policy = policies(moves.order)
    return Offer(demand_of(moves.order, policy), policy, parts_of(decision, network), uneasy(decision))


def _standing_offer(order: OrderState, policies: PolicyOf, network: Network) -> Offer:
    policy = policies(order)
    offered = _offered(order)
    without = order.model_copy(update={"parcels": [p for p in order.parcels if p not in offered]})
    places = {network.index[parcel.location]: parcel for parcel in offered}
    parts = [(n, added_up((item.sku, item.quantity) for item in parcel.items)) for n, parcel in places.items()]
    slots = {place: parcel.slot for place, parcel in places.items() if parcel.slot}
    return Offer(demand_of(without, policy), policy, parts, len(parts) > 1, slots)


def _offered(order: OrderState) -> list[Parcel]:
    return [parcel for parcel in order.parcels if parcel.state is ParcelState.OFFERED]
