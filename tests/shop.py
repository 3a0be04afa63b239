"""A retailer in memory (orders, shelves, ledger, payments), on which the pure modules run as in a batch step."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

from activities.orders.advance import advance, conclude, dispatch
from activities.orders.moves import Moves
from activities.orders.network import Availability, Network
from activities.orders.routing import Demand, StockSeen, demand_of, route
from activities.orders.writing import movements
from activities.settlement.entries import entries_for, reversing
from activities.settlement.rates import Rates
from contracts.orders import UNSHIPPED, InboxEvent, OrderState, Parcel, ParcelState, PaymentIntent
from contracts.routing import Decision, Policy
from contracts.settlement import Entry, Rule, shipped_cause
from contracts.stock import Change, Level, Movement
from tests.builders import NOW, Levels, availability, event, later, network, order, reply

KINDS = {"near": "store", "middle": "warehouse", "far": "seller", "nowhere": "seller"}
RULES = [
    Rule(id="sellers", terms="marketplace", percent_bp=1_250, per_parcel=7),
    Rule(id="stores", terms="handling", location_kind="store", per_parcel=30),
]

Place = tuple[str, str]
"""Location and SKU."""
Trouble = Literal["none", "declined", "failed", "lost"]


class Shop:
    """Orders, stock levels and the ledger. `step` does to them what one step of a batch writes in its transaction."""

    def __init__(self, places: Network, levels: Levels, policy: Policy | None = None) -> None:
        self.network = places
        self.policy = policy or Policy()
        self.orders: dict[str, OrderState] = {}
        self.decisions: list[tuple[Demand, Decision]] = []
        self.opening = {place: dict(skus) for place, skus in levels.items()}
        self.levels = {
            (place, sku): Level(location=place, sku=sku, on_hand=units)
            for place, skus in levels.items()
            for sku, units in skus.items()
        }
        self.stock: Availability = availability(places, levels)
        self.ledger: list[Movement] = []
        self.rates = Rates(RULES, KINDS)
        self.entries: dict[str, Entry] = {}
        self.version = 0

    def place(self, *orders: OrderState) -> None:
        self.orders.update((order.id, order) for order in orders)

    def step(self, now: datetime, *events: InboxEvent, orders: Iterable[str] | None = None) -> dict[str, Moves]:
        """Advance the orders that events are about or whose deadline has come (or those named)."""
        inbox: dict[str, list[InboxEvent]] = defaultdict(list)
        for received in events:
            inbox[received.order].append(received)
        concerned = orders or [o.id for o in self.orders.values() if o.id in inbox or (o.due and o.due <= now)]
        moved = [advance(self.orders[order_id], inbox[order_id], now, self.policy) for order_id in concerned]
        returned = movements([p for moves in moved for p in moves.take_postings()], self.stock, now)
        self.take_found(moved, returned)
        self._decide(moved, now, rows=len(returned))
        reserved = movements([p for moves in moved for p in moves.take_postings()], None, now)
        self.book([*returned, *reserved])
        for moves in moved:
            conclude(moves, now, self.policy)
            self.enter(moves, now)
            moves.order.version += 1
            self.orders[moves.order.id] = moves.order
        return {moves.order.id: moves for moves in moved}

    def enter(self, moves: Moves, now: datetime) -> None:
        """Make the entries of what an order did."""
        back = {shipped_cause(parcel) for parcel in reversing(moves.before, moves.order)}
        booked = [entry for entry in self.entries.values() if entry.cause in back]
        for entry in entries_for(moves.before, moves.order, self.rates, now, booked):
            assert entry.id not in self.entries, "entered twice"
            self.entries[entry.id] = entry

    def _decide(self, moved: Sequence[Moves], now: datetime, rows: int) -> None:
        wanting = [moves for moves in moved if moves.route]
        demands = [demand_of(moves.order) for moves in wanting]
        decided = route(
            demands, self.stock, self.network, [self.policy] * len(demands), None, now, StockSeen(self.version, rows)
        )
        self.decisions += zip(demands, decided, strict=True)
        for moves, decision in zip(wanting, decided, strict=True):
            times = {part.location: self.network.times(part.location, now) for part in decision.allocations}
            dispatch(moves, decision, now, self.policy, times)

    def take_found(self, moved: Sequence[Moves], returned: list[Movement]) -> None:
        """Goods left a store where a count had found fewer: they were there, so they are booked as found first."""
        leaving: dict[Place, int] = defaultdict(int)
        for movement in returned:
            for change in movement.changes:
                leaving[movement.location, change.sku] -= change.on_hand
        for (place, sku), units in leaving.items():
            missing = units - self.level(place, sku).on_hand
            if missing > 0:
                found = Change(sku=sku, on_hand=missing)
                cause = f"found:{self.version}:{place}:{sku}"
                returned.insert(
                    0, Movement(id=cause, kind="adjusted", location=place, changes=[found], at=returned[0].at)
                )
                self.stock.change(place, sku, missing)

    def book(self, rows: Sequence[Movement]) -> None:
        """Write ledger rows as the next version, and the levels with them."""
        if not rows:
            return
        self.version += 1
        for number, row in enumerate(rows):
            self.ledger.append(row.model_copy(update={"version": self.version, "row": number}))
            for change in row.changes:
                level = self.level(row.location, change.sku)
                level.on_hand += change.on_hand
                level.reserved += change.reserved

    def level(self, place: str, sku: str) -> Level:
        return self.levels.setdefault((place, sku), Level(location=place, sku=sku))

    def receive(self, place: str, sku: str, units: int, at: datetime) -> list[InboxEvent]:
        """Goods arrive. Returns what the waiting orders are told."""
        self._stocked("received", place, sku, units, at)
        return self.woken(sku, at)

    def count(self, place: str, sku: str, units: int, at: datetime) -> list[InboxEvent]:
        """A count sets what is on the shelf. Returns what is told to orders that lack the goods, or waited for them."""
        more = units - self.level(place, sku).on_hand
        if not more:
            return []
        self._stocked("counted", place, sku, more, at)
        return self.woken(sku, at) if more > 0 else self._short(place, sku, at)

    def _stocked(self, kind: str, place: str, sku: str, units: int, at: datetime) -> None:
        fields = {"id": f"{kind}:{self.version}", "kind": kind, "location": place, "at": at}
        self.stock.change(place, sku, units)
        self.book([Movement.model_validate({**fields, "changes": [Change(sku=sku, on_hand=units)]})])

    def woken(self, sku: str, at: datetime) -> list[InboxEvent]:
        waiting = [o for o in self.orders.values() if o.retry_at and any(line.sku == sku for line in o.lines)]
        return [event("stock.arrived", order.id, by="stock", at=at) for order in waiting]

    def _short(self, place: str, sku: str, at: datetime) -> list[InboxEvent]:
        """Offers that the shelf cannot serve any more, newest first, until the rest fits."""
        missing = -self.level(place, sku).available
        told = []
        for about, parcel in reversed(self.parcels(ParcelState.OFFERED)):
            units = sum(item.quantity for item in parcel.items if item.sku == sku)
            if parcel.location == place and units and missing > 0:
                missing -= units
                told.append(event("stock.short", about.id, by="stock", at=at, parcel=parcel.id))
        return told

    def stock_at(self, version: int, rows: int) -> Availability:
        """What was available when all rows up to a version, and so many of the next one, had been booked."""
        stock = availability(self.network, self.opening)
        for row in self.ledger:
            if row.version <= version or (row.version == version + 1 and row.row < rows):
                for change in row.changes:
                    stock.change(row.location, change.sku, change.on_hand - change.reserved)
        return stock

    def parcels(self, *states: ParcelState) -> list[tuple[OrderState, Parcel]]:
        return [(o, p) for o in self.orders.values() for p in o.parcels if not states or p.state in states]

    def promised(self) -> dict[Place, int]:
        """Units that open parcels hold, by location and SKU."""
        units: dict[Place, int] = defaultdict(int)
        for _, parcel in self.parcels(*UNSHIPPED):
            for item in parcel.items:
                units[parcel.location, item.sku] += item.quantity
        return units


class Provider:
    """A payment provider that answers each key once and for ever, and to which no wrong amount may ever come."""

    def __init__(self) -> None:
        self.held: Counter[str] = Counter()
        self.taken: Counter[str] = Counter()
        self._answers: dict[str, str] = {}

    def perform(self, about: OrderState, intent: PaymentIntent, trouble: Trouble) -> str:
        """The status that the caller gets to know. `lost`: the work is done, but the answer never arrives."""
        if trouble == "failed":
            return "failed"
        if intent.key not in self._answers:
            self._answers[intent.key] = "declined" if trouble == "declined" else "done"
            if trouble != "declined":
                self._work(about, intent)
        return "failed" if trouble == "lost" else self._answers[intent.key]

    def _work(self, about: OrderState, intent: PaymentIntent) -> None:
        assert intent.amount > 0
        if intent.operation == "authorise":
            assert self.held[about.id] == self.taken[about.id] == 0
            self.held[about.id] = intent.amount
        elif intent.operation == "refund":
            assert intent.amount <= self.taken[about.id]
            self.taken[about.id] -= intent.amount
        else:
            assert about.payment.reference == f"auth-{about.id}"
            assert intent.amount <= self.held[about.id]
            self.held[about.id] -= intent.amount
            if intent.operation == "capture":
                self.taken[about.id] += intent.amount
            else:
                assert self.held[about.id] == 0


def opened(levels: Levels, *lines: tuple[str, int], policy: Policy | None = None, **placed: Any) -> Shop:
    """A shop with a store for each entry of `levels`, 10 km apart, and one order after its first step."""
    shop = Shop(network(*levels), levels, policy)
    shop.place(order(*lines, **placed))
    shop.step(NOW)
    return shop


def the(shop: Shop) -> OrderState:
    """The order that was placed first."""
    return next(iter(shop.orders.values()))


def last(shop: Shop) -> Parcel:
    return the(shop).parcels[-1]


def answer(shop: Shop, kind: str, seconds: float, about: Parcel | None = None, **more: Any) -> list[tuple[str, str]]:
    """A store answers for a parcel, by default the newest. Returns what was told, to whom."""
    at = later(seconds)
    moves = shop.step(at, reply(kind, about or last(shop), at=at, **more))[the(shop).id]
    return [(tell.partner, tell.type) for tell in moves.tells]
