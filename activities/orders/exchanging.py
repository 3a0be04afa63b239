"""Better joint assignments of orders that nobody has accepted yet: moves, and exchanges of goods between orders. Pure.

After Xu, Allgor and Graves 2009 (M&SOM 11:257-270), who re-evaluate orders before they are picked: an order that would
be cheaper with goods which another one holds gets them, when the other one's next best way costs less than is saved.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from activities.orders.choosing import Parts, Plan, View, choose, look, priced
from activities.orders.demand import Demand
from activities.orders.network import Availability, Network, slot_of
from activities.orders.prices import Prices
from contracts.routing import Policy

_HOLDERS_TRIED = 5
_ROUNDS = 2
_THIS_HOUR: Mapping[int, str] = {}


@dataclass(slots=True)
class Offer:
    """An order whose goods are reserved and may still be moved.

    `uneasy`: it is split, or took goods that others will want, so that a better way may be worth a search.
    `slots`: by place, the hour in which a parcel of it counts; those that are not there count in the hour that runs.
    """

    demand: Demand
    policy: Policy
    parts: Parts
    uneasy: bool = True
    slots: dict[int, str] = field(default_factory=dict)
    exchanged_with: list[str] = field(default_factory=list)


class _Wish(NamedTuple):
    """What an order would take if no other movable order held anything, and what that would save."""

    saving: float
    number: int
    plan: Plan


class Exchange:
    """Works on `stock` in place: at any moment it is without the goods of every offer's `parts`."""

    def __init__(
        self, offers: Sequence[Offer], stock: Availability, network: Network, prices: Prices | None, now: datetime
    ) -> None:
        self.offers = offers
        self._stock = stock
        self._network = network
        self._prices = prices
        self._now = now
        self.moved: set[int] = set()
        """Offers whose parts have changed."""

    def improve(self) -> set[int]:
        """Move and exchange while it saves more than each policy's `reevaluate_gain`; returns who was moved."""
        for _ in range(_ROUNDS):
            wishes = sorted(self._wishes(), reverse=True)
            if not [wish for wish in wishes if self._grant(wish)]:
                break
        return self.moved

    def _wishes(self) -> list[_Wish]:
        if not any(offer.uneasy for offer in self.offers):
            return []
        for offer in self.offers:
            self._take(offer.parts, 1, offer.slots)
        wishes = []
        for number, offer in enumerate(self.offers):
            if not offer.uneasy:
                continue
            view = self._look(offer)
            ideal = choose(view)
            saving = priced(view, offer.parts).total - ideal.total
            if ideal.parts and saving > offer.policy.reevaluate_gain:
                wishes.append(_Wish(saving, number, ideal))
        for offer in self.offers:
            self._take(offer.parts, -1, offer.slots)
        return wishes

    def _grant(self, wish: _Wish) -> bool:
        """Give an order a better way: what is free now, or what another order can spare."""
        offer = self.offers[wish.number]
        self._take(offer.parts, 1, offer.slots)
        view = self._look(offer)
        before = priced(view, offer.parts).total
        free = choose(view)
        if free.parts and before - free.total > offer.policy.reevaluate_gain:
            self._give(wish.number, free.parts)
            return True
        holder = self._holder(wish, before)
        if holder is None:
            self._take(offer.parts, -1, offer.slots)
            return False
        other, parts = holder
        self._take(self.offers[other].parts, 1, self.offers[other].slots)
        self._give(wish.number, wish.plan.parts)
        self._give(other, parts)
        for one, another in ((wish.number, other), (other, wish.number)):
            self.offers[one].exchanged_with.append(self.offers[another].demand.order)
        return True

    def _holder(self, wish: _Wish, before: float) -> tuple[int, Parts] | None:
        """The order that gives way at the least cost, and its new way; None where that costs more than it saves.

        The wishing order's own goods are in the stock meanwhile.
        """
        lacking = self._lacking(wish.plan.parts)
        best: tuple[float, int, Parts] | None = None
        for number in self._holders_of(lacking, wish.number)[:_HOLDERS_TRIED]:
            other = self.offers[number]
            self._take(other.parts, 1, other.slots)
            if not self._lacking(wish.plan.parts):
                cost = priced(self._look(other), other.parts).total
                self._take(wish.plan.parts, -1)
                view = self._look(other)
                instead = choose(view)
                saving = before - wish.plan.total - (instead.total - cost)
                self._take(wish.plan.parts, 1)
                if instead.parts and saving > self.offers[wish.number].policy.reevaluate_gain:
                    best = max(best or (0.0, 0, []), (saving, number, instead.parts), key=lambda one: one[0])
            self._take(other.parts, -1, other.slots)
        return None if best is None else (best[1], best[2])

    def _lacking(self, parts: Parts) -> set[tuple[int, str]]:
        return {
            (place, sku) for place, units in parts for sku, count in units.items() if self._stock.of(sku)[place] < count
        }

    def _holders_of(self, cells: set[tuple[int, str]], besides: int) -> list[int]:
        """Offers that hold goods in one of the cells, those first that hold the most of them."""
        held = {
            number: sum((place, sku) in cells for place, units in offer.parts for sku in units)
            for number, offer in enumerate(self.offers)
            if number != besides
        }
        return sorted((number for number, count in held.items() if count), key=lambda n: (-held[n], n))

    def _look(self, offer: Offer) -> View:
        return look(offer.demand, self._stock, self._network, offer.policy, self._prices, self._now)

    def _give(self, number: int, parts: Parts) -> None:
        self._take(parts, -1)
        self.offers[number].parts, self.offers[number].slots = parts, {}
        self.moved.add(number)

    def _take(self, parts: Parts, sign: int, slots: Mapping[int, str] = _THIS_HOUR) -> None:
        take(parts, self._stock, self._network, self._now, sign, slots)


def take(
    parts: Parts,
    stock: Availability,
    network: Network,
    now: datetime,
    sign: int = -1,
    slots: Mapping[int, str] = _THIS_HOUR,
) -> None:
    """Take goods out of the stock and count their parcels; `sign` 1 gives them back.

    `slots`: by place, the hour in which a parcel counts, where it is not the one that runs.
    """
    for place, units in parts:
        location = network.locations[place]
        stock.change_all((location.id, sku, sign * count) for sku, count in units.items())
        if place in network.limited:
            stock.count(location.id, slots.get(place) or slot_of(location.time_zone, now), -sign)
