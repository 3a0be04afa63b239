"""Whatever way an order takes, its entries add up to nothing, and to its last state; no fen is made or lost."""

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from activities.settlement.entries import kept_units
from activities.settlement.rates import Rates, part
from contracts.money import share
from contracts.orders import Line, OrderState, ParcelState
from contracts.settlement import CUSTOMER, Entry, Rule
from tests.activities.test_entries import Books
from tests.builders import order, parcel

KINDS = {"shop": "store", "market": "seller", "depot": "warehouse", "counter": "store"}
PLACES = ("shop", "market", "depot")

amounts = st.one_of(st.integers(0, 12), st.integers(0, 200_000))
rules = st.builds(
    Rule,
    id=st.sampled_from(["a", "b", "c", "d"]),
    terms=st.sampled_from(["marketplace", "sales"]),
    percent_bp=st.integers(0, 10_000),
    per_parcel=amounts,
    category=st.sampled_from([None, "drinks", "cups"]),
)
handling = st.builds(
    Rule, id=st.just("h"), terms=st.just("handling"), percent_bp=st.integers(0, 900), per_parcel=amounts
)
freight = st.builds(Rule, id=st.just("f"), terms=st.just("freight"), percent_bp=st.integers(0, 10_000))
Chance = st.DataObject


@st.composite
def lives(draw: st.DrawFn) -> Books:
    """An order whose lines are shared out over some parcels, none of which has left."""
    wanted = draw(st.lists(st.tuples(st.integers(1, 7), amounts), min_size=1, max_size=3))
    gross = sum(units * price for units, price in wanted)
    lines = [
        Line(line=number + 1, sku=("tea", "cup", "pot")[number], quantity=units, unit_price=price)
        for number, (units, price) in enumerate(wanted)
    ]
    discount, fee = draw(st.integers(0, gross)), draw(amounts)
    fields: dict[str, Any] = {"lines": lines, "total": gross - discount + fee, "sold_by": draw(sellers)}
    made = order(discount=discount, shipping_fee=fee, **fields)
    for place, units in _shared_out(draw, lines).items():
        sent = parcel(made, place, lines=units, state=ParcelState.ACCEPTED)
        sent.service, sent.freight = draw(st.sampled_from([None, "shun/express"])), draw(amounts)
    return Books(made, *draw(st.lists(rules, max_size=4)), draw(handling), draw(freight))


sellers = st.sampled_from([None, "counter", "market"])


def _shared_out(draw: st.DrawFn, lines: list[Line]) -> dict[str, dict[int, int]]:
    parcels: dict[str, dict[int, int]] = {}
    for line in lines:
        for _ in range(line.quantity):
            units = parcels.setdefault(draw(st.sampled_from(PLACES)), {})
            units[line.line] = units.get(line.line, 0) + 1
    return parcels


def go_on(books: Books, data: st.DataObject, *, until_back: bool = False) -> None:
    """Parcels leave and units come back, in any order; to the end, if it is wanted."""
    books.rates = Rates(books.rates.rules, KINDS, {"tea": "drinks", "cup": "cups"})
    books.step()
    for _ in range(40):
        parcels = books.order.parcels
        waiting = [n for n, p in enumerate(parcels) if p.state is ParcelState.ACCEPTED]
        out = [(n, line) for n, p in enumerate(parcels) for line, units in kept_units(p).items() if units]
        choices: list[tuple[int, int]] = [(n, 0) for n in waiting] + out
        if not choices or (not until_back and data.draw(st.booleans())):
            return
        number, line = data.draw(st.sampled_from(choices))
        if line == 0:
            books.ship(number)
        else:
            books.come_back({line: data.draw(st.integers(1, kept_units(parcels[number])[line]))}, number)


@given(lives(), st.data())
def test_every_cause_and_the_order_add_up_to_nothing(books: Books, data: st.DataObject) -> None:
    go_on(books, data)
    by_cause: Counter[str] = Counter()
    for entry in books.entries:
        by_cause[entry.cause] += entry.amount
        assert entry.amount or entry.meaning == "goods", "an entry of nothing"
    assert not any(by_cause.values())
    assert len({entry.id for entry in books.entries}) == len(books.entries)


@given(lives(), st.data())
def test_the_customer_owes_what_is_captured_for_what_was_kept(books: Books, data: st.DataObject) -> None:
    go_on(books, data)
    owed = -sum(e.amount for e in books.entries if e.account == CUSTOMER and e.meaning == "sale")
    assert owed == kept_value(books.order)


def kept_value(made: OrderState) -> int:
    """As the money of an order is worked out: by line, rounded down."""
    kept: Counter[int] = Counter()
    for sent in made.parcels:
        kept.update(kept_units(sent))
    return sum(line.amount * kept[line.line] // line.quantity for line in made.lines)


@given(lives(), st.data())
def test_when_all_has_come_back_all_is_back_to_the_fen(books: Books, data: st.DataObject) -> None:
    go_on(books, data, until_back=True)
    if any(any(kept_units(p).values()) or p.state is ParcelState.ACCEPTED for p in books.order.parcels):
        return
    by_account: Counter[tuple[str, str, str | None]] = Counter()
    for entry in books.entries:
        if entry.meaning != "payment":
            by_account[entry.account, entry.meaning, entry.parcel if entry.meaning in OF_PARCELS else None] += (
                entry.amount
            )
    assert not any(by_account.values())


OF_PARCELS = {"goods", "commission", "sales_commission", "handling", "freight"}


@given(lives(), st.data())
def test_it_does_not_matter_in_which_steps_units_come_back(books: Books, data: st.DataObject) -> None:
    """One by one, in any order, or all at once: every account ends the same."""
    books.rates = Rates(books.rates.rules, KINDS, {"tea": "drinks"})
    for number in range(len(books.order.parcels)):
        books.ship(number)
    back = [
        {line: data.draw(st.integers(0, units)) for line, units in kept_units(p).items()} for p in books.order.parcels
    ]
    at_once = Books(books.order, *books.rates.rules)
    at_once.entries = list(books.entries)
    for number, units in enumerate(back):
        at_once.come_back(units, number)
    singly = [(number, line) for number, units in enumerate(back) for line, n in units.items() for _ in range(n)]
    for number, line in data.draw(st.permutations(singly)):
        books.come_back({line: 1}, number)
    assert _by_account(books.entries) == _by_account(at_once.entries)


def _by_account(entries: list[Entry]) -> dict[tuple[str, str, str | None], int]:
    total: Counter[tuple[str, str, str | None]] = Counter()
    for entry in entries:
        of_parcel = entry.parcel if entry.meaning in OF_PARCELS else None
        total[entry.account, entry.meaning, of_parcel] += entry.amount
    return {key: amount for key, amount in total.items() if amount}


@given(lives(), st.data())
def test_a_seller_gets_the_price_of_every_unit_that_is_kept(books: Books, data: st.DataObject) -> None:
    go_on(books, data)
    prices = {line.line: line.unit_price for line in books.order.lines}
    for sent in books.order.parcels:
        goods = sum(e.amount for e in books.entries if e.parcel == sent.id and e.meaning == "goods")
        assert goods == sum(prices[line] * units for line, units in kept_units(sent).items())


@given(st.integers(0, 10**12), st.integers(0, 10_000))
def test_a_percentage_is_rounded_to_the_nearest(amount: int, bp: int) -> None:
    assert abs(part(amount, bp) * 10_000 - amount * bp) <= 5_000
    assert 0 <= part(amount, bp) <= amount


@given(st.integers(0, 10**9), st.integers(0, 50), st.integers(1, 50))
def test_what_stays_and_what_goes_back_make_the_whole(amount: int, kept: int, gone: int) -> None:
    stays, back = share(amount, [kept, gone])
    assert stays + back == amount
