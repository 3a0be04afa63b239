"""Reckons decisions anew, by the production function, on what was seen when they were made. Pure.

The one place outside the batch step that calls the router: whoever looks back or ahead does it through here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from activities.orders.explaining import total_of
from activities.orders.network import Availability, Network
from activities.orders.routing import Demand, StockSeen, decide, demand_of, route
from contracts.explanations import Near, Recomputed, VerdictKind
from contracts.orders import OrderState
from contracts.partners import Location
from contracts.routing import Decision, Policy

Units = Mapping[tuple[str, str], int]
"""Available units by location and SKU."""


def redecide(demand: Demand, stock: Availability, network: Network, policy: Policy, now: datetime) -> Decision:
    """What the router would decide. Nothing is taken from `stock`."""
    return decide(demand, stock, network, policy, now, StockSeen(0, 0))


def demand_under(order: OrderState, policy: Policy) -> Demand:
    """What a new order wants, under a policy."""
    return demand_of(order)


def route_one(demand: Demand, stock: Availability, network: Network, policy: Policy, now: datetime) -> Decision:
    """Route an order and take its goods from `stock`."""
    return route([demand], stock, network, policy, now)[0]


def give_back(decision: Decision, stock: Availability) -> None:
    """Undo what `route_one` took."""
    for part in decision.allocations:
        stock.change_all((part.location, item.sku, item.quantity) for item in part.items)


def demand_then(order: OrderState, decision: Decision, carried: Mapping[str, int]) -> Demand:
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
    return demand_of(order.model_copy(update={**then, "excluded": decision.excluded}))


@dataclass(frozen=True, slots=True)
class Hindsight:
    """What a decision was made on, as far as it is still known. `seen`: the stock then."""

    decision: Decision
    demand: Demand
    seen: Units
    policy: Policy
    locations: Mapping[str, Location]
    network_version: int


def recompute(then: Hindsight, place: str) -> Recomputed:
    """The verdict on one location, and whether the whole decision comes out the same."""
    location, demand, decision = then.locations[place], then.demand, then.decision
    alone = _decided(then, [location])
    verdict, reason = _verdict(place, alone, decision)
    wanted = _wanted(demand)
    candidate = alone.candidates[0] if alone.candidates else None
    terms = candidate.terms if candidate else None
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
        network_changed=then.network_version != decision.network_version,
        same=_goods(_decided(then, list(then.locations.values()))) == _goods(decision),
    )


def near_ruled_out(then: Hindsight, most: int) -> list[Near]:
    """Of the locations that are nearest to the customer those that were ruled out, each with its reason."""
    places = list(then.locations.values())
    distances = Network(places).distances_km(then.demand.lat, then.demand.lon)
    shown = {one.location for one in then.decision.candidates}
    shown |= {part.location for part in then.decision.allocations}
    found = []
    for number in np.argsort(distances, kind="stable")[:most].tolist():
        place = places[number].id
        if place in shown or not np.isfinite(distances[number]):
            continue
        verdict, reason = _verdict(place, _decided(then, [places[number]]), then.decision)
        if verdict == "could_ship_some":
            reason = "partial_stock"
        if reason is not None:
            found.append(Near(location=place, distance_km=round(float(distances[number]), 3), reason=reason))
    return found


def _decided(then: Hindsight, locations: Sequence[Location]) -> Decision:
    network = Network(locations)
    stock = Availability(network)
    stock.change_all((place, sku, units) for (place, sku), units in then.seen.items())
    return redecide(then.demand, stock, network, then.policy, then.decision.at)


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
