"""Purchase orders: what is bought of a supplier for one location, from the first word until goods and invoice match."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from contracts.base import Document, Moment, Request
from contracts.buying_terms import BuyingTerms
from contracts.ids import LocationId, Sku
from contracts.money import AMOUNT_MAX, Amount, Currency
from contracts.partnership import PartnerId
from contracts.personal import Remark
from contracts.workdays import Day

WORKFLOW = "PurchaseOrder"
TASK_QUEUE = "buying"
UNITS_MAX = 10_000_000
LINES_MAX = 500
PAPERS_MAX = 500
"""Delivery notes, and invoices, of one order."""
INVOICE_LINES_MAX = 10_000
"""Of all invoices of an order: what nobody can end would make it too large to be written."""
TIMELINE_KEPT = 500
"""The newest entries are kept with an order."""
Units = Annotated[int, Field(ge=0, le=UNITS_MAX, strict=True)]
SomeUnits = Annotated[int, Field(ge=1, le=UNITS_MAX, strict=True)]
PurchaseId = Annotated[str, StringConstraints(pattern=r"^po-[A-Za-z0-9][A-Za-z0-9_-]{0,90}$")]
Reference = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,64}$")]
"""Of a delivery note or an invoice; printable ASCII without spaces."""

PurchaseState = Literal[
    "approval",
    "sent",
    "countered",
    "confirmed",
    "received",
    "closed",
    "cancelled",
    "rejected",
    "expired",
    "declined",
    "silent",
]
"""approval: somebody has to approve it. sent: the supplier has to answer. countered: the supplier wants it otherwise,
and we have to answer. confirmed: goods are on their way or have come in part. received: nothing more is to come, an
invoice is. closed: goods and invoices match. rejected, expired: it was not approved. declined, silent: the supplier
does not deliver; `successors` are the orders at the next suppliers, where there are any."""
ENDED: frozenset[PurchaseState] = frozenset({"closed", "cancelled", "rejected", "expired", "declined", "silent"})
AWAITED: tuple[PurchaseState, ...] = ("approval", "sent", "countered", "confirmed")
"""States in which goods are still to come: what is open counts in the position of its location, whatever its date."""


class WantedLine(Request):
    """A SKU that somebody orders by hand."""

    sku: Sku
    quantity: SomeUnits
    unit_price: Amount
    due: Day


class PurchaseAsked(Request):
    """An order made by hand, at once. `id` is made when it is left out; the same id again changes nothing."""

    id: PurchaseId | None = None
    supplier: PartnerId
    location: LocationId
    currency: Currency = "CNY"
    lines: list[WantedLine] = Field(min_length=1, max_length=LINES_MAX)
    reason: Remark | None = None

    @model_validator(mode="after")
    def _once(self) -> "PurchaseAsked":
        skus = [line.sku for line in self.lines]
        if len(set(skus)) != len(skus):
            raise ValueError("a SKU is on two lines; send one line for each SKU")
        value = sum(line.quantity * line.unit_price for line in self.lines)
        if value > AMOUNT_MAX:
            raise ValueError(f"the order is worth {value}, more than {AMOUNT_MAX}; send prices in minor units")
        return self


class PurchaseLine(Document):
    """A SKU on an order. Units; prices in minor units for one. Goods that are damaged stay owed by the supplier, what
    comes beyond the order or was never ordered is not taken in."""

    line: int
    sku: str
    ordered: int
    unit_price: int
    due: Day
    """The day on which it should be there, by the order."""
    confirmed: int | None = None
    """Units that the supplier has promised; None: it has not answered."""
    promised: Day | None = None
    """The first day that the supplier has promised; what it says later does not change it."""
    expected: Day | None = None
    """The day that it has said last."""
    shipped: int = 0
    received: int = 0
    """Good units."""
    damaged: int = 0
    cancelled: int = 0
    """Units that do not come any more, whoever has said so."""
    withdrawn: int = 0
    """Those of them that we took back before they were due."""
    late_told: int = 0

    @property
    def wanted(self) -> int:
        return self.ordered if self.confirmed is None else self.confirmed

    @property
    def open(self) -> int:
        """Units that are still to come."""
        return max(self.wanted - self.received - self.cancelled, 0)

    @property
    def day(self) -> Day:
        """On which it is expected now."""
        return self.expected or self.promised or self.due


class ReceivedItem(Request):
    """`quantity`: good units. What is not on the order is named all the same; it is not taken in."""

    sku: Sku
    quantity: Units = 0
    damaged: Units = 0


class ReceivedLine(Document):
    """What came of one SKU. `line` None: it is not on the order. `excess`: beyond what was open; neither excess nor
    damaged nor wrong goods are in the stock. `days`: working days after the promised day, below zero before it."""

    sku: str
    line: int | None
    good: int = 0
    damaged: int = 0
    excess: int = 0
    wrong: int = 0
    days: int = 0


class Receipt(Document):
    """A delivery, by the reference on its note."""

    reference: str
    at: Moment
    by: str
    lines: list[ReceivedLine]
    said: list[ReceivedItem]
    """As it was reported: the same reference with other units is a mistake."""


class Notice(Document):
    """A shipping notice of the supplier."""

    reference: str
    at: Moment
    expected: Day | None
    tracking: str | None
    units: dict[str, int]
    """By line."""


class InvoiceLine(Request):
    line: int = Field(ge=1, le=LINES_MAX, strict=True)
    quantity: SomeUnits
    unit_price: Amount


class Mismatch(Document):
    """Where an invoice does not follow from order and receipts. `code`: price (another than agreed), quantity (more
    than was received and not invoiced yet), unknown_line. `amount`: what is asked too much, in minor units."""

    line: int
    code: Literal["price", "quantity", "unknown_line"]
    invoiced: int
    right: int
    amount: int


class Invoice(Document):
    """waits: goods are still to come that it may be about. matched, or accepted by somebody although it does not match;
    rejected: it counts for nothing."""

    number: str
    at: Moment
    by: str
    total: int
    lines: list[InvoiceLine]
    state: Literal["waits", "mismatch", "matched", "accepted", "rejected"] = "waits"
    mismatches: list[Mismatch] = []
    decided_by: str | None = None
    reason: str | None = None


class CounterLine(Document):
    line: int
    quantity: int
    unit_price: int
    due: Day


class Counter(Document):
    """What the supplier offers instead; lines that are not named stay as they are."""

    reply: str
    at: Moment
    note: str | None
    lines: list[CounterLine]


TurnKind = Literal["approval", "answer", "decision", "delivery", "invoice"]


class PurchaseTurn(Document):
    """Who is waited for. `role`: of whom, inside; `remind_at` None: they were reminded."""

    kind: TurnKind
    since: Moment
    remind_at: Moment | None = None
    due: Moment | None = None
    role: str | None = None
    reminders: int = 0
    escalated: int = 0

    @property
    def next_at(self) -> Moment | None:
        known = [one for one in (self.remind_at, self.due) if one is not None]
        return min(known, default=None)


class PurchaseEntry(Document):
    """What happened."""

    at: Moment
    what: str
    by: str
    note: str | None = None


class PurchaseOrder(Document):
    """As it is kept in `purchase_orders`. Amounts in minor units of `currency`."""

    id: str
    run: str
    supplier: PartnerId
    location: LocationId
    currency: Currency
    lines: list[PurchaseLine]
    proposals: list[str] = []
    """Of which it was made; none on an order at the next supplier, whose predecessor has them."""
    predecessor: str | None = None
    successors: list[str] = []
    """Orders at the next suppliers."""
    tried: list[str] = []
    """Suppliers that were asked before and did not deliver."""
    reasons: list[str] = []
    """Why this supplier."""
    reasons_zh: list[str] = []
    """The same in Chinese."""
    terms: BuyingTerms
    state: PurchaseState
    why: str | None = None
    """Code of why it stands so, where there is one."""
    asked_by: str
    approved_by: str | None = None
    created_at: Moment
    sent_at: Moment | None = None
    answered_at: Moment | None = None
    """When the supplier first answered."""
    turn: PurchaseTurn | None = None
    counter: Counter | None = None
    notices: list[Notice] = []
    receipts: list[Receipt] = []
    invoices: list[Invoice] = []
    timeline: list[PurchaseEntry] = []
    started: bool = False
    """Whether its workflow was started."""
    next_at: Moment | None = None
    step: int = 0
    """The last step of its workflow that was written here."""

    @property
    def value(self) -> int:
        return sum((line.wanted - line.cancelled) * line.unit_price for line in self.lines)

    @property
    def offered_value(self) -> int:
        """What it would be worth as the supplier offers it."""
        offers = {one.line: one for one in self.counter.lines} if self.counter else {}
        return sum(
            offers[line.line].quantity * offers[line.line].unit_price
            if line.line in offers
            else (line.wanted - line.cancelled) * line.unit_price
            for line in self.lines
        )

    @property
    def open_lines(self) -> list[PurchaseLine]:
        return [line for line in self.lines if line.open]

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    def line_of(self, number: int) -> PurchaseLine | None:
        return next((line for line in self.lines if line.line == number), None)


def successor_id(order: str, place: int) -> str:
    """Of an order in its place at another supplier; one for each such supplier, counted from 1."""
    return f"{order}.n{place}"
