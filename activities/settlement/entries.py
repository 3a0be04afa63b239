"""What a step of an order means in money, as entries that add up to zero. Pure.

What an order is worth to everybody is a function of its state alone (how many units of each line were shipped and
kept), so the entries of a step are the difference of two states. Whatever way an order takes, its entries then add up
to its last state: nothing gets lost in rounding, and when everything comes back, everything is back to the fen.

Two parts: what customer, discount and shipping fee are worth goes by the kept units of each line of the whole order,
with the same rounding as the money that is captured. What partners and carriers get goes by parcel: it is set by the
rules when the parcel is shipped, and goes down with the units that come back, in proportion.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from activities.orders.money import goodwill
from activities.settlement.rates import SELLER, Rates, part
from contracts.money import share
from contracts.orders import GONE, Item, OrderState, Parcel
from contracts.settlement import (
    COMMISSION,
    COMPENSATION,
    CUSTOMER,
    DISCOUNT,
    FREIGHT,
    HANDLING,
    RETAILER_ACCOUNT,
    Entry,
    Meaning,
    Rule,
    Terms,
    carrier_account,
    partner_account,
    returned_cause,
    shipped_cause,
)

_OF_ORDER = frozenset({"sale", "shipping_fee", "discount"})
"""Meanings that go by the lines of the whole order, not by parcel."""

Units = dict[int, int]
"""By line."""


def kept_units(parcel: Parcel) -> Units:
    """Units that were shipped and have not come back; lines without any are left out.

    Raises ValueError when more came back than went.
    """
    units: Units = {}
    for item in parcel.items:
        if not 0 <= item.returned <= item.quantity:
            raise ValueError(f"{parcel.id}: {item.returned} units of line {item.line} cannot have come back")
        if parcel.state in GONE and item.returned < item.quantity:
            units[item.line] = units.get(item.line, 0) + item.quantity - item.returned
    return units


def reversing(before: OrderState, after: OrderState) -> list[str]:
    """Parcels that had been shipped and of which units come back in this step: what was booked of them is needed."""
    was = {parcel.id: parcel for parcel in before.parcels}
    return [
        parcel.id
        for parcel in after.parcels
        if parcel.id in was and was[parcel.id].state in GONE and kept_units(was[parcel.id]) != kept_units(parcel)
    ]


def entries_for(
    before: OrderState, after: OrderState, rates: Rates, at: datetime, booked: Sequence[Entry] = ()
) -> list[Entry]:
    """The entries of one step. `booked`: those of the causes `<parcel>:shipped` of the parcels in `reversing`.

    Their ids are made of their cause: `<parcel>:shipped`, `<parcel>:returned:<units>`, `<order>:captured:<sum>`,
    `<order>:compensation:<version>`.
    Raises ValueError for a parcel that came back without having been booked, or whose units return to the customer.
    """
    book = _Book(after, at)
    kept = {parcel.id: kept_units(parcel) for parcel in before.parcels}
    gone = {parcel.id for parcel in before.parcels if parcel.state in GONE}
    for parcel in after.parcels:
        first = [entry for entry in booked if entry.parcel == parcel.id]
        if parcel.state in GONE and parcel.id not in gone:
            first = _shipped(book, parcel, rates)
            _of_order(book, shipped_cause(parcel.id), parcel.id, kept, _units(parcel.items))
        if parcel.id in kept and kept_units(parcel) != kept[parcel.id]:
            _come_back(book, parcel, kept, first)
    _goodwill(book, before)
    _payments(book, before)
    return book.entries


@dataclass(slots=True)
class _Book:
    """The entries of one step of an order."""

    order: OrderState
    at: datetime
    entries: list[Entry] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)

    def add(
        self,
        cause: str,
        account: str,
        meaning: Meaning,
        amount: int,
        parcel: str | None = None,
        line: int | None = None,
        rule: str | None = None,
        final: bool = False,
    ) -> None:
        """Nothing is booked for nothing, except goods that cost nothing: every parcel that left shows in the books."""
        if not amount and not (meaning == "goods" and cause == shipped_cause(parcel or "")):
            return
        number = self._numbers.get(cause, 0)
        self._numbers[cause] = number + 1
        entry = Entry.trusted(
            id=f"{cause}:{number}",
            cause=cause,
            order=self.order.id,
            parcel=parcel,
            line=line,
            account=account,
            meaning=meaning,
            amount=amount,
            currency=self.order.currency,
            at=self.at,
            rule=rule,
            final=final,
        )
        self.entries.append(entry)

    def pay(
        self, parcel: Parcel, payer: str, payee: str, meaning: Meaning, amount: int, rule: Rule | None, line: int | None
    ) -> None:
        """Both sides of what one account pays another for a shipped parcel, or for a line of it."""
        reference, final = (rule.reference, rule.on_return == "keep") if rule else (None, False)
        cause = shipped_cause(parcel.id)
        self.add(cause, payee, meaning, amount, parcel.id, line, reference, final)
        self.add(cause, payer, meaning, -amount, parcel.id, line, reference, final)

    def rule(self, rates: Rates, terms: Terms, location: str, sku: str | None = None) -> Rule | None:
        order = self.order
        return rates.rule(terms, location, channel=order.channel, division=order.division, at=self.at, sku=sku)


def _units(items: Iterable[Item]) -> Units:
    units: Units = {}
    for item in items:
        units[item.line] = units.get(item.line, 0) + item.quantity
    return units


def _of_order(book: _Book, cause: str, parcel: str, kept: dict[str, Units], now: Units) -> None:
    """What the change of one parcel's kept units means to the customer; `kept` is brought along."""
    before = _worth(book.order, kept.values())
    kept[parcel] = now
    after = _worth(book.order, kept.values())
    sale, fee, discount = (new - old for old, new in zip(before, after, strict=True))
    book.add(cause, CUSTOMER, "sale", -sale, parcel)
    book.add(cause, FREIGHT, "shipping_fee", fee, parcel)
    book.add(cause, DISCOUNT, "discount", -discount, parcel)


def _worth(order: OrderState, kept: Iterable[Units]) -> tuple[int, int, int]:
    """What the customer owes for the kept units, and the shipping fee and the discount in it.

    Owed = goods + fee - discount. Each line is rounded down by units, as the money that is captured; what rounding
    leaves counts as discount or, where the order has none, as fee.
    """
    total: Units = {}
    for units in kept:
        for number, quantity in units.items():
            total[number] = total.get(number, 0) + quantity
    fees = share(order.shipping_fee, [line.quantity * line.unit_price for line in order.lines])
    owed = fee = discount = 0
    for line, whole_fee in zip(order.lines, fees, strict=True):
        quantity = total.get(line.line, 0)
        goods, owed_here = line.unit_price * quantity, line.amount * quantity // line.quantity
        fee_here = whole_fee * quantity // line.quantity if order.discount else owed_here - goods
        owed += owed_here
        fee += fee_here
        discount += goods + fee_here - owed_here
    return owed, fee, discount


def _shipped(book: _Book, parcel: Parcel, rates: Rates) -> list[Entry]:
    """What everybody gets for a parcel that has left: goods, commissions, handling and freight."""
    before = len(book.entries)
    seller = rates.kinds.get(parcel.location) == SELLER
    here, sold_by = partner_account(parcel.location), book.order.sold_by
    values = _values(book.order, parcel)
    for line, (_, amount) in values.items():
        owner = here if seller else RETAILER_ACCOUNT
        book.add(shipped_cause(parcel.id), owner, "goods", amount, parcel.id, line)
    if seller:
        for amount, rule, at_line in _commissions(book, rates, "marketplace", parcel.location, values):
            book.pay(parcel, here, COMMISSION, "commission", amount, rule, at_line)
    else:
        handling = book.rule(rates, "handling", parcel.location)
        if handling is not None:
            fee = handling.per_parcel + part(sum(amount for _, amount in values.values()), handling.percent_bp)
            book.pay(parcel, HANDLING, here, "handling", fee, handling, None)
    if sold_by is not None and not (seller and sold_by == parcel.location):
        for amount, rule, at_line in _commissions(book, rates, "sales", sold_by, values):
            book.pay(parcel, COMMISSION, partner_account(sold_by), "sales_commission", amount, rule, at_line)
    _freight(book, parcel, rates)
    return book.entries[before:]


def _values(order: OrderState, parcel: Parcel) -> dict[int, tuple[str, int]]:
    """SKU and price of the goods in a parcel, by line."""
    lines = {line.line: line for line in order.lines}
    return {line: (lines[line].sku, lines[line].unit_price * units) for line, units in _units(parcel.items).items()}


def _commissions(
    book: _Book, rates: Rates, terms: Terms, location: str, values: Mapping[int, tuple[str, int]]
) -> Iterator[tuple[int, Rule, int | None]]:
    """Percentages line by line, because categories differ; the fixed part of each rule once for the parcel."""
    fixed: set[str] = set()
    for line, (sku, amount) in values.items():
        rule = book.rule(rates, terms, location, sku)
        if rule is None:
            continue
        yield part(amount, rule.percent_bp), rule, line
        if rule.id not in fixed:
            fixed.add(rule.id)
            yield rule.per_parcel, rule, None


def _freight(book: _Book, parcel: Parcel, rates: Rates) -> None:
    """The carrier gets it; the shipping location pays its part of it by rule, the retailer the rest."""
    if parcel.service is None:
        return
    carrier = carrier_account(parcel.service.partition("/")[0])
    rule = book.rule(rates, "freight", parcel.location)
    by_location = part(parcel.freight, rule.percent_bp) if rule else 0
    book.pay(parcel, partner_account(parcel.location), carrier, "freight", by_location, rule, None)
    book.pay(parcel, FREIGHT, carrier, "freight", parcel.freight - by_location, rule, None)


def _come_back(book: _Book, parcel: Parcel, kept: dict[str, Units], first: Sequence[Entry]) -> None:
    """Take back in proportion what was booked when the parcel was shipped; `kept` is brought along."""
    shipped, before, now = _units(parcel.items), kept[parcel.id], kept_units(parcel)
    if not first:
        raise ValueError(f"{parcel.id} comes back, but nothing was booked when it was shipped")
    if any(units > before.get(line, 0) for line, units in now.items()):
        raise ValueError(f"{parcel.id}: units that had come back went out again")
    returned = sum(shipped.values()) - sum(now.values())
    cause = returned_cause(parcel.id, returned) if parcel.state in GONE else f"{parcel.id}:{parcel.state}"
    for entry in first:
        if entry.final or entry.meaning in _OF_ORDER:
            continue
        lines = list(shipped) if entry.line is None else [entry.line]
        whole = sum(shipped[line] for line in lines)
        was, left = (_left(entry.amount, sum(units.get(line, 0) for line in lines), whole) for units in (before, now))
        book.add(cause, entry.account, entry.meaning, left - was, parcel.id, entry.line, entry.rule)
    _of_order(book, cause, parcel.id, kept, now)


def _left(amount: int, kept: int, of: int) -> int:
    """The part of an amount that goes by so many kept units of all; what is left and what is not make the whole."""
    left = share(abs(amount), [kept, of - kept])[0]
    return left if amount > 0 else -left


def _goodwill(book: _Book, before: OrderState) -> None:
    """What the customer does not pay because something went wrong: the retailer bears it."""
    amount = goodwill(book.order) - goodwill(before)
    cause = f"{book.order.id}:compensation:{book.order.version}"
    book.add(cause, CUSTOMER, "sale", amount)
    book.add(cause, COMPENSATION, "discount", -amount)


def _payments(book: _Book, before: OrderState) -> None:
    """Money that came from or went back to the customer. Prepaid money was there before the first step."""
    order = book.order
    first = before.version == 0
    captured = order.payment.captured - (0 if first else before.payment.captured)
    refunded = order.payment.refunded - (0 if first else before.payment.refunded)
    for cause, meaning, amount in _paid(order, captured, refunded):
        book.add(cause, CUSTOMER, meaning, amount)
        book.add(cause, RETAILER_ACCOUNT, meaning, -amount)


def _paid(order: OrderState, captured: int, refunded: int) -> Iterator[tuple[str, Meaning, int]]:
    yield f"{order.id}:captured:{order.payment.captured}", "payment", captured
    yield f"{order.id}:refunded:{order.payment.refunded}", "refund", -refunded
