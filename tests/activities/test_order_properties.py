"""Many orders on one stock, in any interleaving: nothing is oversold, lost, paid twice or left standing."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from activities.orders.advance import advance, conclude
from activities.orders.money import kept_value
from activities.orders.moves import Moves, residual
from activities.orders.routing import StockSeen, decide
from contracts.ids import order_of_parcel
from contracts.orders import (
    GONE,
    LIVE,
    SPOKEN_FOR,
    TERMINAL,
    UNSHIPPED,
    InboxEvent,
    OrderState,
    Parcel,
    ParcelState,
    Stage,
)
from contracts.orders import PaymentIntent as Intent
from contracts.routing import Policy
from contracts.settlement import shipped_cause
from tests.builders import NOW, command, event, location, network, order, reply
from tests.shop import Place, Provider, Shop

POLICY = Policy(max_refusals=2, backorder_retry_s=1_200, backorder_limit_s=12_000, payment_tries=2, payment_retry_s=60)
SKUS = ("tea", "cup")
STORES = ("near", "middle", "far", "nowhere")
REASONS = ("out_of_stock", "not_found", "damaged", "mismatch", "worn_display", "too_busy", "closed", "other")
NEXT = {
    ParcelState.HELD: "accepted",
    ParcelState.OFFERED: "accepted",
    ParcelState.ACCEPTED: "packed",
    ParcelState.PACKED: "shipped",
    ParcelState.SHIPPED: "delivered",
}
ORDERS_MAX = 6
STEPS_TO_THE_END = 80

T = TypeVar("T")
Method = Literal["prepaid", "card", "later"]
Wanted = list[tuple[str, int]]

wanted_lines = st.lists(st.tuples(st.sampled_from(SKUS), st.integers(1, 4)), min_size=1, max_size=3)
methods: st.SearchStrategy[Method] = st.sampled_from(["prepaid", "card", "later"])
which = st.integers(0, 60)
"""Chooses one of what there is."""
at_once = st.sampled_from([True, True, False])


class Orders(RuleBasedStateMachine):
    """Callers, stores, operators, the stock desk and the payment provider, each doing whatever they like."""

    @initialize(
        levels=st.lists(st.integers(0, 4), min_size=8, max_size=8),
        first=st.lists(st.tuples(wanted_lines, methods), min_size=1, max_size=3),
    )
    def open(self, levels: list[int], first: list[tuple[Wanted, Method]]) -> None:
        times = {"accept_within_s": 900, "ship_within_s": 1_800}
        places = [location(store, km, **times) for store, km in zip(STORES, [10, 20, 30, None], strict=True)]
        stock = {store: dict(zip(SKUS, levels[2 * n : 2 * n + 2], strict=True)) for n, store in enumerate(STORES)}
        self.shop = Shop(network(*places), stock, POLICY)
        self.provider = Provider()
        self.now = NOW
        self.inbox: list[InboxEvent] = []
        self.ended: dict[str, Stage] = {}
        self.told: Counter[tuple[str, str]] = Counter()
        self.placed: dict[str, OrderState] = {}
        self.back = 0
        for wanted, method in first:
            self.place(wanted, method, price=100, fee=7)
        for number in range(len(self.open_intents())):
            self.pay(number, "none", seen=False)
        self.step(set())

    # What people do.

    @rule(wanted=wanted_lines, method=methods, price=st.sampled_from([100, 33, 0]), fee=st.sampled_from([0, 7]))
    def place(self, wanted: Wanted, method: Method, price: int, fee: int) -> None:
        order_id = f"order-{len(self.placed)}"
        if len(self.placed) < ORDERS_MAX:
            made = order(*wanted, order_id=order_id, method=method, price=price, shipping_fee=fee, placed_at=self.now)
            self.placed[order_id] = made
            self.shop.place(made)
            self.provider.taken[order_id] = made.total if method == "prepaid" else 0
            self.step(set())

    @rule(
        number=which,
        kind=st.sampled_from(["accepted", "packed", "shipped", "delivered"]),
        by=st.sampled_from([None, None, None, None, *STORES]),
        seen=at_once,
    )
    def answer(self, number: int, kind: str, by: str | None, seen: bool) -> None:
        for about in one_of(self.parcels(), number):
            self.inbox.append(reply(kind, about, by=by or about.location, at=self.now))
            self.step_if(seen)

    @rule(number=which, seen=at_once)
    def carry_on(self, number: int, seen: bool) -> None:
        """A store does what it should: it accepts, packs, ships, delivers."""
        for _, about in one_of(self.shop.parcels(*UNSHIPPED, ParcelState.SHIPPED), number):
            self.inbox.append(reply(NEXT[about.state], about, at=self.now))
            self.step_if(seen)

    @rule(
        number=which,
        reason=st.sampled_from(REASONS),
        some=st.sampled_from([0, 0, 1, 2, 3, 4, 5, 6]),
        stray=st.sampled_from([False, False, False, False, True]),
        seen=at_once,
    )
    def reject(self, number: int, reason: str, some: int, stray: bool, seen: bool) -> None:
        """The whole parcel, or some of its lines; sometimes lines that it does not have."""
        for about in one_of(self.parcels(), number):
            lines = [item.line for place, item in enumerate(about.items) if some >> place & 1]
            named = [*lines, 9] if stray else lines or None
            self.inbox.append(reply("rejected", about, at=self.now, reason=reason, lines=named))
            self.step_if(seen)

    @rule(number=which, reason=st.sampled_from(REASONS), units=st.integers(1, 4), line=st.integers(1, 3), seen=at_once)
    def reject_units(self, number: int, reason: str, units: int, line: int, seen: bool) -> None:
        for about in one_of(self.parcels(), number):
            self.inbox.append(reply("rejected", about, at=self.now, reason=reason, quantities={str(line): units}))
            self.step_if(seen)

    @rule(number=which, kind=st.sampled_from(["cancellation_accepted", "cancellation_refused"]), seen=at_once)
    def answer_a_request(self, number: int, kind: str, seen: bool) -> None:
        asked = [parcel for _, parcel in self.shop.parcels() if parcel.request != "none"]
        for about in one_of(asked or self.parcels(), number):
            self.inbox.append(reply(kind, about, at=self.now))
            self.step_if(seen)

    @rule(number=which, wish=st.sampled_from(["refund", "replacement"]), seen=at_once)
    def lose(self, number: int, wish: str, seen: bool) -> None:
        for about in one_of(self.parcels(), number):
            self.inbox.append(
                event("reply.lost", order_of_parcel(about.id), by="carrier", at=self.now, parcel=about.id, wish=wish)
            )
            self.step_if(seen)

    @rule(number=which, seen=at_once)
    def refuse_at_the_door(self, number: int, seen: bool) -> None:
        for about in one_of(self.parcels(), number):
            order_id = order_of_parcel(about.id)
            self.inbox.append(event("reply.refused_at_door", order_id, by="carrier", at=self.now, parcel=about.id))
            self.step_if(seen)

    @rule(number=which, units=st.integers(1, 4), store=st.sampled_from(STORES), seen=at_once)
    def come_back(self, number: int, units: int, store: str, seen: bool) -> None:
        """Some of a parcel comes back, or all of it, to any store; some units are damaged."""
        for _, about in one_of(self.shop.parcels(*UNSHIPPED, ParcelState.SHIPPED), number):
            self.inbox.append(reply("delivered", about, at=self.now))
            self.step(set())
        gone = [parcel for _, parcel in self.shop.parcels(ParcelState.DELIVERED, ParcelState.RETURNING)]
        for about in one_of(gone, number):
            self.bring_back(about, units, store)
            self.step_if(seen)

    @rule(number=which, division=st.sampled_from(["330106", "330110", "460100"]), seen=at_once)
    def move_house(self, number: int, division: str, seen: bool) -> None:
        for order_id in one_of(sorted(self.placed), number):
            point = {"lat": 30.0 + number / 100, "lon": 120.0, "datum": "WGS84"}
            ship_to = {"division": division, "point": point}
            self.inbox.append(event("command.address", order_id, by="api", at=self.now, ship_to=ship_to))
            self.step_if(seen)

    @rule(number=which)
    def say_it_again(self, number: int) -> None:
        for said in one_of(self.inbox, number):
            self.inbox.append(said.model_copy(update={"id": f"{said.id}-again", "received_at": self.now}))

    @rule(
        number=which,
        kind=st.sampled_from(["cancel", "retry", "reroute", "release"]),
        one=st.none() | st.integers(1, 3),
        force=st.sampled_from([None, None, True]),
        seen=at_once,
    )
    def order_about(self, number: int, kind: Any, one: int | None, force: bool | None, seen: bool) -> None:
        for order_id in one_of(sorted(self.placed), number):
            parcel = f"{order_id}.p{one}" if one else None
            self.inbox.append(command(kind, order_id, at=self.now, parcel=parcel, force=force))
            self.step_if(seen)

    @rule(store=st.sampled_from(STORES), sku=st.sampled_from(SKUS), units=st.integers(1, 5))
    def receive(self, store: str, sku: str, units: int) -> None:
        self.inbox += self.shop.receive(store, sku, units, self.now)

    @rule(store=st.sampled_from(STORES), sku=st.sampled_from(SKUS), units=st.integers(0, 5))
    def count(self, store: str, sku: str, units: int) -> None:
        self.inbox += self.shop.count(store, sku, units, self.now)

    @rule(number=which, trouble=st.sampled_from(["none", "none", "declined", "failed", "lost"]), seen=at_once)
    def pay(self, number: int, trouble: Any, seen: bool) -> None:
        for about, intent in one_of(self.open_intents(), number):
            status = self.provider.perform(about, intent, trouble)
            reference = f"auth-{about.id}" if status == "done" else None
            data = {"key": intent.key, "status": status, "reference": reference}
            self.inbox.append(event("payment.outcome", about.id, by="payment", at=self.now, **data))
            self.step_if(seen)

    @rule(number=which, seen=at_once)
    def report_payment(self, number: int, seen: bool) -> None:
        """A customer pays what was to be paid later: in time, too late, or after the order was cancelled."""
        unpaid = [about for about in self.shop.orders.values() if about.awaits_payment]
        for about in one_of(unpaid, number):
            paid: dict[str, Any] = {"reference": f"paid-{about.id}", "amount": about.total}
            self.inbox.append(event("payment.received", about.id, by="api", at=self.now, **paid))
            self.step_if(seen)

    @rule(seconds=st.sampled_from([1, 60, 60, 300, 300, 900, 1_800]))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(number=which)
    def wait_for_a_deadline(self, number: int) -> None:
        due = [about.due for about in self.shop.orders.values() if about.due and about.due > self.now]
        for self.now in one_of(sorted(due), number):
            self.step(set())

    @rule(left_for_later=st.sets(st.integers(0, 3), max_size=2))
    def step(self, left_for_later: set[int]) -> None:
        """What has arrived is taken in, but for a few events that are seen only the next time."""
        seen = [received for number, received in enumerate(self.inbox) if number not in left_for_later]
        self.inbox = [received for number, received in enumerate(self.inbox) if number in left_for_later]
        check_that_it_repeats(self.shop, seen, self.now)
        missing, rows = self.missing(), len(self.shop.ledger)
        moved = self.shop.step(self.now, *seen)
        assert all(units <= missing.get(place, 0) for place, units in self.missing().items())
        self.note_offers(moved)
        for moves in moved.values():
            if moves.order.payment.receipt and not moves.before.payment.receipt:
                self.provider.taken[moves.order.id] = moves.order.total
        freed = {c.sku for row in self.shop.ledger[rows:] if row.kind in ("released", "returned") for c in row.changes}
        self.inbox += [told for sku in sorted(freed) for told in self.shop.woken(sku, self.now)]

    # What there is.

    def bring_back(self, about: Parcel, units: int, store: str) -> None:
        """Up to so many units of every line arrive; half of them can be sold again."""
        self.back += 1
        units_of = [(item.line, min(units, item.quantity)) for item in about.items]
        rows = [{"line": line, "sellable": number // 2, "refund": number} for line, number in units_of]
        data: dict[str, Any] = {"return": f"r{self.back}", "location": store, "lines": rows}
        order_id = order_of_parcel(about.id)
        self.inbox.append(event("return.received", order_id, by=store, at=self.now, parcel=about.id, **data))

    def step_if(self, seen: bool) -> None:
        if seen:
            self.step(set())

    def parcels(self) -> list[Parcel]:
        """All that ever were, those that are still at their stores three times: they are what stores speak of."""
        ever, open_ones = self.shop.parcels(), self.shop.parcels(*UNSHIPPED)
        return [parcel for _, parcel in [*open_ones, *open_ones, *open_ones, *ever]]

    def open_intents(self) -> list[tuple[OrderState, Intent]]:
        return [
            (about, intent)
            for about in self.shop.orders.values()
            for intent in about.payment.intents
            if intent.state == "todo" and (intent.not_before is None or intent.not_before <= self.now)
        ]

    def missing(self) -> dict[Place, int]:
        """Units that are promised and not there. Only a count may make such."""
        return {place: -level.available for place, level in self.shop.levels.items() if level.available < 0}

    def note_offers(self, moved: Mapping[str, Moves]) -> None:
        for moves in moved.values():
            for told in moves.tells:
                if told.type in ("parcel.offered.v1", "parcel.withdrawn.v1"):
                    self.told[told.type, told.subject] += 1
                    assert told.partner == next(p.location for p in moves.order.parcels if p.id == told.subject)

    # What must always hold.

    @invariant()
    def levels_ledger_and_open_parcels_agree(self) -> None:
        promised = self.shop.promised()
        booked: dict[Place, list[int]] = defaultdict(lambda: [0, 0])
        for row in self.shop.ledger:
            for change in row.changes:
                booked[row.location, change.sku][0] += change.on_hand
                booked[row.location, change.sku][1] += change.reserved
        for (store, sku), level in self.shop.levels.items():
            assert level.on_hand >= 0
            assert level.reserved == promised.get((store, sku), 0) >= 0
            assert level.available == self.shop.stock.at(store, sku)
            assert booked[store, sku] == [level.on_hand - self.shop.opening[store][sku], level.reserved]

    @invariant()
    def no_cause_is_booked_twice(self) -> None:
        assert len({row.id for row in self.shop.ledger}) == len(self.shop.ledger)

    @invariant()
    def live_parcels_never_carry_more_than_was_ordered(self) -> None:
        for about in self.shop.orders.values():
            made = self.placed[about.id]
            assert (about.lines, about.total) == (made.lines, made.total)
            cancelled = about.cancellation is not None and about.cancellation.outcome != "refused"
            live: Counter[int] = Counter()
            for parcel in about.parcels:
                assert all(0 <= item.returned <= item.quantity for item in parcel.items)
                if parcel.state in SPOKEN_FOR:
                    live.update({item.line: item.quantity for item in parcel.items})
                elif parcel.state is ParcelState.LOST:
                    live.update({item.line: item.returned for item in parcel.items})
            for line in about.lines:
                left = line.quantity - live[line.line]
                assert left >= 0
                assert residual(about).get(line.line, 0) == (0 if cancelled else left)

    @invariant()
    def what_has_ended_stays_ended_and_its_money_is_right(self) -> None:
        for about in self.shop.orders.values():
            late = about.payment.receipt is not None and about.stage is Stage.CANCELLING
            again = late or any(p.state is ParcelState.LOST or any(i.returned for i in p.items) for p in about.parcels)
            assert again or about.stage is self.ended.get(about.id, about.stage)
            if about.stage in TERMINAL:
                self.ended[about.id] = about.stage
                pay = about.payment
                assert pay.captured - pay.refunded == kept_value(about) == self.provider.taken[about.id]
                assert pay.authorised == self.provider.held[about.id] == 0
                assert about.due is about.pay_at is None
                assert not [p for p in about.parcels if p.due or p.state in UNSHIPPED]

    @invariant()
    def the_books_add_up(self) -> None:
        """To nothing for every cause; for the customer to what was kept, and to what was really paid."""
        causes: Counter[str] = Counter()
        customers: Counter[tuple[str | None, bool]] = Counter()
        for entry in self.shop.entries.values():
            causes[entry.cause] += entry.amount
            if entry.account == "customer":
                customers[entry.order, entry.meaning == "sale"] += entry.amount
        assert not any(causes.values())
        for about in self.shop.orders.values():
            assert customers[about.id, True] == -kept_value(about)
            if about.version:
                assert customers[about.id, False] == about.payment.captured - about.payment.refunded
        left = [parcel for _, parcel in self.shop.parcels(*GONE)]
        goods = Counter(entry.cause for entry in self.shop.entries.values() if entry.meaning == "goods")
        assert all(goods[shipped_cause(parcel.id)] == len(parcel.items) for parcel in left)

    @invariant()
    def no_open_order_stands_still_unseen(self) -> None:
        """It has a deadline, a payment to make, a person to look at it, or all its goods are on their way."""
        for about in self.shop.orders.values():
            live = {parcel.state for parcel in about.parcels if parcel.state in LIVE}
            moving = live & {ParcelState.SHIPPED, ParcelState.RETURNING}
            under_way = not residual(about) and moving and not live & UNSHIPPED
            watched = about.due or about.pay_at or about.attention or about.stage is Stage.HELD
            assert about.stage in TERMINAL or watched or under_way

    @invariant()
    def stores_hear_of_each_parcel_once_and_once_of_its_withdrawal(self) -> None:
        for _, about in self.shop.parcels():
            taken = about.state in (ParcelState.WITHDRAWN, ParcelState.EXPIRED)
            offered = self.told["parcel.offered.v1", about.id]
            only_held = about.state is ParcelState.HELD or (about.state is ParcelState.WITHDRAWN and not offered)
            assert offered == int(not only_held)
            assert self.told["parcel.withdrawn.v1", about.id] == int(taken and not only_held)

    def teardown(self) -> None:
        """With goods on the shelves, willing stores and a working provider, every order comes to its end."""
        if not hasattr(self, "shop"):
            return
        for _ in range(STEPS_TO_THE_END):
            self.everybody_does_their_best()
            self.step(set())
            if all(about.stage in TERMINAL for about in self.shop.orders.values()):
                break
        assert [about.stage for about in self.shop.orders.values() if about.stage not in TERMINAL] == []
        self.what_has_ended_stays_ended_and_its_money_is_right()
        self.levels_ledger_and_open_parcels_agree()
        for wanted, decision in self.shop.decisions:
            seen = StockSeen(decision.stock_version, decision.stock_rows)
            stock = self.shop.stock_at(seen.version, seen.rows)
            assert decide(wanted, stock, self.shop.network, POLICY, decision.at, seen) == decision

    def everybody_does_their_best(self) -> None:
        self.wait(600)
        for place, level in list(self.shop.levels.items()):
            if level.available < 30:
                self.receive(*place, 50)
        for _, parcel in self.shop.parcels(*UNSHIPPED, ParcelState.SHIPPED):
            self.inbox.append(reply("delivered", parcel, at=self.now))
        for _, parcel in self.shop.parcels(ParcelState.RETURNING):
            self.bring_back(parcel, 9, "near")
        for number in range(len(self.shop.orders)):
            self.report_payment(number, seen=False)
        for about in self.shop.orders.values():
            if about.attention or about.held:
                self.inbox.append(command("retry", about.id, at=self.now))
        for number in range(len(self.open_intents())):
            self.pay(number, "none", seen=False)


def one_of(some: Sequence[T], number: int) -> Sequence[T]:
    """One of them, or none when there is none."""
    place = number % len(some) if some else 0
    return some[place : place + 1]


def check_that_it_repeats(shop: Shop, events: list[InboxEvent], now: datetime) -> None:
    """The same order, events and moment give the same moves, in whatever order the events are handed in."""
    for about in shop.orders.values():
        mine = [received for received in events if received.order == about.id]
        if mine or (about.due and about.due <= now):
            before = about.model_dump_json()
            once = conclude(advance(about, mine, now, POLICY), now, POLICY)
            again = conclude(advance(about, mine[::-1], now, POLICY), now, POLICY)
            assert once == again
            assert about.model_dump_json() == before


TestOrders = Orders.TestCase
TestOrders.settings = settings(
    max_examples=250, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@settings(max_examples=60, deadline=None)
@given(
    whims=st.fixed_dictionaries({store: st.sampled_from(REASONS) for store in STORES}),
    wanted=st.lists(wanted_lines, min_size=1, max_size=4),
    units=st.integers(1, 12),
)
def test_stores_that_refuse_everything_at_once_do_not_keep_orders_going_round(
    whims: Mapping[str, str], wanted: list[Wanted], units: int
) -> None:
    """Goods given back by a refusal wake the orders that wait for them: that must end, without time passing."""
    shop = Shop(network(*STORES), {store: dict.fromkeys(SKUS, units) for store in STORES}, POLICY)
    shop.place(*(order(*some, order_id=f"order-{number}") for number, some in enumerate(wanted)))
    inbox: list[InboxEvent] = []
    for _ in range(3 * len(STORES) * len(wanted)):
        rows = len(shop.ledger)
        shop.step(NOW, *inbox, orders=sorted({received.order for received in inbox}) or None)
        offered = shop.parcels(ParcelState.OFFERED)
        inbox = [reply("rejected", about, reason=whims[about.location]) for _, about in offered]
        if any(row.kind == "released" for row in shop.ledger[rows:]):
            inbox += [told for sku in SKUS for told in shop.woken(sku, NOW)]
        if not inbox:
            break
    assert not inbox
    assert all(about.stage is Stage.BACKORDERED for about in shop.orders.values())
