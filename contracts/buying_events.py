"""Data of the events about purchase orders (see contracts.events). Units; amounts in minor units."""

from contracts.base import Document, Moment
from contracts.buying import Mismatch, PurchaseState, ReceivedLine, TurnKind
from contracts.partner_events import Bilingual
from contracts.workdays import Day


class OrderedItem(Document):
    line: int
    sku: str
    quantity: int
    unit_price: int
    due: Day


class PurchaseOrdered(Document):
    """`purchase.ordered.v1`, to the supplier: please deliver; told again as a reminder."""

    order: str
    location: str
    currency: str
    lines: list[OrderedItem]
    answer_by: Moment
    reminder: int = 0
    words: Bilingual


class CancelledItem(Document):
    line: int
    sku: str
    quantity: int


class PurchaseCancelled(Document):
    """`purchase.cancelled.v1`, to the supplier: do not deliver these units any more."""

    order: str
    lines: list[CancelledItem]
    reason: str
    words: Bilingual


class PurchaseChanged(Document):
    """`purchase.changed.v1`, to the retailer, and to the supplier once it was asked: how the order stands."""

    order: str
    supplier: str
    location: str
    state: PurchaseState
    why: str | None = None
    note: str | None = None
    words: Bilingual


class PurchaseElsewhere(Document):
    """`purchase.elsewhere.v1`, to the retailer: what a supplier does not deliver is ordered of others; of `nowhere`
    nobody else delivers these SKUs."""

    order: str
    supplier: str
    location: str
    orders: list[str]
    nowhere: list[str]
    words: Bilingual


class PurchaseWaits(Document):
    """`purchase.waits.v1`, to the retailer: somebody of the retailer's is waited for; told again as a reminder,
    and when it was given to the next role."""

    order: str
    kind: TurnKind
    role: str | None
    value: int
    currency: str
    due: Moment | None
    reminder: int = 0
    words: Bilingual


class PurchaseReceived(Document):
    """`purchase.received.v1`, to both: what came. Damaged goods are still owed; excess and wrong ones are not taken."""

    order: str
    reference: str
    lines: list[ReceivedLine]
    open_units: int
    words: Bilingual


class LateItem(Document):
    """`days`: working days since the day on which it was expected."""

    line: int
    sku: str
    open: int
    expected: Day
    days: int


class PurchaseLate(Document):
    """`purchase.late.v1`, to both: goods that were expected have not come; told again every few working days."""

    order: str
    supplier: str
    location: str
    lines: list[LateItem]
    words: Bilingual


class PurchaseInvoiced(Document):
    """`purchase.invoice.v1`, to both: what became of an invoice."""

    order: str
    number: str
    state: str
    total: int
    currency: str
    mismatches: list[Mismatch]
    reason: str | None = None
    words: Bilingual


class SupplierDispute(Document):
    """`supplier.dispute.v1`, to both: a line of the supplier's score that it objects to, and what became of it.

    `answer_by`: until when it is answered by those who have it now; `escalated`: how often it was given to the next
    ones. `why` not_answered: it is accepted because nobody answered in time. To the retailer also `role`, whose turn it
    is, and as a reminder, counted by `reminder`.
    """

    supplier: str
    order: str
    line: int
    state: str
    reason: str
    answer: str | None = None
    why: str | None = None
    answer_by: Moment | None = None
    escalated: int = 0
    role: str | None = None
    reminder: int = 0
    words: Bilingual
