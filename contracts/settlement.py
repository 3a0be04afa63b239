"""Settlement: what every sale is worth to whom, by rules that are data, in entries that add up to nothing."""

import re
from datetime import datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints, model_validator

from contracts.base import Document, Moment, Request
from contracts.carriers import DivisionPrefix
from contracts.hours import TIME_ZONE
from contracts.ids import LocationId
from contracts.money import Amount
from contracts.refusals import Refusal

CUSTOMER = "customer"
RETAILER_ACCOUNT = "retailer"
COMMISSION = "commission"
COMPENSATION = "compensation"
FREIGHT = "freight"
HANDLING = "handling"
DISCOUNT = "discount"
PARTNER = "partner:"
CARRIER = "carrier:"

WHOLE_BP = 10_000
"""Basis points that make the whole."""


def partner_account(location: str) -> str:
    return PARTNER + location


def carrier_account(carrier: str) -> str:
    return CARRIER + carrier


Meaning = Literal[
    "sale",
    "goods",
    "shipping_fee",
    "discount",
    "commission",
    "sales_commission",
    "handling",
    "freight",
    "payment",
    "refund",
    "correction",
    "payout",
]
"""What an entry is for. sale: the customer owes for goods; goods: whoever owns them gets their price; payment and
refund: money between customer and retailer; payout: a statement is paid."""

Terms = Literal["marketplace", "sales", "handling", "freight"]
"""What a rule sets. marketplace: the commission that a seller pays for what it ships; sales: the commission that the
location gets that made the sale; handling: what a store or warehouse gets for shipping; freight: the shipping
location's part of the freight, the rest is the retailer's."""

RuleId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class CommissionRule(Request):
    """One rule, as a caller describes it. What is left out holds for all.

    Of the rules that match, the most specific counts: the one that names the location, then the kind of location, then
    the category, then the channel, then the longest beginning of the order's division; then the one that began last.
    """

    id: RuleId
    terms: Terms
    location: LocationId | None = Field(default=None, description="The location that pays or gets it.")
    location_kind: Literal["store", "warehouse", "seller"] | None = None
    category: str | None = Field(default=None, min_length=1, max_length=60, description="Of the article.")
    channel: str | None = Field(default=None, min_length=1, max_length=40)
    region: DivisionPrefix = Field(default="", description="Beginning of the division that the order goes to.")
    valid_from: Moment | None = None
    valid_to: Moment | None = Field(default=None, description="The first moment at which it does not hold any more.")
    percent_bp: int = Field(
        default=0, ge=0, le=WHOLE_BP, strict=True, description="Basis points of the goods' value; of freight: its part."
    )
    per_parcel: Amount = 0
    on_return: Literal["reverse", "keep"] = Field(
        default="reverse", description="Whether it is taken back, in proportion, for units that come back."
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> "CommissionRule":
        if self.valid_from and self.valid_to and self.valid_from >= self.valid_to:
            raise ValueError("valid_to is not after valid_from; send a later valid_to, or leave it out")
        if self.category is not None and self.terms in ("handling", "freight"):
            raise ValueError(
                f"category cannot be told apart for {self.terms}, which is of a whole parcel; leave category out"
            )
        if self.terms == "freight" and self.per_parcel:
            raise ValueError(
                "per_parcel has no meaning for freight; send percent_bp, the location's part of the freight"
            )
        return self


class Rule(CommissionRule):
    """A rule as it is kept. Every change is a new version; old ones stay, because entries name them."""

    version: int = 1

    @property
    def reference(self) -> str:
        return f"{self.id}@{self.version}"


class Entry(Document):
    """One side of a booking, for ever. `amount` in minor units: above zero it is due to the account, below from it.

    The entries of one cause add up to zero, and so do those of one order. `statement` is the only field that changes:
    once, when a statement takes the entry in.
    """

    id: str
    cause: str
    order: str | None = None
    parcel: str | None = None
    line: int | None = None
    """Where the amount goes by the units of one line; else by all units of the parcel."""
    account: str
    meaning: Meaning
    amount: int
    currency: str
    at: Moment
    rule: str | None = None
    """`id@version` of the rule that set the amount."""
    final: bool = False
    """Stays when goods come back."""
    statement: str | None = None


def shipped_cause(parcel: str) -> str:
    return f"{parcel}:shipped"


def returned_cause(parcel: str, units: int) -> str:
    """`units`: all that have come back of the parcel by then."""
    return f"{parcel}:returned:{units}"


# Digits are spelt out, because \d is also those of other scripts: the same month would be two periods.
_MONTH = re.compile(r"^2[0-9]{3}-(0[1-9]|1[0-2])$")
_DAY = re.compile(r"^2[0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")

Period = Annotated[str, StringConstraints(pattern=r"^2[0-9]{3}-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?$")]
"""A month (2026-10) or a day (2026-10-31)."""


def end_of_period(period: str) -> datetime:
    """The first moment after the period, in the retailer's time zone. Raises Refusal for what is no date."""
    zone = ZoneInfo(TIME_ZONE)
    try:
        if _MONTH.match(period):
            first = datetime.strptime(f"{period}-01", "%Y-%m-%d").replace(tzinfo=zone)
            return (first + timedelta(days=32)).replace(day=1)
        if _DAY.match(period):
            return datetime.strptime(period, "%Y-%m-%d").replace(tzinfo=zone) + timedelta(days=1)
    except (ValueError, OverflowError):
        pass
    remedy = "Send a month such as 2026-10 or a day such as 2026-10-31."
    raise Refusal("bad_period", f"{period[:20]} is no period.", remedy=remedy, field="period")


def month_before(at: datetime) -> str:
    """The month that ended last, such as 2026-10."""
    first = at.astimezone(ZoneInfo(TIME_ZONE)).replace(day=1)
    return f"{first - timedelta(days=1):%Y-%m}"


def statement_id(partner: str, period: str) -> str:
    """Also the id of the workflow that settles it."""
    return f"settlement-{partner}-{period}"


class Approval(Request):
    """How long a statement waits. Data, handed over when settlements are started; times in seconds."""

    remind_after_s: int = Field(default=3 * 86400, ge=1, le=365 * 86400)
    auto_approve_after_s: int = Field(
        default=7 * 86400, ge=1, le=365 * 86400, description="Silence for so long is taken for approval."
    )


class StatementLine(Document):
    """Everything that one cause meant to the partner. `amounts` by meaning, `amount` their sum, in minor units."""

    number: int
    cause: str
    at: Moment
    order: str | None
    parcel: str | None
    currency: str
    amounts: dict[Meaning, int]
    amount: int
    rules: list[str]


class Balance(Document):
    """One currency of a statement: closing = opening + all lines. Above zero it is due to the partner."""

    currency: str
    opening: int
    amounts: dict[Meaning, int]
    closing: int


class Dispute(Document):
    """A line that the partner objects to, and what became of it."""

    line: int
    reason: str
    by: str
    at: Moment
    state: Literal["open", "accepted", "rejected"] = "open"
    answer: str | None = None
    correct_amount: int | None = None
    answered_by: str | None = None
    answered_at: Moment | None = None


StatementState = Literal["freezing", "frozen", "ready", "disputed", "closed", "carried", "paid"]
"""freezing: entries are being taken in; frozen: all are. carried: it was not paid before a later statement took its
balance over, which is now the one to be paid."""


class Revision(Document):
    """The files of a statement at one time; they never change. Sums of the bytes are SHA-256, hexadecimal."""

    number: int
    at: Moment
    lines: int
    json_sha256: str
    json_bytes: int
    pdf_sha256: str
    pdf_bytes: int
    pages: int


class Statement(Document):
    """A partner's statement of one period. Its lines are in the JSON file of its newest revision."""

    id: str
    partner: str
    period: str
    until: Moment
    """Entries before it are taken in, if no earlier statement has."""
    previous: str | None
    opening: dict[str, int]
    """By currency: what the previous statement closed with."""
    approval: Approval = Approval()
    """As it was asked for, so that its workflow can be started again."""
    state: StatementState
    frozen_at: Moment
    taken: int = 0
    """Entries that were taken in when it was frozen."""
    balances: list[Balance] = []
    revisions: list[Revision] = []
    disputes: list[Dispute] = []
    approved_by: str | None = None
    note: str | None = None
    closed_at: Moment | None = None
    paid_at: Moment | None = None
    reference: str | None = None
    """The retailer's own reference of the payment."""
    step: int = 0
    """The last step of its workflow that was written here."""


class StatementContent(Document):
    """The JSON file of a revision, which the PDF shows."""

    statement: str
    revision: int
    partner: str
    partner_name: str
    period: str
    until: Moment
    balances: list[Balance]
    lines: list[StatementLine]


class StatementReady(Document):
    """`statement.ready.v1`, to the partner: please approve or dispute it before `answer_by`; silence approves."""

    statement: str
    period: str
    revision: int
    balances: list[Balance]
    json_sha256: str
    pdf_sha256: str
    answer_by: Moment
    reminder: int = 0


class StatementDisputed(Document):
    """`statement.disputed.v1`, to the partner and the retailer: lines that are objected to, and what became of it."""

    statement: str
    period: str
    disputes: list[Dispute]


class StatementClosed(Document):
    """`statement.closed.v1`, to the partner and the retailer: approved, by somebody or by silence; or paid."""

    statement: str
    period: str
    revision: int
    balances: list[Balance]
    approved_by: str
    paid_at: Moment | None = None
    reference: str | None = None
