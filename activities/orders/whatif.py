"""What if: recorded orders and stock, routed anew by the production function under other policies. Pure.

Each arm replays the same history on a stock of its own. Stores accept what they are offered; what customers called off
is called off at its time; what arrived, was counted or was found arrives at its time; an order that finds nothing
waits for goods as in production, for as long as its policy lets it.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from math import ceil

from activities.orders.demand import demand_of
from activities.orders.network import Network
from activities.orders.prices import Expected, Prices
from activities.orders.verdicts import Units, book, give_back, route_one, stock_of
from contracts.orders import OrderState
from contracts.routing import Allocation, Decision, Policy
from contracts.stock import Movement

_WOKEN_AT_MOST = 500
"""Waiting orders that one arrival of goods lets try again, as in production."""
_DAY_S = 86_400
PRICES_KEPT = timedelta(hours=1)
"""In production they are brought up to date every minute."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An order as it was first routed. `went`: locations that were chosen then; `policy`: the one it was routed by;
    `leaves`: whether it is called off later on."""

    order: OrderState
    at: datetime
    policy: Policy
    went: frozenset[str]
    leaves: bool = False


@dataclass(frozen=True, slots=True)
class CalledOff:
    """The customer cancelled before the goods had left."""

    order: str
    at: datetime


Event = Placed | CalledOff | Movement
"""A movement is of goods that no order of the history moved: counts, receipts, and orders from before it."""
Chooser = Callable[[Placed], Policy]


@dataclass(frozen=True, slots=True)
class Measure:
    """What all arms are measured by, whatever they were routed by. `margin`: share of a unit's price that is lost with
    a unit that nobody ships."""

    policy: Chooser
    margin: float


@dataclass(slots=True)
class Tally:
    """Sums of one arm; money in minor units."""

    orders: int = 0
    units: int = 0
    shipped_units: int = 0
    called_off: int = 0
    parcels: int = 0
    split_orders: int = 0
    freight: int = 0
    handling: int = 0
    lateness: int = 0
    late_parcels: int = 0
    promised_parcels: int = 0
    km: float = 0.0
    km_parcels: int = 0
    as_recorded: int = 0
    waited: int = 0
    lost_orders: int = 0
    lost_units: int = 0
    waiting_orders: int = 0
    waiting_units: int = 0
    lost_margin: float = 0.0
    load: Counter[str] = field(default_factory=Counter)

    @property
    def cost(self) -> int:
        return self.freight + self.handling + self.lateness + round(self.lost_margin)


@dataclass(frozen=True, slots=True)
class _Waiting:
    placed: Placed
    until: datetime


@dataclass(frozen=True, slots=True)
class Start:
    """What every arm begins with: available units by location and SKU, parcels that count against capacities by
    location and slot."""

    network: Network
    stock: Units
    parcels: Units = field(default_factory=dict)


class Arm:
    """One way of routing the history. Without `expect` there are no scarcity prices."""

    def __init__(self, name: str, start: Start, policy: Chooser, measure: Measure) -> None:
        self.name = name
        self.tally = Tally()
        self._network = start.network
        self._stock = stock_of(start.network, start.stock, start.parcels)
        self._prices: Prices | None = None
        self._cover_days = 0.0
        self._priced_at: datetime | None = None
        self._policy = policy
        self._measure = measure
        self._waiting: dict[str, _Waiting] = {}
        self._ends: list[tuple[datetime, str]] = []
        self._by_sku: dict[str, dict[str, None]] = {}
        self._shipped: dict[str, tuple[Placed, Decision]] = {}

    def expect(self, expected: Expected | None, cover_days: float) -> None:
        """What is expected from now on, as production works it out once a day."""
        self._prices, self._cover_days, self._priced_at = Prices(expected), cover_days, None

    def take(self, event: Event) -> None:
        self._give_up(event.at)
        self._set_prices(event.at)
        if isinstance(event, Placed):
            self.tally.orders += 1
            self.tally.units += _units(event)
            self._route(event, event.at)
        elif isinstance(event, CalledOff):
            self._call_off(event)
        else:
            self._move(event)

    def end(self, at: datetime) -> Tally:
        """What still waits is counted as not served."""
        self._give_up(at)
        for waiting in self._waiting.values():
            self.tally.waiting_orders += 1
            self.tally.waiting_units += _units(waiting.placed)
            self.tally.lost_margin += self._margin(waiting.placed)
        return self.tally

    def _set_prices(self, now: datetime) -> None:
        if self._prices is None or (self._priced_at is not None and now - self._priced_at < PRICES_KEPT):
            return
        self._prices.update(self._stock, self._cover_days)
        self._priced_at = now

    def _route(self, placed: Placed, now: datetime) -> bool:
        """Whether it goes out now. Else it waits."""
        policy = self._policy(placed)
        decision = route_one(demand_of(placed.order, policy), self._stock, self._network, policy, self._prices, now)
        if now == placed.at:
            self.tally.as_recorded += placed.went == {part.location for part in decision.allocations}
        if decision.allocations:
            self._forget(placed.order.id)
            if placed.leaves:
                self._shipped[placed.order.id] = (placed, decision)
            self._count(placed, decision, 1)
            return True
        if placed.order.id not in self._waiting:
            self.tally.waited += 1
            until = placed.at + timedelta(seconds=policy.backorder_limit_s)
            self._waiting[placed.order.id] = _Waiting(placed, until)
            heappush(self._ends, (until, placed.order.id))
            for line in placed.order.lines:
                self._by_sku.setdefault(line.sku, {})[placed.order.id] = None
        return False

    def _move(self, movement: Movement) -> None:
        book(movement, self._stock)
        gained: dict[str, int] = {}
        for change in movement.changes:
            units = change.on_hand - change.reserved
            if units > 0:
                gained[change.sku] = gained.get(change.sku, 0) + units
        self._wake(gained, movement.at)

    def _wake(self, gained: Mapping[str, int], now: datetime) -> None:
        """Goods came in: who waits for them tries again, who waited longest first."""
        most = min(2 * sum(gained.values()) + 10, _WOKEN_AT_MOST)
        waiting = {order: None for sku in gained for order in self._by_sku.get(sku, ())}
        oldest = sorted((self._waiting[order].placed for order in waiting), key=lambda one: one.order.placed_at)
        for placed in oldest[:most]:
            self._route(placed, now)

    def _call_off(self, event: CalledOff) -> None:
        if event.order in self._waiting:
            self._forget(event.order)
            self.tally.called_off += 1
        shipped = self._shipped.pop(event.order, None)
        if shipped is None:
            return
        placed, decision = shipped
        self.tally.called_off += 1
        self._count(placed, decision, -1)
        give_back(decision, self._stock)
        gained: dict[str, int] = {}
        for part in decision.allocations:
            for item in part.items:
                gained[item.sku] = gained.get(item.sku, 0) + item.quantity
        self._wake(gained, event.at)

    def _give_up(self, now: datetime) -> None:
        while self._ends and self._ends[0][0] <= now:
            waiting = self._waiting.get(heappop(self._ends)[1])
            if waiting is not None:
                self._forget(waiting.placed.order.id)
                self.tally.lost_orders += 1
                self.tally.lost_units += _units(waiting.placed)
                self.tally.lost_margin += self._margin(waiting.placed)

    def _forget(self, order: str) -> None:
        waiting = self._waiting.pop(order, None)
        for line in waiting.placed.order.lines if waiting else ():
            self._by_sku[line.sku].pop(order, None)

    def _margin(self, placed: Placed) -> float:
        return self._measure.margin * sum(line.quantity * line.unit_price for line in placed.order.lines)

    def _count(self, placed: Placed, decision: Decision, sign: int) -> None:
        """Add a decision's parcels to the sums, or take them out again."""
        tally, policy = self.tally, self._measure.policy(placed)
        tally.split_orders += sign * (len(decision.allocations) > 1)
        for part in decision.allocations:
            tally.parcels += sign
            tally.shipped_units += sign * sum(item.quantity for item in part.items)
            tally.load[part.location] += sign
            tally.handling += sign * policy.handling
            tally.freight += sign * _freight(part, policy)
            if part.distance_km is not None:
                tally.km += sign * part.distance_km
                tally.km_parcels += sign
            if part.promised_at is not None:
                days = days_late(part.promised_at, placed.order, policy)
                tally.promised_parcels += sign
                tally.late_parcels += sign * (days > 0)
                tally.lateness += sign * days * policy.lateness_per_day


def _units(placed: Placed) -> int:
    return sum(line.quantity for line in placed.order.lines)


def _freight(part: Allocation, policy: Policy) -> int:
    """The carrier's price; where no carrier is known, the kilometres at the measure's price."""
    if part.service is not None and part.terms is not None:
        return part.terms.freight
    return round((part.distance_km or 0.0) * policy.km_price)


def days_late(promised_at: datetime, order: OrderState, policy: Policy) -> int:
    """Days begun beyond the promise to the customer."""
    return max(ceil((promised_at - policy.deadline(order.placed_at, order.deliver_by)).total_seconds() / _DAY_S), 0)


def gini(loads: Sequence[int]) -> float | None:
    """How unevenly parcels are spread over locations: 0 is evenly, towards 1 is all on one. None without any.

    Half the mean difference between any two, over the mean (Gini 1912), by ranks.
    """
    total, count = sum(loads), len(loads)
    if total <= 0:
        return None
    ranked = sum(rank * load for rank, load in enumerate(sorted(loads), 1))
    return 2 * ranked / (count * total) - (count + 1) / count


def as_recorded(placed: Placed) -> Policy:
    return placed.policy


def under(policy: Policy) -> Chooser:
    """The policy for the orders that it names; the others are routed as they were."""

    def choose(placed: Placed) -> Policy:
        named = policy.precision(placed.order.channel, placed.order.division) is not None
        return policy if named else placed.policy

    return choose
