"""What the workflow of a purchase order, its activities and those who call them say to each other."""

from typing import Annotated, Literal

from pydantic import Field

from contracts.base import Document, Moment, Request
from contracts.buying import (
    ENDED,
    LINES_MAX,
    InvoiceLine,
    PurchaseState,
    ReceivedItem,
    Reference,
)
from contracts.money import Amount
from contracts.personal import Remark
from contracts.refusals import Refusal

STAND = "buying.stand"
"""Step -> Standing: how the order stands. Changes nothing."""
HEAR = "buying.hear"
"""Step -> Standing: what the supplier has said since."""
CARRY_OUT = "buying.carry_out"
"""CarryOut -> Standing. A refusal is not tried again."""
TIME = "buying.time"
"""Step -> Standing: a moment has come: remind, escalate, give up, tell that goods are late."""


class Buy(Document):
    """Input of `PurchaseOrder`."""

    order: str


class Standing(Document):
    """How an order stands, as its workflow knows it. `waits`: what for, in words."""

    order: str
    supplier: str
    location: str
    state: PurchaseState
    value: str
    """In words, such as "¥12.34"."""
    open_units: int
    waits: str
    next_at: Moment | None = None
    unheard: bool = False
    """Whether the supplier has said more than was taken in."""
    successors: list[str] = []
    step: int = 0


class Step(Document):
    """One thing to be done with an order. `number` counts its steps: one that was carried out is not done again."""

    order: str
    number: int
    now: Moment


class ApprovePurchase(Request):
    note: Remark | None = None


class RejectPurchase(Request):
    reason: Remark


class AnswerCounter(Request):
    """accept: the order is as the supplier offers it. Else the supplier is told, and may confirm it as it was, decline,
    or offer again; with `elsewhere` it goes to the next supplier at once."""

    accept: bool
    elsewhere: bool = False
    reason: Remark | None = None


class Receive(Request):
    """A delivery. The same reference with the same units again changes nothing."""

    reference: Reference = Field(description="Number of the delivery note.")
    items: list[ReceivedItem] = Field(min_length=1, max_length=LINES_MAX)


class TakeInvoice(Request):
    """An invoice about goods of the order."""

    number: Reference
    total: Amount
    lines: list[InvoiceLine] = Field(min_length=1, max_length=LINES_MAX)


class DecideInvoice(Request):
    """About an invoice that does not match: pay it all the same, or send it back."""

    number: Reference
    accept: bool
    reason: Remark


class CancelRest(Request):
    """What is still open does not come any more: of all lines, or of those that are named."""

    reason: Remark
    lines: list[Annotated[int, Field(ge=1, le=LINES_MAX)]] | None = Field(
        default=None, min_length=1, max_length=LINES_MAX
    )


class Command(Document):
    """What somebody wants done with an order, one of seven. `by`: the key's name."""

    by: str
    approve: ApprovePurchase | None = None
    reject: RejectPurchase | None = None
    answer: AnswerCounter | None = None
    receive: Receive | None = None
    invoice: TakeInvoice | None = None
    decide: DecideInvoice | None = None
    cancel: CancelRest | None = None


Doing = Literal["approve", "reject", "answer", "receive", "invoice", "decide", "cancel"]
DOINGS: tuple[Doing, ...] = ("approve", "reject", "answer", "receive", "invoice", "decide", "cancel")


class CarryOut(Step):
    """A command that the workflow has let pass; it is looked at once more where it is written."""

    command: Command


def doing(command: Command) -> Doing:
    for name in DOINGS:
        if getattr(command, name) is not None:
            return name
    raise ValueError("a command without anything to do")


_MAY: dict[Doing, frozenset[PurchaseState]] = {
    "approve": frozenset({"approval"}),
    "reject": frozenset({"approval"}),
    "answer": frozenset({"countered"}),
    "receive": frozenset({"sent", "countered", "confirmed", "received"}),
    "invoice": frozenset({"confirmed", "received"}),
    "decide": frozenset({"confirmed", "received"}),
    "cancel": frozenset({"approval", "sent", "countered", "confirmed"}),
}
_WORDS: dict[Doing, tuple[str, str]] = {
    "approve": ("not_in_approval", "It does not wait for approval."),
    "reject": ("not_in_approval", "It does not wait for approval."),
    "answer": ("no_counter_offer", "No counter-offer waits for an answer."),
    "receive": ("not_awaited", "Nothing is awaited on it."),
    "invoice": ("no_invoice_awaited", "No invoice can be taken for it now."),
    "decide": ("no_invoice_awaited", "No invoice of it can be decided now."),
    "cancel": ("nothing_open", "Nothing is open on it that could be cancelled."),
}


def refuse(order: str, state: PurchaseState, what: Doing) -> None:
    """Raises Refusal when an order that stands so cannot take the command; it then changes nothing."""
    if state in _MAY[what]:
        return
    code, why = _WORDS[what]
    remedy = "Look at the order first."
    if what == "receive":
        remedy = "Check the order's number; send goods back that nobody ordered, or book them with PUT /v1/stock."
    elif state in ENDED:
        remedy = "There is nothing left to do with it."
    raise Refusal(code, f"The purchase order {order} is {state}. {why}", remedy=remedy, status=409)
