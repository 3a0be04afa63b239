"""Reckons decisions anew, by the production function, on what was seen when they were made. Pure.

The one place outside the batch step that calls the router: whoever looks back or ahead does it through here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from activities.orders.choosing import look
from activities.orders.explaining import total_of
from activities.orders.network import Availability, Network
from activities.orders.prices import Prices
from activities.orders.routing import Demand, decide, demand_of, route
from contracts.explanations import Near, Recomputed, VerdictKind
from contracts.orders import OrderState
from contracts.partners import Location
from contracts.routing import Decision, Policy, Terms
from contracts.stock import PARCELS, Movement

Units = Mapping[tuple[str, str], int]
"""Available units by location and SKU, or parcels by location and slot."""


def stock_of(network: Network, units: Units, parcels: Units) -> Availability:
    """Stock to route on. Locations that the network does not have are passed over."""
    stock = Availability(network)
    stock.change_all((place, sku, count) for (place, sku), count in units.items())
    for (place, slot), count in parcels.items():
        stock.count(place, slot, count)
    return stock


def route_one(
    demand: Demand, stock: Availability, network: Network, policy: Policy, prices: Prices | None, now: datetime
) -> Decision:
    """Route an order, take its goods from `stock` and count its parcels."""
    return route([demand], stock, network, [policy], prices, now)[0]


def give_back(decision: Decision, stock: Availability) -> None:
    """Undo what `route_one` took."""
    for part in decision.allocations:
        stock.change_all((part.location, item.sku, item.quantity) for item in part.items)
        if part.slot is not None:
            stock.count(part.location, part.slot, -1)


def book(movement: Movement, stock: Availability) -> None:
    """Let a row of the ledger change stock and the parcels that count against capacities."""
    for change in movement.changes:
        stock.change(movement.location, change.sku, change.on_hand - change.reserved)
    if movement.slot is not None:
        stock.count(movement.location, movement.slot, PARCELS.get(movement.kind, 0))


def demand_then(order: OrderState, decision: Decision, carried: Mapping[str, int], policy: Policy) -> Demand:
    """What the order wanted when it was decided on.

    A decision that found something hands out all that was wanted. For one that found nothing it is what was ordered
    less `carried`: units by SKU that parcels held at that moment, by the ledger.
    """
    given: dict[int, int] = {}
    for allocation in decision.allocations:
        for item in allocation.items:
            given[item.line] = given.get(item.line, 0) + item.quantity
    lines, left = [], dict(carried)
    for line in order.lines:
        units = given.get(line.line, 0)
        if not given:
            held = min(left.get(line.sku, 0), line.quantity)
            left[line.sku] = left.get(line.sku, 0) - held
            units = line.quantity - held
        if units > 0:
            lines.append(line.model_copy(update={"quantity": units}))
    then = {"lines": lines, "parcels": [], "cancellation": None, "attempt": decision.attempt - 1}
    return demand_of(order.model_copy(update={**then, "excluded": decision.excluded}), policy)


@dataclass(frozen=True, slots=True)
class Hindsight:
    """What a decision was made on, as far as it is still known. `seen`: the stock then; `parcels`: how many counted
    against a location's capacity, by location and slot. Scarcity prices are not kept."""

    decision: Decision
    demand: Demand
    seen: Units
    parcels: Units
    policy: Policy
    network: Network


def recompute(then: Hindsight, place: str) -> Recomputed:
    """The verdict on one location, and whether the whole decision comes out the same."""
    demand, decision = then.demand, then.decision
    location = then.network.locations[then.network.index[place]]
    alone = _decided(then, _only(then, location))
    verdict, reason = _verdict(place, alone, decision)
    wanted = _wanted(demand)
    candidate = alone.candidates[0] if alone.candidates else None
    terms = _with_recorded_scarcity(place, candidate.terms if candidate else None, decision)
    total, best = total_of(terms), total_of(decision.terms)
    comparable = verdict in ("chosen", "could_ship_all") and total is not None and best is not None
    return Recomputed(
        location=place,
        verdict=verdict,
        reason=reason,
        distance_km=candidate.distance_km if candidate else _distance(location, demand),
        terms=terms,
        total=total,
        above_winner=round(total - best, 2) if comparable and total is not None and best is not None else None,
        wanted=wanted,
        available={sku: then.seen.get((place, sku), 0) for sku in wanted},
        kept_back=location.safety_stock + location.channel_buffers.get(demand.channel, 0),
        network_changed=then.network.version != decision.network_version,
        same=_comes_out_the_same(then),
    )


def _with_recorded_scarcity(place: str, terms: Terms | None, decision: Decision) -> Terms | None:
    """The scarcity prices of that moment are known of candidates only: what was kept of them."""
    kept = next((one.terms for one in decision.candidates if one.location == place), None)
    return terms if terms is None or kept is None else terms.model_copy(update={"scarcity": kept.scarcity})


def _comes_out_the_same(then: Hindsight) -> bool | None:
    """None: it does not, and that may be because prices and exchanges with other orders are not reckoned anew."""
    if _goods(_decided(then, then.network)) == _goods(then.decision):
        return True
    return None if then.decision.prices_version or then.decision.exchanged_with else False


def near_ruled_out(then: Hindsight, most: int) -> list[Near]:
    """For each reason so many of the locations that were ruled out for it, the nearest to the customer first."""
    network, demand = then.network, then.demand
    view = look(demand, stock_of(network, then.seen, then.parcels), network, then.policy, None, then.decision.at)
    shown = {one.location for one in then.decision.candidates}
    shown |= {part.location for part in then.decision.allocations}
    reasons = dict(view.eligibility.ruled_out)
    reasons["no_stock"] = np.flatnonzero(view.eligibility.able & ~view.some)
    reasons["partial_stock"] = np.flatnonzero(view.some & ~view.whole)
    distances = network.distances_km(demand.lat, demand.lon)
    found = []
    for reason, places in reasons.items():
        ids = [(float(distances[place]), network.locations[place].id) for place in places.tolist()]
        near = sorted((km, place) for km, place in ids if place not in shown and np.isfinite(km))[:most]
        found += [Near(location=place, distance_km=round(km, 3), reason=reason) for km, place in near]
    return sorted(found, key=lambda one: (one.distance_km or 0.0, one.location))


def _only(then: Hindsight, location: Location) -> Network:
    return Network([location], then.network.version, then.network.carriers, then.network.articles)


def _decided(then: Hindsight, network: Network) -> Decision:
    return decide(then.demand, stock_of(network, then.seen, then.parcels), network, then.policy, then.decision.at)


def _verdict(location: str, alone: Decision, decision: Decision) -> tuple[VerdictKind, str | None]:
    """In a network of one location a decision is a verdict on that location."""
    if any(part.location == location for part in decision.allocations):
        return "chosen", None
    if any(one.ships_all for one in alone.candidates):
        return "could_ship_all", None
    if alone.candidates:
        return "could_ship_some", None
    return "ruled_out", next(iter(alone.ruled_out), None)


def _distance(location: Location, demand: Demand) -> float | None:
    if location.lat is None:
        return None
    return round(float(Network([location]).distances_km(demand.lat, demand.lon)[0]), 3)


def _wanted(demand: Demand) -> dict[str, int]:
    wanted: dict[str, int] = {}
    for _, sku, units in demand.lines:
        wanted[sku] = wanted.get(sku, 0) + units
    return wanted


def _goods(decision: Decision) -> dict[str, list[tuple[int, int]]]:
    """Units by line, by location."""
    return {part.location: sorted((item.line, item.quantity) for item in part.items) for part in decision.allocations}
