"""Many orders on one stock under any interleaving: nothing is oversold, lost, paid twice or left standing unseen."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from activities.orders.advance import advance, conclude
from activities.orders.money import kept_value
from activities.orders.moves import Moves, residual
from activities.orders.routing import StockSeen, decide
from contracts.orders import LIVE, TERMINAL, InboxEvent, OrderState, Parcel, ParcelState, PaymentIntent, Stage
from contracts.routing import Policy
from tests.builders import NOW, command, event, later, location, network, order, reply
from tests.shop import Place, Shop

POLICY = Policy(
    max_refusals=2, backorder_retry_s=1_200, backorder_limit_s=12_000, payment_tries=2, payment_retry_s=60
)
SKUS = ("tea", "cup")
STORES = ("near", "middle", "far", "nowhere")
REASONS = ("out_of_stock", "damaged", "too_busy", "closed", "other")
STEPS_TO_THE_END = 80

lines = st.lists(st.tuples(st.sampled_from(SKUS), st.integers(1, 4)), min_size=1, max_size=3)
methods = st.sampled_from(["prepaid", "card"])
numbers = st.integers(0, 10_000)
"""Choose one of what there is, by remainder: so that examples shrink."""


class Provider:
    """A payment provider that does each key's work once. It never sees a wrong amount, or the test fails."""

    def __init__(self) -> None:
        self.held: Counter[str] = Counter()
        self.taken: Counter[str] = Counter()
        self._answers: dict[str, str] = {}

    def perform(self, order_id: str, intent: PaymentIntent, reference: str | None, trouble: str) -> str:
        """The status that the caller gets to know. `lost`: the work is done, but the answer never arrives."""
        if trouble == "failed":
            return "failed"
        if intent.key not in self._answers:
            self._answers[intent.key] = "declined" if trouble == "declined" else "done"
            if trouble != "declined":
                self._work(order_id, intent, reference)
        return "failed" if trouble == "lost" else self._answers[intent.key]

    def _work(self, order_id: str, intent: PaymentIntent, reference: str | None) -> None:
        assert intent.amount > 0
        if intent.operation == "authorise":
            assert self.held[order_id] == self.taken[order_id] == 0
            self.held[order_id] = intent.amount
        elif intent.operation == "refund":
            assert intent.amount <= self.taken[order_id]
            self.taken[order_id] -= intent.amount
        else:
            assert reference == f"auth-{order_id}"
            assert intent.amount <= self.held[order_id]
            self.held[order_id] -= intent.amount
            if intent.operation == "capture":
                self.taken[order_id] += intent.amount
            else:
                assert self.held[order_id] == 0


class Orders(RuleBasedStateMachine):
    """Callers, stores, operators, the stock desk and the payment provider, each doing whatever they like."""

    @initialize(
        stock=st.fixed_dictionaries(
            {s: st.fixed_dictionaries({k: st.integers(0, 6) for k in SKUS}) for s in STORES}
        )
    )
    def open(self, stock: Mapping[str, Mapping[str, int]]) -> None:
        places = [
            location("near", 10),
            location("middle", 20),
            location("far", 30),
            location("nowhere", None),
        ]
        self.shop = Shop(network(*places), stock, POLICY)
        self.provider = Provider()
        self.now = NOW
        self.inbox: list[InboxEvent] = []
        self.ended: dict[str, Stage] = {}
        self.told: list[tuple[str, str]] = []
        self.placed: dict[str, OrderState] = {}

    # What people do.

    @precondition(lambda self: len(self.shop.orders) < 6)
    @rule(wanted=lines, method=methods, price=st.sampled_from([100, 33, 0]), fee=st.sampled_from([0, 7]))
    def place(self, wanted: list[tuple[str, int]], method: str, price: int, fee: int) -> None:
        made = order(
            *wanted,
            order_id=f"order-{len(self.shop.orders)}",
            method=method,
            price=price,
            shipping_fee=fee,
            placed_at=self.now,
        )
        self.placed[made.id] = made
        self.shop.place(made)
        if method == "prepaid":
            self.provider.taken[made.id] = made.total

    @precondition(lambda self: self.parcels())
    @rule(
        number=numbers,
        kind=st.sampled_from(["accepted", "packed", "shipped", "delivered"]),
        by=st.sampled_from([None, None, None, None, *STORES]),
    )
    def answer(self, number: int, kind: str, by: str | None) -> None:
        about = self.parcels()[number % len(self.parcels())]
        self.inbox.append(reply(kind, about, by=by or about.location, at=self.now))

    @precondition(lambda self: self.parcels())
    @rule(
        number=numbers,
        reason=st.sampled_from(REASONS),
        named=st.none() | st.sets(st.integers(1, 3), min_size=1),
    )
    def reject(self, number: int, reason: str, named: set[int] | None) -> None:
        about = self.parcels()[number % len(self.parcels())]
        said = None if named is None else sorted(named)
        self.inbox.append(reply("rejected", about, at=self.now, reason=reason, lines=said))

    @precondition(lambda self: self.inbox)
    @rule(number=numbers)
    def say_it_again(self, number: int) -> None:
        twin = self.inbox[number % len(self.inbox)]
        self.inbox.append(
            event(twin.kind, twin.order, by=twin.by, at=self.now, parcel=twin.parcel, **twin.data)
        )

    @precondition(lambda self: self.shop.orders)
    @rule(
        number=numbers,
        kind=st.sampled_from(["cancel", "cancel", "retry", "reroute", "release"]),
        one=st.none() | st.integers(1, 3),
    )
    def demand(self, number: int, kind: Any, one: int | None) -> None:
        order_id = self.order_ids()[number % len(self.order_ids())]
        parcel = f"{order_id}.p{one}" if one else None
        self.inbox.append(command(kind, order_id, at=self.now, parcel=parcel))

    @rule(store=st.sampled_from(STORES), sku=st.sampled_from(SKUS), units=st.integers(1, 5))
    def receive(self, store: str, sku: str, units: int) -> None:
        self.inbox += self.shop.receive(store, sku, units, self.now)

    @rule(store=st.sampled_from(STORES), sku=st.sampled_from(SKUS), units=st.integers(0, 5))
    def count(self, store: str, sku: str, units: int) -> None:
        self.inbox += self.shop.count(store, sku, units, self.now)

    @precondition(lambda self: self.open_intents())
    @rule(number=numbers, trouble=st.sampled_from(["none", "none", "none", "declined", "failed", "lost"]))
    def pay(self, number: int, trouble: str) -> None:
        about, intent = self.open_intents()[number % len(self.open_intents())]
        status = self.provider.perform(about.id, intent, about.payment.reference, trouble)
        answer = {
            "key": intent.key,
            "status": status,
            "reference": f"auth-{about.id}" if status == "done" else None,
        }
        self.inbox.append(event("payment.outcome", about.id, by="payment", at=self.now, **answer))

    @rule(seconds=st.sampled_from([1, 60, 700, 1_800, 7_200, 172_800]))
    def wait(self, seconds: int) -> None:
        self.now = later((self.now - NOW).total_seconds() + seconds)

    @rule(left_for_later=st.sets(st.integers(0, 3), max_size=2))
    def step(self, left_for_later: set[int]) -> None:
        """What has arrived is taken in, but for a few events that are seen only the next time."""
        seen = [received for number, received in enumerate(self.inbox) if number not in left_for_later]
        self.inbox = [received for number, received in enumerate(self.inbox) if number in left_for_later]
        check_that_it_repeats(self.shop, seen, self.now)
        deficits = self.deficits()
        rows = len(self.shop.ledger)
        moved = self.shop.step(self.now, *seen)
        assert all(units <= deficits.get(place, 0) for place, units in self.deficits().items())
        self.note_tells(moved)
        freed = {
            change.sku for row in self.shop.ledger[rows:] if row.kind == "released" for change in row.changes
        }
        for sku in sorted(freed):
            self.inbox += self.shop.woken(sku, self.now)

    # What there is.

    def order_ids(self) -> list[str]:
        return sorted(self.shop.orders)

    def parcels(self) -> list[Parcel]:
        return [parcel for _, parcel in self.shop.parcels()]

    def open_intents(self) -> list[tuple[OrderState, PaymentIntent]]:
        return [
            (about, intent)
            for about in self.shop.orders.values()
            for intent in about.payment.intents
            if intent.state == "todo" and (intent.not_before is None or intent.not_before <= self.now)
        ]

    def deficits(self) -> dict[Place, int]:
        """Units that are promised and not there. Only a count may make such."""
        return {place: -level.available for place, level in self.shop.levels.items() if level.available < 0}

    def note_tells(self, moved: Mapping[str, Moves]) -> None:
        for moves in moved.values():
            for told in moves.tells:
                if told.type in ("parcel.offered.v1", "parcel.withdrawn.v1"):
                    self.told.append((told.type, told.subject))
                    assert told.partner == next(
                        p.location for p in moves.order.parcels if p.id == told.subject
                    )

    # What must always hold.

    @invariant()
    def levels_and_the_ledger_agree_with_the_open_parcels(self) -> None:
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
            opening = self.shop.opening.get(store, {}).get(sku, 0)
            assert [level.on_hand - opening, level.reserved] == booked[store, sku]

    @invariant()
    def no_cause_is_booked_twice(self) -> None:
        assert max(Counter(row.id for row in self.shop.ledger).values(), default=1) == 1

    @invariant()
    def live_parcels_never_carry_more_than_the_order(self) -> None:
        for about in self.shop.orders.values():
            left = residual(about)
            for line in about.lines:
                live = sum(
                    i.quantity
                    for p in about.parcels
                    if p.state in LIVE
                    for i in p.items
                    if i.line == line.line
                )
                assert live <= line.quantity
                cancelled = about.cancellation is not None and about.cancellation.outcome != "refused"
                assert left.get(line.line, 0) == (0 if cancelled else line.quantity - live)

    @invariant()
    def what_has_ended_stays_ended_and_its_money_is_right(self) -> None:
        for about in self.shop.orders.values():
            if about.id in self.ended:
                assert about.stage is self.ended[about.id]
            if about.stage in TERMINAL:
                self.ended[about.id] = about.stage
                pay = about.payment
                assert pay.captured - pay.refunded == kept_value(about) == self.provider.taken[about.id]
                assert pay.authorised == self.provider.held[about.id] == 0
                assert about.due is about.pay_at is None
                assert not [
                    p for p in about.parcels if p.due or p.state in (ParcelState.OFFERED, ParcelState.PACKED)
                ]

    @invariant()
    def no_open_order_stands_still_unseen(self) -> None:
        """It has a deadline, a payment to make, a person to look at it, or goods on their way."""
        for about in self.shop.orders.values():
            live = [p.state for p in about.parcels if p.state in LIVE]
            under_way = bool(live) and not residual(about) and set(live) <= {"shipped", "delivered"}
            held = about.held and about.stage is Stage.HELD
            moving = about.due or about.pay_at or about.attention or held
            assert about.stage in TERMINAL or moving or (under_way and "shipped" in live)

    @invariant()
    def the_order_that_was_placed_is_the_order_that_is_carried(self) -> None:
        for about in self.shop.orders.values():
            made = self.placed[about.id]
            assert (about.lines, about.total, about.ship_to) == (made.lines, made.total, made.ship_to)

    @invariant()
    def stores_hear_of_each_parcel_once_and_of_its_withdrawal_once(self) -> None:
        counts = Counter(self.told)
        assert max(counts.values(), default=1) == 1
        taken = (ParcelState.WITHDRAWN, ParcelState.EXPIRED)
        for _, about in self.shop.parcels():
            assert counts["parcel.offered.v1", about.id] == 1
            assert counts["parcel.withdrawn.v1", about.id] == (1 if about.state in taken else 0)

    def teardown(self) -> None:
        """With goods on the shelves, willing stores and a provider that works, every order comes to its end."""
        if not hasattr(self, "shop"):
            return
        self.inbox = []
        for _ in range(STEPS_TO_THE_END):
            self.everybody_does_their_best()
            self.step(set())
            if all(about.stage in TERMINAL for about in self.shop.orders.values()):
                break
        for about in self.shop.orders.values():
            assert about.stage in TERMINAL, f"{about.id} is still {about.stage}"
        self.what_has_ended_stays_ended_and_its_money_is_right()
        self.levels_and_the_ledger_agree_with_the_open_parcels()
        self.check_that_decisions_can_be_made_again()

    def everybody_does_their_best(self) -> None:
        self.wait(600)
        for store in STORES:
            for sku in SKUS:
                if self.shop.level(store, sku).available < 9:
                    self.receive(store, sku, 50)
        for _, about in self.shop.parcels(ParcelState.OFFERED, ParcelState.ACCEPTED, ParcelState.SHIPPED):
            self.inbox.append(reply("delivered", about, at=self.now))
        for about in self.shop.orders.values():
            if about.attention or about.held:
                self.inbox.append(command("retry", about.id, at=self.now))
        for number in range(len(self.open_intents())):
            self.pay(number, "none")

    def check_that_decisions_can_be_made_again(self) -> None:
        for wanted, decision in self.shop.decisions:
            stock = self.shop.stock_at(decision.stock_version, decision.stock_rows)
            seen = StockSeen(decision.stock_version, decision.stock_rows)
            assert decide(wanted, stock, self.shop.network, POLICY, decision.at, seen) == decision


def check_that_it_repeats(shop: Shop, events: list[InboxEvent], now: datetime) -> None:
    """The same order, events and moment give the same moves, in whatever order the events are handed in."""
    for about in shop.orders.values():
        before = about.model_copy(deep=True)
        mine = [received for received in events if received.order == about.id]
        once = conclude(advance(about, mine, now, POLICY), now, POLICY)
        again = conclude(advance(about, mine[::-1], now, POLICY), now, POLICY)
        assert once == again
        assert about == before


TestOrders = Orders.TestCase
TestOrders.settings = settings(
    max_examples=1500,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # DEV
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@settings(max_examples=60, deadline=None)
@given(
    whims=st.fixed_dictionaries({store: st.sampled_from(REASONS) for store in STORES}),
    wanted=st.lists(lines, min_size=1, max_size=4),
    units=st.integers(1, 12),
)
def test_stores_that_refuse_everything_at_once_do_not_keep_orders_going_round(
    whims: Mapping[str, str], wanted: list[list[tuple[str, int]]], units: int
) -> None:
    """Goods given back by one refusal wake the orders that wait for them: without time passing that must end."""
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
