"""The routing decision: for a batch of orders, where each one's goods come from, and why. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import numpy as np

from activities.orders.choosing import NOTHING, Parts, Plan, View, choose, look, priced
from activities.orders.demand import Demand, added_up, demand_of, size_of
from activities.orders.exchanging import Offer, take
from activities.orders.network import Availability, Network, kilometre, slot_of
from activities.orders.prices import Prices
from contracts.base import milliseconds
from contracts.routing import AllocatedItem, Allocation, Candidate, Decision, Policy, Terms

__all__ = ["Demand", "StockSeen", "decide", "demand_of", "route"]

Outcome = Literal["single", "split", "none"]


@dataclass(frozen=True, slots=True)
class StockSeen:
    """The stock a decision was made on: all ledger rows up to `version` and the first `rows` of the next one."""

    version: int
    rows: int


@dataclass(slots=True)
class Routed:
    """One order as it is being routed: what it saw when it was last looked at, and what it takes."""

    demand: Demand
    policy: Policy
    view: View
    plan: Plan
    held_back: bool = False
    exchanged_with: list[str] = field(default_factory=list)


def route(
    demands: Sequence[Demand],
    stock: Availability,
    network: Network,
    policies: Sequence[Policy],
    prices: Prices | None,
    now: datetime,
    seen: StockSeen = StockSeen(0, 0),
) -> list[Decision]:
    """Decide for each order in turn, by the policy at the same place of `policies`.

    What one order is given is taken from `stock`, and its parcels are counted, before the next one is decided.
    """
    decisions = []
    rows = seen.rows
    for demand, policy in zip(demands, policies, strict=True):
        routed = _route_one(demand, stock, network, policy, prices, now)
        decision = _decision(routed, network, prices, now, StockSeen(seen.version, rows))
        rows += len(decision.allocations)
        take(routed.plan.parts, stock, network, now)
        decisions.append(decision)
    return decisions


def decide(
    demand: Demand,
    stock: Availability,
    network: Network,
    policy: Policy,
    now: datetime,
    seen: StockSeen = StockSeen(0, 0),
    prices: Prices | None = None,
) -> Decision:
    """Decide for one order, with the reasons. Takes nothing."""
    return _decision(_route_one(demand, stock, network, policy, prices, now), network, prices, now, seen)


def _route_one(
    demand: Demand, stock: Availability, network: Network, policy: Policy, prices: Prices | None, now: datetime
) -> Routed:
    view = look(demand, stock, network, policy, prices, now)
    plan = choose(view)
    routed = Routed(demand, policy, view, plan)
    if plan.parts and worth_more_elsewhere(view, plan, now):
        routed.plan, routed.held_back = NOTHING, True
    return routed


def redecide(
    offer: Offer, stock: Availability, network: Network, prices: Prices | None, now: datetime, seen: StockSeen
) -> Decision:
    """The decision on an offer as it stands after an exchange; its goods are, and stay, taken from the stock."""
    take(offer.parts, stock, network, now, 1)
    view = look(offer.demand, stock, network, offer.policy, prices, now)
    better = priced(view, offer.parts)
    routed = Routed(offer.demand, offer.policy, view, better, exchanged_with=offer.exchanged_with)
    decision = _decision(routed, network, prices, now, seen)
    take(offer.parts, stock, network, now)
    return decision


def parts_of(decision: Decision, network: Network) -> Parts:
    """What a decision takes from where, as the search for better ways sees it."""
    return [
        (network.index[part.location], added_up((item.sku, item.quantity) for item in part.items))
        for part in decision.allocations
    ]


def uneasy(decision: Decision) -> bool:
    """Whether a better joint assignment may be worth a search: it is split, or took goods that others will want."""
    return decision.outcome == "split" or (decision.terms is not None and decision.terms.scarcity > 0)


def worth_more_elsewhere(view: View, plan: Plan, now: datetime) -> bool:
    """Whether the goods should wait for orders that are expected: shipping them costs more than the sale is worth.

    Only where scarcity is part of that cost: an order that nobody competes with is shipped at any cost. Lateness does
    not count: waiting would only make it worse. And only for as long as the policy says.
    """
    policy = view.policy
    waited = now - (view.demand.placed_at or now)
    if not view.demand.patient or waited >= timedelta(seconds=policy.hold_back_s):
        return False
    worth = view.demand.margin(policy)
    if not (policy.hold_back and policy.rule == "cost" and worth) or plan.total <= worth + policy.hold_back_from:
        return False
    terms = [view.costing.terms(units, *size_of(units, view.articles))(place)[0] for place, units in plan.parts]
    lateness, scarcity = sum(one.lateness for one in terms), sum(one.scarcity for one in terms)
    return scarcity > 0 and plan.total - lateness > worth + policy.hold_back_from


def _decision(routed: Routed, network: Network, prices: Prices | None, now: datetime, seen: StockSeen) -> Decision:
    view, plan, policy = routed.view, routed.plan, routed.policy
    outcome: Outcome = "none" if not plan.parts else "single" if len(plan.parts) == 1 else "split"
    chosen = [place for place, _ in plan.parts]
    allocations = _allocations(routed, network, now)
    have_all, have_some = int(np.count_nonzero(view.whole)), int(np.count_nonzero(view.some))
    ruled_out = {reason: len(places) for reason, places in view.eligibility.ruled_out.items()}
    ruled_out["no_stock"] = int(np.count_nonzero(view.eligibility.able)) - have_some
    ruled_out["partial_stock"] = have_some - have_all - sum(not view.whole[place] for place in chosen)
    return Decision.trusted(
        at=milliseconds(now),
        attempt=routed.demand.attempt,
        outcome=outcome,
        allocations=allocations,
        candidates=_candidates(view, chosen, network),
        ruled_out={reason: count for reason, count in ruled_out.items() if count},
        excluded=list(routed.demand.excluded),
        policy=f"{policy.id}@{policy.version}",
        stock_version=seen.version,
        stock_rows=seen.rows,
        network_version=network.version,
        exact=plan.exact,
        gap=round(plan.gap, 1) if plan.gap is not None else None,
        terms=_sum([part.terms for part in allocations if part.terms]) if allocations else None,
        runner_up=[network.locations[place].id for place in plan.runner_up] if plan.runner_up else None,
        runner_up_total=round(plan.runner_up_total, 1) if plan.runner_up_total is not None else None,
        exchanged_with=routed.exchanged_with,
        prices_version=prices.version if prices else 0,
        reason=_reason(routed, have_all, have_some),
    )


def _allocations(routed: Routed, network: Network, now: datetime) -> list[Allocation]:
    """Hand the lines out to the chosen locations, nearest first."""
    left = {line: quantity for line, _, quantity in routed.demand.lines}
    allocations = []
    for place, units in routed.plan.parts:
        room = dict(units)
        items = []
        for line, sku, _ in routed.demand.lines:
            quantity = min(left[line], room.get(sku, 0))
            if quantity:
                items.append(AllocatedItem.trusted(line=line, sku=sku, quantity=quantity))
                left[line] -= quantity
                room[sku] -= quantity
        costing = routed.view.costing
        terms, service = costing.terms(units, *size_of(units, routed.view.articles))(place)
        location = network.locations[place]
        allocations.append(
            Allocation.trusted(
                location=location.id,
                distance_km=kilometre(routed.view.chords[place]),
                items=items,
                service=None if service is None else network.tariffs.services[service].id,
                terms=terms,
                promised_at=None if service is None else costing.promised(place, service),
                slot=slot_of(location.time_zone, now) if place in network.limited else None,
            )
        )
    return allocations


def _sum(terms: Sequence[Terms]) -> Terms:
    if len(terms) == 1:
        return terms[0]
    return Terms(
        freight=sum(one.freight for one in terms),
        handling=sum(one.handling for one in terms),
        lateness=sum(one.lateness for one in terms),
        scarcity=round(sum(one.scarcity for one in terms), 1),
    )


def _candidates(view: View, chosen: list[int], network: Network) -> list[Candidate]:
    """The nearest locations that could ship all; where there are none, the nearest that could ship some."""
    places = np.flatnonzero(view.whole if view.whole.any() else view.some)
    kept = view.policy.candidates_kept
    if len(places) > kept:
        places = places[np.argpartition(view.chords[places], kept - 1)[:kept]]
    shown = sorted({*places.tolist(), *chosen}, key=lambda p: (view.chords[p], p))
    of_all = view.costing.terms(view.units, *size_of(view.units, view.articles))
    candidates = []
    for place in shown:
        ships_all = bool(view.whole[place])
        there = {} if ships_all else _there(view, place)
        terms, service = (of_all if ships_all else view.costing.terms(there, *size_of(there, view.articles)))(place)
        candidates.append(
            Candidate.trusted(
                location=network.locations[place].id,
                distance_km=kilometre(view.chords[place]),
                ships_all=ships_all,
                chosen=place in chosen,
                terms=terms,
                service=None if service is None else network.tariffs.services[service].id,
            )
        )
    return candidates


def _there(view: View, place: int) -> dict[str, int]:
    """What a place has of the order."""
    return {sku: count for sku, count in zip(view.units, view.covered[:, place].tolist(), strict=True) if count}


def _reason(routed: Routed, have_all: int, have_some: int) -> str:
    plan, policy = routed.plan, routed.policy
    if routed.held_back:
        return "its goods are worth more to orders that are expected nearer to them; it waits for stock"
    if not plan.parts:
        if not have_some:
            asked = "that may be asked " if routed.view.eligibility.ruled_out else ""
            return f"no location {asked}has any of it available"
        if not plan.exact:
            return f"no way was found to make the order in {policy.max_parcels} parcels before the search was cut short"
        return f"what is available cannot make the order in {policy.max_parcels} parcels"
    if routed.exchanged_with:
        return f"cheaper together: goods were exchanged with {', '.join(routed.exchanged_with)}"
    parcels = len(plan.parts)
    best = "cheapest" if policy.rule == "cost" else "nearest"
    if parcels == 1:
        return f"{best} of {have_all} locations that can ship all lines"
    if policy.rule == "nearest":
        return f"{parcels} parcels, each from the nearest location that has some of what is left"
    if have_all:
        return f"{parcels} parcels cost less than one"
    if not plan.exact:
        return f"no location can ship all lines; {parcels} parcels, the best found before the search was cut short"
    how = "are the fewest, at the least total distance" if policy.rule == "fewest" else "at the least cost"
    return f"no location can ship all lines; {parcels} parcels {how}"
